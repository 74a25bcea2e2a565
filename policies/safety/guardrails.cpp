#include "policies/safety/guardrails.hpp"

#include "policies/number_text.hpp"

#include <cmath>

namespace homeostat {

namespace {

std::unexpected<std::string> wrong(const char* name, double value, const char* expected) {
  return std::unexpected(std::string(name) + " is " + number_text(value) + ", expected " + expected);
}

bool is_fraction(double value) { return std::isfinite(value) && value > 0 && value <= 1; }

} // namespace

guardrails guardrails_of(preset p) {
  guardrails g;
  switch (p) {
  case preset::conservative:
    g.max_delta_per_step = 0.05;
    g.max_updates_per_second = 2;
    g.min_interval = 500ms;
    g.direction_flip_limit = 2;
    g.cooldown_after_flip = 60s;
    g.max_cumulative_delta_per_minute = 0.25;
    g.regression_count_limit = 3;
    g.max_baseline_distance = 0.25;
    break;
  case preset::balanced: break;
  case preset::aggressive:
    g.max_delta_per_step = 0.20;
    g.max_updates_per_second = 20;
    g.min_interval = 50ms;
    g.direction_flip_limit = 5;
    g.cooldown_after_flip = 10s;
    g.max_cumulative_delta_per_minute = 1.0;
    g.regression_count_limit = 8;
    g.max_baseline_distance = 1.0;
    break;
  }
  return g;
}

rollback_policy rollback_of(preset p) {
  rollback_policy r;
  switch (p) {
  case preset::conservative:
    r.max_consecutive_regressions = 2, r.max_rollbacks_per_hour = 2, r.min_stable_time = 30s;
    break;
  case preset::balanced: break;
  case preset::aggressive:
    r.max_consecutive_regressions = 5, r.max_rollbacks_per_hour = 10, r.min_stable_time = 1s;
    break;
  }
  return r;
}

std::optional<preset> preset_from(std::string_view name) {
  if (name == "conservative") return preset::conservative;
  if (name == "balanced") return preset::balanced;
  if (name == "aggressive") return preset::aggressive;
  return std::nullopt;
}

std::expected<void, std::string> check(const guardrails& g) {
  if (!is_fraction(g.max_delta_per_step))
    return wrong("max_delta_per_step", g.max_delta_per_step, "a fraction above 0, at most 1");
  if (!(std::isfinite(g.max_updates_per_second) && g.max_updates_per_second >= 1e-6 && g.max_updates_per_second <= 1e4))
    return wrong("max_updates_per_second", g.max_updates_per_second, "0.000001 to 10000");
  if (g.min_interval < 0us)
    return wrong("min_interval", seconds_of(g.min_interval), "a duration of 0 or more (seconds shown)");
  if (g.cooldown_after_flip < 0us)
    return wrong("cooldown_after_flip", seconds_of(g.cooldown_after_flip), "a duration of 0 or more (seconds shown)");
  if (!(std::isfinite(g.max_cumulative_delta_per_minute) && g.max_cumulative_delta_per_minute > 0))
    return wrong("max_cumulative_delta_per_minute", g.max_cumulative_delta_per_minute, "more than 0");
  if (g.regression_count_limit < 1) return wrong("regression_count_limit", g.regression_count_limit, "1 or more");
  if (g.direction_flip_limit > 1000) return wrong("direction_flip_limit", g.direction_flip_limit, "at most 1000");
  if (!is_fraction(g.max_baseline_distance))
    return wrong("max_baseline_distance", g.max_baseline_distance, "a fraction above 0, at most 1");
  if (!is_fraction(g.probe_share)) return wrong("probe_share", g.probe_share, "a fraction above 0, at most 1");
  if (!(g.flip_deadband >= 0 && g.flip_deadband <= g.max_delta_per_step))
    return wrong("flip_deadband", g.flip_deadband, "0 to max_delta_per_step");
  return {};
}

std::expected<void, std::string> check(const rollback_policy& r) {
  if (r.max_consecutive_regressions < 1)
    return wrong("max_consecutive_regressions", r.max_consecutive_regressions, "1 or more");
  if (r.max_rollbacks_per_hour < 1 || r.max_rollbacks_per_hour > 1000)
    return wrong("max_rollbacks_per_hour", r.max_rollbacks_per_hour, "1 to 1000");
  if (r.min_stable_time < 0us)
    return wrong("min_stable_time", seconds_of(r.min_stable_time), "a duration of 0 or more (seconds shown)");
  return {};
}

std::expected<void, std::string> check(const safe_mode_settings& s) {
  if (s.cooldown <= 0us) return wrong("cooldown", seconds_of(s.cooldown), "a duration above 0 (seconds shown)");
  if (s.recovery_windows < 1) return wrong("recovery_windows", s.recovery_windows, "1 or more");
  if (!is_fraction(s.recovery_improvement))
    return wrong("recovery_improvement", s.recovery_improvement, "a fraction above 0, at most 1");
  if (s.repeated_violation_limit < 1) return wrong("repeated_violation_limit", s.repeated_violation_limit, "1 or more");
  if (s.repeated_cumulative_limit < 1)
    return wrong("repeated_cumulative_limit", s.repeated_cumulative_limit, "1 or more");
  if (s.telemetry_timeout <= 0us)
    return wrong("telemetry_timeout", seconds_of(s.telemetry_timeout), "a duration above 0 (seconds shown)");
  return {};
}

} // namespace homeostat
