// Every way into safe mode and every way out of it (design §7, I4, I10).
#include "tests/policies/row_name.hpp"
#include "tests/policies/safety/governor_rig.hpp"

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <limits>

namespace homeostat {
namespace {

using reason = safe_mode_reason;
constexpr auto plus = proposal_kind::apply_plus;

governor_config one_knob() {
  governor_config config = config_of({unit_knob()});
  config.limits.min_interval = 0us;
  return config;
}

governor_config watched() {
  governor_config config = one_knob();
  config.watch_telemetry = true;
  return config;
}

// ---- ways in
// -------------------------------------------------------------------------------------------------------------

void thrash(governor_rig& rig) {
  for (int i = 0; i < 5 && !rig.frozen(); ++i, rig.wait(1s)) rig.change({i % 2 == 0 ? 0.53 : 0.5});
}
void worsen(governor_rig& rig) { // every base point 20 % worse than the one before, and no rollback that would end it
  rig.config.rollback.on_regression = false;
  rig.windows(100, 10);
  double objective = 100;
  for (int i = 0; i < 8 && !rig.frozen(); ++i) {
    rig.change({0.5 + 0.01 * (i + 1)});
    rig.windows(objective *= 1.2, 2);
  }
}
void exceed_the_sum(governor_rig& rig) {
  for (int i = 0; i < 10; ++i, rig.wait(100ms)) rig.change({0.5 + 0.05 * (i + 1)});
  for (int i = 0; i < 5; ++i) rig.propose({0.95});
}
void misbehave(governor_rig& rig) {
  for (int i = 0; i < 10; ++i) rig.propose({1.5 + i});
}
void break_the_audit(governor_rig& rig) {
  rig.propose({0.55});
  rig.answer_audit(audit_status::failed);
}
void break_the_actuator(governor_rig& rig) {
  rig.propose({0.55});
  rig.answer_audit();
  rig.answer_actuator(false);
  rig.answer_audit();
  rig.answer_actuator(false);
}
void go_silent(governor_rig& rig) { rig.tick_after(rig.config.safe_mode.telemetry_timeout + 1us); }
void restart_too_often(governor_rig& rig) { rig.give(give_up{.text = "6 restarts"}); }
void pause(governor_rig& rig) { rig.command(operator_action::pause); }

struct entry_row {
  std::string name;
  std::function<void(governor_rig&)> cause;
  reason expected;
  std::optional<duration> timer; ///< its timer exit
  bool by_recovery;              ///< objective recovery ends it
};
void PrintTo(const entry_row& row, std::ostream* out) { *out << row.name; }

const std::vector<entry_row> entries{
    {"Thrashing", thrash, reason::thrashing, 30s, true},
    {"ObjectiveRegression", worsen, reason::objective_regression, 60s, true},
    {"CumulativeBudget", exceed_the_sum, reason::cumulative_budget, 60s, true},
    {"RepeatedViolations", misbehave, reason::repeated_violations, 60s, true},
    {"AuditUnavailable", break_the_audit, reason::audit_unavailable, 60s, false},
    {"ActuatorFailing", break_the_actuator, reason::actuator_failing, 60s, false},
    {"TelemetryLost", go_silent, reason::telemetry_lost, std::nullopt, false},
    {"RestartIntensity", restart_too_often, reason::restart_intensity, std::nullopt, false},
    {"Manual", pause, reason::manual, std::nullopt, false},
};

class SafeModeEntry : public testing::TestWithParam<entry_row> {
protected:
  SafeModeEntry() : rig(GetParam().expected == reason::telemetry_lost ? watched() : one_knob()) {
    rig.window(100); // an objective to recover from
    GetParam().cause(rig);
  }
  [[nodiscard]] const safe_mode_state::hold& hold() const {
    return *rig.state.safe_mode.holds[static_cast<std::size_t>(GetParam().expected)];
  }
  governor_rig rig;
};

TEST_P(SafeModeEntry, FreezesRecordsAndAnnounces) {
  ASSERT_TRUE(rig.frozen_for(GetParam().expected)) << reasons_of(rig.state.safe_mode);
  EXPECT_EQ(reasons_of(rig.state.safe_mode), GetParam().name);
  const auto records = rig.records_of(audit_kind::safe_mode_entered);
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].source, GetParam().name);
  EXPECT_TRUE(rig.announced->frozen);
  EXPECT_EQ(rig.state.safe_mode.entries, 1U);
  const auto until = hold().until;
  EXPECT_EQ(until.has_value(), GetParam().timer.has_value());
  if (until) { EXPECT_EQ((*until - hold().since).count(), GetParam().timer->count()); }
  if (until) { EXPECT_EQ(rig.last.look_again, until); }
}

