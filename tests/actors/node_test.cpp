// A whole node: two pools of two loops each, one audit sink, one store.
#include "actors/group_supervisor.hpp"
#include "tests/actors/loops.hpp"

#include <gmock/gmock.h>

#include <set>

namespace homeostat::testing {
namespace {

using ::testing::AllOf, ::testing::Each, ::testing::ElementsAre, ::testing::Field, ::testing::HasSubstr,
    ::testing::IsEmpty, ::testing::Not, ::testing::SizeIs;

class node_test : public actor_world {
protected:
  node_test() {
    add_pool("front", {"api", "web"});
    add_pool("back", {"cache", "db"});
    setup.name = "node";
    setup.store = store;
    setup.time = time;
  }
  void add_pool(const std::string& pool, std::initializer_list<const char*> loops) {
    pool_setup& p = setup.pools.emplace_back(pool_setup{.name = pool, .loops = {}});
    for (const char* name : loops) {
      const std::uint64_t seed = plants.size() + 1;
      const auto& plant =
          plants.emplace(name, simulated_plant({50, 50}, 20 + 15 * static_cast<double>(seed), seed)).first->second;
      loop_setup& loop = p.loops.emplace_back(loop_of(name, time, plant.actuator, plant.telemetry));
      loop.governor.pool = pool;
      loop.proposer.seed = seed;
    }
  }
  void start() {
    node = system.spawn(node_supervisor, setup);
    settle();
  }
  void TearDown() override {
    stuck.clear();
    store->release();
    for (auto& [name, plant] : plants) plant.actuator->release();
    end(node);
    advance(30s, 1s);
    node = nullptr;
    actor_world::TearDown();
  }
  /// Lets all plants run and report.
  void run(duration length) {
    for (duration passed{0}; passed < length; passed += 100ms) {
      advance(100ms, 50ms);
      for (auto& [name, plant] : plants) plant.report(now());
      settle();
    }
  }
  std::vector<loop_status> status() {
    const auto answer = ask<std::vector<loop_status>>(node, status_atom::value);
    settle();
    if (!answer->came()) advance(3100ms, 100ms);
    return answer->value.value_or(std::vector<loop_status>{});
  }
  std::vector<std::string> states() {
    std::vector<std::string> all;
    for (const auto& loop : status()) all.push_back(loop.name + " " + loop.state);
    return all;
  }
  command_result command(const std::string& loop, operator_action action, knob_values values = {}) {
    const auto answer = ask<command_result>(
        node, loop,
        operator_command{.action = action, .actor = "ada", .text = {}, .values = values, .override_bounds = false});
    settle();
    if (!answer->came()) advance(3100ms, 100ms);
    const std::string why = answer->error.value_or("no answer");
    return answer->value.value_or(command_result{.ok = false, .text = why});
  }
  void kill(const std::string& name) { end(running(name), caf::exit_reason::kill); }

  /// Stops the node. @returns how long it took, at most `limit`.
  duration stop_takes(duration limit) {
    const instant begin = now();
    stopped = ask<bool>(node, stop_atom::value);
    settle();
    while (!stopped->came() && now() - begin < limit) advance(50ms, 50ms);
    return now() - begin;
  }
  /// I2 and §10: one intent for each generation, in rising order, each settled before the next one.
  void expect_orderly_audit(const std::string& loop) {
    std::set<std::uint64_t> intents;
    std::uint64_t last = 0, open = 0;
    for (const audit_record& r : store->records(loop)) {
      if (r.kind == audit_kind::intent) {
        EXPECT_TRUE(intents.insert(r.generation).second) << loop << ": generation " << r.generation << " twice";
        EXPECT_GT(r.generation, last) << loop;
        EXPECT_EQ(open, 0U) << loop << ": " << r.generation << " began while " << open << " was open";
        last = open = r.generation;
      }
      if (r.kind == audit_kind::committed || r.kind == audit_kind::aborted) {
        EXPECT_EQ(r.generation, open) << loop;
        open = 0;
      }
    }
    EXPECT_EQ(open, 0U) << loop;
  }

