// The governor actor's end and its next life: ordered stop, restart from durable state.
#include "tests/actors/governor_rig.hpp"

#include <gmock/gmock.h>

namespace homeostat::testing {
namespace {

using ::testing::ElementsAre, ::testing::IsEmpty;

class governor_stop_test : public governor_rig {
protected:
  std::size_t stopped_records() const { return store->records_of(audit_kind::stopped).size(); }
};

TEST_F(governor_stop_test, AnswersOnceItsLastRecordIsDurable) {
  start();
  store->submits = fake_store::way::held;
  const auto stopped = stop();
  EXPECT_FALSE(stopped->came());
  EXPECT_EQ(status().state, "stopping");
  store->release();
  settle();
  EXPECT_EQ(stopped->value, true);
  EXPECT_EQ(store->kinds().back(), audit_kind::stopped);
}

TEST_F(governor_stop_test, SaysSoWhenItsLastRecordIsLost) {
  start();
  store->submits = fake_store::way::failing;
  EXPECT_EQ(stop()->value, false);
}

TEST_F(governor_stop_test, DecidesNothingAfterItsLastRecord) {
  settings.config.watch_telemetry = true;
  start();
  ASSERT_EQ(stop()->value, true);
  log->clear();
  send_window(10, 1);
  advance(20s, 1s);
  EXPECT_EQ(propose(update_to({55, 50}))->value->refused->code, violation_code::in_safe_mode);
  EXPECT_EQ(command(operator_action::set_values, {60, 50}).text, "the loop has stopped");
  EXPECT_EQ(stop()->value, true) << "a second stop is answered too";
  EXPECT_THAT(*log, IsEmpty());
  EXPECT_EQ(stopped_records(), 1U);
}

TEST_F(governor_stop_test, FinishesTheChangeInFlight) {
  start();
  plant->applies = fake_actuator::way::silent;
  const auto verdict = propose(update_to({55, 50}));
  const auto stopped = stop();
  EXPECT_FALSE(stopped->came());
  plant->release();
  settle();
  EXPECT_TRUE(verdict->value && verdict->value->accepted);
  EXPECT_EQ(stopped->value, true);
  EXPECT_EQ(plant->in_force, (knob_values{55, 50}));
}

TEST_F(governor_stop_test, DropsAChangeThatIsNotRecordedYet) {
  start();
  store->submits = fake_store::way::held;
  const auto verdict = propose(update_to({55, 50}));
  const auto stopped = stop();
  store->submits = fake_store::way::at_once;
  store->release();
  settle();
  EXPECT_TRUE(verdict->value && verdict->value->refused);
  EXPECT_TRUE(plant->asked.empty());
  EXPECT_EQ(stopped->value, true);
}

TEST_F(governor_stop_test, TakesALiveProbeBack) {
  start();
  change_to({55, 50});
  change_to({58, 48}, proposal_kind::apply_plus);
  EXPECT_EQ(stop()->value, true);
  EXPECT_EQ(plant->in_force, (knob_values{55, 50}));
  EXPECT_EQ(store->records_of(audit_kind::stopped).back().after, (knob_values{55, 50}));
}

TEST_F(governor_stop_test, RevertsToTheBaselineWhereTheLoopSaysSo) {
  start();
  change_to({55, 50});
  change_to({57, 50});
  EXPECT_EQ(stop(true)->value, true);
  EXPECT_EQ(plant->in_force, (knob_values{50, 50}));
}

// ---- restart
// -------------------------------------------------------------------------------------------------------------

class governor_restart_test : public governor_rig {};

TEST_F(governor_restart_test, GoesOnFromTheLastCommit) {
  start();
  change_to({55, 50});
  ASSERT_TRUE(command(operator_action::set_baseline, {}, "tested").ok);
  change_to({57, 50});
  ASSERT_TRUE(command(operator_action::pause).ok);
  const loop_status before = status();
  restart();
  const loop_status after = status();
  EXPECT_EQ(after.generation, before.generation);
  EXPECT_EQ(after.revision, before.revision);
  EXPECT_EQ(after.knobs, before.knobs) << "live, base and baseline";
  EXPECT_THAT(after.safe_mode_reasons, ElementsAre("Manual"));
  ASSERT_TRUE(command(operator_action::resume).ok);
  change_to({58, 50});
  EXPECT_EQ(status().generation, before.generation + 1);
}

TEST_F(governor_restart_test, KeepsTheTimersOfItsSafeMode) {
  start();
  plant->applies = fake_actuator::way::failing;
  (void)propose(update_to({55, 50}));
  ASSERT_THAT(status().safe_mode_reasons, ElementsAre("ActuatorFailing"));
  plant->applies = fake_actuator::way::ok;
  advance(30s, 1s);
  restart();
  EXPECT_THAT(status().safe_mode_reasons, ElementsAre("ActuatorFailing"));
  advance(29s, 1s);
  EXPECT_THAT(status().safe_mode_reasons, ElementsAre("ActuatorFailing"));
  advance(2s, 1s);
  EXPECT_EQ(status().state, "running");
}

// I9: either the old or the new configuration, and never a number twice.
TEST_F(governor_restart_test, CommitsWhatItFindsInForce) {
  start();
  plant->applies = fake_actuator::way::silent;
  (void)propose(update_to({55, 50}));
  restart();
  EXPECT_EQ(status().state, "starting") << "the plant is still busy with the change";
  plant->applies = fake_actuator::way::ok;
  plant->release();
  settle();
  EXPECT_EQ(status().state, "running");
  EXPECT_EQ(status().generation, 2U);
  EXPECT_EQ(status().knobs.at(0).value, 55);
  EXPECT_EQ(plant->most_open, 1);
  EXPECT_EQ(store->kinds().back(), audit_kind::committed);
}

TEST_F(governor_restart_test, AbortsWhatItDoesNotFindInForce) {
  start();
  store->submits = fake_store::way::held;
  (void)propose(update_to({55, 50}));
  end(governor_handle, caf::exit_reason::kill); // before it hears that its intent is durable
  end(plant_actor, caf::exit_reason::kill);
  store->submits = fake_store::way::at_once;
  start_on_this_sink();
  EXPECT_EQ(status().state, "starting") << "its predecessor's intent is still on its way";
  store->release();
  settle();
  EXPECT_TRUE(plant->asked.empty());
  EXPECT_EQ(status().state, "running");
  EXPECT_EQ(status().generation, 1U);
  EXPECT_EQ(store->kinds().back(), audit_kind::aborted);
  change_to({54, 50});
  EXPECT_EQ(store->records_of(audit_kind::intent).back().generation, 3U) << "2 is taken";
}

TEST_F(governor_restart_test, TakesBackAProbeThatOutlivedItsProposer) {
  start();
  change_to({53, 50}, proposal_kind::apply_plus);
  restart();
  EXPECT_EQ(plant->in_force, (knob_values{50, 50}));
  EXPECT_EQ(status().state, "running");
}

TEST_F(governor_restart_test, AdoptsWhatOthersHaveSetMeanwhile) {
  start();
  change_to({55, 50});
  plant->in_force = {70, 30};
  restart();
  EXPECT_EQ(status().knobs.at(0).value, 70);
  EXPECT_EQ(store->kinds().back(), audit_kind::drift);
}

} // namespace
} // namespace homeostat::testing
