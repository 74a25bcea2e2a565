#include "policies/transfer/regression_report.hpp"

#include "policies/median.hpp"
#include "policies/number_text.hpp"
#include "policies/transfer/rank_test.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace homeostat {

namespace {

using windows = std::span<const metrics_window>;

template <class measure> std::vector<double> all(windows ws, measure of) {
  std::vector<double> values;
  values.reserve(ws.size());
  for (const metrics_window& w : ws) values.push_back(of(w.of));
  return values;
}

template <class measure> double median(windows ws, measure of) { return ws.empty() ? 0 : upper_median(all(ws, of)); }

double log_of(const metrics_summary& s, regressed_measure m) {
  const double us = m == regressed_measure::latency_p50 ? s.latency_p50_us : s.latency_p95_us;
  return std::log(std::max(us, quantile_sketch::least_value));
}

/// One series under judgement, over the short or the long time.
struct judged {
  series_key key;
  windows before;
  windows shown; ///< all recent ones at hand
  windows now;   ///< the newest of them
  bool is_long{false};
  std::array<rank_comparison, 2> tests;
};

judged judge(const series_key& key, const performance_baseline& baseline, windows shown, bool is_long,
             const report_settings& s) {
  judged j{.key = key,
           .before = baseline.windows,
           .shown = shown,
           .now = shown.last(std::min<std::size_t>(shown.size(), is_long ? s.long_windows : s.recent_windows)),
           .is_long = is_long,
           .tests = {}};
  for (const auto m : {regressed_measure::latency_p50, regressed_measure::latency_p95}) {
    const auto of = [m](const metrics_summary& w) { return log_of(w, m); };
    const std::vector<double> before = all(j.before, of);
    j.tests[static_cast<std::size_t>(m)] =
        compare_ranks(before, all(j.now, of), s.confidence, serial_inflation(before));
  }
  return j;
}

std::vector<judged> judge_all(const std::map<series_key, performance_baseline>& baselines,
                              const std::map<series_key, std::vector<metrics_window>>& recent, const report_settings& s,
                              instant now, std::uint32_t& unjudged) {
  std::vector<judged> found;
  for (const auto& [key, shown] : recent) {
    const auto fresh = std::ranges::find_if(shown, [&](const auto& w) { return w.end > now - s.recent_within; });
    const windows all_fresh(fresh, shown.end());
    const auto baseline = baselines.find(key);
    if (baseline == baselines.end() || !baseline->second.anchor || baseline->second.windows.size() < s.min_baseline ||
        all_fresh.size() < s.min_recent) {
      ++unjudged;
      continue;
    }
    found.push_back(judge(key, baseline->second, all_fresh, false, s));
    // Hardly more windows than the short time has would be the same test twice.
    if (all_fresh.size() >= std::size_t{2} * s.recent_windows)
      found.push_back(judge(key, baseline->second, all_fresh, true, s));
  }
  return found;
}

/// The most likely moment of one step between two known levels: where the sum of what lies below the middle between
/// them, minus what lies above, was largest (Page 1954, the CUSUM change point).
instant began_at(const judged& j, regressed_measure m, double before, double now) {
  const double middle = (before + now) / 2;
  double sum = 0, least = 0;
  instant began = j.shown.front().begin;
  for (std::size_t i = 0; i + 1 < j.shown.size(); ++i) {
    sum += log_of(j.shown[i].of, m) - middle;
    if (sum < least) least = sum, began = j.shown[i + 1].begin;
  }
  return began;
}

std::optional<std::uint64_t> generation_at(instant began, const judged& j, std::span<const generation_start> starts,
                                           const report_settings& s) {
  std::vector<duration> lengths;
  for (const metrics_window& w : j.now) lengths.push_back(w.end - w.begin);
  std::ranges::sort(lengths);
  const duration window = lengths[lengths.size() / 2];
  for (auto start = starts.rbegin(); start != starts.rend(); ++start)
    if (start->at <= began + window)
      return began - start->at <= window * s.generation_windows ? std::optional(start->generation) : std::nullopt;
  return std::nullopt;
}

component_change change_of(const judged& j, std::optional<bool> other_too) {
  const auto of = [&](double metrics_summary::* member) {
    const auto read = [member](const metrics_summary& w) { return w.*member; };
    return std::pair(median(j.before, read), median(j.now, read));
  };
  const auto [latency_before, latency_now] = of(&metrics_summary::latency_mean_us);
  const auto [cpu_before, cpu_now] = of(&metrics_summary::cpu_mean_us);
  const auto [decision_before, decision_now] = of(&metrics_summary::decision_mean_us);
  const auto [held_before, held_now] = of(&metrics_summary::memory_mean_bytes);
  const auto [pressure_before, pressure_now] = of(&metrics_summary::memory_pressure);
  const auto [load_before, load_now] = of(&metrics_summary::cpu_load);
  return {.method = j.key.method,
          .latency_us = latency_now - latency_before,
          .cpu_us = cpu_now - cpu_before,
          .decision_us = decision_now - decision_before,
          .memory_ratio = held_before > 0 ? held_now / held_before : 1,
          .memory_pressure = pressure_now,
          .memory_rise = pressure_now - pressure_before,
          .cpu_load = load_now,
          .cpu_rise = load_now - load_before,
          .other_method_too = other_too};
}

/// @returns whether the other method of the same size and type became slower too: by half the threshold is enough to
/// say that it did not stay as it was.
std::optional<bool> other_method(const std::vector<judged>& all_judged, const judged& of, const report_settings& s) {
  for (const judged& j : all_judged)
    if (j.is_long == of.is_long && j.key.size == of.key.size && j.key.type == of.key.type &&
        j.key.method != of.key.method)
      return j.tests[0].shift > std::log1p(s.threshold / 2);
  return std::nullopt;
}

regression_finding finding_of(const judged& j, regressed_measure m, double adjusted,
                              const std::vector<judged>& all_judged, std::span<const generation_start> starts,
                              const report_settings& s) {
  const rank_comparison& test = j.tests[static_cast<std::size_t>(m)];
  const auto of = [m](const metrics_summary& w) { return log_of(w, m); };
  const double before = median(j.before, of);
  const double now = median(j.now, of);
  regression_finding f;
  f.series = j.key;
  f.measure = m;
  f.before_us = std::exp(before);
  f.now_us = std::exp(now);
  f.ratio = std::exp(test.shift);
  f.ratio_low = std::exp(test.shift_low);
  f.ratio_high = std::exp(test.shift_high);
  f.p = test.p;
  f.p_adjusted = adjusted;
  f.windows_before = static_cast<std::uint32_t>(j.before.size());
  f.windows_now = static_cast<std::uint32_t>(j.now.size());
  for (const metrics_window& w : j.now) f.transfers_now += w.of.delivered;
  f.began = began_at(j, m, before, before + test.shift);
  f.generation = generation_at(f.began, j, starts, s);
  f.cause = cause_of(change_of(j, other_method(all_judged, j, s)));
  return f;
}

double cost_of(const regression_finding& f) { return (f.now_us - f.before_us) * static_cast<double>(f.transfers_now); }

} // namespace

