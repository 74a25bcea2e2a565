#pragma once

#include "policies/transfer/quantile_sketch.hpp"
#include "policies/transfer/size_class.hpp"
#include "policies/transfer/transfer.hpp"

#include <compare>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace homeostat {

/// What is told apart in a pool's metrics.
struct series_key {
  size_class size{0};
  data_type type{data_type::binary};
  transfer_method method{transfer_method::grpc};
  friend auto operator<=>(const series_key&, const series_key&) = default;
};

/// @returns the series a transfer belongs to.
[[nodiscard]] series_key key_of(const transfer_metrics& m);
/// @returns "grpc tensor 9.51 MiB".
[[nodiscard]] std::string text_of(const series_key& key);

/// Many transfers as sums and one sketch; any two can be merged. Latency, throughput, cost and conditions are those of
/// delivered transfers only: one that fails early must not look fast.
struct metrics_bucket {
  std::uint64_t delivered{0};
  std::uint64_t failed{0};
  std::uint64_t explored{0};  ///< delivered, chosen to learn
  std::uint64_t predicted{0}; ///< delivered, with a prediction
  double bytes{0};
  double latency_us{0};
  double throughput_mbps{0}; ///< sum of each transfer's own
  double cpu_us{0};
  double memory_bytes{0};
  double decision_us{0};
  double prediction_error{0};        ///< sum of |predicted - actual| / actual
  double explored_latency_us{0};     ///< of those explored
  double lost_us{0};                 ///< by failed ones
  double cpu_load{0};                ///< sum of the machine's load at the decision
  double memory_pressure{0};         ///< sum of the share of memory in use at the decision
  std::uint64_t least_generation{0}; ///< of delivered and failed; 0 while there are none
  std::uint64_t last_generation{0};
  quantile_sketch latency; ///< [us]

  [[nodiscard]] std::uint64_t count() const { return delivered + failed; }
  void add(const transfer_metrics& m);
  void merge(const metrics_bucket& other);
  friend bool operator==(const metrics_bucket&, const metrics_bucket&) = default;
};

/// A bucket as people and policies read it; means are of delivered transfers, 0 where there are none.
struct metrics_summary {
  std::uint64_t delivered{0};
  std::uint64_t failed{0};
  std::uint64_t explored{0};
  double failure_share{0}; ///< 0..1
  double latency_mean_us{0};
  double latency_p50_us{0};
  double latency_p95_us{0};
  double latency_p99_us{0};
  double latency_p999_us{0};
  double throughput_mean_mbps{0}; ///< mean of each transfer's own
  double goodput_mbps{0};         ///< bytes delivered over the time asked about
  double transfers_per_s{0};      ///< delivered, over that time
  double cpu_mean_us{0};
  double memory_mean_bytes{0};
  double decision_mean_us{0};
  double prediction_error{0}; ///< mean; 0 where nothing was predicted
  double cpu_load{0};         ///< mean, 0..1
  double memory_pressure{0};  ///< mean, 0..1
  std::uint64_t least_generation{0};
  std::uint64_t last_generation{0};
  friend bool operator==(const metrics_summary&, const metrics_summary&) = default;
};

/// @param span  the time the bucket stands for, > 0.
[[nodiscard]] metrics_summary summarise(const metrics_bucket& bucket, duration span);

/// One observation of a series: consecutive minutes, as many as it takes to have enough transfers for a median. What is
/// judged is windows, not single transfers: transfers of one minute resemble each other, and a test that takes them for
/// independent would find significance in every hiccup.
struct metrics_window {
  instant begin{};
  instant end{};
  metrics_summary of;
  friend bool operator==(const metrics_window&, const metrics_window&) = default;
};

struct metrics_window_settings {
  std::uint32_t min_transfers{20}; ///< delivered transfers in a window, >= 1
  duration max_length{1h};         ///< what has too few by then is no observation and is dropped
  friend bool operator==(const metrics_window_settings&, const metrics_window_settings&) = default;
};

/// Cuts a series into windows, from the first minute on. A window never spans two generations: it would tell nothing of
/// either. @param minutes  buckets of one series by their minute, in order of time. Unfinished windows at the end are
/// left out.
[[nodiscard]] std::vector<metrics_window> windows_of(const std::map<instant, metrics_bucket>& minutes,
                                                     const metrics_window_settings& settings);

} // namespace homeostat
