#pragma once

#include "policies/transfer/transfer.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace homeostat {

/// Latencies counted by fixed bounds, half a decade apart from 10 us to 31.6 s: cheap to add to, and any number of
/// pools can be added up.
struct latency_histogram {
  static constexpr std::size_t bound_count = 14;
  /// Upper bounds, inclusive. [us]
  static constexpr std::array<double, bound_count> bounds_us{
      10, 31.6, 100, 316, 1000, 3160, 10'000, 31'600, 1e5, 316'000, 1'000'000, 3'160'000, 10'000'000, 31'600'000};
  std::array<std::uint64_t, bound_count + 1> counts{}; ///< each by itself; the last is beyond every bound
  double sum_us{0};

  void add(double us) noexcept {
    ++counts[static_cast<std::size_t>(std::ranges::lower_bound(bounds_us, us) - bounds_us.begin())];
    sum_us += us;
  }
};

/// What became of the transfers that went by one method.
struct method_counts {
  std::uint64_t delivered{0};
  std::uint64_t failed{0};
  std::uint64_t explored{0};
  double bytes{0};           ///< delivered
  latency_histogram latency; ///< of those delivered

  void add(const transfer_metrics& m) noexcept {
    explored += m.explored ? 1 : 0;
    if (m.failed) {
      ++failed;
      return;
    }
    ++delivered;
    bytes += static_cast<double>(m.data.data_size);
    latency.add(m.latency_us);
  }
};

} // namespace homeostat
