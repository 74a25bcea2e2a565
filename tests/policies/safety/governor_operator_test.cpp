// What people and supervisors may do to a loop.
#include "tests/policies/row_name.hpp"
#include "tests/policies/safety/governor_rig.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace homeostat {
namespace {

using action = operator_action;
constexpr auto plus = proposal_kind::apply_plus;

governor_config one_knob() { return config_of({unit_knob()}); }

TEST(Pause, FreezesUntilResumed) {
  governor_rig rig(one_knob());
  EXPECT_TRUE(rig.command(action::pause, "deploy").ok);
  EXPECT_TRUE(rig.frozen_for(safe_mode_reason::manual));
  EXPECT_TRUE(rig.announced->frozen);
  EXPECT_EQ(rig.change({0.55}).refused->code, violation_code::in_safe_mode);
  rig.tick_after(24h);
  EXPECT_TRUE(rig.frozen()) << "no timer ends what a person began";
  EXPECT_TRUE(rig.command(action::resume).ok);
  EXPECT_FALSE(rig.announced->frozen);
  EXPECT_TRUE(rig.change({0.55}).accepted);
  const auto commands = rig.records_of(audit_kind::operator_command);
  ASSERT_EQ(commands.size(), 2U);
  EXPECT_EQ(commands[0].text, "pause: deploy");
  EXPECT_EQ(commands[0].actor, "alice");
}

TEST(Pause, BringsALiveProbeBackToTheBasePoint) {
  governor_rig rig(one_knob());
  rig.change({0.55}, plus);
  rig.command(action::pause);
  EXPECT_EQ(rig.state.live, (knob_values{0.5}));
  EXPECT_EQ(rig.plant, (knob_values{0.5}));
  const audit_record retreat = rig.records_of(audit_kind::intent).back();
  EXPECT_EQ(retreat.source, "return to base point");
  EXPECT_EQ(retreat.classification, change_class::rollback);
  EXPECT_TRUE(rig.frozen());
}

TEST(Pause, StopsAChangeWhoseIntentIsStillBeingWritten) {
  governor_rig rig(one_knob());
  rig.propose({0.55});
  rig.give(operator_command{.action = action::pause, .actor = "alice", .text = {}, .values = {}});
  rig.answer_audit();
  EXPECT_FALSE(rig.last.apply);
  EXPECT_EQ(rig.verdict->refused->code, violation_code::in_safe_mode);
  EXPECT_EQ(rig.records_of(audit_kind::aborted).size(), 1U);
  EXPECT_TRUE(rig.actuations.empty());
}

TEST(Resume, SaysWhatElseHolds) {
  governor_rig rig(one_knob());
  rig.propose({0.55});
  rig.answer_audit(audit_status::failed);
  rig.command(action::pause);
  const command_result result = rig.command(action::resume);
  EXPECT_FALSE(result.ok);
  EXPECT_EQ(result.text, "still in safe mode: AuditUnavailable; see safe-mode reset");
}

TEST(Resume, OfARunningLoopIsFine) {
  governor_rig rig(one_knob());
  EXPECT_TRUE(rig.command(action::resume).ok);
}

TEST(Reset, EndsEveryReason) {
  governor_rig rig(one_knob());
  rig.propose({0.55});
  rig.answer_audit(audit_status::failed);
  rig.command(action::pause);
  rig.give(give_up{.text = "too many restarts"});
  EXPECT_EQ(reasons_of(rig.state.safe_mode), "AuditUnavailable,RestartIntensity,Manual");
  EXPECT_TRUE(rig.command(action::reset_safe_mode).ok);
  EXPECT_FALSE(rig.frozen());
  EXPECT_EQ(rig.records_of(audit_kind::safe_mode_left).size(), 3U);
  EXPECT_TRUE(rig.change({0.55}).accepted);
}

TEST(Rollback, RestoresTheBaselineExactly) {
  governor_rig rig(config_of({unit_knob("x"), unit_knob("y")}));
  rig.change({0.6, 0.45});
  rig.wait(1s);
  rig.change({0.65, 0.4});
  const command_result result = rig.command(action::rollback, "too slow");
  EXPECT_TRUE(result.ok);
  EXPECT_EQ(result.text, "rolling back to baseline default");
  EXPECT_EQ(rig.plant, (knob_values{0.5, 0.5}));
  EXPECT_EQ(rig.state.base, (knob_values{0.5, 0.5}));
  const audit_record intent = rig.records_of(audit_kind::intent).back();
  EXPECT_EQ(intent.classification, change_class::rollback);
  EXPECT_EQ(intent.actor, "alice");
  EXPECT_EQ(intent.evidence, "too slow");
}

TEST(Rollback, AtTheBaselineChangesNothingAndLeavesNoTrace) {
  governor_rig rig(one_knob());
  EXPECT_TRUE(rig.command(action::rollback).ok);
  EXPECT_TRUE(rig.actuations.empty());
  EXPECT_EQ(rig.state.restore, wanted_restore::none);
  // A later automatic return is the governor's own, not still that person's.
  rig.change({0.55}, plus);
  rig.give(give_up{.text = "restarts"});
  rig.settle();
  EXPECT_EQ(rig.records_of(audit_kind::intent).back().actor, "homeostat");
}

TEST(Rollback, WaitsForTheChangeInFlight) {
  governor_rig rig(one_knob());
  rig.propose({0.55});
  rig.give(operator_command{.action = action::rollback, .actor = "alice", .text = {}, .values = {}});
  rig.answer_audit();
  rig.answer_actuator();
  EXPECT_EQ(rig.state.live, (knob_values{0.55}));
  ASSERT_TRUE(rig.open_audit) << "and then the rollback begins at once";
  rig.settle();
  EXPECT_EQ(rig.state.live, (knob_values{0.5}));
}

TEST(Rollback, WorksInSafeMode) {
  governor_rig rig(one_knob());
  rig.change({0.55});
  rig.command(action::pause);
  rig.command(action::rollback);
  EXPECT_EQ(rig.state.live, (knob_values{0.5}));
  EXPECT_TRUE(rig.frozen());
}

TEST(Rollback, ThatFailsIsTriedUntilTheActuatorIsGivenUpOn) {
  governor_rig rig(one_knob());
  rig.change({0.55});
  rig.give(operator_command{.action = action::rollback, .actor = "alice", .text = {}, .values = {}});
  int attempts = 0;
  while (rig.open_audit) {
    rig.answer_audit();
    rig.answer_actuator(false);
    ASSERT_LT(++attempts, 10);
  }
  EXPECT_EQ(attempts, 3);
  EXPECT_TRUE(rig.frozen_for(safe_mode_reason::actuator_failing));
  rig.tick_after(rig.config.safe_mode.cooldown);
  rig.settle();
  EXPECT_EQ(rig.state.live, (knob_values{0.5}));
}

TEST(SetBaseline, TakesTheBasePointNotTheProbe) {
  governor_rig rig(one_knob());
  rig.change({0.6});
  rig.wait(1s);
  rig.change({0.65}, plus);
  const command_result result = rig.command(action::set_baseline, "monday");
  EXPECT_TRUE(result.ok);
  EXPECT_EQ(result.text, "baseline monday is revision 2");
  EXPECT_EQ(rig.state.baseline->values, (knob_values{0.6}));
  EXPECT_EQ(rig.announced->baseline, (knob_values{0.6}));
  const auto records = rig.records_of(audit_kind::baseline_set);
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].after, (knob_values{0.6}));
  EXPECT_EQ(records[0].actor, "alice");
}

