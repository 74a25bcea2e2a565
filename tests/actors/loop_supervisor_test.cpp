// One loop with all its actors over fake ports and a simulated plant.
#include "actors/audit_sink.hpp"
#include "actors/loop_supervisor.hpp"
#include "actors/ordered_store.hpp"
#include "tests/actors/loops.hpp"

#include <gmock/gmock.h>

#include <set>

namespace homeostat::testing {
namespace {

using ::testing::ElementsAre, ::testing::HasSubstr, ::testing::IsEmpty;

class loop_supervisor_test : public actor_world {
protected:
  loop_supervisor_test() : plant({50, 50}, 70, 3), setup(loop_of("web", time, plant.actuator, plant.telemetry)) {
    setup.supervision.jitter = 0;
  }

  void start() {
    sink = system.spawn(audit_sink, reads_after_writes(store));
    loop = system.spawn(loop_supervisor, setup, sink);
    settle();
  }
  void TearDown() override {
    stuck.clear();
    end(loop);
    advance(10s, 1s);
    end(sink);
    loop = nullptr, sink = nullptr;
    actor_world::TearDown();
  }
  /// Lets the plant run and report.
  void run(duration length) {
    for (duration passed{0}; passed < length; passed += 100ms) {
      advance(100ms, 50ms);
      plant.report(now());
      settle();
    }
  }
  void kill(const std::string& name) { end(running(name), caf::exit_reason::kill); }

  loop_status status() {
    const auto answer = ask<loop_status>(loop, status_atom::value);
    settle();
    if (!answer->came()) advance(2100ms, 100ms);
    return answer->value.value_or(loop_status{});
  }
  command_result command(operator_action action, knob_values values = {}) {
    const auto answer = ask<command_result>(
        loop,
        operator_command{.action = action, .actor = "ada", .text = {}, .values = values, .override_bounds = false});
    settle();
    if (!answer->came()) advance(2100ms, 100ms);
    return answer->value.value_or(command_result{.ok = false, .text = answer->error.value_or("no answer")});
  }
  /// Fails the sensor until its supervisor has had enough.
  void exceed_intensity() {
    plant.telemetry->throws = true;
    run(30s);
  }

