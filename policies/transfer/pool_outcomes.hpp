#pragma once

#include "policies/transfer/cost_table.hpp"
#include "policies/transfer/quantile_sketch.hpp"
#include "policies/transfer/transfer_policy.hpp"

#include <array>
#include <cstdint>

namespace homeostat {

/// What a pool's transfers came to over one interval.
struct outcome_summary {
  std::uint64_t transfers{0};
  std::uint64_t failed{0};
  std::uint64_t bytes{0}; ///< delivered
  double latency_mean_us{0};
  double latency_p99_us{0};
  double cpu_mean_us{0};
  double memory_mean_bytes{0};
  /// Against what transfers of the same type and size cost lately; 1: as much, or nothing to compare with.
  double latency_ratio{1};
  double cpu_ratio{1};
  double memory_ratio{1};
};

/// @returns the ratios as one, weighed by a goal: below 1 is better, whatever the mix of sizes became.
[[nodiscard]] double cost_ratio(const outcome_summary& s, transfer_goal goal);

/// Sums up a pool's outcomes for the loop over its policy.
///
/// A mean latency would call every change of the mix a regression or a success, so each transfer is set against what
/// its like (type and half octave of size) cost in the last ten minutes or so of readings. Sizes weigh by the time they
/// are expected to take, geometrically: what the quick path decides anyway counts little. The reference follows slowly,
/// so that the windows after a change still see the machine before it.
class pool_outcomes {
public:
  void record(const transfer_metrics& done);
  /// @returns what was recorded since the last call.
  [[nodiscard]] outcome_summary take();

private:
  static constexpr std::size_t measures = 3; ///< logarithms of latency, processor time and memory
  using means = std::array<double, measures>;
  struct cell {
    std::uint32_t readings{0}; ///< behind the reference
    means reference{};
    std::uint64_t seen{0}; ///< since the last reading
    means sum{};
  };
  std::array<std::array<cell, cost_class_count>, data_type_count> cells_{};
  outcome_summary now_;
  double latency_sum_{0};
  double cpu_sum_{0};
  double memory_sum_{0};
  std::uint64_t delivered_{0};
  quantile_sketch latencies_;
};

} // namespace homeostat