TEST(SetBaseline, IsRefusedInASickPeriod) {
  const std::string expected =
      "a baseline is set from a healthy, resting loop: no safe mode, no change in flight, no regression";
  const auto refused = [&](governor_rig& rig) {
    const auto before = rig.state.baseline;
    rig.give(operator_command{.action = action::set_baseline, .actor = "alice", .text = {}, .values = {}});
    EXPECT_FALSE(rig.answer->ok);
    EXPECT_EQ(rig.answer->text, expected);
    EXPECT_EQ(rig.state.baseline, before);
  };
  governor_rig paused(one_knob());
  paused.command(action::pause);
  refused(paused);
  governor_rig changing(one_knob());
  changing.propose({0.55});
  refused(changing);
  governor_rig regressing(one_knob());
  regressing.windows(100, 10);
  regressing.change({0.55});
  regressing.windows(150, 4);
  EXPECT_EQ(regressing.state.regression.consecutive, 1U);
  refused(regressing);
}

TEST(SetValues, IsNotBoundByTheGuardrailsOfAutomation) {
  governor_rig rig(one_knob());
  rig.command(action::pause);
  EXPECT_TRUE(rig.command(action::set_values, "incident 7", {1.0}).ok);
  EXPECT_EQ(rig.plant, (knob_values{1.0}));
  EXPECT_EQ(rig.state.base, (knob_values{1.0}));
  EXPECT_EQ(rig.state.revision, 2U);
  const audit_record intent = rig.records_of(audit_kind::intent).back();
  EXPECT_EQ(intent.classification, change_class::operator_change);
  EXPECT_EQ(intent.actor, "alice");
  EXPECT_EQ(intent.evidence, "incident 7");
}

