#include "policies/transfer/metrics_bucket.hpp"

#include <algorithm>

namespace homeostat {

series_key key_of(const transfer_metrics& m) {
  return {.size = size_class_of(m.data.data_size), .type = m.data.type, .method = m.method};
}

std::string text_of(const series_key& key) {
  return std::string(name_of(key.method)) + " " + std::string(name_of(key.type)) + " " +
         size_text(least_size(key.size));
}

namespace {

void widen(metrics_bucket& b, std::uint64_t least, std::uint64_t last, bool first) {
  b.least_generation = first ? least : std::min(b.least_generation, least);
  b.last_generation = first ? last : std::max(b.last_generation, last);
}

} // namespace

void metrics_bucket::add(const transfer_metrics& m) {
  widen(*this, m.generation, m.generation, count() == 0);
  if (m.failed) {
    ++failed;
    lost_us += m.latency_us;
    return;
  }
  ++delivered;
  bytes += static_cast<double>(m.data.data_size);
  latency_us += m.latency_us;
  throughput_mbps += m.throughput_mbps();
  cpu_us += m.cpu_time_us;
  memory_bytes += static_cast<double>(m.memory_used);
  decision_us += m.decision_time_us;
  cpu_load += m.conditions.cpu_load;
  memory_pressure += m.conditions.memory_used;
  if (m.predicted_latency_us > 0) ++predicted, prediction_error += m.prediction_error();
  if (m.explored) ++explored, explored_latency_us += m.latency_us;
  latency.add(m.latency_us);
}

void metrics_bucket::merge(const metrics_bucket& other) {
  if (other.count() == 0) return;
  widen(*this, other.least_generation, other.last_generation, count() == 0);
  for (auto member :
       {&metrics_bucket::delivered, &metrics_bucket::failed, &metrics_bucket::explored, &metrics_bucket::predicted})
    this->*member += other.*member;
  for (auto member : {&metrics_bucket::bytes, &metrics_bucket::latency_us, &metrics_bucket::throughput_mbps,
                      &metrics_bucket::cpu_us, &metrics_bucket::memory_bytes, &metrics_bucket::decision_us,
                      &metrics_bucket::prediction_error, &metrics_bucket::explored_latency_us, &metrics_bucket::lost_us,
                      &metrics_bucket::cpu_load, &metrics_bucket::memory_pressure})
    this->*member += other.*member;
  latency.merge(other.latency);
}

metrics_summary summarise(const metrics_bucket& b, duration span) {
  metrics_summary s;
  s.delivered = b.delivered;
  s.failed = b.failed;
  s.explored = b.explored;
  s.least_generation = b.least_generation;
  s.last_generation = b.last_generation;
  if (b.count() > 0) s.failure_share = static_cast<double>(b.failed) / static_cast<double>(b.count());
  if (b.predicted > 0) s.prediction_error = b.prediction_error / static_cast<double>(b.predicted);
  if (b.delivered == 0) return s;
  const auto n = static_cast<double>(b.delivered);
  s.latency_mean_us = b.latency_us / n;
  s.latency_p50_us = b.latency.quantile(0.5).value_or(0);
  s.latency_p95_us = b.latency.quantile(0.95).value_or(0);
  s.latency_p99_us = b.latency.quantile(0.99).value_or(0);
  s.latency_p999_us = b.latency.quantile(0.999).value_or(0);
  s.throughput_mean_mbps = b.throughput_mbps / n;
  s.cpu_mean_us = b.cpu_us / n;
  s.memory_mean_bytes = b.memory_bytes / n;
  s.decision_mean_us = b.decision_us / n;
  s.cpu_load = b.cpu_load / n;
  s.memory_pressure = b.memory_pressure / n;
  if (span > 0us) {
    s.goodput_mbps = b.bytes * 8 / static_cast<double>(span.count());
    s.transfers_per_s = n / seconds_of(span);
  }
  return s;
}

std::vector<metrics_window> windows_of(const std::map<instant, metrics_bucket>& minutes,
                                       const metrics_window_settings& settings) {
  std::vector<metrics_window> windows;
  metrics_bucket open;
  instant begin{};
  for (const auto& [minute, bucket] : minutes) {
    if (bucket.count() == 0) continue;
    const bool other_generation = open.count() > 0 && bucket.last_generation != open.last_generation;
    if (other_generation || (open.count() > 0 && minute + 1min - begin > settings.max_length)) open = {};
    if (bucket.least_generation != bucket.last_generation) continue; // the minute of a change tells of neither
    if (open.count() == 0) begin = minute;
    open.merge(bucket);
    if (open.delivered < settings.min_transfers) continue;
    const instant end = minute + 1min;
    windows.push_back({.begin = begin, .end = end, .of = summarise(open, end - begin)});
    open = {};
  }
  return windows;
}

} // namespace homeostat
