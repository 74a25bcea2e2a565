#pragma once

#include "policies/search/chacha8.hpp"
#include "policies/transfer/transfer.hpp"

#include <vector>

namespace homeostat {

/// A made-up machine: two methods whose latencies cross at a size that depends on type and load, with noise and stalls.
struct transfer_world {
  double speed{1};            ///< of the machine: 2 halves every latency
  double noise{0.04};         ///< deviation of log latency
  double stalls{0.01};        ///< share of transfers that take three times as long
  double exploration{0.05};   ///< share that goes the other way than the threshold says
  double threshold{10 << 20}; ///< bytes from which on the rules take zero-copy
  double smallest{20};        ///< log2 of bytes
  double largest{30};
  bool same{false}; ///< both methods cost the same: nothing to choose
  duration spacing{100ms};

  /// @returns the latency without noise, us.
  [[nodiscard]] double expected_us(const transfer_characteristics& data, const system_conditions& now,
                                   transfer_method method) const;
  [[nodiscard]] transfer_method faster(const transfer_characteristics& data, const system_conditions& now) const;
  /// @returns one transfer as it might come at a time.
  [[nodiscard]] transfer_metrics draw(chacha8_rng& rng, instant at, std::uint64_t id) const;
  [[nodiscard]] std::vector<transfer_metrics> draw_many(std::size_t count, std::uint64_t seed) const;
};

inline constexpr instant world_begin{std::chrono::seconds(1'800'000'000)};

/// @returns a number of the standard normal distribution.
[[nodiscard]] double normal_draw(chacha8_rng& rng);

} // namespace homeostat
