#pragma once

#include "policies/search/chacha8.hpp"
#include "policies/search/normal.hpp"
#include "policies/transfer/metrics_bucket.hpp"

#include <cmath>

/// Made-up transfers and windows for the tests of the analysing half.
namespace homeostat::testing {

inline constexpr instant epoch{std::chrono::seconds(1'800'000'000)}; // a whole minute

/// @returns a delivered transfer of 8 MiB that ended at `at`.
inline transfer_metrics transfer_at(instant at, double latency_us, transfer_method method = transfer_method::grpc,
                                    std::uint64_t bytes = 8U << 20U) {
  transfer_metrics m;
  m.timestamp = at;
  m.method = method;
  m.data.data_size = bytes;
  m.latency_us = latency_us;
  m.cpu_time_us = latency_us / 2;
  m.decision_time_us = 1;
  m.memory_used = 1000;
  m.generation = 1;
  return m;
}

/// A series whose windows have log-normal medians around a level.
struct window_source {
  chacha8_rng rng;
  double level_us{100};
  double noise{0.03}; ///< standard deviation of the log of a window's median
  std::uint64_t generation{1};
  double cpu_share{0.5};
  double failures{0};
  double memory_pressure{0.3};
  double cpu_load{0.3};
  double decision_us{1};
  double tail{3}; ///< p95 over p50
  instant at{epoch};
  duration length{1min};

  metrics_window next() {
    const double median = level_us * std::exp(noise * normal(rng));
    metrics_window w{.begin = at, .end = at + length, .of = {}};
    w.of.delivered = 100;
    w.of.latency_mean_us = median * 1.2;
    w.of.latency_p50_us = median;
    w.of.latency_p95_us = median * tail * std::exp(noise * normal(rng));
    w.of.cpu_mean_us = w.of.latency_mean_us * cpu_share;
    w.of.decision_mean_us = decision_us;
    w.of.memory_mean_bytes = 1000;
    w.of.failure_share = failures;
    w.of.memory_pressure = memory_pressure;
    w.of.cpu_load = cpu_load;
    w.of.least_generation = w.of.last_generation = generation;
    at += length;
    return w;
  }
};

} // namespace homeostat::testing
