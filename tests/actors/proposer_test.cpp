#include "actors/proposer.hpp"
#include "tests/actors/governor_rig.hpp"

#include <gmock/gmock.h>

namespace homeostat::testing {
namespace {

using ::testing::ElementsAre, ::testing::IsEmpty, ::testing::SizeIs;

/// A proposer with a scripted sensor, before the real governor or a scripted one.
class proposer_test : public governor_rig {
protected:
  proposer_test() { strategy = loop_of("web", time, nullptr, nullptr).proposer; }

  void start_proposer() {
    if (!sensor_handle) sensor_handle = spawn_sensor(system, granted);
    handle = system.spawn(proposer, strategy, sink, scripted ? scripted : governor_handle, sensor_handle);
    settle();
  }
  /// Proposer before a scripted governor.
  void start_scripted() {
    sink = system.spawn(audit_sink, reads_after_writes(store));
    scripted = spawn_governor(system, script);
    start_proposer();
  }
  void TearDown() override {
    end(handle);
    end(sensor_handle);
    end(scripted);
    script->listeners.clear();
    handle = nullptr, sensor_handle = nullptr, scripted = nullptr;
    governor_rig::TearDown();
  }
  /// A window of what is live, a second after the last change.
  void give_window(double mean) {
    advance(1s, 100ms);
    give_window_at_once(mean);
  }
  void give_window_at_once(double mean) {
    const std::uint64_t generation = scripted ? script->live.generation : status().generation;
    caf::anon_send(handle, window_of(generation, mean, now()));
    settle();
  }
  engine_state saved() { return *decode<engine_state>(store->states.at("strategy/web")); }

