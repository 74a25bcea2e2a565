#include "policies/transfer/baseline_watch.hpp"

namespace homeostat {

namespace {

constexpr metrics_window_settings window_rules{};

/// Only whole minutes are cut: the present one is still growing.
instant end_of_whole_minutes(instant now) { return std::chrono::floor<std::chrono::minutes>(now); }

void show_windows(performance_baseline& baseline, const std::map<instant, metrics_bucket>& minutes,
                  std::span<const generation_start> starts, const baseline_settings& settings) {
  for (const metrics_window& window : windows_of(minutes, window_rules))
    (void)observe(baseline, window, starts, settings);
}

} // namespace

void baseline_watch::note(const series_key& key, instant now) { noted_[key] = now; }

void baseline_watch::show_all(const metrics_store& store, std::span<const generation_start> starts, instant now,
                              const baseline_settings& settings) {
  for (const auto& [key, minutes] : store.series(instant{}, end_of_whole_minutes(now)))
    show_windows(baselines[key], minutes, starts, settings);
}

void baseline_watch::show(const metrics_store& store, std::span<const generation_start> starts, instant now,
                          const baseline_settings& settings) {
  const instant end = end_of_whole_minutes(now);
  std::erase_if(noted_, [&](const auto& one) {
    performance_baseline& baseline = baselines[one.first];
    show_windows(baseline, store.series_of(one.first, baseline.last, end), starts, settings);
    return one.second < end; // else its latest minute is yet to be seen whole
  });
}

} // namespace homeostat
