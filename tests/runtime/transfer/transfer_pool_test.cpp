#include "runtime/transfer/transfer_pool.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <latch>
#include <thread>

namespace homeostat {
namespace {

using testing::HasSubstr;
using enum transfer_method;

static_assert(noexcept(std::declval<transfer_pool&>().decide(std::declval<const transfer_characteristics&>())));
static_assert(noexcept(std::declval<transfer_pool&>().record(std::declval<const transfer_metrics&>())));

const instant epoch{};

transfer_policy plain() {
  transfer_policy p;
  p.exploration_rate = 0;
  return p;
}

transfer_rule rule(const std::string& name, int priority, transfer_method method, const std::string& when) {
  return {.name = name, .priority = priority, .method = method, .when = when};
}

transfer_metrics outcome(transfer_method method, std::uint64_t size, double latency_us) {
  transfer_metrics m;
  m.method = method;
  m.data.data_size = size;
  m.latency_us = latency_us;
  m.cpu_time_us = latency_us;
  m.memory_used = size;
  return m;
}

/// Teaches the pool that at a size one method is far better than the other.
void teach(transfer_pool& pool, std::uint64_t size, transfer_method better) {
  for (int i = 0; i < 40; ++i) {
    EXPECT_TRUE(pool.record(outcome(better, size, 100)));
    EXPECT_TRUE(pool.record(outcome(other(better), size, 10'000)));
  }
  pool.learn(epoch + 1s);
}

TEST(TransferPool, DecidesBySizeAtFirst) {
  transfer_pool pool("p", plain());
  EXPECT_EQ(pool.decide({1000}).reason, decision_reason::below_minimum);
  EXPECT_EQ(pool.decide({2 * mebibyte}).method, grpc);
  EXPECT_EQ(pool.decide({20 * mebibyte}).method, zero_copy);
  EXPECT_EQ(pool.decide({20 * mebibyte}).reason, decision_reason::threshold);
  EXPECT_EQ(pool.decide({2048 * mebibyte}).reason, decision_reason::above_maximum);
  EXPECT_EQ(pool.decisions(), 5U);
  EXPECT_THAT(pool.explain(pool.decide({20 * mebibyte}), {20 * mebibyte}), HasSubstr("20 MiB"));
}

TEST(TransferPool, RulesDecideByPriority) {
  transfer_policy p = plain();
  p.rules = {rule("tensors", 1, zero_copy, "type_tensor"), rule("busy", 5, grpc, "cpu_load > 0.9"),
             rule("idle", 5, zero_copy, "cpu_load > 0.95"), rule("broken", 9, zero_copy, "1 / compressed")};
  transfer_pool pool("p", p);
  const transfer_characteristics tensor{2 * mebibyte, data_type::tensor};
  EXPECT_EQ(pool.decide({2 * mebibyte}).reason, decision_reason::threshold);
  auto d = pool.decide(tensor);
  EXPECT_EQ(d.method, zero_copy);
  EXPECT_EQ(d.rule, 0);
  pool.sense({.cpu_load = 0.92});
  d = pool.decide(tensor);
  EXPECT_EQ(d.method, grpc) << "the higher priority";
  EXPECT_EQ(d.rule, 1);
  pool.sense({.cpu_load = 0.99});
  d = pool.decide(tensor);
  EXPECT_EQ(d.method, grpc) << "equals that disagree: the simpler method";
  EXPECT_EQ(d.reason, decision_reason::rule_conflict);
  transfer_characteristics packed = tensor;
  packed.compressed = true;
  d = pool.decide(packed);
  EXPECT_EQ(d.method, zero_copy) << "now the highest can be calculated";
  EXPECT_EQ(d.rule, 3);
  EXPECT_EQ(pool.decide({1000, data_type::tensor}).reason, decision_reason::below_minimum) << "the quick path is first";
}

TEST(TransferPool, ConditionsTellTransfersUnderWay) {
  transfer_policy p = plain();
  p.rules = {rule("crowd", 0, grpc, "in_flight >= 2")};
  transfer_pool pool("p", p);
  const transfer_characteristics large{20 * mebibyte};
  EXPECT_EQ(pool.decide(large).method, zero_copy);
  {
    const transfer_pool::under_way one(pool), two(pool);
    EXPECT_EQ(pool.conditions().in_flight, 2U);
    EXPECT_EQ(pool.decide(large).method, grpc);
  }
  EXPECT_EQ(pool.decide(large).method, zero_copy);
}

TEST(TransferPool, LearnsAndForgets) {
  transfer_pool pool("p", plain());
  const std::uint64_t size = 20 * mebibyte;
  teach(pool, size, grpc);
  auto d = pool.decide({size});
  EXPECT_EQ(d.method, grpc);
  EXPECT_EQ(d.reason, decision_reason::cost_benefit);
  EXPECT_GT(d.predicted_us(), 0);
  pool.reset(epoch + 2s, "test");
  d = pool.decide({size});
  EXPECT_EQ(d.method, zero_copy);
  EXPECT_EQ(d.reason, decision_reason::threshold);
  EXPECT_FALSE(d.has_estimates);
}

TEST(TransferPool, EveryOutcomeIsShownOnce) {
  transfer_pool pool("p", plain());
  for (std::uint64_t i = 1; i <= 100; ++i) EXPECT_TRUE(pool.record(outcome(grpc, i, 1)));
  std::uint64_t sum = 0;
  pool.learn(epoch, [&](const transfer_metrics& one) { sum += one.data.data_size; });
  EXPECT_EQ(sum, 5050U);
  pool.learn(epoch, [&](const transfer_metrics&) { ++sum; });
  EXPECT_EQ(sum, 5050U);
  EXPECT_EQ(pool.state().totals().transfers, 100U);
}

TEST(TransferPool, WhoKeepsOutcomesMayWaitForSomebodyWhoAsksThePool) {
  // The analyzer asks for the policy while it holds its own lock, for which the one who keeps an outcome waits.
  transfer_pool pool("p", plain());
  pool.record(outcome(grpc, 2 * mebibyte, 100));
  bool answered = false;
  std::future<transfer_policy> asked;
  pool.learn(epoch, [&](const transfer_metrics&) {
    asked = std::async(std::launch::async, [&] { return pool.policy(); });
    answered = asked.wait_for(std::chrono::seconds(20)) == std::future_status::ready;
  });
  EXPECT_TRUE(answered);
}

TEST(TransferPool, FullQueueLosesAndCounts) {
  transfer_pool pool("p", plain());
  std::uint64_t taken = 0;
  while (pool.record(outcome(grpc, 1, 1))) ++taken;
  EXPECT_GE(taken, 1024U);
  EXPECT_EQ(pool.lost(), 1U);
  EXPECT_FALSE(pool.record(outcome(grpc, 1, 1)));
  EXPECT_EQ(pool.lost(), 2U);
  pool.learn(epoch);
  EXPECT_EQ(pool.state().totals().transfers, taken);
  EXPECT_TRUE(pool.record(outcome(grpc, 1, 1)));
}

TEST(TransferPool, RefusedPolicyLeavesTheOldOne) {
  transfer_policy first = plain();
  first.rules = {rule("all", 0, zero_copy, "1")};
  transfer_pool pool("p", first);
  const auto decided = [&] { return pool.decide({2 * mebibyte}); };
  ASSERT_EQ(decided().method, zero_copy);
  transfer_policy broken = plain();
  broken.rules = {rule("all", 0, grpc, "no_metric")};
  auto taken = pool.set_policy(broken, epoch);
  ASSERT_FALSE(taken);
  EXPECT_THAT(taken.error(), HasSubstr("no_metric"));
  EXPECT_EQ(decided().method, zero_copy);
  broken = plain();
  broken.rules = {rule("all", 0, grpc, "1")};
  broken.exploration_rate = 7;
  taken = pool.set_policy(broken, epoch);
  ASSERT_FALSE(taken);
  EXPECT_THAT(taken.error(), HasSubstr("exploration_rate"));
  EXPECT_EQ(decided().method, zero_copy) << "neither its rules nor its conditions";
  EXPECT_EQ(pool.state().policy(), first);
  const auto before = decided().generation;
  broken.exploration_rate = 0;
  ASSERT_TRUE(pool.set_policy(broken, epoch));
  EXPECT_EQ(decided().method, grpc);
  EXPECT_GT(decided().generation, before);
}

TEST(TransferPool, ConstructionChecksToo) {
  transfer_policy p = plain();
  p.marginal_benefit = 2;
  EXPECT_THROW(transfer_pool("p", p), std::invalid_argument);
  p = plain();
  p.rules = {rule("x", 0, grpc, "nothing_known")};
  EXPECT_THROW(transfer_pool("p", p), std::invalid_argument);
}

class always final : public transfer_advisor {
public:
  explicit always(transfer_method m) : method_(m) {}
  [[nodiscard]] model_prediction predict(const transfer_characteristics&,
                                         const system_conditions&) const noexcept override {
    return {method_, 0.9F, 0.8F, 11, 22};
  }

private:
  transfer_method method_;
};

TEST(TransferPool, ModelServesUntilTakenAway) {
  transfer_pool pool("p", plain());
  const transfer_characteristics data{2 * mebibyte};
  pool.set_model(std::make_shared<always>(zero_copy));
  EXPECT_EQ(pool.decide(data).reason, decision_reason::model);
  EXPECT_EQ(pool.decide(data).predicted_us(), 22);
  pool.learn(epoch);
  EXPECT_EQ(pool.decide(data).reason, decision_reason::model) << "learning does not take it away";
  EXPECT_EQ(pool.decide({10}).reason, decision_reason::below_minimum);
  pool.set_model(nullptr);
  EXPECT_EQ(pool.decide(data).reason, decision_reason::threshold);
  pool.set_model(std::make_shared<always>(zero_copy));
  pool.reset(epoch, "test");
  EXPECT_EQ(pool.decide(data).reason, decision_reason::threshold);
}

TEST(TransferPool, DecidesAndRecordsWhileTheOwnerIsAtWork) {
  transfer_pool pool("p", plain());
  EXPECT_TRUE(pool.record(outcome(grpc, 1, 1)));
  // Within learn(): if one of these waited for it to end, it never would.
  int asked = 0;
  pool.learn(epoch, [&](const transfer_metrics&) {
    std::thread elsewhere([&] {
      for (; asked < 1000; ++asked) {
        (void)pool.decide({20 * mebibyte});
        (void)pool.record(outcome(grpc, 1, 1));
        (void)pool.conditions();
        const transfer_pool::under_way mark(pool);
      }
    });
    elsewhere.join();
  });
  EXPECT_EQ(asked, 1000);
}

TEST(TransferPool, ExploresAsItsSeedSays) {
  transfer_policy p;
  p.exploration_rate = 0.5;
  p.exploration_budget = 0.5;
  const auto choices = [&](std::uint64_t seed) {
    transfer_pool pool("p", p, seed);
    std::string all;
    for (int i = 0; i < 400; ++i) {
      for (const auto method : transfer_methods)
        (void)pool.record(outcome(method, 20 * mebibyte, method == grpc ? 110 : 100));
      if (i % 20 == 0) pool.learn(epoch + std::chrono::seconds(i));
      all += pool.decide({20 * mebibyte}).method == grpc ? 'g' : 'z';
    }
    return all;
  };
  EXPECT_EQ(choices(1), choices(1));
  EXPECT_NE(choices(1), choices(2));
}

TEST(TransferPool, ThreadsAskReportAndOwnAtOnce) {
  transfer_policy p;
  p.minimum_threshold = 0;
  p.rules = {rule("busy", 0, grpc, "cpu_load > 0.5 && data_size > 1000000")};
  transfer_pool pool("p", p, 3);
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> recorded{0}, wrong{0};
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 6; ++t)
    threads.emplace_back([&, t] {
      for (std::uint64_t i = 0; i < 4000; ++i) {
        const transfer_pool::under_way mark(pool);
        const std::uint64_t size = (i * 7919 + t) % (4 * mebibyte);
        const auto d = pool.decide({size});
        if (d.reason == decision_reason::rule && (d.rule != 0 || d.method != grpc)) ++wrong;
        if (d.reason == decision_reason::fallback) ++wrong;
        recorded += pool.record(outcome(d.method, size, 100));
      }
    });
  std::thread owner([&] {
    for (int i = 0; !stop.load(); ++i) {
      const instant now = epoch + std::chrono::milliseconds(i);
      pool.sense({.cpu_load = i % 2 == 0 ? 0.1 : 0.7});
      pool.learn(now);
      if (i % 5 == 0) pool.set_model(i % 10 == 0 ? std::make_shared<always>(zero_copy) : nullptr);
      if (i % 7 == 0) (void)pool.set_policy(p, now);
      if (i % 50 == 0) pool.reset(now, "test");
    }
  });
  for (std::thread& thread : threads) thread.join();
  stop = true;
  owner.join();
  pool.learn(epoch);
  EXPECT_EQ(wrong, 0U);
  EXPECT_EQ(recorded + pool.lost(), 24'000U);
  EXPECT_EQ(pool.decisions(), 24'000U);
  EXPECT_EQ(pool.conditions().in_flight, 0U);
}

} // namespace
} // namespace homeostat