TEST_P(SafeModeEntry, RefusesEveryProposal) {
  for (knob_values values : {knob_values{0.5}, knob_values{0.51}, rig.state.base}) {
    rig.verdict.reset();
    rig.propose(values);
    ASSERT_TRUE(rig.verdict && rig.verdict->refused);
    EXPECT_EQ(rig.verdict->refused->code, violation_code::in_safe_mode);
    EXPECT_EQ(rig.verdict->refused->retry_at, hold().until);
  }
}

TEST_P(SafeModeEntry, TimerEndsItOnlyWhereThereIsOne) {
  if (!GetParam().timer) {
    rig.tick_after(48h);
    EXPECT_TRUE(rig.frozen_for(GetParam().expected));
    return;
  }
  rig.now = *hold().until - 1us;
  rig.give(tick{});
  EXPECT_TRUE(rig.frozen());
  rig.tick_after(1us);
  EXPECT_FALSE(rig.frozen());
  EXPECT_EQ(rig.records_of(audit_kind::safe_mode_left).back().text, "cooldown");
  EXPECT_EQ(rig.records_of(audit_kind::safe_mode_left).back().source, GetParam().name);
}

TEST_P(SafeModeEntry, OperatorResetEndsIt) {
  EXPECT_TRUE(rig.command(operator_action::reset_safe_mode, "looked at it").ok);
  EXPECT_FALSE(rig.frozen());
  EXPECT_FALSE(rig.announced->frozen);
  EXPECT_EQ(rig.records_of(audit_kind::safe_mode_left).back().text, "operator reset");
  rig.tick_after(5s);
  rig.settle();
  EXPECT_FALSE(rig.frozen()) << reasons_of(rig.state.safe_mode);
}

TEST_P(SafeModeEntry, ObjectiveRecoveryEndsItWhereItIsAboutTheObjective) {
  rig.windows(*rig.state.safe_mode.objective_at_entry * 0.91, 5);
  if (GetParam().expected != reason::telemetry_lost) {
    EXPECT_TRUE(rig.frozen()) << "9 % is not the required improvement";
  }
  rig.windows(*rig.state.safe_mode.objective_at_entry * 0.89, 3);
  if (GetParam().expected == reason::telemetry_lost) return; // its cause is gone with the first window
  EXPECT_EQ(rig.frozen(), !GetParam().by_recovery);
  if (GetParam().by_recovery) {
    EXPECT_EQ(rig.records_of(audit_kind::safe_mode_left).back().text, "objective recovery");
  }
}

TEST_P(SafeModeEntry, SurvivesACrash) {
  const auto left = hold().until;
  governor_rig after(rig.config, rig.state, rig.plant, rig.now);
  EXPECT_TRUE(holds(after.state.safe_mode, GetParam().expected));
  EXPECT_EQ(after.state.safe_mode.holds[static_cast<std::size_t>(GetParam().expected)]->until, left);
  EXPECT_TRUE(after.announced->frozen);
}

INSTANTIATE_TEST_SUITE_P(Reasons, SafeModeEntry, testing::ValuesIn(entries), by_name);

TEST(SafeModeEntries, CoverEveryReason) {
  std::array<bool, safe_mode_reason_count> seen{};
  for (const entry_row& row : entries) seen[static_cast<std::size_t>(row.expected)] = true;
  for (std::size_t i = 0; i < seen.size(); ++i) EXPECT_TRUE(seen[i]) << name_of(static_cast<reason>(i));
}

// ---- edges
// ---------------------------------------------------------------------------------------------------------------

TEST(Telemetry, SilenceUpToTheTimeoutIsNotLost) {
  governor_rig rig(watched());
  rig.tick_after(rig.config.safe_mode.telemetry_timeout);
  EXPECT_FALSE(rig.frozen());
  EXPECT_EQ(rig.last.look_again, rig.now + 1us);
  rig.tick_after(1us);
  EXPECT_TRUE(rig.frozen_for(reason::telemetry_lost));
}

TEST(Telemetry, TheFirstWindowEndsTheSilence) {
  governor_rig rig(watched());
  go_silent(rig);
  rig.window(100);
  EXPECT_FALSE(rig.frozen());
  EXPECT_EQ(rig.records_of(audit_kind::safe_mode_left).back().text, "cause gone");
  rig.tick_after(rig.config.safe_mode.telemetry_timeout);
  EXPECT_FALSE(rig.frozen());
}

