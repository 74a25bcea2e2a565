// Two policies in one pool: who is decided by which, what each learns, when it ends.
#include "policies/transfer/experiment.hpp"
#include "runtime/transfer/transfer_pool.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace homeostat {
namespace {

using testing::HasSubstr;
using enum transfer_method;

const instant epoch{};
const transfer_characteristics between{8 * mebibyte}; ///< of both thresholds below
constexpr double half = 0.5;

transfer_policy with_threshold(std::uint64_t bytes) {
  transfer_policy p;
  p.exploration_rate = 0;
  p.zero_copy_threshold = bytes;
  return p;
}
const transfer_policy control = with_threshold(20 * mebibyte);
const transfer_policy treatment = with_threshold(4 * mebibyte);

transfer_metrics outcome(transfer_method method, std::uint64_t size, double latency_us) {
  transfer_metrics m;
  m.method = method;
  m.data.data_size = size;
  m.latency_us = m.cpu_time_us = latency_us;
  m.memory_used = size;
  return m;
}

std::string session(int i) { return "session-" + std::to_string(i); }

/// @returns sessions 0..999 that are decided as the treatment would.
int treated(transfer_pool& pool) {
  int count = 0;
  for (int i = 0; i < 1000; ++i) count += pool.decide(between, session(i)).method == zero_copy ? 1 : 0;
  return count;
}

TEST(PoolExperiment, EachSessionIsDecidedByItsArmAndStaysThere) {
  transfer_pool pool("p", control);
  const auto number = pool.begin_experiment("lower", 0.2, treatment, epoch);
  ASSERT_TRUE(number) << number.error();
  int treated_sessions = 0;
  for (int i = 0; i < 1000; ++i) {
    const transfer_decision made = pool.decide(between, session(i));
    ASSERT_EQ(made.place.experiment, *number);
    EXPECT_EQ(made.place, pool.place_of(session(i)));
    EXPECT_EQ(made.place.arm, arm_of(session_hash("lower", session(i)), 0.2));
    EXPECT_EQ(made.method, made.place.arm == experiment_arm::treatment ? zero_copy : grpc);
    treated_sessions += made.place.arm == experiment_arm::treatment ? 1 : 0;
    pool.learn(epoch + std::chrono::milliseconds(i));
  }
  EXPECT_NEAR(treated_sessions, 200, 60);
  EXPECT_EQ(treated(pool), treated_sessions) << "sticky";
}

TEST(PoolExperiment, WhoHasNoSessionIsNeverPartOfIt) {
  transfer_pool pool("p", control);
  ASSERT_TRUE(pool.begin_experiment("lower", half, treatment, epoch));
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(pool.decide(between).method, grpc);
    EXPECT_EQ(pool.decide(between, "").place, experiment_place{});
  }
  EXPECT_EQ(pool.place_of(""), experiment_place{});
}

TEST(PoolExperiment, QuickPathIsTheArmsOwn) {
  transfer_policy small = control;
  small.minimum_threshold = 1024;
  small.zero_copy_threshold = 2048;
  transfer_pool pool("p", control);
  ASSERT_TRUE(pool.begin_experiment("small", half, small, epoch));
  int quick = 0, threshold = 0;
  for (int i = 0; i < 200; ++i) {
    const auto made = pool.decide({4096}, session(i));
    quick += made.reason == decision_reason::below_minimum ? 1 : 0;
    threshold += made.reason == decision_reason::threshold ? 1 : 0;
  }
  EXPECT_EQ(quick + threshold, 200);
  EXPECT_GT(quick, 50);
  EXPECT_GT(threshold, 50);
}

