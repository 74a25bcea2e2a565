#include "runtime/plants/cache/origin.hpp"

#include "runtime/plants/cache/seeded_bits.hpp"

#include <algorithm>
#include <cmath>

namespace homeostat::cache {

namespace {
constexpr std::uint64_t stream_period = 11;
constexpr std::uint64_t stream_phase = 12;
constexpr std::uint64_t stream_time = 13;
} // namespace

duration fetch_time(const origin_settings& s, std::size_t items, std::size_t in_flight, std::size_t sessions,
                    double slowdown) {
  const double n = static_cast<double>(items);
  const double idle =
      static_cast<double>(s.per_batch.count()) + static_cast<double>(s.per_item.count()) * n * (1 + n / s.batch_knee);
  const double load = static_cast<double>(in_flight) / s.item_capacity;
  const double factor = (1 + load * load) * (1 + s.session_overhead * static_cast<double>(sessions)) * slowdown;
  return duration(static_cast<std::int64_t>(idle * factor));
}

std::optional<std::vector<std::uint64_t>> slow_origin::fetch(std::span<const std::uint32_t> keys,
                                                             std::stop_token stop) {
  std::unique_lock lock(mutex_);
  items_in_flight_ += keys.size();
  ++fetches_in_flight_;
  totals_.most_at_once = std::max(totals_.most_at_once, fetches_in_flight_);
  const instant begin = clock_.now();
  const duration mean = fetch_time(settings_, keys.size(), items_in_flight_, sessions_, slowdown_);
  const double exponential = -std::log1p(-seeded_unit(settings_.seed, stream_time, fetches_begun_++));
  const double factor = 1 + settings_.variability * (exponential - 1);
  const instant end = begin + duration(static_cast<std::int64_t>(static_cast<double>(mean.count()) * factor));
  instant now = begin;
  for (; now < end && !stop.stop_requested(); now = clock_.now())
    stopped_.wait_for(lock, stop, end - now, [] { return false; });
  items_in_flight_ -= keys.size();
  --fetches_in_flight_;
  if (now < end) return std::nullopt;
  ++totals_.fetches;
  totals_.items += keys.size();
  totals_.busy += now - begin;
  lock.unlock();
  std::vector<std::uint64_t> versions;
  versions.reserve(keys.size());
  for (const auto key : keys) versions.push_back(version_at(key, now));
  return versions;
}

std::uint64_t slow_origin::version_at(std::uint32_t key, instant when) const {
  const auto mean = static_cast<double>(settings_.change_period.count());
  const auto period = static_cast<std::uint64_t>(mean * (0.6 + 0.8 * seeded_unit(settings_.seed, stream_period, key)));
  const std::uint64_t phase = seeded_bits(settings_.seed, stream_phase, key) % std::max<std::uint64_t>(period, 1);
  return (static_cast<std::uint64_t>(when.time_since_epoch().count()) + phase) / std::max<std::uint64_t>(period, 1);
}

void slow_origin::set_sessions(std::size_t open) {
  std::lock_guard lock(mutex_);
  sessions_ = open;
}

void slow_origin::set_slowdown(double factor) {
  std::lock_guard lock(mutex_);
  slowdown_ = factor;
}

origin_totals slow_origin::totals() const {
  std::lock_guard lock(mutex_);
  return totals_;
}

} // namespace homeostat::cache
