// How a loop stops: with everything at rest, or as it is where that cannot be had.
#include "tests/policies/safety/governor_rig.hpp"

#include <gtest/gtest.h>

namespace homeostat {
namespace {

using action = operator_action;
constexpr auto plus = proposal_kind::apply_plus;

governor_config one_knob() { return config_of({unit_knob()}); }

TEST(Stop, OfARestingLoopIsImmediate) {
  governor_rig rig(one_knob());
  rig.give(stop_request{});
  EXPECT_TRUE(rig.last.stopped);
  EXPECT_TRUE(rig.last.persist);
  EXPECT_EQ(rig.records.back().kind, audit_kind::stopped);
  EXPECT_EQ(rig.records.back().after, (knob_values{0.5}));
}

TEST(Stop, TakesALiveProbeBackFirst) {
  governor_rig rig(one_knob());
  rig.change({0.55}, plus);
  rig.give(stop_request{});
  EXPECT_FALSE(rig.last.stopped);
  rig.settle();
  EXPECT_TRUE(rig.last.stopped);
  EXPECT_EQ(rig.plant, (knob_values{0.5}));
}

TEST(Stop, FinishesTheChangeInFlight) {
  governor_rig rig(one_knob());
  rig.propose({0.55});
  rig.answer_audit();
  rig.give(stop_request{});
  EXPECT_FALSE(rig.last.stopped);
  rig.answer_actuator();
  EXPECT_TRUE(rig.last.stopped);
  EXPECT_EQ(rig.plant, (knob_values{0.55}));
}

TEST(Stop, DropsAChangeThatIsNotYetApplied) {
  governor_rig rig(one_knob());
  rig.propose({0.55});
  rig.give(stop_request{});
  rig.answer_audit();
  EXPECT_TRUE(rig.actuations.empty());
  EXPECT_TRUE(rig.verdict->refused);
  EXPECT_TRUE(rig.last.stopped);
}

TEST(Stop, TakesAProbeInFlightBack) {
  governor_rig rig(one_knob());
  rig.propose({0.55}, plus);
  rig.answer_audit();
  rig.give(stop_request{});
  rig.answer_actuator();
  EXPECT_FALSE(rig.last.stopped);
  rig.settle();
  EXPECT_TRUE(rig.last.stopped);
  EXPECT_EQ(rig.plant, (knob_values{0.5}));
}

TEST(Stop, RevertsToTheBaselineWhereTheLoopSaysSo) {
  governor_rig rig(one_knob());
  rig.change({0.6});
  rig.wait(1s);
  rig.propose({0.65}, plus);
  rig.answer_audit();
  rig.give(stop_request{.revert = true});
  rig.settle();
  EXPECT_TRUE(rig.last.stopped);
  EXPECT_EQ(rig.plant, (knob_values{0.5}));
  EXPECT_EQ(rig.state.rollbacks.accepted.size(), 0U) << "an ordered revert is no sign of trouble";
}

TEST(Stop, DoesNotWaitForAnAuditThatIsGone) {
  governor_rig rig(one_knob());
  rig.change({0.55}, plus);
  rig.give(stop_request{});
  rig.answer_audit(audit_status::failed);
  EXPECT_TRUE(rig.last.stopped);
  EXPECT_EQ(rig.records.back().after, (knob_values{0.55})) << "the last record says how the plant was left";
}

TEST(Stop, GivesAnAuditThatWasGoneOneMoreChance) {
  governor_rig rig(one_knob());
  rig.change({0.55}, plus);
  rig.give(give_up{.text = "restarts"});
  rig.answer_audit(audit_status::failed);
  ASSERT_TRUE(rig.frozen_for(safe_mode_reason::audit_unavailable));
  rig.give(stop_request{});
  EXPECT_FALSE(rig.last.stopped);
  rig.settle();
  EXPECT_TRUE(rig.last.stopped);
  EXPECT_EQ(rig.plant, (knob_values{0.5}));
}

TEST(Stop, GivesAPlantThatFailedOneMoreChance) {
  governor_rig rig(one_knob());
  rig.propose({0.55});
  rig.answer_audit();
  rig.answer_actuator(false);
  rig.answer_audit();
  rig.answer_actuator(false);
  ASSERT_TRUE(rig.frozen_for(safe_mode_reason::actuator_failing));
  rig.give(stop_request{});
  EXPECT_FALSE(rig.last.stopped);
  rig.settle();
  EXPECT_TRUE(rig.last.stopped);
  EXPECT_TRUE(rig.state.live_known);
}

TEST(Stop, TakesNoMoreOrders) {
  governor_rig rig(one_knob());
  rig.change({0.6});
  rig.give(stop_request{});
  EXPECT_FALSE(rig.command(action::set_values, "", {0.7}).ok);
  EXPECT_FALSE(rig.command(action::rollback).ok);
  EXPECT_FALSE(rig.command(action::set_baseline).ok);
  EXPECT_EQ(rig.plant, (knob_values{0.6}));
}

} // namespace
} // namespace homeostat
