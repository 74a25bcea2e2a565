#include "policies/telemetry/window.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace homeostat {

namespace {

void add(sensor_state& s, const telemetry_digest& digest) {
  objective_window& w = s.partial;
  if (w.digests == 0) {
    w.generation = digest.generation;
    w.begin = digest.at - digest.window;
    s.sum_squares = 0;
    s.throughputs = s.error_rates = 0;
  }
  ++w.digests;
  w.end = digest.at;
  w.samples += digest.sample_count;
  const double before = digest.objective - w.mean;
  w.mean += before / w.digests;
  s.sum_squares += before * (digest.objective - w.mean);
  const auto average = [](std::optional<double>& mean, std::uint32_t& count, std::optional<double> value) {
    if (value) mean = mean.value_or(0) + (*value - mean.value_or(0)) / ++count;
  };
  average(w.throughput_per_s, s.throughputs, digest.throughput_per_s());
  average(w.error_rate, s.error_rates, digest.error_rate());
  // The worst of the window: an average of percentiles would hide the very spike it is there to show.
  if (auto p99 = digest.p99_latency_ms()) w.latency_p99_ms = std::max(w.latency_p99_ms.value_or(*p99), *p99);
  if (auto margin = digest.constraint_margin())
    w.constraint_margin = std::min(w.constraint_margin.value_or(*margin), *margin);
}

} // namespace

std::string_view name_of(digest_fault fault) {
  constexpr std::array<std::string_view, digest_fault_count> names{
      "other_generation", "settling", "stale", "from_the_future", "not_finite", "out_of_order", "empty"};
  return names.at(static_cast<std::size_t>(fault));
}

void begin_generation(sensor_state& s, const window_settings& settings, std::uint64_t generation, instant applied_at) {
  s.generation = generation;
  s.measurable_from = applied_at + settings.settle_time;
  s.partial = {};
  s.sum_squares = 0;
}

bool note_live(sensor_state& s, const window_settings& settings, std::uint64_t generation, instant confirmed_at) {
  if (generation == s.generation && confirmed_at + settings.settle_time <= s.measurable_from) return false;
  begin_generation(s, settings, generation, confirmed_at);
  return true;
}

std::optional<digest_fault> judge(const sensor_state& s, const window_settings& settings,
                                  const telemetry_digest& digest, instant now) {
  if (!is_finite(digest)) return digest_fault::not_finite;
  if (digest.sample_count == 0 || digest.window <= 0us) return digest_fault::empty;
  if (digest.at > now) return digest_fault::from_the_future;
  if (digest.at < now - settings.max_age) return digest_fault::stale;
  if (s.last_sequence && digest.sequence <= *s.last_sequence) return digest_fault::out_of_order;
  if (s.last_timestamp && digest.at <= *s.last_timestamp) return digest_fault::out_of_order;
  if (digest.generation != s.generation) return digest_fault::other_generation;
  if (digest.at - digest.window < s.measurable_from) return digest_fault::settling;
  return std::nullopt;
}

std::optional<objective_window> take(sensor_state& s, const window_settings& settings, const telemetry_digest& digest,
                                     instant now) {
  if (auto fault = judge(s, settings, digest, now)) {
    ++s.faults[static_cast<std::size_t>(*fault)];
    return std::nullopt;
  }
  ++s.accepted;
  s.last_sequence = digest.sequence;
  s.last_timestamp = digest.at;
  add(s, digest);
  objective_window& w = s.partial;
  if (w.digests < settings.digests && w.end - w.begin < settings.span) return std::nullopt;
  w.variance = w.digests > 1 ? s.sum_squares / (w.digests - 1) : 0;
  return std::exchange(w, {});
}

} // namespace homeostat