struct refused_values {
  std::string name;
  knob_values values;
  bool override_bounds;
  std::string expected;
};
void PrintTo(const refused_values& row, std::ostream* out) { *out << row.name; }
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// x: continuous 0..1, n: integer 0..10, l: log 1..100, b: boolean.
governor_config four_kinds() {
  knob_spec n = unit_knob("n"), l = unit_knob("l"), b = unit_knob("b");
  n.type = knob_type::integer, n.max = 10, n.initial = 5;
  l.scale = knob_scale::log, l.min = 1, l.max = 100, l.initial = 10;
  b.type = knob_type::boolean, b.initial = 0;
  return config_of({unit_knob(), n, l, b});
}

class SetValues : public testing::TestWithParam<refused_values> {};
TEST_P(SetValues, IsRefused) {
  governor_rig rig(four_kinds());
  const command_result result = rig.command(action::set_values, "", GetParam().values, GetParam().override_bounds);
  EXPECT_FALSE(result.ok);
  EXPECT_EQ(result.text, GetParam().expected);
  EXPECT_TRUE(rig.actuations.empty());
}
INSTANTIATE_TEST_SUITE_P(
    Rows, SetValues,
    testing::Values(refused_values{"OutOfBoundsWithoutOverride",
                                   {2, 5, 10, 0},
                                   false,
                                   "OutOfBounds: knob x: 2, the nearest allowed value is 1"},
                    refused_values{"NonFiniteEvenWithOverride", {nan, 5, 10, 0}, true, "NonFinite: knob x: nan"},
                    refused_values{
                        "WrongArityEvenWithOverride", {0.5}, true, "UnknownKnob: 1 values for a loop of 4 knobs"},
                    refused_values{"FractionOfAnIntegerEvenWithOverride",
                                   {0.5, 5.5, 10, 0},
                                   true,
                                   "OutOfBounds: knob n: 5.5, the nearest allowed value is 6"},
                    refused_values{"ZeroOnALogScaleEvenWithOverride",
                                   {0.5, 5, 0, 0},
                                   true,
                                   "OutOfBounds: knob l: 0, the nearest allowed value is 1"},
                    refused_values{"ThirdStateOfASwitchEvenWithOverride",
                                   {0.5, 5, 10, 2},
                                   true,
                                   "OutOfBounds: knob b: 2, the nearest allowed value is 1"}),
    by_name);

TEST(Override, IsSaidInTheAuditAndHoldsTheLoopForThePerson) {
  governor_rig rig(four_kinds());
  EXPECT_TRUE(rig.command(action::set_values, "emergency", {3, 20, 500, 1}, true).ok);
  EXPECT_EQ(rig.plant, (knob_values{3, 20, 500, 1}));
  EXPECT_EQ(rig.records_of(audit_kind::intent).back().evidence, "bounds overridden by a person: emergency");
  EXPECT_TRUE(rig.frozen_for(safe_mode_reason::manual)) << "automation does not build on what it may not choose itself";
  EXPECT_FALSE(rig.command(action::resume).ok);
  EXPECT_FALSE(rig.command(action::reset_safe_mode).ok);
  EXPECT_FALSE(rig.command(action::set_baseline).ok);
  EXPECT_TRUE(rig.frozen());
  EXPECT_TRUE(rig.command(action::set_values, "over", {0.9, 10, 100, 1}).ok);
  EXPECT_TRUE(rig.command(action::resume).ok);
  EXPECT_FALSE(rig.frozen());
}

