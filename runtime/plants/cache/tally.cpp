#include "runtime/plants/cache/tally.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace homeostat::cache {

namespace {

constexpr double smallest_us = 16;
constexpr double per_octave = 8;

double lower_edge_us(std::size_t bucket) {
  return bucket == 0 ? 0 : smallest_us * std::exp2(static_cast<double>(bucket) / per_octave);
}

double ms_of(duration d) { return static_cast<double>(d.count()) / 1e3; }

double real(std::uint64_t n) { return static_cast<double>(n); }

} // namespace

void latency_histogram::add(duration latency) {
  const double us = std::max(static_cast<double>(latency.count()), smallest_us);
  const double octaves = std::log2(us / smallest_us);
  const auto bucket = static_cast<std::size_t>(octaves * per_octave);
  ++counts_[std::min(bucket, buckets - 1)];
}

double latency_histogram::quantile_ms(double q) const {
  const auto all = std::accumulate(counts_.begin(), counts_.end(), std::uint64_t{0});
  if (all == 0) return 0;
  const double wanted = q * real(all);
  double below = 0;
  for (std::size_t i = 0; i < buckets; ++i) {
    const double here = real(counts_[i]);
    if (here > 0 && below + here >= wanted) {
      const double part = std::clamp((wanted - below) / here, 0.0, 1.0);
      return (lower_edge_us(i) + part * (lower_edge_us(i + 1) - lower_edge_us(i))) / 1e3;
    }
    below += here;
  }
  return lower_edge_us(buckets) / 1e3;
}

latency_histogram latency_histogram::since(const latency_histogram& before) const {
  latency_histogram out;
  for (std::size_t i = 0; i < buckets; ++i) out.counts_[i] = counts_[i] - before.counts_[i];
  return out;
}

named_values metrics_between(const service_totals& before, const service_totals& after, double seconds) {
  const auto requests = after.requests() - before.requests();
  const auto answered = after.answered() - before.answered();
  const auto timed = answered + after.timed_out - before.timed_out;
  named_values m;
  m["requests"] = real(requests);
  m["throughput_per_s"] = real(answered) / seconds;
  m["origin_fetches_per_s"] = real(after.fetches - before.fetches) / seconds;
  m["origin_items_per_s"] = real(after.fetched_keys - before.fetched_keys) / seconds;
  m["origin_load"] = seconds_of(after.fetch_time - before.fetch_time) / seconds;
  if (requests > 0) m["error_rate"] = real(requests - answered) / real(requests);
  if (answered > 0) {
    m["hit_ratio"] = real(after.hits - before.hits) / real(answered);
    m["stale_ratio"] = real(after.stale - before.stale) / real(answered);
  }
  if (timed > 0) {
    const auto latencies = after.latencies.since(before.latencies);
    m["latency_mean_ms"] = ms_of(after.latency - before.latency) / real(timed);
    m["latency_p50_ms"] = latencies.quantile_ms(0.50);
    m["latency_p99_ms"] = latencies.quantile_ms(0.99);
  }
  return m;
}

void tally::hit(duration latency, bool stale) {
  std::lock_guard lock(mutex_);
  ++totals_.hits;
  if (stale) ++totals_.stale;
  totals_.latency += latency;
  totals_.latencies.add(latency);
}

void tally::miss(duration latency) {
  std::lock_guard lock(mutex_);
  ++totals_.misses;
  totals_.latency += latency;
  totals_.latencies.add(latency);
}

void tally::timed_out(std::size_t requests, duration timeout) {
  std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < requests; ++i) {
    ++totals_.timed_out;
    totals_.latency += timeout;
    totals_.latencies.add(timeout);
  }
}

void tally::shed() {
  std::lock_guard lock(mutex_);
  ++totals_.shed;
}

void tally::fetched(std::size_t keys, duration took) {
  std::lock_guard lock(mutex_);
  ++totals_.fetches;
  totals_.fetched_keys += keys;
  totals_.fetch_time += took;
}

service_totals tally::totals() const {
  std::lock_guard lock(mutex_);
  return totals_;
}

} // namespace homeostat::cache