std::expected<void, std::string> check(const report_settings& s) {
  const auto wrong = [](const char* name, double value, const char* expected) {
    return std::unexpected(std::string(name) + " is " + number_text(value) + ", expected " + expected);
  };
  if (!(s.threshold > 0 && s.threshold <= 10)) return wrong("threshold", s.threshold, "above 0, up to 10");
  if (!(s.false_discoveries > 0 && s.false_discoveries < 0.5))
    return wrong("false_discoveries", s.false_discoveries, "above 0, below 0.5");
  if (!(s.confidence > 0.5 && s.confidence < 1)) return wrong("confidence", s.confidence, "above 0.5, below 1");
  if (s.min_recent < 3) return wrong("min_recent", s.min_recent, "3 or more");
  if (s.recent_windows < s.min_recent) return wrong("recent_windows", s.recent_windows, "min_recent or more");
  if (s.long_windows < s.recent_windows) return wrong("long_windows", s.long_windows, "recent_windows or more");
  if (s.min_baseline < 10) return wrong("min_baseline", s.min_baseline, "10 or more");
  if (s.recent_within < 1min) return wrong("recent_within", seconds_of(s.recent_within), "60 s or more");
  return {};
}

regression_report report_regressions(const std::map<series_key, performance_baseline>& baselines,
                                     const std::map<series_key, std::vector<metrics_window>>& recent,
                                     std::span<const generation_start> starts, const report_settings& s, instant now) {
  regression_report report;
  report.at = now;
  const std::vector<judged> all_judged = judge_all(baselines, recent, s, now, report.unjudged);
  std::vector<double> p;
  for (const judged& j : all_judged)
    for (const rank_comparison& test : j.tests) p.push_back(test.p);
  report.tests = static_cast<std::uint32_t>(p.size());
  const std::vector<double> adjusted = adjust_for_many(p);

  for (std::size_t i = 0; i < all_judged.size(); ++i) {
    const judged& j = all_judged[i];
    if (std::ranges::find(report.findings, j.key, &regression_finding::series) != report.findings.end()) continue;
    for (const auto m : {regressed_measure::latency_p50, regressed_measure::latency_p95}) {
      const auto which = static_cast<std::size_t>(m);
      const double q = adjusted[2 * i + which];
      if (!(j.tests[which].shift > std::log1p(s.threshold) && q <= s.false_discoveries)) continue;
      report.findings.push_back(finding_of(j, m, q, all_judged, starts, s));
      break; // a slower median explains a slower tail
    }
  }
  std::ranges::sort(report.findings, {}, [](const regression_finding& f) { return std::pair(-cost_of(f), f.series); });
  for (const regression_finding& f : report.findings) {
    if (std::ranges::find(report.methods, f.series.method) == report.methods.end())
      report.methods.push_back(f.series.method);
    report.least_size = std::min(report.least_size.value_or(f.series.size), f.series.size);
    report.last_size = std::max(report.last_size.value_or(f.series.size), f.series.size);
  }
  return report;
}

} // namespace homeostat
