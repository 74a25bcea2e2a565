#pragma once

#include "policies/transfer/decide.hpp"
#include "policies/transfer/metrics_store.hpp"
#include "runtime/transfer/metrics_file.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace homeostat {

inline constexpr instant pool_epoch{std::chrono::seconds(1'800'000'000)};

/// @returns transfer n, in which no field is its default.
inline transfer_metrics numbered_transfer(std::uint64_t n) {
  transfer_metrics m;
  m.transfer_id = n;
  m.timestamp = pool_epoch + static_cast<long>(n) * 100ms;
  m.method = n % 2 == 0 ? transfer_method::grpc : transfer_method::zero_copy;
  m.data = {.data_size = 1000 * (n + 1), .type = data_type::tensor, .format = data_format::arrow, .compressed = true};
  m.conditions = {.cpu_load = 0.25,
                  .memory_used = 0.5,
                  .available_memory = ~std::uint64_t{0} - n,
                  .in_flight = 7,
                  .hour = 13.5,
                  .recent_slowdown = 1.25};
  m.latency_us = 100.125 + static_cast<double>(n);
  m.cpu_time_us = 1.0 / 3;
  m.memory_used = 5000 + n;
  m.decision_time_us = 0.5;
  m.predicted_latency_us = 99;
  m.explored = n % 3 == 0;
  m.failed = n % 7 == 0;
  m.generation = 3;
  m.why = {.known = true,
           .reason = decision_reason::rule,
           .under = pressure::cpu,
           .rule = 2,
           .confidence = 0.75F,
           .grpc_us = 120.5F,
           .zero_copy_us = 99.25F,
           .threshold = 10 * mebibyte};
  return m;
}

/// @returns a batch of the transfers first .. first + count - 1, recorded in the store.
inline metrics_batch recorded(metrics_store& store, std::uint64_t first, std::uint64_t count,
                              const std::string& pool = "ml") {
  std::vector<transfer_metrics> samples;
  instant now = pool_epoch;
  for (std::uint64_t n = first; n < first + count; ++n) {
    samples.push_back(numbered_transfer(n));
    now = samples.back().timestamp;
    EXPECT_EQ(store.record(samples.back(), now), record_outcome::recorded);
  }
  return take_batch(store, pool, std::move(samples), now);
}

/// @returns the file, or a failed test.
inline std::unique_ptr<metrics_file> opened(const metrics_file_options& options) {
  auto file = metrics_file::open(options);
  EXPECT_TRUE(file) << (file ? "" : file.error().what);
  return file ? std::move(*file) : nullptr;
}

} // namespace homeostat
