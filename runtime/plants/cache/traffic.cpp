#include "runtime/plants/cache/traffic.hpp"

#include "runtime/plants/cache/seeded_bits.hpp"

#include <algorithm>
#include <cmath>

namespace homeostat::cache {

namespace {

constexpr std::uint64_t stream_gap = 1;
constexpr std::uint64_t stream_rank = 2;

std::size_t index_of(regime r) { return static_cast<std::size_t>(r); }

std::vector<double> cumulative_zipf(std::uint32_t keys, double exponent) {
  std::vector<double> sums(keys);
  double sum = 0;
  for (std::uint32_t rank = 0; rank < keys; ++rank) {
    sum += std::pow(rank + 1.0, -exponent);
    sums[rank] = sum;
  }
  for (double& s : sums) s /= sum;
  sums.back() = 1;
  return sums;
}

} // namespace

std::string_view name_of(regime r) {
  switch (r) {
  case regime::quiet: return "quiet";
  case regime::peak: return "peak";
  case regime::flash: return "flash";
  }
  return "unknown";
}

traffic_conditions conditions_at(const traffic_settings& settings, duration offset) {
  const auto& shapes = settings.shapes;
  if (settings.pinned) {
    const auto& shape = shapes[index_of(*settings.pinned)];
    return {*settings.pinned, shape.rate_per_s, shape.origin_slowdown, 0};
  }
  const double turns = static_cast<double>(offset.count()) / static_cast<double>(settings.cycle.count());
  const double whole = std::floor(turns);
  const double phase = turns - whole;
  const auto cycles = static_cast<std::uint32_t>(whole);
  const double peak_begin = shapes[0].share;
  const double flash_begin = shapes[0].share + shapes[1].share;
  auto blend = [&](double from, double to, double since) {
    return since >= settings.ramp_share ? to : from + (to - from) * since / settings.ramp_share;
  };
  if (phase >= flash_begin) // a crowd does not announce itself: no ramp
    return {regime::flash, shapes[2].rate_per_s, shapes[2].origin_slowdown, cycles + 1};
  if (phase >= peak_begin)
    return {regime::peak, blend(shapes[0].rate_per_s, shapes[1].rate_per_s, phase - peak_begin),
            shapes[1].origin_slowdown, cycles};
  const double before = cycles == 0 ? shapes[0].rate_per_s : shapes[2].rate_per_s;
  return {regime::quiet, blend(before, shapes[0].rate_per_s, phase), shapes[0].origin_slowdown, cycles};
}

traffic_schedule::traffic_schedule(const traffic_settings& settings) : settings_(settings) {
  for (const regime r : all_regimes)
    cumulative_[index_of(r)] = cumulative_zipf(settings_.keys, settings_.shapes[index_of(r)].zipf_exponent);
}

scheduled_request traffic_schedule::next() {
  const std::uint64_t n = drawn_++;
  const auto here = conditions_at(settings_, duration(static_cast<std::int64_t>(at_us_)));
  const double exponential = -std::log1p(-seeded_unit(settings_.seed, stream_gap, n));
  const double gap = 1 + settings_.burstiness * (exponential - 1);
  at_us_ += gap * 1e6 / here.rate_per_s;
  const duration offset(static_cast<std::int64_t>(at_us_));
  const auto there = conditions_at(settings_, offset);
  const auto& sums = cumulative_[index_of(there.kind)];
  const double u = seeded_unit(settings_.seed, stream_rank, n);
  const auto rank = static_cast<std::uint64_t>(std::upper_bound(sums.begin(), sums.end(), u) - sums.begin());
  // A new hot set lies a good third of the key space further on, so that it starts cold in every cache.
  const std::uint64_t shift = std::uint64_t{there.hot_shift} * (settings_.keys * 3ULL / 8);
  return {offset,
          static_cast<std::uint32_t>((std::min<std::uint64_t>(rank, settings_.keys - 1) + shift) % settings_.keys)};
}

void sequence_hash::add(const scheduled_request& r) {
  value_ = seeded_bits(value_, static_cast<std::uint64_t>(r.offset.count()), r.key);
  ++count_;
}

} // namespace homeostat::cache
