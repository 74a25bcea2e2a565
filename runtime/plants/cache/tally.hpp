#pragma once

#include "policies/time.hpp"
#include "runtime/ports/plant.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace homeostat::cache {

/// Latencies by size: buckets of an eighth of an octave (9 % wide) from 16 us up to 4 s, the last one open.
class latency_histogram {
public:
  static constexpr std::size_t buckets = 145;

  void add(duration latency);

  /// @returns the latency in ms below which the share q (0..1) of all values lies, interpolated in its bucket;
  ///          0 when there is no value.
  [[nodiscard]] double quantile_ms(double q) const;

  /// @returns what was added since `before`, an earlier copy of this histogram.
  [[nodiscard]] latency_histogram since(const latency_histogram& before) const;

private:
  std::array<std::uint64_t, buckets> counts_{};
};

/// Everything a service has counted since its start. Only grows, so that any number of observers may each take the
/// difference of two copies.
struct service_totals {
  std::uint64_t hits{0};
  std::uint64_t misses{0};    ///< answered after a fetch
  std::uint64_t stale{0};     ///< answered with a version the origin had replaced
  std::uint64_t timed_out{0}; ///< given up by the client
  std::uint64_t shed{0};      ///< refused because the queue was full
  duration latency{0};        ///< sum over hits, misses and timed out requests
  std::uint64_t fetches{0};
  std::uint64_t fetched_keys{0};
  duration fetch_time{0}; ///< sum over fetches
  latency_histogram latencies;

  [[nodiscard]] std::uint64_t answered() const { return hits + misses; }
  [[nodiscard]] std::uint64_t requests() const { return answered() + timed_out + shed; }
};

/// The metrics of the interval between two copies of the totals of one service:
/// requests, throughput_per_s (answered), hit_ratio and stale_ratio (of those answered), error_rate (timed out or shed,
/// of all), latency_mean_ms, latency_p50_ms, latency_p99_ms (requests shed have none), origin_fetches_per_s,
/// origin_items_per_s, origin_load (mean number of fetches under way).
/// A ratio or latency of nothing is left out: there is no such number.
/// @param seconds  length of the interval, > 0.
[[nodiscard]] named_values metrics_between(const service_totals& before, const service_totals& after, double seconds);

/// Counts for all threads of a service.
class tally {
public:
  void hit(duration latency, bool stale);
  void miss(duration latency);
  void timed_out(std::size_t requests, duration timeout);
  void shed();
  void fetched(std::size_t keys, duration took);

  [[nodiscard]] service_totals totals() const;

private:
  mutable std::mutex mutex_;
  service_totals totals_;
};

} // namespace homeostat::cache
