#include "policies/safety/safe_mode.hpp"

#include <algorithm>
#include <cmath>

namespace homeostat {

namespace {
std::size_t index_of(safe_mode_reason reason) { return static_cast<std::size_t>(reason); }
} // namespace

std::string_view name_of(safe_mode_reason reason) {
  constexpr std::array<std::string_view, safe_mode_reason_count> names{
      "Thrashing",          "ObjectiveRegression", "CumulativeBudget",
      "RepeatedViolations", "AuditUnavailable",    "ActuatorFailing",
      "TelemetryLost",      "RestartIntensity",    "Manual"};
  return names.at(index_of(reason));
}

std::string_view name_of(safe_mode_exit exit) {
  constexpr std::array<std::string_view, 4> names{"cooldown", "operator reset", "objective recovery", "cause gone"};
  return names.at(static_cast<std::size_t>(exit));
}

bool is_frozen(const safe_mode_state& s) {
  return std::ranges::any_of(s.holds, [](const auto& hold) { return hold.has_value(); });
}

bool holds(const safe_mode_state& s, safe_mode_reason reason) { return s.holds[index_of(reason)].has_value(); }

std::string reasons_of(const safe_mode_state& s) {
  std::string text;
  for (const auto& hold : s.holds)
    if (hold) text += (text.empty() ? "" : ",") + std::string(name_of(hold->reason));
  return text;
}

bool enter(safe_mode_state& s, safe_mode_reason reason, instant now, std::optional<instant> until,
           std::optional<double> objective) {
  auto& hold = s.holds[index_of(reason)];
  if (hold) {
    if (hold->until && (!until || *until > *hold->until)) hold->until = until;
    return false;
  }
  if (!is_frozen(s)) {
    ++s.entries;
    s.objective_at_entry = objective;
    s.recovered_windows = 0;
  }
  hold = safe_mode_state::hold{.reason = reason, .since = now, .until = until};
  return true;
}

bool leave(safe_mode_state& s, safe_mode_reason reason) {
  auto& hold = s.holds[index_of(reason)];
  const bool held = hold.has_value();
  hold.reset();
  return held;
}

void leave_all(safe_mode_state& s) {
  for (auto& hold : s.holds) hold.reset();
}

bool ends_by_recovery(safe_mode_reason reason) {
  return reason == safe_mode_reason::thrashing || reason == safe_mode_reason::objective_regression ||
         reason == safe_mode_reason::cumulative_budget || reason == safe_mode_reason::repeated_violations;
}

bool watch_recovery(safe_mode_state& s, double objective, const safe_mode_settings& settings) {
  if (!is_frozen(s) || !s.objective_at_entry) return false;
  const double required = *s.objective_at_entry - settings.recovery_improvement * std::abs(*s.objective_at_entry);
  s.recovered_windows = objective <= required ? s.recovered_windows + 1 : 0;
  if (s.recovered_windows < settings.recovery_windows) return false;
  s.recovered_windows = 0;
  bool ended = false;
  for (auto& hold : s.holds)
    if (hold && ends_by_recovery(hold->reason)) hold.reset(), ended = true;
  return ended;
}

} // namespace homeostat
