// The small state machines under the governor: rate windows, movement, regressions, safe mode.
#include "policies/safety/movement.hpp"
#include "policies/safety/rate_limit.hpp"
#include "policies/safety/regression.hpp"
#include "policies/safety/safe_mode.hpp"
#include "tests/policies/row_name.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace homeostat {
namespace {

constexpr instant t0{std::chrono::seconds(1'800'000'000)};

// ---- rate windows
// --------------------------------------------------------------------------------------------------------

struct rate_row {
  std::string name;
  double per_second;
  std::uint32_t count;
  duration span;
};
void PrintTo(const rate_row& row, std::ostream* out) { *out << row.name; }

class RateWindow : public testing::TestWithParam<rate_row> {};
TEST_P(RateWindow, AllowsItsCountInItsSpanAndNoMore) {
  const rate_row& row = GetParam();
  rate_window w = rate_window_of(row.per_second);
  EXPECT_EQ(w.count, row.count);
  EXPECT_EQ(w.span.count(), row.span.count());
  for (std::uint32_t i = 0; i < row.count; ++i) {
    ASSERT_FALSE(next_allowed(w, t0));
    accept(w, t0);
    EXPECT_EQ(events_in(w, t0), i + 1);
  }
  EXPECT_EQ(next_allowed(w, t0), t0 + row.span);
  EXPECT_EQ(next_allowed(w, t0 + row.span - 1us), t0 + row.span);
  EXPECT_EQ(events_in(w, t0 + row.span - 1us), row.count);
  EXPECT_FALSE(next_allowed(w, t0 + row.span));
  EXPECT_EQ(events_in(w, t0 + row.span), 0U);
  EXPECT_LE(w.count / seconds_of(w.span), row.per_second * (1 + 1e-12)) << "never more than the rate";
}
INSTANTIATE_TEST_SUITE_P(Rows, RateWindow,
                         testing::Values(rate_row{"TenPerSecond", 10, 10, 1s}, rate_row{"OneInTenSeconds", 0.1, 1, 10s},
                                         rate_row{"TwoAndAHalf", 2.5, 2, 800ms},
                                         rate_row{"ThirdOfAHertz", 1.0 / 3, 1, 3s},
                                         rate_row{"SevenAreRoundedUp", 7.3, 7, 958905us},
                                         rate_row{"OneInAMillionSeconds", 1e-6, 1, 1'000'000s},
                                         rate_row{"TenThousand", 1e4, 10'000, 1s}),
                         by_name);

TEST(RateWindow, KeepsNoMoreThanItsCount) {
  rate_window w = rate_window_of(5);
  for (int i = 0; i < 1000; ++i) accept(w, t0 + i * 1s);
  EXPECT_EQ(w.accepted.size(), 5U);
}

TEST(RateWindow, SlidesInsteadOfRefilling) {
  rate_window w = rate_window_of(2);
  accept(w, t0);
  accept(w, t0 + 900ms);
  EXPECT_FALSE(next_allowed(w, t0 + 1s));
  accept(w, t0 + 1s);
  EXPECT_EQ(next_allowed(w, t0 + 1100ms), t0 + 1900ms) << "a bucket would let two more through here";
}

// ---- movement
// ------------------------------------------------------------------------------------------------------------

TEST(Movement, SumsWholeSecondsAndForgetsAfterAMinute) {
  std::vector<knob_movement> m(1);
  const guardrails g;
  record_move(m, std::vector{0.1}, g, t0 + 100ms);
  record_move(m, std::vector{-0.05}, g, t0 + 900ms);
  record_move(m, std::vector{0.2}, g, t0 + 1s);
  EXPECT_EQ(m[0].totals.size(), 2U);
  EXPECT_NEAR(cumulative_delta(m[0], t0 + 60s + 999ms), 0.35, 1e-12);
  EXPECT_NEAR(cumulative_delta(m[0], t0 + 61s), 0.2, 1e-12);
  EXPECT_NEAR(cumulative_delta(m[0], t0 + 62s), 0, 1e-12);
}

TEST(Movement, NeverGrowsBeyondItsCaps) {
  std::vector<knob_movement> m(1);
  guardrails g;
  g.direction_flip_limit = 3;
  for (int i = 0; i < 10'000; ++i) record_move(m, std::vector{i % 2 == 0 ? 0.05 : -0.05}, g, t0 + i * 100ms);
  EXPECT_LE(m[0].totals.size(), 62U);
  EXPECT_LE(m[0].flips.size(), 4U);
}

TEST(Movement, ADirectionIsKeptThroughTheDeadband) {
  std::vector<knob_movement> m(1);
  const guardrails g;
  record_move(m, std::vector{0.05}, g, t0);
  record_move(m, std::vector{-0.01}, g, t0 + 1s);
  EXPECT_EQ(m[0].direction, 1);
  EXPECT_EQ(flips_in_minute(m[0], t0 + 1s), 0U);
  record_move(m, std::vector{-0.05}, g, t0 + 2s);
  EXPECT_EQ(m[0].direction, -1);
  EXPECT_EQ(flips_in_minute(m[0], t0 + 2s), 1U);
  EXPECT_EQ(flips_in_minute(m[0], t0 + 62s - 1us), 1U);
  EXPECT_EQ(flips_in_minute(m[0], t0 + 62s), 0U);
}

TEST(Movement, NoMoveIsJudgedAsNothing) {
  const std::vector<knob_spec> knobs{{.name = "x"}};
  std::vector<knob_movement> m(1);
  guardrails g;
  g.direction_flip_limit = 0;
  record_move(m, std::vector{0.5}, g, t0);
  EXPECT_FALSE(judge_move(knobs, m, std::vector{0.0}, g, t0));
  EXPECT_TRUE(judge_move(knobs, m, std::vector{-0.1}, g, t0)) << "with no flip allowed the first one is too many";
  EXPECT_TRUE(judge_move(knobs, m, std::vector{0.1}, g, t0)) << "the sum is used up";
}

// ---- regressions
// ---------------------------------------------------------------------------------------------------------

objective_stats stats(std::uint32_t windows, double mean) {
  return {.windows = windows, .mean = mean, .sum_squares = 0};
}

struct compare_row {
  std::string name;
  objective_stats before, now;
  double noise, dof;
  comparison expected;
};
void PrintTo(const compare_row& row, std::ostream* out) { *out << row.name; }

class Compare : public testing::TestWithParam<compare_row> {};
TEST_P(Compare, JudgesAgainstNoise) {
  const compare_row& row = GetParam();
  EXPECT_EQ(compare(row.before, row.now, row.noise, row.dof, {}), row.expected);
}
// Noise variance 1, two windows on each side: the standard error is 1; with much evidence the limit is 3 of them.
INSTANTIATE_TEST_SUITE_P(
    Rows, Compare,
    testing::Values(
        compare_row{"BeyondThreeErrorsIsWorse", stats(2, 100), stats(2, 103.1), 1, 1e3, comparison::worse},
        compare_row{"WithinThreeErrorsIsTheSame", stats(2, 100), stats(2, 102.9), 1, 1e3, comparison::same},
        compare_row{"BeyondThreeErrorsDownIsBetter", stats(2, 100), stats(2, 96.9), 1, 1e3, comparison::better},
        compare_row{"WithinThreeErrorsDownIsTheSame", stats(2, 100), stats(2, 97.1), 1, 1e3, comparison::same},
        compare_row{"MoreWindowsSeeSmallerChanges", stats(20, 100), stats(20, 102.1), 1, 1e3, comparison::worse},
        compare_row{"BelowTheFloorIsUnimportant", stats(20, 100), stats(20, 101.9), 1e-6, 1e3, comparison::same},
        compare_row{"AboveTheFloorIsImportant", stats(20, 100), stats(20, 102.1), 1e-6, 1e3, comparison::worse},
        compare_row{"FloorIsOfTheSizeForNegativeObjectives", stats(20, -100), stats(20, -98.1), 1e-6, 1e3,
                    comparison::same},
        compare_row{"NegativeObjectivesGetWorseUpwards", stats(20, -100), stats(20, -97), 1e-6, 1e3, comparison::worse},
        compare_row{"OneWindowBeforeIsUnknown", stats(1, 100), stats(9, 200), 1, 1e3, comparison::unknown},
        compare_row{"OneWindowNowIsUnknown", stats(9, 100), stats(1, 200), 1, 1e3, comparison::unknown},
        compare_row{"NoiseFromTwoWindowsIsAGuess", stats(2, 100), stats(2, 200), 1, 2, comparison::unknown},
        // Student's 0.99865 quantile: 9.22 for 3 degrees of freedom, 3.96 for 10.
        compare_row{"LittleEvidenceWidensTheLimit", stats(2, 100), stats(2, 108), 1, 3, comparison::same},
        compare_row{"LittleEvidenceStillSeesTheObvious", stats(2, 100), stats(2, 110), 1, 3, comparison::worse},
        compare_row{"TenDegreesWithin", stats(2, 100), stats(2, 103.9), 1, 10, comparison::same},
        compare_row{"TenDegreesBeyond", stats(2, 100), stats(2, 104.1), 1, 10, comparison::worse}),
    by_name);

/// Closes one base point after two windows around this mean.
comparison close_at(regression_state& s, double mean, double spread = 0.1) {
  observe(s, mean - spread);
  observe(s, mean + spread);
  return close_base_point(s, {});
}

regression_state settled() {
  regression_state s;
  for (int i = 0; i < 10; ++i) close_at(s, 100);
  return s;
}

TEST(Regression, RunsAreCountedAndEndedByAnythingNotWorse) {
  regression_state s = settled();
  EXPECT_EQ(close_at(s, 110), comparison::worse);
  EXPECT_EQ(close_at(s, 120), comparison::worse);
  EXPECT_EQ(s.consecutive, 2U);
  EXPECT_EQ(s.since_improvement, 2U);
  EXPECT_EQ(close_at(s, 120), comparison::same);
  EXPECT_EQ(s.consecutive, 0U);
  EXPECT_EQ(s.since_improvement, 2U) << "the same is not better";
  EXPECT_EQ(close_at(s, 100), comparison::better);
  EXPECT_EQ(s.since_improvement, 0U);
}

TEST(Regression, CalmBasePointsForgetOldRegressions) {
  regression_state s = settled();
  EXPECT_EQ(close_at(s, 110), comparison::worse);
  for (std::uint32_t i = 1; i < regression_settings{}.calm_limit; ++i) close_at(s, 110);
  EXPECT_EQ(s.since_improvement, 1U);
  close_at(s, 110);
  EXPECT_EQ(s.since_improvement, 0U);
}

TEST(Regression, ALoudPairIsJudgedByItsOwnSpread) {
  regression_state s = settled();
  EXPECT_EQ(close_at(s, 110, 20), comparison::same) << "90 and 130 after a quiet past say nothing";
}

TEST(Regression, BasePointsWithOneWindowAreJudgedWithTheNext) {
  regression_state s = settled();
  observe(s, 140);
  EXPECT_EQ(close_base_point(s, {}), comparison::unknown);
  EXPECT_EQ(s.current.windows, 1U);
  observe(s, 140.1);
  EXPECT_EQ(close_base_point(s, {}), comparison::worse);
}

TEST(Regression, RestingBasePointIsTriedAgainWhileItIsWorse) {
  regression_state s = settled();
  for (std::uint32_t trial = 1; trial <= 3; ++trial) {
    for (double d : {-0.1, 0.1, -0.1, 0.1}) observe(s, 120 + d);
    EXPECT_EQ(judge_resting(s, {}), comparison::worse);
    EXPECT_EQ(s.consecutive, trial);
    EXPECT_EQ(s.current.windows, 0U) << "the next trial is a fresh one";
    EXPECT_NEAR(s.reference->mean, 100, 1e-9) << "against the same reference";
  }
}

TEST(Regression, RestingBasePointThatIsNotWorseGoesOnCollecting) {
  regression_state s = settled();
  for (double d : {-0.1, 0.1, -0.1, 0.1}) observe(s, 100 + d);
  EXPECT_EQ(judge_resting(s, {}), comparison::same);
  EXPECT_EQ(s.current.windows, 4U);
  EXPECT_EQ(s.consecutive, 0U);
}

TEST(Regression, ViolatedConstraintsCountWhenTheyLast) {
  regression_state s = settled();
  EXPECT_FALSE(observe_constraint(s, true, {}));
  EXPECT_FALSE(observe_constraint(s, false, {}));
  EXPECT_FALSE(observe_constraint(s, true, {})) << "one window is one sample";
  EXPECT_TRUE(observe_constraint(s, true, {}));
  EXPECT_FALSE(observe_constraint(s, true, {}));
  EXPECT_TRUE(observe_constraint(s, true, {}));
  EXPECT_EQ(s.consecutive, 2U);
  EXPECT_EQ(close_at(s, 50), comparison::better);
  EXPECT_EQ(s.consecutive, 2U) << "better outside a constraint is not better";
  EXPECT_EQ(s.since_improvement, 2U);
}

TEST(Regression, RestartKeepsWhatIsKnownOfTheNoise) {
  regression_state s = settled();
  close_at(s, 110);
  const double noise = s.noise_variance;
  restart_comparison(s);
  EXPECT_FALSE(s.reference);
  EXPECT_EQ(s.consecutive, 0U);
  EXPECT_EQ(s.since_improvement, 1U);
  EXPECT_EQ(s.noise_variance, noise);
  EXPECT_EQ(close_at(s, 200), comparison::unknown) << "nothing to compare with";
}

// ---- safe mode
// -----------------------------------------------------------------------------------------------------------

TEST(SafeMode, HoldsForSeveralReasonsUntilTheLastIsGone) {
  safe_mode_state s;
  EXPECT_TRUE(enter(s, safe_mode_reason::thrashing, t0, t0 + 30s, 5.0));
  EXPECT_TRUE(enter(s, safe_mode_reason::manual, t0, std::nullopt, 9.0));
  EXPECT_EQ(reasons_of(s), "Thrashing,Manual");
  EXPECT_EQ(s.entries, 1U);
  EXPECT_EQ(s.objective_at_entry, 5.0) << "of the first entry";
  EXPECT_TRUE(leave(s, safe_mode_reason::thrashing));
  EXPECT_FALSE(leave(s, safe_mode_reason::thrashing));
  EXPECT_TRUE(is_frozen(s));
  leave_all(s);
  EXPECT_FALSE(is_frozen(s));
  EXPECT_EQ(reasons_of(s), "");
}

TEST(SafeMode, ATimerIsProlongedNeverShortened) {
  safe_mode_state s;
  const auto until = [&] { return s.holds[0]->until; };
  enter(s, safe_mode_reason::thrashing, t0, t0 + 30s, {});
  EXPECT_FALSE(enter(s, safe_mode_reason::thrashing, t0, t0 + 10s, {}));
  EXPECT_EQ(until(), t0 + 30s);
  enter(s, safe_mode_reason::thrashing, t0, t0 + 40s, {});
  EXPECT_EQ(until(), t0 + 40s);
  enter(s, safe_mode_reason::thrashing, t0, std::nullopt, {});
  EXPECT_EQ(until(), std::nullopt);
  enter(s, safe_mode_reason::thrashing, t0, t0 + 50s, {});
  EXPECT_EQ(until(), std::nullopt);
}

struct recovery_row {
  std::string name;
  double at_entry;
  std::vector<double> windows;
  bool expected;
};
void PrintTo(const recovery_row& row, std::ostream* out) { *out << row.name; }

class SafeModeRecovery : public testing::TestWithParam<recovery_row> {};
TEST_P(SafeModeRecovery, NeedsTheImprovementInARow) {
  safe_mode_state s;
  enter(s, safe_mode_reason::thrashing, t0, t0 + 30s, GetParam().at_entry);
  bool recovered = false;
  for (double objective : GetParam().windows) recovered = watch_recovery(s, objective, {});
  EXPECT_EQ(recovered, GetParam().expected);
  EXPECT_EQ(is_frozen(s), !GetParam().expected);
}
INSTANTIATE_TEST_SUITE_P(Rows, SafeModeRecovery,
                         testing::Values(recovery_row{"ThreeAtTheLimit", 100, {90, 90, 90}, true},
                                         recovery_row{"ThreeJustAbove", 100, {90.1, 90.1, 90.1}, false},
                                         recovery_row{"OnlyTwo", 100, {80, 80}, false},
                                         recovery_row{"InterruptedRun", 100, {80, 80, 95, 80, 80}, false},
                                         recovery_row{"RunAfterAnInterruption", 100, {80, 95, 80, 80, 80}, true},
                                         recovery_row{
                                             "NegativeObjectiveImprovesDownwards", -100, {-110, -110, -110}, true},
                                         recovery_row{"NegativeObjectiveBarelyMoved", -100, {-105, -105, -105}, false}),
                         by_name);

TEST(SafeMode, RecoveryEndsOnlyWhatTheObjectiveIsAbout) {
  for (std::size_t i = 0; i < safe_mode_reason_count; ++i) {
    const auto reason = static_cast<safe_mode_reason>(i);
    safe_mode_state s;
    enter(s, reason, t0, std::nullopt, 100.0);
    bool ended = false;
    for (int w = 0; w < 3; ++w) ended = watch_recovery(s, 10, {});
    EXPECT_EQ(ended, ends_by_recovery(reason)) << name_of(reason);
    EXPECT_EQ(holds(s, reason), !ends_by_recovery(reason)) << name_of(reason);
  }
  EXPECT_TRUE(ends_by_recovery(safe_mode_reason::objective_regression));
  EXPECT_FALSE(ends_by_recovery(safe_mode_reason::manual));
  EXPECT_FALSE(ends_by_recovery(safe_mode_reason::audit_unavailable));
  EXPECT_FALSE(ends_by_recovery(safe_mode_reason::restart_intensity));
}

TEST(SafeMode, WithoutAnObjectiveAtEntryThereIsNoRecovery) {
  safe_mode_state s;
  enter(s, safe_mode_reason::thrashing, t0, t0 + 30s, std::nullopt);
  for (int w = 0; w < 5; ++w) EXPECT_FALSE(watch_recovery(s, -1e9, {}));
}

} // namespace
} // namespace homeostat
