// The governor actor: the order of its effects, its failures, who is told what.
#include "tests/actors/governor_rig.hpp"

#include <gmock/gmock.h>

namespace homeostat::testing {
namespace {

using ::testing::Contains, ::testing::ElementsAre, ::testing::HasSubstr, ::testing::IsEmpty;

class governor_test : public governor_rig {};

TEST_F(governor_test, RecordsItsStartAfterReadingThePlant) {
  start();
  EXPECT_THAT(*log, ElementsAre("read", "submit started", "durable started"));
  EXPECT_EQ(status().state, "running");
}

// I2: durable before visible.
TEST_F(governor_test, MakesTheIntentDurableBeforeItApplies) {
  start();
  const auto heard = std::make_shared<recording>();
  const auto listener = spawn_recorder(system, heard);
  (void)ask<live_configuration>(governor_handle, listen_atom::value, caf::actor_cast<live_listener_actor>(listener));
  settle();
  log->clear();
  store->submits = fake_store::way::held;
  const auto verdict = propose(update_to({55, 50}));
  EXPECT_THAT(*log, ElementsAre("submit intent"));
  EXPECT_FALSE(verdict->came());
  store->release();
  settle();
  EXPECT_THAT(*log, ElementsAre("submit intent", "durable intent", "apply 55 50", "submit committed"));
  ASSERT_TRUE(verdict->value && verdict->value->accepted);
  EXPECT_EQ(verdict->value->accepted->generation, 2U);
  EXPECT_EQ(verdict->value->accepted->values, (knob_values{55, 50}));
  ASSERT_EQ(heard->live.size(), 1U);
  EXPECT_EQ(heard->live[0].generation, 2U);
  store->release();
  end(listener);
}

TEST_F(governor_test, RefusesUntilItHasRecovered) {
  plant->reads = fake_actuator::way::silent;
  start();
  const auto early = propose(update_to({55, 50}));
  ASSERT_TRUE(early->value && early->value->refused);
  EXPECT_EQ(early->value->refused->code, violation_code::in_safe_mode);
  EXPECT_EQ(command(operator_action::pause).text, "the loop is still starting");
  EXPECT_EQ(status().state, "starting");
  EXPECT_THAT(status().knobs, IsEmpty());
  EXPECT_EQ(stop()->value, true) << "nothing has begun that would have to be ended";

  const auto heard = std::make_shared<recording>();
  const auto listener = spawn_recorder(system, heard);
  const auto first =
      ask<live_configuration>(governor_handle, listen_atom::value, caf::actor_cast<live_listener_actor>(listener));
  settle();
  EXPECT_EQ(first->value->generation, 0U) << "nobody's";
  plant->release();
  settle();
  ASSERT_EQ(heard->live.size(), 1U) << "told once there is something to tell";
  EXPECT_EQ(heard->live[0].generation, 1U);
  EXPECT_TRUE(propose(update_to({55, 50}))->value->accepted);
  end(listener);
}

TEST_F(governor_test, EndsWhenItsStateIsNotReadable) {
  store->states["governor/web"] = "\x07garbage";
  start();
  EXPECT_FALSE(alive(governor_handle));
  EXPECT_TRUE(store->durable.empty()) << "what could not be read is not overwritten";
  EXPECT_TRUE(plant->asked.empty());
}

TEST_F(governor_test, EndsWhenItsStateCannotBeLoaded) {
  store->loads = fake_store::way::failing;
  start();
  EXPECT_FALSE(alive(governor_handle));
  EXPECT_TRUE(store->durable.empty());
}

TEST_F(governor_test, EndsWhenTheStoreDoesNotAnswerTheLoad) {
  store->loads = fake_store::way::held;
  start();
  advance(4900ms, 100ms);
  EXPECT_TRUE(alive(governor_handle));
  advance(200ms, 100ms);
  EXPECT_FALSE(alive(governor_handle));
  store->release();
}

TEST_F(governor_test, StartsFrozenWhenThePlantDoesNotAnswer) {
  plant->reads = fake_actuator::way::silent;
  start();
  advance(31s, 1s);
  EXPECT_THAT(status().safe_mode_reasons, ElementsAre("ActuatorFailing"));
  EXPECT_TRUE(plant->asked.empty()) << "nothing is written to a plant that was never read";
  plant->release();
}

TEST_F(governor_test, FreezesWhenTheAuditDoesNotAnswer) {
  start();
  store->submits = fake_store::way::held;
  const auto verdict = propose(update_to({55, 50}));
  advance(5100ms, 100ms);
  ASSERT_TRUE(verdict->value && verdict->value->refused);
  EXPECT_EQ(verdict->value->refused->code, violation_code::audit_queue_full);
  EXPECT_THAT(status().safe_mode_reasons, ElementsAre("AuditUnavailable"));
  store->release(); // late: nothing may come of it
  settle();
  EXPECT_TRUE(plant->asked.empty());
  EXPECT_EQ(plant->in_force, (knob_values{50, 50}));
}

TEST_F(governor_test, FreezesWhenTheAuditFails) {
  start();
  store->submits = fake_store::way::failing;
  const auto verdict = propose(update_to({55, 50}));
  EXPECT_EQ(verdict->value->refused->code, violation_code::audit_queue_full);
  EXPECT_THAT(status().safe_mode_reasons, ElementsAre("AuditUnavailable"));
  EXPECT_TRUE(plant->asked.empty());
}

TEST_F(governor_test, FreezesWhenTheAuditSinkIsGone) {
  start();
  end(sink);
  const auto verdict = propose(update_to({55, 50}));
  EXPECT_EQ(verdict->value->refused->code, violation_code::audit_queue_full);
  EXPECT_THAT(status().safe_mode_reasons, ElementsAre("AuditUnavailable"));
  EXPECT_TRUE(plant->asked.empty());
}

TEST_F(governor_test, RefusesWithoutFreezingWhenTheAuditQueueIsFull) {
  start();
  store->capacity = 0;
  const auto verdict = propose(update_to({55, 50}));
  EXPECT_EQ(verdict->value->refused->code, violation_code::audit_queue_full);
  EXPECT_THAT(status().safe_mode_reasons, IsEmpty());
  EXPECT_TRUE(plant->asked.empty());
  store->capacity = 64;
  advance(1s, 100ms);
  EXPECT_TRUE(propose(update_to({55, 50}))->value->accepted);
}

// A plant that does not answer: undo, and freeze when that does not come through either. When it wakes up, the last
// thing it is asked is the safe one.
TEST_F(governor_test, UndoesAndFreezesWhenTheActuatorIsSilent) {
  start();
  plant->applies = fake_actuator::way::silent;
  const auto verdict = propose(update_to({55, 50}));
  advance(29s, 1s);
  EXPECT_FALSE(verdict->came());
  advance(2s, 1s);
  ASSERT_TRUE(verdict->value && verdict->value->refused);
  EXPECT_EQ(verdict->value->refused->code, violation_code::actuator_failed);
  EXPECT_EQ(store->records_of(audit_kind::intent).back().source, "undo");
  EXPECT_THAT(status().safe_mode_reasons, IsEmpty());
  advance(30s, 1s);
  EXPECT_THAT(status().safe_mode_reasons, ElementsAre("ActuatorFailing"));
  plant->release();
  plant->release();
  settle();
  EXPECT_EQ(plant->in_force, (knob_values{50, 50}));
  EXPECT_EQ(plant->most_open, 1);
  plant->applies = fake_actuator::way::ok;
  advance(61s, 1s);
  EXPECT_EQ(status().state, "running") << "after the cooldown it has put its values in force again";
  EXPECT_EQ(plant->in_force, (knob_values{50, 50}));
}

TEST_F(governor_test, DoesNotBelieveALyingActuator) {
  start();
  plant->applies = fake_actuator::way::lying;
  const auto verdict = propose(update_to({55, 50}));
  ASSERT_TRUE(verdict->value && verdict->value->refused);
  const violation& v = *verdict->value->refused;
  EXPECT_EQ(v.code, violation_code::actuator_failed);
  EXPECT_EQ(v.knob, "x");
  EXPECT_EQ(v.value, 50);
  EXPECT_EQ(v.limit, 55);
  EXPECT_THAT(store->kinds(), ElementsAre(audit_kind::started, audit_kind::intent, audit_kind::aborted,
                                          audit_kind::intent, audit_kind::committed));
}

TEST_F(governor_test, FreezesWhenTheUndoFailsToo) {
  start();
  plant->applies = fake_actuator::way::failing;
  const auto verdict = propose(update_to({55, 50}));
  EXPECT_EQ(verdict->value->refused->code, violation_code::actuator_failed);
  EXPECT_THAT(status().safe_mode_reasons, ElementsAre("ActuatorFailing"));
}

TEST_F(governor_test, SurvivesTheEndOfItsActuator) {
  line = plant; // as it is, without the line that catches exceptions
  start();
  plant->applies = fake_actuator::way::throwing;
  const auto verdict = propose(update_to({55, 50}));
  EXPECT_FALSE(alive(plant_actor));
  ASSERT_TRUE(verdict->value && verdict->value->refused);
  EXPECT_EQ(verdict->value->refused->code, violation_code::actuator_failed);
  EXPECT_THAT(status().safe_mode_reasons, ElementsAre("ActuatorFailing"));
}

TEST_F(governor_test, AnswersAllItOwesWhenItEnds) {
  for (const auto reason : {caf::exit_reason::user_shutdown, caf::exit_reason::kill}) {
    start();
    store->submits = fake_store::way::held;
    const auto verdict = propose(update_to({55, 50}));
    const auto stopped = stop();
    EXPECT_FALSE(verdict->came());
    EXPECT_FALSE(stopped->came());
    end(governor_handle, reason);
    EXPECT_TRUE(verdict->error);
    EXPECT_TRUE(stopped->error);
    store->release();
    store->submits = fake_store::way::at_once;
    end(plant_actor);
    end(sink);
    store->states.clear();
  }
}

TEST_F(governor_test, GivesEachProposerItsOwnVerdict) {
  start();
  store->submits = fake_store::way::held;
  const auto first = propose(update_to({55, 50}));
  const auto second = propose(update_to({45, 50})); // another proposer, which happens to use the same number
  ASSERT_TRUE(second->value && second->value->refused);
  EXPECT_EQ(second->value->refused->code, violation_code::rate_limit_exceeded);
  EXPECT_EQ(second->value->proposal_id, 1U);
  store->release();
  settle();
  ASSERT_TRUE(first->value && first->value->accepted);
  EXPECT_EQ(first->value->proposal_id, 1U);
  store->release();
}

TEST_F(governor_test, AnswersAProposalOfNoChangeWithAnError) {
  start();
  proposal p = update_to({50, 50});
  p.kind = proposal_kind::no_change;
  EXPECT_THAT(propose(p)->error.value_or(""), HasSubstr("no change"));
}

TEST_F(governor_test, TakesWindowsAndReturnsTheCredit) {
  start();
  const auto granted = std::make_shared<sensor_script>();
  const auto source = spawn_sensor(system, granted);
  caf::send_as(source, governor_handle, window_of(1, 42));
  caf::send_as(source, governor_handle, window_of(9, 17));
  settle();
  EXPECT_EQ(granted->credit, 2U) << "also for one it cannot use";
  EXPECT_EQ(status().objective, 42);
  end(source);
}

TEST_F(governor_test, ForgetsListenersThatEnd) {
  start();
  const auto heard = std::make_shared<recording>();
  auto listener = spawn_recorder(system, heard);
  for (int i = 0; i < 3; ++i) {
    (void)ask<live_configuration>(governor_handle, listen_atom::value, caf::actor_cast<live_listener_actor>(listener));
    settle();
  }
  change_to({55, 50});
  EXPECT_EQ(heard->live.size(), 1U) << "one that asks again is still one listener";
  const auto trace = trace_of(listener);
  end(listener);
  listener = nullptr;
  EXPECT_FALSE(trace.lock());
  change_to({56, 50});
  EXPECT_EQ(heard->live.size(), 1U);
}

TEST_F(governor_test, CarriesOutWhatPeopleCommand) {
  start();
  EXPECT_TRUE(command(operator_action::pause).ok);
  EXPECT_EQ(status().state, "safe mode");
  EXPECT_EQ(propose(update_to({55, 50}))->value->refused->code, violation_code::in_safe_mode);
  EXPECT_TRUE(command(operator_action::set_values, {80, 20}, "black friday").ok) << "people may, in safe mode too";
  EXPECT_EQ(plant->in_force, (knob_values{80, 20}));
  EXPECT_TRUE(command(operator_action::resume).ok);
  EXPECT_TRUE(command(operator_action::set_baseline, {}, "friday").ok);
  change_to({85, 20});
  EXPECT_TRUE(command(operator_action::rollback).ok);
  EXPECT_EQ(plant->in_force, (knob_values{80, 20}));
  const command_result bad = command(operator_action::set_values, {120, 20});
  EXPECT_FALSE(bad.ok);
  EXPECT_THAT(bad.text, HasSubstr("OutOfBounds"));
  const auto intents = store->records_of(audit_kind::intent);
  ASSERT_FALSE(intents.empty());
  EXPECT_EQ(intents.front().actor, "ada");
  EXPECT_EQ(intents.front().classification, change_class::operator_change);
  EXPECT_EQ(status().rollbacks, 1U);
  EXPECT_EQ(status().applied, 2U);
  EXPECT_EQ(status().rejected.at("InSafeMode"), 1U);
}

TEST_F(governor_test, FreezesWhenItsSupervisorGivesUp) {
  start();
  change_to({55, 50});
  change_to({58, 50}, proposal_kind::apply_plus);
  caf::anon_send(governor_handle, giveup_atom::value, std::string("too many restarts"));
  settle();
  EXPECT_THAT(status().safe_mode_reasons, ElementsAre("RestartIntensity"));
  EXPECT_EQ(plant->in_force, (knob_values{55, 50})) << "the last good values, without the probe";
}

TEST_F(governor_test, FreezesAlsoWhenItIsGivenUpBeforeItHasRecovered) {
  plant->reads = fake_actuator::way::silent;
  start();
  caf::anon_send(governor_handle, giveup_atom::value, std::string("too many restarts"));
  settle();
  plant->release();
  settle();
  EXPECT_THAT(status().safe_mode_reasons, ElementsAre("RestartIntensity"));
}

// `audit: queued`: the bounded queue is enough, but the last record of all is waited for.
TEST_F(governor_test, AppliesFromTheQueueWhereTheLoopDeclaresIt) {
  settings.durable_audit = false;
  start();
  store->submits = fake_store::way::held;
  ASSERT_TRUE(propose(update_to({55, 50}))->value->accepted);
  EXPECT_EQ(plant->in_force, (knob_values{55, 50}));
  EXPECT_EQ(store->held(), 2U);
  store->capacity = 2;
  advance(1s, 100ms);
  EXPECT_EQ(propose(update_to({56, 50}, 2, 2))->value->refused->code, violation_code::audit_queue_full);
  store->capacity = 64;
  const auto stopped = stop();
  EXPECT_FALSE(stopped->came());
  store->release();
  settle();
  EXPECT_EQ(stopped->value, true);
}

} // namespace
} // namespace homeostat::testing