  std::shared_ptr<fake_store> store = std::make_shared<fake_store>();
  std::map<std::string, simulated_plant> plants;
  node_setup setup;
  supervisor_actor node;
  std::shared_ptr<reply<bool>> stopped;
};

TEST_F(node_test, StartsAllLoops) {
  start();
  run(2s);
  EXPECT_THAT(states(), ElementsAre("api running", "cache running", "db running", "web running"));
  EXPECT_EQ(status().at(1).pool, "back");
}

TEST_F(node_test, TunesEveryLoop) {
  start();
  run(600s);
  for (const loop_status& loop : status()) {
    const simulated_plant& plant = plants.at(loop.name);
    const double before = plant.objective_at({50, 50}) - 10;
    const double after = plant.objective_at({loop.knobs.at(0).base, loop.knobs.at(1).base}) - 10;
    EXPECT_LT(after, before > 0.5 ? 0.5 * before : 0.5) << loop.name << ": " << before << " above the best before";
    EXPECT_EQ(loop.state, "running") << loop.name << " " << ::testing::PrintToString(loop.safe_mode_reasons);
    EXPECT_EQ(loop.restarts, 0U) << loop.name;
  }
  EXPECT_LT(stop_takes(5s), 1s);
  EXPECT_EQ(stopped->value, true);
  for (const auto& [name, plant] : plants) {
    expect_orderly_audit(name);
    EXPECT_EQ(store->kinds(name).front(), audit_kind::started);
    EXPECT_EQ(store->kinds(name).back(), audit_kind::stopped);
    EXPECT_EQ(store->records(name).back().after, plant.actuator->in_force);
    EXPECT_EQ(plant.actuator->most_open, 1);
  }
}

// ---- commands and status
// -------------------------------------------------------------------------------------------------

TEST_F(node_test, TakesCommandsToTheRightLoop) {
  start();
  run(1s);
  EXPECT_TRUE(command("cache", operator_action::pause).ok);
  EXPECT_TRUE(command("cache", operator_action::set_values, {10, 90}).ok);
  EXPECT_EQ(plants.at("cache").actuator->in_force, (knob_values{10, 90}));
  EXPECT_THAT(states(), ElementsAre("api running", "cache safe mode", "db running", "web running"));
}

TEST_F(node_test, SaysSoWhenALoopIsNotKnown) {
  start();
  const command_result answer = command("nope", operator_action::pause);
  EXPECT_FALSE(answer.ok);
  EXPECT_THAT(answer.text, HasSubstr("no loop 'nope' runs here"));
}

TEST_F(node_test, ReportsLoopsThatDoNotAnswerAsDown) {
  start();
  run(1s);
  stuck = {running("loop-supervisor")}; // the last one: db
  EXPECT_THAT(states(), ElementsAre("api running", "cache running", "db down", "web running"));
  const std::vector<loop_status> all = status();
  EXPECT_EQ(all.at(2).pool, "back");
  EXPECT_EQ(all.at(2).text, "no answer from its supervisor");
  EXPECT_THAT(command("db", operator_action::pause).text, HasSubstr("request_timeout"));
}

TEST_F(node_test, ReportsLoopsOfAPoolThatIsNotThere) {
  setup.pools[1].supervision.backoff = 5s;
  start();
  run(1s);
  kill("loop-supervisor"); // db waits for its restart
  EXPECT_THAT(states(), ElementsAre("api running", "cache running", "db down", "web running"));
  EXPECT_THAT(command("db", operator_action::pause).text, HasSubstr("loop 'db' is down"));
  stuck = {running("supervisor")}; // the pool "back"
  EXPECT_THAT(states(), ElementsAre("api running", "cache down", "db down", "web running"));
}

TEST_F(node_test, AnswersAllItOwesWhenItEnds) {
  start();
  stuck = {running("supervisor")};
  const auto seen = ask<std::vector<loop_status>>(node, status_atom::value);
  const auto commanded = ask<command_result>(node, std::string("db"), operator_command{});
  const auto stopping = ask<bool>(node, stop_atom::value);
  settle();
  end(node, caf::exit_reason::kill);
  EXPECT_TRUE(seen->error);
  EXPECT_TRUE(commanded->error);
  EXPECT_TRUE(stopping->error);
}

// ---- failures
// ------------------------------------------------------------------------------------------------------------

TEST_F(node_test, GoesOnWithoutALoopThatGaveUp) {
  start();
  run(5s);
  plants.at("web").telemetry->throws = true;
  run(60s);
  EXPECT_THAT(states(), ElementsAre("api running", "cache running", "db running", "web safe mode"));
  EXPECT_THAT(status().at(3).safe_mode_reasons, ElementsAre("RestartIntensity"));
  EXPECT_EQ(status().at(0).restarts, 0U);
  EXPECT_EQ(plants.at("web").actuator->in_force, store->records("web").back().after) << "at rest";
}

TEST_F(node_test, RestartsALoopSupervisorWithoutItsNeighbours) {
  start();
  run(5s);
  (void)ended();
  kill("loop-supervisor");
  EXPECT_THAT(ended(),
              ::testing::UnorderedElementsAre("loop-supervisor", "proposer", "sensor", "governor", "actuator"));
  run(5s);
  EXPECT_THAT(states(), Each(HasSubstr(" running")));
  EXPECT_EQ(store->records_of(audit_kind::started).size(), 5U);
  expect_orderly_audit("db");
}

// Everything above the sink goes on from durable state with the new one.
TEST_F(node_test, RestartsThePoolsAfterTheAuditSink) {
  start();
  run(10s);
  const std::vector<loop_status> before = status();
  store->submits = fake_store::way::throwing;
  run(1s);
  store->submits = fake_store::way::at_once;
  run(10s);
  const std::vector<loop_status> after = status();
  ASSERT_THAT(after, SizeIs(4));
  EXPECT_THAT(states(), Each(HasSubstr(" running")));
  for (std::size_t i = 0; i < 4; ++i) EXPECT_GT(after[i].generation, before[i].generation) << after[i].name;
  EXPECT_EQ(count("audit-sink"), 1U);
  for (const auto& [name, plant] : plants) {
    expect_orderly_audit(name);
    EXPECT_EQ(plant.actuator->most_open, 1);
  }
}

TEST_F(node_test, EndsWhenItCannotKeepItsAuditSink) {
  start();
  run(1s);
  for (int i = 0; i < 6; ++i) {
    kill("audit-sink");
    run(10s);
  }
  EXPECT_FALSE(alive(node));
  EXPECT_EQ(system.registry().running(), 0U);
}

TEST_F(node_test, SurvivesPortsThatThrowNowAndThen) {
  start();
  chacha8_rng dice(11);
  for (int i = 0; i < 120; ++i) {
    auto& [name, plant] = *std::next(plants.begin(), static_cast<int>(dice.next() % 4));
    plant.telemetry->throws = dice.uniform() < 0.05;
    plant.actuator->applies = dice.uniform() < 0.1 ? fake_actuator::way::throwing : fake_actuator::way::ok;
    run(1s);
  }
  for (auto& [name, plant] : plants) {
    plant.telemetry->throws = false;
    plant.actuator->applies = fake_actuator::way::ok;
    expect_orderly_audit(name);
    EXPECT_EQ(plant.actuator->most_open, 1);
  }
  EXPECT_LT(stop_takes(5s), 5s);
}

// ---- shutdown
// ------------------------------------------------------------------------------------------------------------

TEST_F(node_test, StopsInReverseOrder) {
  start();
  run(5s);
  (void)ended();
  EXPECT_LT(stop_takes(5s), 1s);
  EXPECT_EQ(stopped->value, true);
  const std::vector<std::string> order = ended();
  ASSERT_THAT(order, SizeIs(3 + 2 + 4 * 5));
  EXPECT_EQ(order.back(), "supervisor") << "the node itself";
  EXPECT_EQ(order[order.size() - 2], "audit-sink");
  EXPECT_EQ(order[order.size() - 3], "authority");
  EXPECT_EQ(store->records_of(audit_kind::stopped).size(), 4U);
  EXPECT_EQ(system.registry().running(), 0U);
}

// Members that have stopped must not come back while others are still at it.
TEST_F(node_test, StartsNobodyAgainWhileItStops) {
  start();
  run(5s);
  plants.at("api").actuator->applies = fake_actuator::way::silent;
  while (plants.at("api").actuator->held() == 0) run(100ms);
  EXPECT_LT(stop_takes(5s), 5s);
  EXPECT_EQ(stopped->value, false);
  EXPECT_EQ(store->records_of(audit_kind::started).size(), 4U);
  EXPECT_EQ(system.registry().running(), 0U);
}

TEST_F(node_test, StopsInTimeWhenNoPlantAnswers) {
  start();
  run(5s);
  for (auto& [name, plant] : plants) plant.actuator->applies = plant.actuator->reads = fake_actuator::way::silent;
  run(2s);
  EXPECT_LT(stop_takes(5s), 5s);
  EXPECT_EQ(stopped->value, false);
  EXPECT_EQ(system.registry().running(), 0U);
}

TEST_F(node_test, StopsInTimeWhenTheStoreDoesNotAnswer) {
  start();
  run(5s);
  store->submits = store->saves = store->loads = fake_store::way::held;
  run(1s);
  EXPECT_LT(stop_takes(5s), 5s);
  EXPECT_EQ(stopped->value, false);
  EXPECT_EQ(system.registry().running(), 0U);
}

TEST_F(node_test, StopsInTimeWhenAnActorIsStuck) {
  for (const char* name : {"governor", "actuator", "sensor", "proposer"}) {
    start();
    run(2s);
    stuck = {running(name)};
    EXPECT_LT(stop_takes(6s), 5s) << name;
    EXPECT_TRUE(stopped->came()) << name;
    EXPECT_FALSE(alive(node)) << name;
    EXPECT_EQ(system.registry().running(), 1U) << "only the " << name << " itself";
    stuck.clear();
    settle();
    EXPECT_EQ(system.registry().running(), 0U);
  }
}

TEST_F(node_test, StopsInTimeWhileItsLoopsCannotStart) {
  store->loads = fake_store::way::held;
  start();
  run(2s);
  EXPECT_LT(stop_takes(5s), 5s);
  EXPECT_EQ(system.registry().running(), 0U);
}

TEST_F(node_test, LeavesNobodyBehindWhenItIsKilled) {
  start();
  run(5s);
  end(node, caf::exit_reason::kill);
  EXPECT_EQ(system.registry().running(), 0U);
}

TEST_F(node_test, GoesOnFromDurableStateInItsNextLife) {
  start();
  run(60s);
  const std::vector<loop_status> before = status();
  EXPECT_LT(stop_takes(5s), 1s);
  start();
  run(100ms);
  const std::vector<loop_status> after = status();
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_GE(after[i].revision, before[i].revision) << before[i].name;
    EXPECT_NEAR(after[i].knobs.at(0).base, before[i].knobs.at(0).base, 10) << before[i].name;
  }
  run(20s);
  for (const auto& [name, plant] : plants) expect_orderly_audit(name);
}

} // namespace
} // namespace homeostat::testing
