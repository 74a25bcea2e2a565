#pragma once

#include "policies/transfer/transfer_policy.hpp"
#include "runtime/transfer/shm_channel.hpp"

#include <cstdint>
#include <expected>
#include <functional>
#include <string>
#include <vector>

namespace homeostat::v1 {
class TransferBenchReport;
}

namespace homeostat {

/// What a phase of the bench runs under.
struct bench_phase {
  std::string name;
  segment_use segments{segment_use::reused};
  bool cpu_pressure{false};
  bool memory_pressure{false};
};

/// @returns a phase from its name: parts of reused, fresh, cpu, memory, joined by "+", as in `fresh+cpu`.
[[nodiscard]] std::expected<bench_phase, std::string> bench_phase_from(const std::string& name);

struct bench_options {
  std::string program;         ///< of the peer: this one
  std::uint64_t smallest{256}; ///< bytes; sizes are drawn evenly over their logarithm
  std::uint64_t largest{std::uint64_t{128} << 20};
  std::uint64_t transfers{1500}; ///< of each phase
  std::uint64_t measured{500};   ///< of these, at the end, are what the ratios are made of
  std::uint64_t repeats{3};      ///< of each transfer by each method; ratios compare their medians
  std::uint64_t apart{100};      ///< transfers between two repeats of one, so that a slow second is in one of them only
  std::size_t concurrency{1};    ///< threads that transfer at once
  std::vector<data_type> types{data_type::binary};
  std::vector<bench_phase> phases;
  bool tcp{false}; ///< gRPC over TCP on loopback instead of a Unix socket
  std::uint64_t seed{1};
  std::string records; ///< file for every transfer, as CSV; empty: none
  transfer_policy policy;
};

/// Runs every transfer by both methods, in an order drawn anew each time, and lets a pool decide beside it. The pool
/// learns from nothing but the first run of the method it chose, as it would in earnest. Ratios compare the medians of
/// the runs, and repeats are made block by block: the lower of two single measurements, or of two in the same slow
/// second of the machine, would count luck as skill (decision 14). Phases follow each other with the same
/// pool.
/// @param progress  called now and then with the share done, 0..1, and a line.
/// @param interrupted  asked often, by one thread: true ends the bench with what there is.
/// @returns the report; one sentence when something could not be started.
[[nodiscard]] std::expected<v1::TransferBenchReport, std::string>
run_transfer_bench(const bench_options& options, const std::function<void(double, const std::string&)>& progress,
                   const std::function<bool()>& interrupted);

} // namespace homeostat
