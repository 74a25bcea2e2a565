#pragma once

#include "policies/time.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace homeostat {

/// The safety envelope of one loop's changes (design §7; source: Hotpath API, "Guardrails"). Every limit is inclusive:
/// a change exactly at its limit is allowed. Defaults are the balanced preset.
struct guardrails {
  /// Largest move of one knob in one change, fraction of its range, 0..1. Without it one bad proposal crosses the whole
  /// range.
  double max_delta_per_step{0.10};
  /// Changes per second over the loop, > 0, down to one in hours. Without it telemetry cannot keep up with what it
  /// judges.
  double max_updates_per_second{10};
  /// Least time between two changes. Without it a burst inside the rate window hides which change did what.
  duration min_interval{100ms};
  /// Direction changes of one knob's base point per minute. More than this is thrashing: safe mode.
  std::uint32_t direction_flip_limit{3};
  /// How long thrashing freezes the loop.
  duration cooldown_after_flip{30s};
  /// Sum of |move| of one knob's base point per minute, fraction of its range. Without it small steps add up unseen.
  double max_cumulative_delta_per_minute{0.5};
  /// Regressions without an improvement between them before safe mode.
  std::uint32_t regression_count_limit{5};
  /// Largest distance of one knob's base point from the tested baseline, fraction of range, without a human.
  double max_baseline_distance{0.5};
  /// Share of the update rate that probes may use, 0..1, so that probing never starves a correcting update.
  double probe_share{0.8};
  /// Base moves up to this fraction of range have no direction: noise at the optimum is not thrashing.
  /// 0..max_delta_per_step.
  double flip_deadband{0.02};

  friend bool operator==(const guardrails&, const guardrails&) = default;
};

/// When and how often the loop returns to its baseline by itself (design §7; source: Hotpath API, "RollbackPolicy").
struct rollback_policy {
  bool on_regression{true};                     ///< false: regressions only lead to safe mode
  std::uint32_t max_consecutive_regressions{3}; ///< regressions in a row that cause a rollback, >= 1
  std::uint32_t max_rollbacks_per_hour{4};      ///< circuit breaker: the last one of the hour ends in safe mode, >= 1
  duration min_stable_time{5s};                 ///< no proposal is accepted for this long after a rollback
  friend bool operator==(const rollback_policy&, const rollback_policy&) = default;
};

/// How a frozen loop comes back (design §7).
struct safe_mode_settings {
  duration cooldown{60s};                     ///< timer exit of the reasons that have one
  std::uint32_t recovery_windows{3};          ///< windows in a row that must show the improvement, >= 1
  double recovery_improvement{0.10};          ///< required improvement against the objective at entry, fraction
  std::uint32_t repeated_violation_limit{10}; ///< hostile proposals per minute before safe mode, >= 1
  std::uint32_t repeated_cumulative_limit{
      5};                          ///< proposals per minute refused for their cumulative delta before safe mode
  duration telemetry_timeout{10s}; ///< longest silence of the sensor
  friend bool operator==(const safe_mode_settings&, const safe_mode_settings&) = default;
};

enum class preset : std::uint8_t { conservative, balanced, aggressive };

[[nodiscard]] guardrails guardrails_of(preset p);
[[nodiscard]] rollback_policy rollback_of(preset p);
[[nodiscard]] std::optional<preset> preset_from(std::string_view name);

/// @returns nothing, or one sentence naming the setting, its value and the expected form.
[[nodiscard]] std::expected<void, std::string> check(const guardrails& g);
[[nodiscard]] std::expected<void, std::string> check(const rollback_policy& r);
[[nodiscard]] std::expected<void, std::string> check(const safe_mode_settings& s);

} // namespace homeostat