TEST(Override, WithinTheBoundsIsAnOrdinaryChange) {
  governor_rig rig(four_kinds());
  EXPECT_TRUE(rig.command(action::set_values, "just in case", {0.9, 6, 20, 1}, true).ok);
  EXPECT_EQ(rig.records_of(audit_kind::intent).back().evidence, "just in case");
  EXPECT_FALSE(rig.frozen());
}

TEST(Override, IsNeverRestoredByAutomation) {
  governor_rig rig(one_knob());
  rig.command(action::set_values, "emergency", {3}, true);
  rig.give(operator_command{.action = action::set_values, .actor = "bob", .text = {}, .values = {0.7}});
  rig.answer_audit();
  rig.answer_actuator(false);
  EXPECT_FALSE(rig.open_audit) << "undoing would write a value beyond the bounds";
  EXPECT_TRUE(rig.frozen());
  rig.command(action::rollback);
  EXPECT_EQ(rig.plant, (knob_values{0.5}));
}

TEST(SetValues, IsRefusedWhileAChangeIsInFlight) {
  governor_rig rig(one_knob());
  rig.propose({0.55});
  rig.give(operator_command{.action = action::set_values, .actor = "alice", .text = {}, .values = {0.7}});
  EXPECT_FALSE(rig.answer->ok);
  EXPECT_EQ(rig.answer->text, "a change is in flight; try again");
  EXPECT_TRUE(rig.answer->later);
}

TEST(SetValues, MeantForAnotherRevisionAreRefusedForNow) {
  governor_rig rig(one_knob());
  operator_command command{.action = action::set_values, .actor = "alice", .text = {}, .values = {0.7}};
  command.revision = rig.state.revision + 1;
  rig.give(command);
  EXPECT_FALSE(rig.answer->ok);
  EXPECT_TRUE(rig.answer->later) << "whoever looks again and asks anew may be heard";
  EXPECT_FALSE(rig.command(action::set_values, "", {7}).later) << "no later moment brings this value into the bounds";
}

TEST(SetValues, OutranksAWaitingReturnOfTheGuards) {
  governor_rig rig(one_knob());
  rig.change({0.55}, plus);
  rig.give(give_up{.text = "restarts"}); // wants the base point back
  rig.answer_audit(audit_status::full);  // and has to wait
  EXPECT_EQ(rig.state.restore, wanted_restore::base_point);
  rig.command(action::set_values, "", {0.7});
  rig.tick_after(rig.config.safe_mode.cooldown);
  rig.settle();
  EXPECT_EQ(rig.plant, (knob_values{0.7}));
}

TEST(SetValues, DoesNotOutrankALaterRollback) {
  governor_rig rig(one_knob());
  rig.give(operator_command{.action = action::set_values, .actor = "alice", .text = {}, .values = {0.7}});
  rig.give(operator_command{.action = action::rollback, .actor = "bob", .text = {}, .values = {}});
  rig.settle();
  EXPECT_EQ(rig.plant, (knob_values{0.5}));
}

TEST(GiveUp, LeavesTheKnobsAtTheBasePointAndStaysFrozen) {
  governor_rig rig(one_knob());
  rig.change({0.55});
  rig.wait(1s);
  rig.change({0.6}, plus);
  rig.give(give_up{.text = "6 restarts in 60 s"});
  rig.settle();
  EXPECT_EQ(rig.plant, (knob_values{0.55}));
  rig.tick_after(24h);
  EXPECT_TRUE(rig.frozen_for(safe_mode_reason::restart_intensity));
  EXPECT_TRUE(rig.command(action::reset_safe_mode).ok);
  EXPECT_FALSE(rig.frozen());
}

} // namespace
} // namespace homeostat
