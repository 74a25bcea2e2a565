#include "runtime/embed/service_plant.hpp"

#include <algorithm>
#include <cmath>

namespace homeostat {

namespace {

constexpr double steps_per_octave = 16;

std::size_t bucket_of(std::chrono::nanoseconds latency, std::size_t buckets) {
  const double us = std::max(1.0, static_cast<double>(latency.count()) / 1000.0);
  return std::min(buckets - 1, static_cast<std::size_t>(std::log2(us) * steps_per_octave));
}

/// @returns the middle of a bucket, in ms.
double latency_of(std::size_t bucket) {
  return std::exp2((static_cast<double>(bucket) + 0.5) / steps_per_octave) / 1000;
}

} // namespace

service_plant::service_plant(std::vector<registered_knob> knobs, atomic_config& live)
    : knobs_(std::move(knobs)), live_(live) {}

void service_plant::record(std::chrono::nanoseconds latency, bool ok) {
  const auto clamped = std::max(latency, std::chrono::nanoseconds(0));
  latencies_[bucket_of(clamped, buckets)].fetch_add(1, std::memory_order_relaxed);
  latency_ns_.fetch_add(static_cast<std::uint64_t>(clamped.count()), std::memory_order_relaxed);
  if (!ok) errors_.fetch_add(1, std::memory_order_relaxed);
  requests_.fetch_add(1, std::memory_order_relaxed);
}

void service_plant::set_metric(const std::string& name, double value) {
  const std::lock_guard lock(mutex_);
  own_metrics_[name] = value;
}

service_plant::counters service_plant::collect() const {
  counters c;
  c.requests = requests_.load(std::memory_order_relaxed);
  c.errors = errors_.load(std::memory_order_relaxed);
  c.latency_ns = latency_ns_.load(std::memory_order_relaxed);
  for (std::size_t i = 0; i < buckets; ++i) c.latencies[i] = latencies_[i].load(std::memory_order_relaxed);
  return c;
}

std::expected<reading, plant_error> service_plant::read(instant now, duration) {
  const std::lock_guard lock(mutex_);
  const counters present = collect();
  reading r{.begin = was_read_ ? last_read_ : now,
            .end = now,
            .sample_count = present.requests - last_.requests,
            .metrics = own_metrics_};
  const double seconds = seconds_of(r.end - r.begin);
  if (r.sample_count > 0 && seconds > 0) {
    const auto n = static_cast<double>(r.sample_count);
    r.metrics["requests"] = n;
    r.metrics["throughput_per_s"] = n / seconds;
    r.metrics["error_rate"] = static_cast<double>(present.errors - last_.errors) / n;
    r.metrics["latency_mean_ms"] = static_cast<double>(present.latency_ns - last_.latency_ns) / n / 1e6;
    // The counters are read one by one while requests go on: the histogram's own sum is what its rank is taken of.
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < buckets; ++i) sum += present.latencies[i] - last_.latencies[i];
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets; ++i) {
      seen += present.latencies[i] - last_.latencies[i];
      if (static_cast<double>(seen) < 0.99 * static_cast<double>(sum)) continue;
      r.metrics["latency_p99_ms"] = latency_of(i);
      break;
    }
  }
  last_ = present;
  last_read_ = now;
  was_read_ = true;
  return r;
}

std::expected<named_values, plant_error> service_plant::apply(const named_values& wanted, duration patience) {
  std::array<double, max_knobs> values{};
  for (std::size_t i = 0; i < knobs_.size(); ++i) {
    const auto value = wanted.find(knobs_[i].declaration.name);
    if (value == wanted.end()) return std::unexpected(plant_error{"no value for knob " + knobs_[i].declaration.name});
    values[i] = value->second;
  }
  if (auto stored = live_.update({values.data(), knobs_.size()}); !stored)
    return std::unexpected(plant_error{std::string(describe(stored.error()))});
  return read_back(patience);
}

std::expected<named_values, plant_error> service_plant::read_back(duration) {
  const config_snapshot present = live_.snapshot();
  named_values values;
  for (std::size_t i = 0; i < knobs_.size(); ++i) values[knobs_[i].declaration.name] = present.values[i];
  return values;
}

} // namespace homeostat
