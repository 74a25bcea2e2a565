// Presets against the design's tables, checks of settings, names and sentences of violations.
#include "policies/safety/audit_record.hpp"
#include "policies/safety/guardrails.hpp"
#include "policies/safety/proposal.hpp"
#include "policies/safety/regression.hpp"
#include "policies/safety/safe_mode.hpp"
#include "policies/safety/violation.hpp"
#include "tests/policies/row_name.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <set>

namespace homeostat {
namespace {

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

// ---- presets
// -------------------------------------------------------------------------------------------------------------

struct preset_row {
  std::string name;
  double max_delta, updates;
  duration min_interval;
  std::uint32_t flips;
  duration cooldown;
  double cumulative;
  std::uint32_t regressions;
  std::uint32_t consecutive, rollbacks;
  duration stable;
};
void PrintTo(const preset_row& row, std::ostream* out) { *out << row.name; }

class Preset : public testing::TestWithParam<preset_row> {};
TEST_P(Preset, IsTheDesignsTable) {
  const preset_row& row = GetParam();
  const auto p = preset_from(row.name);
  ASSERT_TRUE(p);
  const guardrails g = guardrails_of(*p);
  EXPECT_EQ(g.max_delta_per_step, row.max_delta);
  EXPECT_EQ(g.max_updates_per_second, row.updates);
  EXPECT_EQ(g.min_interval, row.min_interval);
  EXPECT_EQ(g.direction_flip_limit, row.flips);
  EXPECT_EQ(g.cooldown_after_flip, row.cooldown);
  EXPECT_EQ(g.max_cumulative_delta_per_minute, row.cumulative);
  EXPECT_EQ(g.regression_count_limit, row.regressions);
  EXPECT_TRUE(check(g));
  const rollback_policy r = rollback_of(*p);
  EXPECT_EQ(r.max_consecutive_regressions, row.consecutive);
  EXPECT_EQ(r.max_rollbacks_per_hour, row.rollbacks);
  EXPECT_EQ(r.min_stable_time, row.stable);
  EXPECT_TRUE(r.on_regression);
  EXPECT_TRUE(check(r));
}
INSTANTIATE_TEST_SUITE_P(Rows, Preset,
                         testing::Values(preset_row{"conservative", 0.05, 2, 500ms, 2, 60s, 0.25, 3, 2, 2, 30s},
                                         preset_row{"balanced", 0.10, 10, 100ms, 3, 30s, 0.5, 5, 3, 4, 5s},
                                         preset_row{"aggressive", 0.20, 20, 50ms, 5, 10s, 1.0, 8, 5, 10, 1s}),
                         by_name);

TEST(PresetNames, DefaultIsBalancedAndOthersAreUnknown) {
  EXPECT_EQ(guardrails_of(preset::balanced), guardrails{});
  EXPECT_EQ(rollback_of(preset::balanced), rollback_policy{});
  EXPECT_FALSE(preset_from("Balanced"));
  EXPECT_FALSE(preset_from(""));
}

// ---- checks
// --------------------------------------------------------------------------------------------------------------

template <class settings> struct check_row {
  std::string name;
  std::function<void(settings&)> given;
  std::string expected;
};
template <class settings> void PrintTo(const check_row<settings>& row, std::ostream* out) { *out << row.name; }
template <class settings> void expect_message(const check_row<settings>& row) {
  settings s;
  row.given(s);
  const auto result = check(s);
  EXPECT_EQ(result ? "" : result.error(), row.expected);
}

class GuardrailsCheck : public testing::TestWithParam<check_row<guardrails>> {};
TEST_P(GuardrailsCheck, SaysWhatIsWrong) { expect_message(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Rows, GuardrailsCheck,
                         testing::ValuesIn(std::vector<check_row<guardrails>>{
                             {"DefaultsAreGood", [](guardrails&) {}, ""},
                             {"ZeroDelta", [](guardrails& g) { g.max_delta_per_step = 0; },
                              "max_delta_per_step is 0, expected a fraction above 0, at most 1"},
                             {"DeltaOfTheWholeRangeIsGood", [](guardrails& g) { g.max_delta_per_step = 1; }, ""},
                             {"DeltaAboveOne", [](guardrails& g) { g.max_delta_per_step = 1.5; },
                              "max_delta_per_step is 1.5, expected a fraction above 0, at most 1"},
                             {"DeltaNaN", [](guardrails& g) { g.max_delta_per_step = nan; },
                              "max_delta_per_step is nan, expected a fraction above 0, at most 1"},
                             {"ZeroRate", [](guardrails& g) { g.max_updates_per_second = 0; },
                              "max_updates_per_second is 0, expected 0.000001 to 10000"},
                             {"SlowestRateIsGood", [](guardrails& g) { g.max_updates_per_second = 1e-6; }, ""},
                             {"FastestRateIsGood", [](guardrails& g) { g.max_updates_per_second = 1e4; }, ""},
                             {"TooFastRate", [](guardrails& g) { g.max_updates_per_second = 10001; },
                              "max_updates_per_second is 10001, expected 0.000001 to 10000"},
                             {"InfiniteRate", [](guardrails& g) { g.max_updates_per_second = inf; },
                              "max_updates_per_second is inf, expected 0.000001 to 10000"},
                             {"NegativeInterval", [](guardrails& g) { g.min_interval = -1s; },
                              "min_interval is -1, expected a duration of 0 or more (seconds shown)"},
                             {"NegativeCooldown", [](guardrails& g) { g.cooldown_after_flip = -500ms; },
                              "cooldown_after_flip is -0.5, expected a duration of 0 or more (seconds shown)"},
                             {"ZeroCumulative", [](guardrails& g) { g.max_cumulative_delta_per_minute = 0; },
                              "max_cumulative_delta_per_minute is 0, expected more than 0"},
                             {"CumulativeNaN", [](guardrails& g) { g.max_cumulative_delta_per_minute = nan; },
                              "max_cumulative_delta_per_minute is nan, expected more than 0"},
                             {"ZeroRegressions", [](guardrails& g) { g.regression_count_limit = 0; },
                              "regression_count_limit is 0, expected 1 or more"},
                             {"NoFlipAtAllIsGood", [](guardrails& g) { g.direction_flip_limit = 0; }, ""},
                             {"TooManyFlips", [](guardrails& g) { g.direction_flip_limit = 1001; },
                              "direction_flip_limit is 1001, expected at most 1000"},
                             {"ZeroDistance", [](guardrails& g) { g.max_baseline_distance = 0; },
                              "max_baseline_distance is 0, expected a fraction above 0, at most 1"},
                             {"ZeroProbeShare", [](guardrails& g) { g.probe_share = 0; },
                              "probe_share is 0, expected a fraction above 0, at most 1"},
                             {"NegativeDeadband", [](guardrails& g) { g.flip_deadband = -0.1; },
                              "flip_deadband is -0.1, expected 0 to max_delta_per_step"},
                             {"DeadbandAboveTheStep", [](guardrails& g) { g.flip_deadband = 0.11; },
                              "flip_deadband is 0.11, expected 0 to max_delta_per_step"},
                             {"DeadbandOfTheStepIsGood", [](guardrails& g) { g.flip_deadband = 0.1; }, ""},
                         }),
                         by_name);

class RollbackCheck : public testing::TestWithParam<check_row<rollback_policy>> {};
TEST_P(RollbackCheck, SaysWhatIsWrong) { expect_message(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Rows, RollbackCheck,
                         testing::ValuesIn(std::vector<check_row<rollback_policy>>{
                             {"DefaultsAreGood", [](rollback_policy&) {}, ""},
                             {"ZeroRegressions", [](rollback_policy& r) { r.max_consecutive_regressions = 0; },
                              "max_consecutive_regressions is 0, expected 1 or more"},
                             {"ZeroRollbacks", [](rollback_policy& r) { r.max_rollbacks_per_hour = 0; },
                              "max_rollbacks_per_hour is 0, expected 1 to 1000"},
                             {"TooManyRollbacks", [](rollback_policy& r) { r.max_rollbacks_per_hour = 1001; },
                              "max_rollbacks_per_hour is 1001, expected 1 to 1000"},
                             {"NegativeStableTime", [](rollback_policy& r) { r.min_stable_time = -1s; },
                              "min_stable_time is -1, expected a duration of 0 or more (seconds shown)"},
                         }),
                         by_name);

class SafeModeCheck : public testing::TestWithParam<check_row<safe_mode_settings>> {};
TEST_P(SafeModeCheck, SaysWhatIsWrong) { expect_message(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Rows, SafeModeCheck,
                         testing::ValuesIn(std::vector<check_row<safe_mode_settings>>{
                             {"DefaultsAreGood", [](safe_mode_settings&) {}, ""},
                             {"ZeroCooldown", [](safe_mode_settings& s) { s.cooldown = 0s; },
                              "cooldown is 0, expected a duration above 0 (seconds shown)"},
                             {"ZeroRecoveryWindows", [](safe_mode_settings& s) { s.recovery_windows = 0; },
                              "recovery_windows is 0, expected 1 or more"},
                             {"ZeroImprovement", [](safe_mode_settings& s) { s.recovery_improvement = 0; },
                              "recovery_improvement is 0, expected a fraction above 0, at most 1"},
                             {"ZeroViolations", [](safe_mode_settings& s) { s.repeated_violation_limit = 0; },
                              "repeated_violation_limit is 0, expected 1 or more"},
                             {"ZeroCumulative", [](safe_mode_settings& s) { s.repeated_cumulative_limit = 0; },
                              "repeated_cumulative_limit is 0, expected 1 or more"},
                             {"ZeroTimeout", [](safe_mode_settings& s) { s.telemetry_timeout = 0s; },
                              "telemetry_timeout is 0, expected a duration above 0 (seconds shown)"},
                         }),
                         by_name);

class RegressionCheck : public testing::TestWithParam<check_row<regression_settings>> {};
TEST_P(RegressionCheck, SaysWhatIsWrong) { expect_message(GetParam()); }
INSTANTIATE_TEST_SUITE_P(
    Rows, RegressionCheck,
    testing::ValuesIn(std::vector<check_row<regression_settings>>{
        {"DefaultsAreGood", [](regression_settings&) {}, ""},
        {"ZeroZ", [](regression_settings& s) { s.z_limit = 0; }, "z_limit is 0, expected more than 0"},
        {"NegativeFloor", [](regression_settings& s) { s.relative_floor = -1; },
         "relative_floor is -1, expected 0 or more"},
        {"OneWindow", [](regression_settings& s) { s.min_windows = 1; }, "min_windows is 1, expected 2 to 1000"},
        {"EndlessMemory", [](regression_settings& s) { s.noise_memory = 1; },
         "noise_memory is 1, expected 0 to below 1"},
        {"ZeroCalm", [](regression_settings& s) { s.calm_limit = 0; }, "calm_limit is 0, expected 1 or more"},
    }),
    by_name);

// ---- violations
// ----------------------------------------------------------------------------------------------------------

struct text_row {
  violation given;
  std::string name;
  std::string expected;
  bool hostile;
};
void PrintTo(const text_row& row, std::ostream* out) { *out << row.name; }

violation of(violation_code code, double value = 0, double limit = 0, std::string knob = {}) {
  return {.code = code, .knob = std::move(knob), .value = value, .limit = limit, .retry_at = {}};
}

class ViolationText : public testing::TestWithParam<text_row> {};
TEST_P(ViolationText, NamesWhatWhereAndTheLimit) {
  const text_row& row = GetParam();
  EXPECT_EQ(name_of(row.given.code), row.name);
  EXPECT_EQ(describe(row.given), row.expected);
  EXPECT_EQ(is_hostile(row.given.code), row.hostile);
}
using code = violation_code;
const std::vector<text_row> text_rows{
    {of(code::delta_too_large, 0.32, 0.1, "pool_size"), "DeltaTooLarge",
     "DeltaTooLarge: knob pool_size: 0.32, limit 0.1 of its range in one step", true},
    {of(code::rate_limit_exceeded, 11, 10), "RateLimitExceeded",
     "RateLimitExceeded: 11, limit 10 changes in the rate window", false},
    {of(code::out_of_bounds, 12, 10, "x"), "OutOfBounds", "OutOfBounds: knob x: 12, the nearest allowed value is 10",
     true},
    {of(code::unknown_knob, 3, 2), "UnknownKnob", "UnknownKnob: 3 values for a loop of 2 knobs", true},
    {of(code::non_finite, inf, 0, "x"), "NonFinite", "NonFinite: knob x: inf", true},
    {of(code::direction_flip, 4, 3, "x"), "DirectionFlip",
     "DirectionFlip: knob x: 4, limit 3 direction flips in a minute", false},
    {of(code::cumulative_delta, 0.6, 0.5, "x"), "CumulativeDelta",
     "CumulativeDelta: knob x: 0.6, limit 0.5 of its range in a minute", false},
    {of(code::baseline_distance, 0.51, 0.5, "x"), "BaselineDistance",
     "BaselineDistance: knob x: 0.51, limit 0.5 of its range from the tested baseline", false},
    {of(code::in_safe_mode), "InSafeMode", "InSafeMode: the loop takes no proposals now", false},
    {of(code::audit_queue_full), "AuditQueueFull", "AuditQueueFull: the change could not be recorded", false},
    {of(code::no_baseline), "NoBaseline", "NoBaseline: there is nothing to roll back to", false},
    {of(code::stale_generation, 1234567, 12345678), "StaleGeneration",
     "StaleGeneration: 1234567, the live generation is 12345678", false},
    {of(code::stale_revision, 4, 5), "StaleRevision", "StaleRevision: 4, the present revision is 5", false},
    {of(code::stale_epoch, 1, 2), "StaleEpoch", "StaleEpoch: 1, the owner's epoch is 2", true},
    {of(code::not_approved), "NotApproved", "NotApproved: it waits for a person", false},
    {of(code::cooldown_active, 4.25), "CooldownActive", "CooldownActive: 4.25 s of cooldown left", false},
    {of(code::actuator_failed, 3, 5, "x"), "ActuatorFailed", "ActuatorFailed: knob x: 3, asked for 5", false},
};
INSTANTIATE_TEST_SUITE_P(Rows, ViolationText, testing::ValuesIn(text_rows), by_name);

TEST(ViolationTexts, CoverEveryCode) {
  std::set<violation_code> seen;
  for (const text_row& row : text_rows) seen.insert(row.given.code);
  EXPECT_EQ(seen.size(), violation_code_count);
}
TEST(ViolationTexts, NumbersThatLookAlikeAreShownInFull) {
  EXPECT_EQ(describe(of(code::out_of_bounds, std::nextafter(10.0, 11.0), 10, "x")),
            "OutOfBounds: knob x: 10.000000000000002, the nearest allowed value is 10");
}
TEST(ViolationTexts, FailureWithoutAReadingNamesNoNumbers) {
  EXPECT_EQ(describe(of(code::actuator_failed)), "ActuatorFailed");
}

// ---- names
// ---------------------------------------------------------------------------------------------------------------

template <class value, std::size_t count> std::set<std::string_view> names() {
  std::set<std::string_view> found;
  for (std::size_t i = 0; i < count; ++i) found.insert(name_of(static_cast<value>(i)));
  found.erase("?");
  return found;
}

TEST(Names, AreAllThereAndAllDifferent) {
  EXPECT_EQ((names<violation_code, violation_code_count>().size()), violation_code_count);
  EXPECT_EQ((names<safe_mode_reason, safe_mode_reason_count>().size()), safe_mode_reason_count);
  EXPECT_EQ((names<audit_kind, audit_kind_count>().size()), audit_kind_count);
  EXPECT_EQ((names<safe_mode_exit, 4>().size()), 4U);
  EXPECT_EQ((names<proposal_kind, 4>().size()), 4U);
  EXPECT_EQ((names<change_class, 5>()),
            (std::set<std::string_view>{"proposal", "auto-tune", "drift-capture", "operator", "rollback"}));
}

} // namespace
} // namespace homeostat
