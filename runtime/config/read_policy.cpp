#include "runtime/config/readers.hpp"
#include "runtime/config/settings_fields.hpp"

#include <algorithm>
#include <array>

namespace homeostat::yaml {

namespace {

constexpr std::array<field<guardrails>, 10> guardrails_fields{{
    {"max_delta_per_step", &guardrails::max_delta_per_step},
    {"max_updates_per_second", &guardrails::max_updates_per_second},
    {"min_interval", &guardrails::min_interval},
    {"direction_flip_limit", &guardrails::direction_flip_limit},
    {"cooldown_after_flip", &guardrails::cooldown_after_flip},
    {"max_cumulative_delta_per_minute", &guardrails::max_cumulative_delta_per_minute},
    {"regression_count_limit", &guardrails::regression_count_limit},
    {"max_baseline_distance", &guardrails::max_baseline_distance},
    {"probe_share", &guardrails::probe_share},
    {"flip_deadband", &guardrails::flip_deadband},
}};

constexpr std::array<field<rollback_policy>, 4> rollback_fields{{
    {"on_regression", &rollback_policy::on_regression},
    {"max_consecutive_regressions", &rollback_policy::max_consecutive_regressions},
    {"max_rollbacks_per_hour", &rollback_policy::max_rollbacks_per_hour},
    {"min_stable_time", &rollback_policy::min_stable_time},
}};

constexpr std::array<field<safe_mode_settings>, 6> safe_mode_fields{{
    {"cooldown", &safe_mode_settings::cooldown},
    {"recovery_windows", &safe_mode_settings::recovery_windows},
    {"recovery_improvement", &safe_mode_settings::recovery_improvement},
    {"repeated_violation_limit", &safe_mode_settings::repeated_violation_limit},
    {"repeated_cumulative_limit", &safe_mode_settings::repeated_cumulative_limit},
    {"telemetry_timeout", &safe_mode_settings::telemetry_timeout},
}};

constexpr std::array<field<regression_settings>, 5> regression_fields{{
    {"z_limit", &regression_settings::z_limit},
    {"relative_floor", &regression_settings::relative_floor},
    {"min_windows", &regression_settings::min_windows},
    {"noise_memory", &regression_settings::noise_memory},
    {"calm_limit", &regression_settings::calm_limit},
}};

std::optional<mapping> section_of(const mapping& spec, std::string_view name, const key_table& keys) {
  const auto v = spec.find(name);
  return v ? mapping::open(*v, keys) : std::nullopt;
}

std::optional<preset> preset_of(const std::optional<mapping>& section) {
  const auto v = section ? section->find("preset") : std::nullopt;
  const auto chosen = v ? choice_of(*v, preset_words().words) : std::nullopt;
  return chosen ? preset_from(preset_words().words[*chosen]) : std::nullopt;
}

void read_guardrails(const std::optional<mapping>& section, const value& place, policy_settings& settings) {
  const guardrails before = settings.limits;
  if (auto p = preset_of(section)) settings.limits = guardrails_of(*p), settings.deadband_given = false;
  const guardrails start = settings.limits;
  if (section) {
    read_fields<guardrails>(*section, settings.limits, guardrails_fields);
    settings.deadband_given = settings.deadband_given || section->has("flip_deadband");
  }
  // A deadband as wide as the steps would make every move directionless, and thrashing invisible: who lowers the step
  // limit alone lowers both.
  const double shrink = settings.limits.max_delta_per_step / start.max_delta_per_step;
  if (!settings.deadband_given && shrink > 0 && shrink < 1) settings.limits.flip_deadband *= shrink;
  report_checks<guardrails>(section, place, settings.limits, before, guardrails_fields,
                            [](const guardrails& g) { return check(g); });
}

/// `rollback_on_regression` beside the guardrails and `on_regression` in rollback mean the same.
void read_rollback_switch(const std::optional<mapping>& guardrails_section,
                          const std::optional<mapping>& rollback_section, rollback_policy& rollback) {
  const auto v = guardrails_section ? guardrails_section->find("rollback_on_regression") : std::nullopt;
  if (!v) return;
  if (rollback_section && rollback_section->has("on_regression"))
    v->refuse("says the same as rollback.on_regression", "one of the two");
  rollback.on_regression = truth_of(*v).value_or(rollback.on_regression);
}

} // namespace

const key_table& guardrails_keys() {
  static const key_table table{
      "guardrails", keys_of<guardrails>(
                        {{.name = "preset"},
                         {.name = "rollback_on_regression"},
                         {.name = "max_delta",
                          .refused = "lists one limit per knob of one loop, so it belongs to the guardrails of a Loop; "
                                     "a fraction of range for every knob is max_delta_per_step"}},
                        guardrails_fields)};
  return table;
}

const key_table& loop_guardrails_keys() {
  static const key_table table{
      "loop_guardrails",
      keys_of<guardrails>({{.name = "preset"}, {.name = "rollback_on_regression"}, {.name = "max_delta"}},
                          guardrails_fields)};
  return table;
}

const key_table& rollback_keys() {
  static const key_table table{"rollback", keys_of<rollback_policy>({{.name = "preset"}}, rollback_fields)};
  return table;
}

const key_table& safe_mode_keys() {
  static const key_table table{"safe_mode", keys_of<safe_mode_settings>({}, safe_mode_fields)};
  return table;
}

const key_table& regression_keys() {
  static const key_table table{"regression", keys_of<regression_settings>({}, regression_fields)};
  return table;
}

const key_table& policy_keys() {
  static const key_table table{"policy", {{"guardrails"}, {"rollback"}, {"safe_mode"}, {"regression"}}};
  return table;
}

const word_set& preset_words() {
  static constexpr std::array<std::string_view, 3> words{"conservative", "balanced", "aggressive"};
  static const word_set set{"preset", words};
  return set;
}

policy_settings read_policy(const mapping& spec, policy_settings settings, const key_table& guardrails_table) {
  const auto guardrails_section = section_of(spec, "guardrails", guardrails_table);
  const auto rollback_section = section_of(spec, "rollback", rollback_keys());
  const auto safe_mode_section = section_of(spec, "safe_mode", safe_mode_keys());
  const auto regression_section = section_of(spec, "regression", regression_keys());
  const policy_settings before = settings;

  read_guardrails(guardrails_section, spec.place_of("guardrails"), settings);

  if (auto p = preset_of(rollback_section)) settings.rollback = rollback_of(*p);
  if (rollback_section) read_fields<rollback_policy>(*rollback_section, settings.rollback, rollback_fields);
  read_rollback_switch(guardrails_section, rollback_section, settings.rollback);
  report_checks<rollback_policy>(rollback_section, spec.place_of("rollback"), settings.rollback, before.rollback,
                                 rollback_fields, [](const rollback_policy& r) { return check(r); });

  if (safe_mode_section) read_fields<safe_mode_settings>(*safe_mode_section, settings.safe_mode, safe_mode_fields);
  report_checks<safe_mode_settings>(safe_mode_section, spec.place_of("safe_mode"), settings.safe_mode, before.safe_mode,
                                    safe_mode_fields, [](const safe_mode_settings& s) { return check(s); });

  if (regression_section) read_fields<regression_settings>(*regression_section, settings.regression, regression_fields);
  report_checks<regression_settings>(regression_section, spec.place_of("regression"), settings.regression,
                                     before.regression, regression_fields,
                                     [](const regression_settings& s) { return check(s); });
  return settings;
}

} // namespace homeostat::yaml
