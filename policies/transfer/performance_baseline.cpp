#include "policies/transfer/performance_baseline.hpp"

#include "policies/median.hpp"
#include "policies/number_text.hpp"
#include "policies/transfer/rank_test.hpp"

#include <algorithm>
#include <cmath>

namespace homeostat {

namespace {

constexpr std::size_t history_limit = 8;
constexpr std::uint32_t least_accepted = 10;
/// Median absolute deviation to standard deviation, for normal noise.
constexpr double mad_to_sigma = 1.4826;

double log_us(double us) { return std::log(std::max(us, quantile_sketch::least_value)); }
double log_p50(const metrics_window& w) { return log_us(w.of.latency_p50_us); }
double log_p95(const metrics_window& w) { return log_us(w.of.latency_p95_us); }

template <class measure> std::vector<double> all(std::span<const metrics_window> windows, measure of) {
  std::vector<double> values;
  values.reserve(windows.size());
  for (const metrics_window& w : windows) values.push_back(of(w));
  return values;
}

double reach_around(const std::vector<double>& values, double middle, const baseline_settings& s) {
  std::vector<double> off;
  off.reserve(values.size());
  for (double v : values) off.push_back(std::abs(v - middle));
  return std::clamp(3 * mad_to_sigma * upper_median(std::move(off)), std::log1p(s.band), std::log1p(s.widest_band));
}

baseline_anchor anchor_of(std::span<const metrics_window> windows, instant now, const baseline_settings& s) {
  const std::vector<double> p50 = all(windows, log_p50), p95 = all(windows, log_p95);
  baseline_anchor a{.p50 = upper_median(p50),
                    .p95 = upper_median(p95),
                    .reach_p50 = 0,
                    .reach_p95 = 0,
                    .generation = windows.back().of.last_generation,
                    .at = now};
  a.reach_p50 = reach_around(p50, a.p50, s);
  a.reach_p95 = reach_around(p95, a.p95, s);
  return a;
}

/// @returns whether the second half of the windows is where the first was: a level, not a slope.
bool is_steady(std::span<const metrics_window> windows, const baseline_settings& s) {
  const auto half = windows.size() / 2;
  const rank_comparison moved =
      compare_ranks(all(windows.first(half), log_p50), all(windows.subspan(half), log_p50), 0.95);
  return std::abs(moved.shift) <= std::log1p(s.band) || (moved.shift_low <= 0 && moved.shift_high >= 0);
}

bool is_sick(const metrics_window& w, const baseline_settings& s) {
  return w.of.failure_share > s.most_failures || w.of.memory_pressure > s.most_pressure ||
         w.of.cpu_load > s.most_pressure;
}

bool in_band(const metrics_window& w, const baseline_anchor& a) {
  return std::abs(log_p50(w) - a.p50) <= a.reach_p50 && std::abs(log_p95(w) - a.p95) <= a.reach_p95;
}

void keep(std::vector<metrics_window>& windows, const metrics_window& w, std::size_t most) {
  if (windows.size() >= most) windows.erase(windows.begin());
  windows.push_back(w);
}

void move_anchor(performance_baseline& b, std::span<const metrics_window> windows, const std::string& why, instant now,
                 const baseline_settings& s) {
  const double before = b.p50_us().value_or(0);
  std::vector<metrics_window> taken(windows.begin(), windows.end());
  b.anchor = anchor_of(taken, now, s);
  b.windows = std::move(taken);
  b.astray_since.reset();
  b.candidate.reset();
  if (b.history.size() >= history_limit) b.history.erase(b.history.begin());
  b.history.push_back({.at = now, .before_us = before, .after_us = *b.p50_us(), .why = why});
}

window_verdict form(performance_baseline& b, const metrics_window& w, const baseline_settings& s) {
  keep(b.windows, w, s.min_windows);
  if (b.windows.size() < s.min_windows || !is_steady(b.windows, s)) return window_verdict::forming;
  move_anchor(b, b.windows, "the first " + std::to_string(b.windows.size()) + " steady windows", w.end, s);
  return window_verdict::formed;
}

/// @returns the change of configuration that a level which began at `began` may come from.
const generation_start* cause_of(instant began, std::span<const generation_start> starts, const baseline_settings& s) {
  for (auto start = starts.rbegin(); start != starts.rend(); ++start)
    if (start->at <= began) return began - start->at <= s.cause_within ? &*start : nullptr;
  return nullptr;
}

/// Strays may be a tenth of a candidate's windows, and two at its beginning.
bool has_broken_off(const baseline_candidate& c) { return c.strays > 2 + c.seen / 10; }

void count_stray(performance_baseline& b) {
  if (!b.candidate) return;
  ++b.candidate->seen;
  ++b.candidate->strays;
  if (has_broken_off(*b.candidate)) b.candidate.reset();
}

/// @returns whether the candidate became the anchor.
bool follow(baseline_candidate& c, performance_baseline& b, const metrics_window& w, const baseline_settings& s) {
  if (c.seen++ % c.stride == 0) c.windows.push_back(w);
  if (c.windows.size() > s.max_windows) {
    std::vector<metrics_window> half;
    for (std::size_t i = 0; i < c.windows.size(); i += 2) half.push_back(c.windows[i]);
    c.windows = std::move(half);
    c.stride *= 2;
  }
  if (w.end - c.began < s.hold || c.windows.size() < s.min_windows || !is_steady(c.windows, s)) return false;
  const std::vector<metrics_window> windows = std::move(c.windows);
  move_anchor(b, windows,
              "held for " + number_text(std::round(seconds_of(w.end - c.began) / 360) / 10) + " h since generation " +
                  std::to_string(c.generation),
              w.end, s);
  return true;
}

} // namespace

std::expected<void, std::string> check(const baseline_settings& s) {
  const auto wrong = [](const char* name, double value, const char* expected) {
    return std::unexpected(std::string(name) + " is " + number_text(value) + ", expected " + expected);
  };
  if (s.min_windows < least_accepted || s.min_windows > 1000) return wrong("min_windows", s.min_windows, "10 to 1000");
  if (s.max_windows < s.min_windows || s.max_windows > 10'000)
    return wrong("max_windows", s.max_windows, "min_windows to 10000");
  if (!(s.band > 0 && s.band <= s.widest_band)) return wrong("band", s.band, "above 0, up to widest_band");
  if (!(s.widest_band <= 1)) return wrong("widest_band", s.widest_band, "band to 1");
  if (!(s.most_failures >= 0 && s.most_failures < 1)) return wrong("most_failures", s.most_failures, "0 to below 1");
  if (!(s.most_pressure > 0 && s.most_pressure <= 1)) return wrong("most_pressure", s.most_pressure, "above 0 to 1");
  if (s.hold < 1h) return wrong("hold", seconds_of(s.hold), "1 h or more, in seconds");
  if (s.cause_within <= 0us) return wrong("cause_within", seconds_of(s.cause_within), "more than 0 s");
  return {};
}

std::optional<double> performance_baseline::p50_us() const {
  return anchor ? std::optional(std::exp(anchor->p50)) : std::nullopt;
}

std::string_view name_of(window_verdict verdict) {
  switch (verdict) {
  case window_verdict::forming: return "forming";
  case window_verdict::formed: return "formed";
  case window_verdict::accepted: return "accepted";
  case window_verdict::out_of_band: return "out_of_band";
  case window_verdict::sick: return "sick";
  case window_verdict::rebaselined: return "rebaselined";
  case window_verdict::out_of_order: return "out_of_order";
  }
  return "?";
}

window_verdict observe(performance_baseline& b, const metrics_window& w, std::span<const generation_start> starts,
                       const baseline_settings& s) {
  if (w.end <= b.last) return ++b.out_of_order, window_verdict::out_of_order;
  b.last = w.end;
  if (is_sick(w, s)) {
    ++b.sick;
    count_stray(b);
    if (b.anchor && !b.astray_since) b.astray_since = w.begin; // what follows a sick window has begun before the cure
    return window_verdict::sick;
  }
  if (!b.anchor) return form(b, w, s);
  if (in_band(w, *b.anchor)) {
    ++b.accepted;
    b.astray_since.reset();
    keep(b.windows, w, s.max_windows);
    count_stray(b);
    return window_verdict::accepted;
  }
  ++b.out_of_band;
  if (!b.astray_since) b.astray_since = w.begin;
  if (!b.candidate)
    if (const generation_start* cause = cause_of(*b.astray_since, starts, s);
        cause != nullptr && cause->generation != b.anchor->generation)
      b.candidate = baseline_candidate{.generation = cause->generation, .began = *b.astray_since, .windows = {}};
  if (b.candidate && follow(*b.candidate, b, w, s)) return window_verdict::rebaselined;
  return window_verdict::out_of_band;
}

std::expected<void, std::string> accept_baseline(performance_baseline& b, std::span<const metrics_window> windows,
                                                 const std::string& who, instant now, const baseline_settings& s) {
  if (windows.size() < least_accepted)
    return std::unexpected("there are " + std::to_string(windows.size()) + " windows, expected at least " +
                           std::to_string(least_accepted));
  if (windows.size() > s.max_windows) windows = windows.last(s.max_windows);
  if (!is_steady(windows, s))
    return std::unexpected("the windows do not agree: the second half differs from the first by more than " +
                           number_text(s.band * 100) + " %");
  move_anchor(b, windows, "accepted by " + who, now, s);
  b.last = std::max(b.last, windows.back().end);
  return {};
}

} // namespace homeostat