TEST(Telemetry, OfAnotherGenerationIsNone) {
  governor_rig rig(watched());
  objective_window w;
  w.generation = rig.state.generation + 1;
  w.digests = 1;
  rig.wait(rig.config.safe_mode.telemetry_timeout);
  rig.give(w);
  rig.tick_after(1us);
  EXPECT_TRUE(rig.frozen_for(reason::telemetry_lost));
}

TEST(Telemetry, ThatIsNoNumberIsNone) {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  constexpr double inf = std::numeric_limits<double>::infinity();
  for (double mean : {nan, inf, -inf, 1e200}) {
    governor_rig rig(watched());
    rig.wait(rig.config.safe_mode.telemetry_timeout);
    rig.window(mean);
    EXPECT_EQ(rig.state.regression, regression_state{}) << "one such number would stay in every mean that follows";
    rig.window(100, nan);
    EXPECT_EQ(rig.state.regression, regression_state{});
    rig.tick_after(1us);
    EXPECT_TRUE(rig.frozen_for(reason::telemetry_lost)) << mean;
  }
}

TEST(Telemetry, IsNotWatchedWhereNothingIsSensed) {
  governor_rig rig(one_knob());
  rig.tick_after(24h);
  EXPECT_FALSE(rig.frozen());
  EXPECT_EQ(rig.last.look_again, std::nullopt);
}

TEST(Telemetry, LossBringsAProbeBack) {
  governor_rig rig(watched());
  rig.change({0.55}, plus);
  rig.wait(10s);
  go_silent(rig);
  rig.settle();
  EXPECT_EQ(rig.plant, (knob_values{0.5}));
  EXPECT_TRUE(rig.frozen());
}

TEST(Hostility, NineViolationsAMinuteAreTolerated) {
  governor_rig rig(one_knob());
  for (int i = 0; i < 9; ++i) rig.propose({7});
  EXPECT_FALSE(rig.frozen());
  rig.wait(60s);
  for (int i = 0; i < 9; ++i) rig.propose({7});
  EXPECT_FALSE(rig.frozen()) << "the minute before does not count";
  rig.propose({7});
  EXPECT_TRUE(rig.frozen_for(reason::repeated_violations));
}

TEST(Hostility, HarmlessRefusalsNeverFreeze) {
  governor_rig rig(one_knob());
  proposal stale = rig.draft({0.55});
  stale.base_generation = 7;
  proposal unapproved = rig.draft({0.55});
  unapproved.approved = false;
  for (int i = 0; i < 1000; ++i) rig.give(stale), rig.give(unapproved);
  EXPECT_FALSE(rig.frozen());
}

TEST(Hostility, GoingOnProlongsTheFreezeAndThatSurvivesACrash) {
  governor_rig rig(one_knob());
  misbehave(rig);
  const instant first = *rig.state.safe_mode.holds[static_cast<std::size_t>(reason::repeated_violations)]->until;
  rig.wait(20s);
  proposal p = rig.draft({0.55});
  p.epoch = 99;
  rig.give(p);
  const instant second = *rig.state.safe_mode.holds[static_cast<std::size_t>(reason::repeated_violations)]->until;
  EXPECT_EQ((second - first).count(), duration(20s).count());
  EXPECT_TRUE(rig.last.persist);
}

TEST(Sums, FourRefusalsForTheSumAreTolerated) {
  governor_rig rig(one_knob());
  for (int i = 0; i < 10; ++i, rig.wait(100ms)) rig.change({0.5 + 0.05 * (i + 1)});
  for (int i = 0; i < 4; ++i) rig.propose({0.95});
  EXPECT_FALSE(rig.frozen());
  rig.propose({0.95});
  EXPECT_TRUE(rig.frozen_for(reason::cumulative_budget));
}

TEST(Thrash, CooldownIsThePresets) {
  for (preset p : {preset::conservative, preset::balanced, preset::aggressive}) {
    governor_config config = config_of({unit_knob()}, p);
    governor_rig rig(config);
    for (int i = 0; i < 8 && !rig.frozen(); ++i, rig.wait(1s)) rig.change({i % 2 == 0 ? 0.53 : 0.5});
    ASSERT_TRUE(rig.frozen_for(reason::thrashing));
    const auto& hold = *rig.state.safe_mode.holds[0];
    EXPECT_EQ(*hold.until - hold.since, config.limits.cooldown_after_flip);
  }
}

TEST(Frozen, AnnouncementsDoNotPretendAChange) {
  governor_rig rig(one_knob());
  rig.change({0.55});
  const instant applied = rig.now;
  rig.wait(7s);
  rig.command(operator_action::pause);
  EXPECT_EQ(rig.announced->applied_at, applied);
  EXPECT_EQ(rig.announced->generation, 2U);
}

} // namespace
} // namespace homeostat
