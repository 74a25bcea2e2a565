#pragma once

#include "messages/transfer.pb.h"
#include "policies/transfer/transfer_learner.hpp"
#include "runtime/transfer/bench/transfer_bench.hpp"

#include <array>
#include <expected>
#include <span>
#include <string>
#include <vector>

namespace homeostat {

/// One transfer by both methods.
struct paired_transfer {
  transfer_characteristics data;
  std::array<double, transfer_method_count> latency_us{}; ///< of the first run
  std::array<double, transfer_method_count> median_us{};  ///< of all runs
  std::array<double, transfer_method_count> mean_us{};    ///< of all runs
  double held_out_us{0}; ///< mean over the runs, each by the method that was faster in the others; 0: one run only
  std::array<double, transfer_method_count> cpu_us{};
  std::array<double, transfer_method_count> memory{};
  std::array<bool, transfer_method_count> failed{};
  transfer_method chosen{transfer_method::grpc};
  bool explored{false};

  [[nodiscard]] double of(transfer_method m) const { return median_us[static_cast<std::size_t>(m)]; }
};

/// Latencies of all runs of one transfer, as many by each method, in the order in which they were made.
using runs_by_method = std::array<std::vector<double>, transfer_method_count>;
/// Takes in what all runs came to.
void settle(paired_transfer& one, runs_by_method runs);

/// Adds a phase's rows and its comparison of the pool's choices with others to the report.
/// @param made  in the order in which they were made.  @param state  of the pool at the end of the phase.
void add_phase(v1::TransferBenchReport& report, const bench_options& options, const bench_phase& phase,
               std::span<const paired_transfer> made, const transfer_learner& state);

/// Appends a phase's transfers to the file of records, where one is wanted. @param first  begins the file.
/// @errors  the file cannot be written.
[[nodiscard]] std::expected<void, std::string> write_records(const bench_options& options, const bench_phase& phase,
                                                             std::span<const paired_transfer> made, bool first);

} // namespace homeostat