  std::shared_ptr<governor_script> script = std::make_shared<governor_script>();
  std::shared_ptr<sensor_script> granted = std::make_shared<sensor_script>();
  governor_actor scripted;
  homeostat::proposer_settings strategy;
  sensor_actor sensor_handle;
  proposer_actor handle;
};

TEST_F(proposer_test, MakesAFullIteration) {
  start();
  start_proposer();
  const knob_values plus = plant->in_force;
  ASSERT_NE(plus, (knob_values{50, 50})) << "the plus side is in force";
  give_window(12);
  const knob_values minus = plant->in_force;
  EXPECT_NEAR(plus[0] - 50, 50 - minus[0], 1e-9);
  EXPECT_NEAR(plus[1] - 50, 50 - minus[1], 1e-9);
  give_window(8);
  const knob_values base = plant->in_force;
  // The minus side was better: both knobs go its way.
  EXPECT_GT((base[0] - 50) * (minus[0] - 50), 0);
  EXPECT_GT((base[1] - 50) * (minus[1] - 50), 0);
  EXPECT_EQ(saved().spsa.iteration, 1U);
  EXPECT_EQ(saved().updates, 1U);
  const auto intents = store->records_of(audit_kind::intent);
  ASSERT_THAT(intents, SizeIs(3));
  EXPECT_EQ(intents[0].change, proposal_kind::apply_plus);
  EXPECT_EQ(intents[1].change, proposal_kind::apply_minus);
  EXPECT_EQ(intents[2].change, proposal_kind::update);
  EXPECT_EQ(intents[2].source, "spsa");
  advance(2s, 100ms);
  EXPECT_NE(plant->in_force, base) << "and the next iteration begins";
}

/// The same with `adaptive`, on a bowl around (70, 30).
class adaptive_proposer_test : public proposer_test {
protected:
  adaptive_proposer_test() { strategy.engine.strategy = online_kind::adaptive; }
  double height(const knob_values& at) {
    const double x = (at[0] - 70) / 100, y = (at[1] - 30) / 100;
    return 100 + 100 * (x * x + y * y) + 0.1 * noise.uniform();
  }
  chacha8_rng noise{5};
};

TEST_F(adaptive_proposer_test, TunesThroughTheGovernor) {
  start();
  start_proposer();
  for (int i = 0; i < 150; ++i) give_window(height(plant->in_force));
  ASSERT_TRUE(command(operator_action::pause).ok);
  EXPECT_NEAR(plant->in_force[0], 70, 6) << "the base point";
  EXPECT_NEAR(plant->in_force[1], 30, 6);
  EXPECT_THAT(status().rejected, IsEmpty());
  const auto intents = store->records_of(audit_kind::intent);
  ASSERT_FALSE(intents.empty());
  EXPECT_EQ(intents[0].source, "adaptive");
  EXPECT_EQ(intents[0].change, proposal_kind::apply_plus);
  EXPECT_GT(saved().updates, 2U);
}

TEST_F(adaptive_proposer_test, GoesOnWhereItWasAfterBeingKilled) {
  start();
  start_proposer();
  for (int i = 0; i < 100; ++i) give_window(height(plant->in_force));
  const engine_state before = saved();
  ASSERT_GT(before.online.recorded, 60U);
  end(handle, caf::exit_reason::kill);
  const knob_values in_force = plant->in_force;
  start_proposer();
  for (int i = 0; i < 20; ++i) give_window(height(plant->in_force));
  const engine_state after = saved();
  EXPECT_GT(after.online.recorded, before.online.recorded);
  for (std::size_t k = 0; k < 2; ++k) {
    EXPECT_NEAR(after.online.adaptive.centre[k], before.online.adaptive.centre[k], 0.1);
    EXPECT_NEAR(plant->in_force[k], in_force[k], 20) << "not the default";
  }
}

TEST_F(adaptive_proposer_test, GoesOnWhereARollbackTookTheLoop) {
  start();
  start_proposer();
  for (int i = 0; i < 80; ++i) give_window(height(plant->in_force));
  ASSERT_TRUE(command(operator_action::rollback).ok);
  settle();
  EXPECT_EQ(plant->in_force, (knob_values{50, 50}));
  advance(10s, 100ms);
  for (int i = 0; i < 5; ++i) give_window(height(plant->in_force));
  for (std::size_t k = 0; k < 2; ++k) EXPECT_NEAR(plant->in_force[k], 50, 20);
}

TEST_F(adaptive_proposer_test, BeginsAfreshWithANoteAfterAChangeOfStrategy) {
  std::vector<std::string> notes;
  strategy.note = [&](const std::string& text) { notes.push_back(text); };
  strategy.engine.strategy = online_kind::spsa;
  start_scripted();
  give_window(12);
  give_window(8);
  ASSERT_EQ(saved().strategy, online_kind::spsa);
  end(handle, caf::exit_reason::kill);
  strategy.engine.strategy = online_kind::adaptive;
  start_proposer();
  EXPECT_THAT(notes,
              ElementsAre("the saved strategy state is not used, the strategy begins afresh: it is of the strategy "
                          "spsa"));
  const std::size_t asked = script->proposals.size();
  for (int i = 0; i < 30; ++i) give_window(height(script->live.values));
  ASSERT_GT(script->proposals.size(), asked);
  EXPECT_EQ(script->proposals.back().source, "adaptive");
  EXPECT_EQ(saved().strategy, online_kind::adaptive);
}

TEST_F(proposer_test, KeepsTheGovernorsPaceByItself) {
  start();
  start_proposer();
  const knob_values plus = plant->in_force;
  give_window_at_once(12); // at the same moment: the governor wants 100 ms between changes
  advance(90ms, 10ms);
  EXPECT_EQ(plant->in_force, plus);
  advance(20ms, 10ms);
  EXPECT_NE(plant->in_force, plus);
  EXPECT_THAT(status().rejected, IsEmpty());
}

TEST_F(proposer_test, AsksTheSameAgainAfterARefusalThatTimeCures) {
  start();
  start_proposer();
  const knob_values plus = plant->in_force;
  store->capacity = 0;
  give_window(12);
  EXPECT_EQ(status().rejected.at("AuditQueueFull"), 1U);
  store->capacity = 64;
  advance(900ms, 100ms);
  EXPECT_EQ(plant->in_force, plus);
  advance(200ms, 100ms);
  EXPECT_NEAR(plant->in_force[0] - 50, 50 - plus[0], 1e-9) << "the minus side that was refused";
  EXPECT_EQ(status().rejected.at("AuditQueueFull"), 1U);
}

TEST_F(proposer_test, GrantsOneWindowAtATime) {
  start();
  start_proposer();
  EXPECT_EQ(granted->credit, 1U);
  give_window(12);
  EXPECT_EQ(granted->credit, 2U);
}

TEST_F(proposer_test, RestsWhileTheLoopIsFrozen) {
  start();
  start_proposer();
  ASSERT_TRUE(command(operator_action::pause).ok);
  EXPECT_EQ(plant->in_force, (knob_values{50, 50})) << "the probe is taken back";
  give_window(12);
  advance(10s, 100ms);
  EXPECT_EQ(plant->in_force, (knob_values{50, 50}));
  ASSERT_TRUE(command(operator_action::resume).ok);
  advance(1s, 100ms);
  EXPECT_NE(plant->in_force, (knob_values{50, 50}));
}

TEST_F(proposer_test, WaitsForAGovernorThatIsStillStarting) {
  plant->reads = fake_actuator::way::silent;
  start();
  start_proposer();
  advance(2s, 100ms);
  EXPECT_EQ(status().rejected.size(), 0U) << "it asks nothing before it knows what is live";
  plant->release();
  settle();
  EXPECT_THAT(plant->asked, SizeIs(1));
}

TEST_F(proposer_test, GoesOnFromItsSavedState) {
  start_scripted();
  give_window(12);
  give_window(8);
  ASSERT_THAT(script->proposals, SizeIs(4)) << "plus, minus, update, plus";
  const engine_state before = saved();
  end(handle, caf::exit_reason::kill);
  start_proposer();
  ASSERT_THAT(script->proposals, SizeIs(5));
  const proposal& next = script->proposals.back();
  EXPECT_EQ(next.kind, proposal_kind::apply_plus);
  EXPECT_EQ(next.id, before.asks + 1);
  EXPECT_EQ(next.base_generation, script->live.generation - 1) << "of what is live now";
  give_window(12);
  give_window(8);
  EXPECT_EQ(saved().spsa.iteration, before.spsa.iteration + 1);
}

TEST_F(proposer_test, BeginsAfreshWhenItsSavedStateIsNotReadable) {
  store->states["strategy/web"] = "\x07garbage";
  start_scripted();
  ASSERT_THAT(script->proposals, SizeIs(1));
  EXPECT_EQ(script->proposals[0].id, 1U);
}

TEST_F(proposer_test, EndsWhenTheStoreFailsOrDoesNotAnswer) {
  store->loads = fake_store::way::failing;
  start_scripted();
  EXPECT_FALSE(alive(handle));
  store->loads = fake_store::way::held;
  start_proposer();
  advance(5100ms, 100ms);
  EXPECT_FALSE(alive(handle));
  EXPECT_THAT(script->proposals, IsEmpty());
  store->release();
}

TEST_F(proposer_test, SurvivesASilentGovernor) {
  script->answers_proposals = false;
  start_scripted();
  ASSERT_THAT(script->proposals, SizeIs(1));
  advance(59s, 1s);
  EXPECT_THAT(script->proposals, SizeIs(1)) << "one question at a time";
  advance(3s, 500ms);
  ASSERT_THAT(script->proposals, SizeIs(2));
  EXPECT_GT(script->proposals[1].id, script->proposals[0].id);
}

TEST_F(proposer_test, SurvivesTheEndOfItsGovernor) {
  start_scripted();
  end(scripted);
  give_window(12);
  advance(10s, 1s);
  EXPECT_TRUE(alive(handle)) << "its supervisor decides, not it";
}

// A store that is slow must not pile up saves, and the last state counts.
TEST_F(proposer_test, SavesOneStateAtATimeAndTheLastOneInTheEnd) {
  store->saves = fake_store::way::held;
  start_scripted();
  for (int i = 0; i < 4; ++i) {
    advance(400ms, 100ms);
    give_window_at_once(12);
    advance(400ms, 100ms);
    give_window_at_once(8);
    EXPECT_EQ(store->held(), 1U);
  }
  store->release();
  settle();
  EXPECT_EQ(saved().updates, 1U);
  EXPECT_EQ(store->held(), 1U);
  store->release();
  settle();
  EXPECT_EQ(saved().updates, 4U);
  EXPECT_EQ(store->held(), 0U);
}

// I7: the same seed and the same windows, the same proposals.
TEST_F(proposer_test, ProposesTheSameForTheSameSeed) {
  const auto run = [this] {
    script = std::make_shared<governor_script>();
    scripted = spawn_governor(system, script);
    store->states.clear();
    start_proposer();
    for (int i = 0; i < 20; ++i) give_window(10 + i % 3);
    end(handle);
    end(scripted);
    std::vector<knob_values> values;
    for (const proposal& p : script->proposals) values.push_back(p.values);
    script->listeners.clear();
    return values;
  };
  sink = system.spawn(audit_sink, reads_after_writes(store));
  const auto first = run();
  EXPECT_GT(first.size(), 20U);
  EXPECT_EQ(run(), first);
  strategy.seed = 8;
  EXPECT_NE(run(), first);
}

} // namespace
} // namespace homeostat::testing