TEST(PoolExperiment, BothArmsLearnWhatMethodsCost) {
  transfer_pool pool("p", control);
  const auto number = pool.begin_experiment("lower", half, treatment, epoch);
  ASSERT_TRUE(number);
  // All outcomes are control's, and say that shared memory is far better: the treatment's sessions know it too.
  for (int i = 0; i < 40; ++i) {
    EXPECT_TRUE(pool.record(outcome(zero_copy, 2 * mebibyte, 100), {*number, 7, experiment_arm::control}));
    EXPECT_TRUE(pool.record(outcome(grpc, 2 * mebibyte, 10'000)));
  }
  pool.learn(epoch + 1s);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(pool.decide({2 * mebibyte}, session(i)).reason, decision_reason::cost_benefit);
  EXPECT_EQ(pool.state().totals().transfers, 80U) << "the pool's totals are of all";
}

TEST(PoolExperiment, GoalsAreTheArmsOwn) {
  transfer_policy lean = control;
  lean.goal = transfer_goal::minimize_memory;
  transfer_policy fast = control;
  fast.goal = transfer_goal::minimize_latency;
  transfer_pool pool("p", fast);
  ASSERT_TRUE(pool.begin_experiment("lean", half, lean, epoch));
  for (int i = 0; i < 40; ++i) { // shared memory is faster and holds more
    transfer_metrics m = outcome(zero_copy, between.data_size, 1000);
    m.memory_used = 100 * mebibyte;
    EXPECT_TRUE(pool.record(m));
    m = outcome(grpc, between.data_size, 3000);
    m.memory_used = mebibyte;
    EXPECT_TRUE(pool.record(m));
  }
  pool.learn(epoch + 1s);
  for (int i = 0; i < 50; ++i) {
    const auto made = pool.decide(between, session(i));
    EXPECT_EQ(made.method, made.place.arm == experiment_arm::treatment ? grpc : zero_copy);
  }
}

TEST(PoolExperiment, ExploringIsTheArmsOwnAccount) {
  transfer_policy curious = control;
  curious.exploration_rate = 0.5;
  curious.exploration_budget = 0.02;
  transfer_pool pool("p", curious);
  transfer_policy other = curious;
  other.marginal_benefit = 0.04;
  const auto number = pool.begin_experiment("other", half, other, epoch);
  ASSERT_TRUE(number);
  const auto explored = [&](experiment_arm arm) {
    int count = 0;
    for (int i = 0; i < 2000; ++i) {
      const auto made = pool.decide(between, session(i));
      count += made.place.arm == arm && made.reason == decision_reason::exploration ? 1 : 0;
    }
    return count;
  };
  for (int i = 0; i < 60; ++i)
    for (const auto arm : {experiment_arm::control, experiment_arm::treatment})
      for (const auto method : transfer_methods)
        EXPECT_TRUE(pool.record(outcome(method, between.data_size, method == grpc ? 1000 : 1050), {*number, 1, arm}));
  pool.learn(epoch + 1s);
  EXPECT_GT(explored(experiment_arm::control), 10);
  EXPECT_GT(explored(experiment_arm::treatment), 10);
  transfer_metrics dear = outcome(zero_copy, between.data_size, 1e6);
  dear.explored = true;
  EXPECT_TRUE(pool.record(dear, {*number, 1, experiment_arm::treatment}));
  pool.learn(epoch + 2s);
  EXPECT_EQ(explored(experiment_arm::treatment), 0) << "it has spent its budget";
  EXPECT_GT(explored(experiment_arm::control), 10) << "control has not";
}

TEST(PoolExperiment, OnlyPlacesInTheRunningOneAreShown) {
  transfer_pool pool("p", control);
  const auto first = pool.begin_experiment("first", half, treatment, epoch);
  ASSERT_TRUE(first);
  const experiment_place old = pool.decide(between, "somebody").place;
  pool.end_experiment(*first);
  const auto second = pool.begin_experiment("second", half, treatment, epoch);
  ASSERT_TRUE(second);
  EXPECT_NE(*first, *second);
  const experiment_place now = pool.place_of("somebody");
  for (const auto& place : {old, now, experiment_place{}}) EXPECT_TRUE(pool.record(outcome(grpc, 1, 1), place));
  std::vector<experiment_place> seen;
  int all = 0;
  pool.learn(
      epoch, [&](const transfer_metrics&) { ++all; },
      [&](const transfer_metrics&, const experiment_place& place) { seen.push_back(place); });
  EXPECT_EQ(all, 3) << "all are learned from";
  EXPECT_EQ(seen, std::vector{now});
}

TEST(PoolExperiment, EndSendsEverybodyBack) {
  transfer_pool pool("p", control);
  const auto number = pool.begin_experiment("lower", half, treatment, epoch);
  ASSERT_TRUE(number);
  EXPECT_EQ(pool.experiment(), *number);
  EXPECT_NEAR(treated(pool), 500, 100);
  pool.end_experiment(*number + 1);
  EXPECT_GT(treated(pool), 0) << "another one's end";
  pool.end_experiment(*number);
  EXPECT_EQ(treated(pool), 0);
  EXPECT_EQ(pool.experiment(), 0U);
  EXPECT_EQ(pool.place_of("x"), experiment_place{});
}

TEST(PoolExperiment, AnotherPolicyEndsItTheSameOneDoesNot) {
  transfer_pool pool("p", control);
  ASSERT_TRUE(pool.begin_experiment("lower", half, treatment, epoch));
  ASSERT_TRUE(pool.set_policy(control, epoch));
  EXPECT_NE(pool.experiment(), 0U);
  transfer_policy bad = control;
  bad.exploration_rate = 7;
  EXPECT_FALSE(pool.set_policy(bad, epoch));
  EXPECT_NE(pool.experiment(), 0U) << "nothing has changed";
  ASSERT_TRUE(pool.set_policy(with_threshold(21 * mebibyte), epoch));
  EXPECT_EQ(pool.experiment(), 0U);
  EXPECT_EQ(treated(pool), 0);
  ASSERT_TRUE(pool.begin_experiment("again", half, treatment, epoch));
  pool.reset(epoch, "rollback to rules");
  EXPECT_EQ(pool.experiment(), 0U);
  EXPECT_EQ(treated(pool), 0);
}

TEST(PoolExperiment, RefusalsChangeNothing) {
  transfer_pool pool("p", control);
  transfer_policy bad = treatment;
  bad.marginal_benefit = 2;
  auto begun = pool.begin_experiment("bad", half, bad, epoch);
  ASSERT_FALSE(begun);
  EXPECT_THAT(begun.error(), HasSubstr("marginal_benefit"));
  bad = treatment;
  bad.rules = {{.name = "x", .when = "no_metric"}};
  EXPECT_FALSE(pool.begin_experiment("bad", half, bad, epoch));
  EXPECT_EQ(pool.experiment(), 0U);
  ASSERT_TRUE(pool.begin_experiment("good", half, treatment, epoch));
  begun = pool.begin_experiment("second", half, treatment, epoch);
  ASSERT_FALSE(begun);
  EXPECT_THAT(begun.error(), HasSubstr("good"));
}

TEST(PoolExperiment, GenerationsTellArmsAndTimesApart) {
  transfer_pool pool("p", control);
  const auto of = [&](experiment_arm arm) {
    for (int i = 0;; ++i)
      if (const auto made = pool.decide(between, session(i)); made.place.arm == arm) return made.generation;
  };
  const auto before = pool.decide(between).generation;
  const auto number = pool.begin_experiment("lower", half, treatment, epoch);
  ASSERT_TRUE(number);
  pool.set_model(nullptr);
  ASSERT_TRUE(pool.set_policy(control, epoch));
  const auto a = of(experiment_arm::control), b = of(experiment_arm::treatment);
  EXPECT_GT(a, before);
  EXPECT_GT(b, a);
  pool.end_experiment(*number);
  EXPECT_GT(pool.decide(between).generation, b);
}

TEST(PoolExperiment, ExplainsByTheArmsPolicy) {
  transfer_pool pool("p", control);
  ASSERT_TRUE(pool.begin_experiment("lower", half, treatment, epoch));
  for (int i = 0; i < 20; ++i) {
    const auto made = pool.decide(between, session(i));
    const bool treats = made.place.arm == experiment_arm::treatment;
    const std::string text = pool.explain(made, between);
    EXPECT_THAT(text, HasSubstr(treats ? "not below the threshold of 4 MiB" : "below the threshold of 20 MiB"));
    EXPECT_THAT(text, HasSubstr(treats ? "treatment of experiment lower" : "control of experiment lower"));
  }
  EXPECT_THAT(pool.explain(pool.decide(between), between), testing::Not(HasSubstr("experiment")));
}

TEST(PoolExperiment, ThreadsAskAndReportWhileExperimentsComeAndGo) {
  const auto by_size = [](std::uint64_t bytes) { // what is recorded here moves no decision
    transfer_policy p = with_threshold(bytes);
    p.learning_enabled = false;
    return p;
  };
  transfer_pool pool("p", by_size(20 * mebibyte), 3);
  ASSERT_TRUE(pool.begin_experiment("e", half, by_size(4 * mebibyte), epoch));
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> recorded{0}, wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 4000; ++i) {
        const std::string who = session(i * 7 + t);
        const auto made = pool.decide(between, who);
        const bool treats = made.place.experiment != 0 && made.place.arm == experiment_arm::treatment;
        if (made.method != (treats ? zero_copy : grpc)) ++wrong; // one view holds both the split and both arms
        if (made.place.experiment != 0 && made.place.session != session_hash("e", who)) ++wrong;
        recorded += pool.record(outcome(made.method, between.data_size, 100), made.place);
      }
    });
  std::uint64_t placed = 0, foreign = 0;
  std::thread owner([&] {
    for (int i = 0; i < 100 || !stop.load(); ++i) {
      const instant now = epoch + std::chrono::milliseconds(i);
      const std::uint64_t running = pool.experiment();
      pool.learn(now, {}, [&](const transfer_metrics&, const experiment_place& place) {
        ++placed;
        foreign += place.experiment == running ? 0 : 1;
      });
      if (running == 0)
        (void)pool.begin_experiment("e", half, by_size(4 * mebibyte), now);
      else if (i % 5 == 0)
        pool.end_experiment(running);
      else if (i % 7 == 0)
        (void)pool.set_policy(by_size((20 + static_cast<std::uint64_t>(i) % 2) * mebibyte), now);
      else if (i % 11 == 0)
        pool.set_model(nullptr);
      pool.sense({.cpu_load = 0.1});
    }
  });
  for (std::thread& thread : threads) thread.join();
  stop = true;
  owner.join();
  EXPECT_EQ(wrong, 0U);
  EXPECT_EQ(foreign, 0U);
  EXPECT_GT(placed, 0U);
  EXPECT_EQ(recorded + pool.lost(), 24'000U);
}

} // namespace
} // namespace homeostat