  std::shared_ptr<fake_store> store = std::make_shared<fake_store>();
  simulated_plant plant;
  loop_setup setup;
  audit_sink_actor sink;
  loop_supervisor_actor loop;
};

TEST_F(loop_supervisor_test, StartsAllChildrenAndTunes) {
  start();
  run(60s);
  const loop_status seen = status();
  EXPECT_EQ(seen.name, "web");
  EXPECT_EQ(seen.pool, "pool");
  EXPECT_EQ(seen.state, "running");
  EXPECT_GT(seen.windows, 50U);
  EXPECT_GT(seen.digests, 500U);
  EXPECT_GT(seen.applied, 50U);
  EXPECT_EQ(seen.restarts, 0U);
  EXPECT_EQ(seen.text, "");
  EXPECT_THAT(seen.rejected, IsEmpty());
  EXPECT_LT(plant.objective_at({seen.knobs.at(0).base, seen.knobs.at(1).base}), plant.objective_at({50, 50}));
}

TEST_F(loop_supervisor_test, RestartsTheSensorAndWhatDependsOnIt) {
  start();
  run(5s);
  plant.telemetry->throws = true;
  run(100ms);
  plant.telemetry->throws = false;
  (void)ended();
  run(5s);
  const loop_status seen = status();
  EXPECT_EQ(seen.state, "running");
  EXPECT_EQ(seen.restarts, 1U);
  EXPECT_THAT(seen.text, HasSubstr("last restart: sensor ended: "));
  EXPECT_THAT(seen.text, HasSubstr("the source broke"));
  EXPECT_GT(seen.windows, 5U) << "and windows come again";
  EXPECT_EQ(store->records_of(audit_kind::started).size(), 1U) << "the governor went on";
}

TEST_F(loop_supervisor_test, RestartsAllAfterTheActuator) {
  start();
  run(5s);
  (void)ended();
  kill("actuator");
  EXPECT_THAT(ended(), ElementsAre("actuator", "proposer", "sensor", "governor")) << "reverse start order";
  run(5s);
  EXPECT_EQ(status().state, "running");
  EXPECT_EQ(store->records_of(audit_kind::started).size(), 2U);
}

TEST_F(loop_supervisor_test, GoesOnAfterAGovernorThatDiedInTheMiddleOfAChange) {
  start();
  run(5s);
  plant.actuator->applies = fake_actuator::way::silent;
  while (plant.actuator->held() == 0) run(100ms);
  const knob_values asked = plant.actuator->asked.back().values;
  kill("governor");
  run(1s);
  EXPECT_EQ(status().state, "starting");
  plant.actuator->applies = fake_actuator::way::ok;
  plant.actuator->release();
  run(100ms);
  // Found in force: committed. A probe whose proposer is gone is then taken back.
  const auto records = store->records("web");
  auto again = records.end();
  while ((--again)->kind != audit_kind::started) {}
  ASSERT_NE(++again, records.end());
  EXPECT_EQ(again->kind, audit_kind::committed);
  EXPECT_EQ(again->after, asked);
  EXPECT_EQ(plant.actuator->most_open, 1);
  run(5s);
  EXPECT_EQ(status().state, "running");
  std::set<std::uint64_t> generations;
  for (const audit_record& intent : store->records_of(audit_kind::intent))
    EXPECT_TRUE(generations.insert(intent.generation).second) << "generation " << intent.generation << " twice";
}

TEST_F(loop_supervisor_test, TakesOneForOneAsRestForOne) {
  setup.supervision.strategy = restart_strategy::one_for_one;
  start();
  (void)ended();
  kill("governor");
  EXPECT_THAT(ended(), ElementsAre("governor", "proposer", "sensor"));
  run(1s);
  EXPECT_EQ(status().state, "running");
}

// ---- restart intensity
// ---------------------------------------------------------------------------------------------------

TEST_F(loop_supervisor_test, FreezesTheLoopWhenTheIntensityIsExceeded) {
  start();
  run(20s);
  const loop_status before = status();
  exceed_intensity();
  const loop_status seen = status();
  EXPECT_EQ(seen.state, "safe mode");
  EXPECT_THAT(seen.safe_mode_reasons, ElementsAre("RestartIntensity"));
  EXPECT_THAT(seen.text, HasSubstr("more than 5 restarts in 60 s; last: sensor ended: "));
  EXPECT_EQ(seen.knobs.at(0).value, seen.knobs.at(0).base);
  EXPECT_EQ(seen.knobs.at(0).base, before.knobs.at(0).base) << "the last good values";
  EXPECT_EQ(plant.actuator->in_force, (knob_values{seen.knobs.at(0).base, seen.knobs.at(1).base}));
  EXPECT_EQ(count("sensor"), 0U);
  EXPECT_EQ(count("proposer"), 0U);
  const auto asked = plant.actuator->asked.size();
  run(120s);
  EXPECT_EQ(plant.actuator->asked.size(), asked) << "I4";
}

TEST_F(loop_supervisor_test, StillServesPeopleAfterItGaveUp) {
  start();
  run(5s);
  exceed_intensity();
  EXPECT_TRUE(command(operator_action::set_values, {40, 60}).ok);
  EXPECT_EQ(plant.actuator->in_force, (knob_values{40, 60}));
  EXPECT_TRUE(command(operator_action::rollback).ok);
  EXPECT_EQ(plant.actuator->in_force, (knob_values{50, 50}));
  EXPECT_FALSE(command(operator_action::resume).ok) << "its safe mode has to be reset";
  EXPECT_EQ(status().state, "safe mode");
}

TEST_F(loop_supervisor_test, RunsInFullAgainOnceItsSafeModeIsReset) {
  start();
  run(5s);
  exceed_intensity();
  plant.telemetry->throws = false;
  EXPECT_TRUE(command(operator_action::reset_safe_mode).ok);
  run(10s);
  const loop_status seen = status();
  EXPECT_EQ(seen.state, "running");
  EXPECT_GT(seen.windows, 5U);
  EXPECT_THAT(seen.text, HasSubstr("last restart: "));
  EXPECT_EQ(count("proposer"), 1U);
  exceed_intensity();
  EXPECT_THAT(status().safe_mode_reasons, ElementsAre("RestartIntensity")) << "and with a fresh budget of restarts";
}

TEST_F(loop_supervisor_test, RestartsItsCaretakerFrozen) {
  start();
  run(5s);
  exceed_intensity();
  kill("governor");
  run(1s);
  EXPECT_THAT(status().safe_mode_reasons, ElementsAre("RestartIntensity"));
  EXPECT_EQ(count("sensor"), 0U);
}

// Durable state cannot be loaded: not even a caretaker can run, and nothing is applied on a guess.
TEST_F(loop_supervisor_test, IsDownWhenNotEvenACaretakerCanRun) {
  start();
  run(5s);
  store->loads = fake_store::way::failing;
  store->load_failure = "disk gone";
  kill("governor");
  run(60s);
  const auto asked = plant.actuator->asked.size();
  const loop_status seen = status();
  EXPECT_EQ(seen.state, "down");
  EXPECT_EQ(seen.name, "web");
  EXPECT_THAT(seen.text, HasSubstr("its caretaker gave up too"));
  EXPECT_THAT(seen.text, HasSubstr("disk gone"));
  EXPECT_THAT(command(operator_action::pause).text, HasSubstr("request_receiver_down"));
  EXPECT_EQ(plant.actuator->asked.size(), asked);

  store->loads = fake_store::way::at_once;
  EXPECT_THAT(command(operator_action::reset_safe_mode).text, HasSubstr("its governor starts again"));
  run(1s);
  EXPECT_THAT(status().safe_mode_reasons, ElementsAre("RestartIntensity"));
  EXPECT_TRUE(command(operator_action::reset_safe_mode).ok);
  run(5s);
  EXPECT_EQ(status().state, "running");
  EXPECT_EQ(count("proposer"), 1U);
}

// ---- status and commands
// -------------------------------------------------------------------------------------------------

TEST_F(loop_supervisor_test, ReportsWhatItCanWhenAChildIsSilent) {
  start();
  run(5s);
  stuck.push_back(running("sensor"));
  EXPECT_EQ(status().state, "running");
  EXPECT_EQ(status().windows, 0U);
  stuck = {running("governor")};
  const loop_status seen = status();
  EXPECT_EQ(seen.state, "down");
  EXPECT_EQ(seen.name, "web");
  EXPECT_GT(seen.windows, 5U);
  EXPECT_THAT(command(operator_action::pause).text, HasSubstr("request_timeout"));
}

TEST_F(loop_supervisor_test, AnswersAllItOwesWhenItEnds) {
  start();
  stuck = {running("governor")};
  const auto seen = ask<loop_status>(loop, status_atom::value);
  const auto commanded = ask<command_result>(loop, operator_command{});
  const auto stopped = ask<bool>(loop, stop_atom::value);
  settle();
  end(loop, caf::exit_reason::kill);
  EXPECT_TRUE(seen->error);
  EXPECT_TRUE(commanded->error);
  EXPECT_TRUE(stopped->error);
}

// ---- stop
// ----------------------------------------------------------------------------------------------------------------

TEST_F(loop_supervisor_test, StopsInOrder) {
  start();
  run(5s);
  (void)ended();
  const auto first = ask<bool>(loop, stop_atom::value);
  const auto second = ask<bool>(loop, stop_atom::value);
  settle();
  EXPECT_EQ(first->value, true);
  EXPECT_EQ(second->value, true);
  EXPECT_THAT(ended(), ElementsAre("proposer", "sensor", "governor", "actuator", "loop-supervisor"));
  EXPECT_EQ(store->kinds().back(), audit_kind::stopped);
}

TEST_F(loop_supervisor_test, RevertsWhenItStopsWhereTheLoopSaysSo) {
  setup.revert_on_exit = true;
  start();
  run(30s);
  (void)ask<bool>(loop, stop_atom::value);
  settle();
  EXPECT_EQ(plant.actuator->in_force, (knob_values{50, 50}));
}

TEST_F(loop_supervisor_test, StopsInTimeWhenThePlantIsSilent) {
  start();
  run(5s);
  plant.actuator->applies = fake_actuator::way::silent;
  while (plant.actuator->held() == 0) run(100ms);
  const auto stopped = ask<bool>(loop, stop_atom::value);
  settle();
  advance(2900ms, 100ms);
  EXPECT_FALSE(stopped->came());
  advance(200ms, 100ms);
  EXPECT_EQ(stopped->value, false);
  EXPECT_FALSE(alive(loop));
  plant.actuator->release();
}

TEST_F(loop_supervisor_test, StopsWhileAChildWaitsForItsRestart) {
  start();
  run(5s);
  kill("governor");
  const auto stopped = ask<bool>(loop, stop_atom::value);
  settle();
  EXPECT_EQ(stopped->value, false);
  advance(10s, 1s);
  EXPECT_FALSE(alive(loop));
  EXPECT_EQ(count("governor"), 0U);
}

TEST_F(loop_supervisor_test, StopsAfterItGaveUp) {
  start();
  run(5s);
  exceed_intensity();
  const auto stopped = ask<bool>(loop, stop_atom::value);
  settle();
  EXPECT_EQ(stopped->value, true);
  EXPECT_FALSE(alive(loop));
}

TEST_F(loop_supervisor_test, EndsItsChildrenWhenItIsToldToEnd) {
  start();
  run(5s);
  (void)ended();
  end(loop);
  EXPECT_THAT(ended(), ElementsAre("proposer", "sensor", "governor", "actuator", "loop-supervisor"));
}

} // namespace
} // namespace homeostat::testing
