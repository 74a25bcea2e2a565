// Engines that fail in a loop: their keeper gives up on them alone, whatever runs beside them.
#include "tests/actors/loops.hpp"

#include <gmock/gmock.h>

namespace homeostat::testing {
namespace {

using ::testing::ElementsAre, ::testing::HasSubstr, ::testing::IsEmpty, ::testing::SizeIs;

constexpr std::size_t tuner_looks = 200; // in ten seconds: its 20 ms end with the next step of time, of 50 ms

struct scripted_engine final : transfer_port {
  void learn(instant) override {
    ++looks;
    if (failing) throw std::runtime_error("no more memory");
  }
  void abandoned(const std::string& why) override {
    given_up.push_back(why);
    if (failing) throw std::runtime_error("nor for this");
  }
  bool failing{false};
  std::size_t looks{0};
  std::vector<std::string> given_up;
};

class engine_keeper_test : public actor_world {
protected:
  engine_keeper_test() {
    setup.name = "node";
    setup.store = store;
    setup.time = time;
    setup.supervision.intensity = 3;
    loop_setup loop = loop_of("api", time, plant.actuator, plant.telemetry);
    loop.governor.pool = "front";
    setup.pools.push_back({.name = "front", .supervision = {.intensity = 3}, .loops = {loop}, .transfers = tuner});
    setup.learning = learning;
    setup.analysis = analysis;
    node = system.spawn(node_supervisor, setup);
    settle();
  }
  void TearDown() override {
    end(node);
    advance(30s, 1s);
    node = nullptr;
    actor_world::TearDown();
  }
  /// Lets a minute pass in which the loop reports; @returns how often each engine looked in its last ten seconds.
  std::vector<std::size_t> looks_after_a_minute() {
    run(50s);
    for (const auto& engine : {tuner, learning, analysis}) engine->looks = 0;
    run(10s);
    return {tuner->looks, learning->looks, analysis->looks};
  }
  void run(duration length) {
    for (duration passed{0}; passed < length; passed += 100ms) {
      advance(100ms, 50ms);
      plant.report(now());
      settle();
    }
  }
  std::uint64_t applied() {
    const auto answer = ask<std::vector<loop_status>>(node, status_atom::value);
    settle();
    return answer->value ? answer->value->at(0).applied : 0;
  }

  std::shared_ptr<fake_store> store = std::make_shared<fake_store>();
  simulated_plant plant{{50, 50}, 35, 1};
  std::shared_ptr<scripted_engine> tuner = std::make_shared<scripted_engine>();
  std::shared_ptr<scripted_engine> learning = std::make_shared<scripted_engine>();
  std::shared_ptr<scripted_engine> analysis = std::make_shared<scripted_engine>();
  node_setup setup;
  supervisor_actor node;
};

TEST_F(engine_keeper_test, EnginesLookAtTheirOwnPace) {
  EXPECT_THAT(looks_after_a_minute(), ElementsAre(tuner_looks, 10U, 10U));
}

TEST_F(engine_keeper_test, AnEngineThatFailedIsStartedAgain) {
  learning->failing = true;
  run(1s);
  learning->failing = false;
  EXPECT_THAT(looks_after_a_minute(), ElementsAre(tuner_looks, 10U, 10U));
  EXPECT_THAT(learning->given_up, IsEmpty());
}

TEST_F(engine_keeper_test, LearningThatFailsInALoopIsGivenUpAloneAndSaysWhy) {
  learning->failing = true;
  const std::uint64_t before = applied();
  EXPECT_THAT(looks_after_a_minute(), ElementsAre(tuner_looks, 0U, 10U));
  EXPECT_THAT(learning->given_up,
              ElementsAre(HasSubstr("more than 3 restarts in 60 s; last: learning engine ended: ")));
  EXPECT_THAT(learning->given_up, ElementsAre(HasSubstr("no more memory")));
  EXPECT_GT(applied(), before) << "the loop goes on";
  EXPECT_EQ(count("supervisor"), 2U) << "neither node nor pool has been started again or ended";
  EXPECT_TRUE(alive(node));
}

TEST_F(engine_keeper_test, APoolsTunerThatFailsInALoopEndsNoLoop) {
  tuner->failing = true;
  const std::uint64_t before = applied();
  EXPECT_THAT(looks_after_a_minute(), ElementsAre(0U, 10U, 10U));
  EXPECT_THAT(tuner->given_up, SizeIs(1));
  EXPECT_GT(applied(), before);
  EXPECT_THAT(ended(), ::testing::Not(::testing::Contains("governor")));
}

TEST_F(engine_keeper_test, AllOfThemTogetherLeaveTheNodeRunning) {
  for (const auto& engine : {tuner, learning, analysis}) engine->failing = true;
  EXPECT_THAT(looks_after_a_minute(), ElementsAre(0U, 0U, 0U));
  EXPECT_TRUE(alive(node));
  EXPECT_GT(applied(), 0U);
}

} // namespace
} // namespace homeostat::testing
