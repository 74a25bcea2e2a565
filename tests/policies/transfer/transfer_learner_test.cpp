#include "cost_world.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace homeostat {
namespace {

constexpr std::uint64_t smallest = 256;
constexpr std::uint64_t largest = 128 * mebibyte;

/// Fixed time and time per MiB of each method.
auto affine(double grpc_us, double grpc_per_mib, double zero_us, double zero_per_mib) {
  return [=](transfer_method m, const transfer_characteristics& data) {
    const double mib = static_cast<double>(data.data_size) / static_cast<double>(mebibyte);
    return m == transfer_method::grpc ? grpc_us + grpc_per_mib * mib : zero_us + zero_per_mib * mib;
  };
}

struct machine {
  const char* name;
  std::function<double(transfer_method, const transfer_characteristics&)> latency;
};

/// Worlds of different kinds: zero_copy better throughout, at the large end, nowhere, in the middle only.
std::vector<machine> machines() {
  return {{"reused segments", affine(140, 2500, 35, 130)},
          {"crossover at 1 MiB", affine(50, 1500, 1050, 500)},
          {"crossover at 32 MiB", affine(100, 800, 9000, 520)},
          {"zero_copy never", affine(100, 800, 500, 1100)},
          {"zero_copy in the middle only", [](transfer_method m, const transfer_characteristics& d) {
             const double mib = static_cast<double>(d.data_size) / static_cast<double>(mebibyte);
             if (m == transfer_method::grpc) return 150 + (mib < 4 ? 1500 * mib : 6000 + 700 * (mib - 4));
             return 110 + 900 * mib;
           }}};
}

/// In worlds whose truth is known: 1,000 transfers to learn, 500 to be judged. One world takes longer: that the method
/// not in use has become a little better for the largest buffers alone is only found by trying it there, and a try
/// costs as much as a third of a large transfer. The exploration budget sets how soon.
TEST(transfer_learner, ends_near_the_oracle_and_again_after_every_shift) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed)
    for (const machine& first : machines())
      for (const machine& second : machines()) {
        transfer_learner learner(latency_policy());
        cost_world world{first.latency, 0.2, chacha8_rng(seed, 5)};
        instant now{};
        for (const machine* m : {&first, &second}) {
          world.latency_us = m->latency;
          const bool hidden = m == &second && second.name == std::string("crossover at 32 MiB");
          run_transfers(learner, world, hidden ? 4000 : 1000, smallest, largest, now);
          const world_totals t = run_transfers(learner, world, 500, smallest, largest, now);
          const std::string where =
              std::string(first.name) + " -> " + second.name + ", in " + m->name + ", seed " + std::to_string(seed);
          EXPECT_LE(t.pool, 1.05 * t.oracle) << where;
          EXPECT_LE(t.pool, 1.02 * t.best_fixed()) << where;
          EXPECT_LE(t.pool, 1.02 * t.threshold) << where;
        }
      }
}

TEST(transfer_learner, the_threshold_moves_to_the_crossover_with_reasons) {
  transfer_learner learner(latency_policy());
  cost_world world{affine(50, 1500, 1050, 500), 0.1};
  instant now{};
  run_transfers(learner, world, 1500, smallest, largest, now);
  const auto threshold = static_cast<double>(learner.thresholds().threshold(data_type::binary));
  EXPECT_GT(threshold, 0.6 * static_cast<double>(mebibyte));
  EXPECT_LT(threshold, 1.7 * static_cast<double>(mebibyte));
  ASSERT_FALSE(learner.thresholds().changes().empty());
  for (const threshold_change& change : learner.thresholds().changes()) {
    EXPECT_THAT(change.rationale, testing::HasSubstr("measured crossover"));
    EXPECT_LE(static_cast<double>(change.from) / static_cast<double>(change.to), 2.01)
        << "at most a factor of two a look";
  }
}

TEST(transfer_learner, thresholds_stay_within_the_bounds) {
  transfer_policy policy = latency_policy();
  policy.minimum_threshold = 4 * mebibyte;
  transfer_learner learner(policy);
  cost_world world{affine(140, 2500, 35, 130), 0.1};
  instant now{};
  run_transfers(learner, world, 1500, smallest, largest, now);
  EXPECT_EQ(learner.thresholds().threshold(data_type::binary), 4 * mebibyte);
}

TEST(transfer_learner, exploration_stays_within_rate_and_budget) {
  transfer_policy policy = latency_policy();
  transfer_learner learner(policy);
  cost_world world{affine(140, 2500, 35, 130), 0.2};
  instant now{};
  const world_totals t = run_transfers(learner, world, 4000, smallest, largest, now);
  EXPECT_LE(static_cast<double>(t.explored), 4000 * 0.07);
  EXPECT_LE(learner.totals().exploration_loss_us, 0.03 * learner.totals().time_us);
  policy.exploration_rate = 0;
  transfer_learner still(policy);
  EXPECT_EQ(run_transfers(still, world, 1000, smallest, largest, now).explored, 0U);
}

TEST(transfer_learner, a_dear_try_waits_until_the_account_has_room_for_it) {
  for (const machine& m : machines()) {
    transfer_learner learner(latency_policy());
    cost_world world{m.latency, 0.2};
    instant now{};
    run_transfers(learner, world, 2000, smallest, largest, now);
    double worst = 0; // share of a thousand transfers' time that went into trying
    for (int thousand = 0; thousand < 20; ++thousand) {
      const auto before = learner.totals();
      run_transfers(learner, world, 1000, smallest, largest, now);
      const auto& after = learner.totals();
      worst =
          std::max(worst, (after.exploration_loss_us - before.exploration_loss_us) / (after.time_us - before.time_us));
    }
    EXPECT_LE(worst, 1.8 * learner.policy().exploration_budget) << m.name;
  }
}

TEST(transfer_learner, without_learning_the_threshold_stays_and_outcomes_are_counted) {
  transfer_policy policy = latency_policy();
  policy.learning_enabled = false;
  transfer_learner learner(policy);
  cost_world world{affine(140, 2500, 35, 130), 0.2};
  instant now{};
  const world_totals t = run_transfers(learner, world, 500, smallest, largest, now);
  EXPECT_DOUBLE_EQ(t.pool, t.threshold);
  EXPECT_EQ(learner.totals().transfers, 500U);
  EXPECT_TRUE(learner.thresholds().changes().empty());
}

TEST(transfer_learner, pressure_shifts_decisions_at_the_next_look) {
  transfer_learner learner{transfer_policy{}};
  const auto method_at = [&](std::uint64_t size) {
    return decide(learner.look(instant{}), {size, data_type::binary, {}, false}, 0, nullptr, 1).method;
  };
  EXPECT_EQ(method_at(20 * mebibyte), transfer_method::zero_copy);
  EXPECT_EQ(method_at(5 * mebibyte), transfer_method::grpc);
  system_conditions now;
  now.memory_used = 0.95;
  learner.conditions(now);
  EXPECT_EQ(method_at(20 * mebibyte), transfer_method::grpc) << "memory is short: segments stay allocated";
  EXPECT_THAT(learner.thresholds().changes().back().rationale, testing::HasSubstr("pressure: memory (memory 95 %"));
  now = {};
  now.cpu_load = 0.95;
  learner.conditions(now);
  EXPECT_EQ(method_at(5 * mebibyte), transfer_method::zero_copy) << "processors are short: serialising computes";
  learner.conditions({});
  EXPECT_EQ(method_at(20 * mebibyte), transfer_method::zero_copy);
  EXPECT_EQ(method_at(5 * mebibyte), transfer_method::grpc);
}

TEST(transfer_learner, evidence_of_one_pressure_is_not_taken_for_another) {
  transfer_learner learner(latency_policy());
  cost_world world{affine(140, 2500, 35, 130), 0.1};
  instant now{};
  run_transfers(learner, world, 1000, smallest, largest, now);
  system_conditions pressed;
  pressed.memory_used = 0.95;
  learner.conditions(pressed);
  world.latency_us = affine(140, 2500, 9000, 9000); // segments page
  run_transfers(learner, world, 1000, smallest, largest, now);
  EXPECT_LE(run_transfers(learner, world, 500, smallest, largest, now).pool,
            1.05 * run_transfers(learner, world, 500, smallest, largest, now).oracle * 1.1);
  learner.conditions({});
  world.latency_us = affine(140, 2500, 35, 130);
  const world_totals back = run_transfers(learner, world, 300, smallest, largest, now);
  EXPECT_LE(back.pool, 1.05 * back.oracle) << "what was known without pressure is known still";
}

TEST(transfer_learner, failures_turn_decisions_away_from_a_method) {
  transfer_learner learner{transfer_policy{}};
  const transfer_characteristics data{20 * mebibyte, data_type::binary, {}, false};
  transfer_metrics done;
  done.data = data;
  for (int i = 0; i < 5; ++i) {
    done.method = transfer_method::grpc;
    done.latency_us = 40'000;
    done.failed = false;
    learner.record(done);
    done.method = transfer_method::zero_copy;
    done.latency_us = 50; // fails at once
    done.failed = true;
    learner.record(done);
  }
  const transfer_decision d = decide(learner.look(instant{}), data, 0, nullptr, 1);
  EXPECT_EQ(d.method, transfer_method::grpc) << explain(d, data, learner.policy());
  EXPECT_EQ(learner.totals().failed, 5U);
}

TEST(transfer_learner, goals_weigh_what_was_measured) {
  // zero_copy is faster but holds much more memory; grpc computes more.
  for (const auto& [goal, method] : std::initializer_list<std::pair<transfer_goal, transfer_method>>{
           {transfer_goal::minimize_latency, transfer_method::zero_copy},
           {transfer_goal::maximize_throughput, transfer_method::zero_copy},
           {transfer_goal::minimize_memory, transfer_method::grpc},
           {transfer_goal::balanced, transfer_method::zero_copy}}) {
    transfer_policy policy;
    policy.goal = goal;
    transfer_learner learner(policy);
    const transfer_characteristics data{5 * mebibyte, data_type::tensor, {}, false};
    for (int i = 0; i < 10; ++i)
      for (const transfer_method m : transfer_methods) {
        transfer_metrics done;
        done.method = m;
        done.data = data;
        done.latency_us = m == transfer_method::grpc ? 2000 : 1000;
        done.cpu_time_us = m == transfer_method::grpc ? 1500 : 500;
        done.memory_used = m == transfer_method::grpc ? mebibyte : 16 * mebibyte;
        learner.record(done);
      }
    EXPECT_EQ(decide(learner.look(instant{}), data, 0, nullptr, 1).method, method) << name_of(goal);
  }
}

TEST(transfer_learner, nonsense_changes_nothing) {
  transfer_learner learner{transfer_policy{}};
  const transfer_view before = learner.look(instant{});
  for (const double latency : {0.0, -1.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
    transfer_metrics done;
    done.data.data_size = 20 * mebibyte;
    done.latency_us = latency;
    learner.record(done);
  }
  const transfer_view after = learner.look(instant{});
  for (std::size_t t = 0; t < data_type_count; ++t)
    for (std::size_t c = 0; c < cost_class_count; ++c) {
      EXPECT_EQ(after.entries[t][c].evidence, before.entries[t][c].evidence);
      EXPECT_EQ(after.entries[t][c].gain, before.entries[t][c].gain);
    }
}

TEST(transfer_learner, a_refused_policy_leaves_the_old_one_and_reset_forgets) {
  transfer_learner learner(latency_policy());
  cost_world world{affine(140, 2500, 35, 130), 0.1};
  instant now{};
  run_transfers(learner, world, 1000, smallest, largest, now);
  transfer_policy wrong = latency_policy();
  wrong.exploration_rate = 2;
  EXPECT_FALSE(learner.set_policy(wrong, now));
  EXPECT_EQ(learner.policy(), latency_policy());
  const transfer_characteristics small{64 * 1024, data_type::binary, {}, false};
  EXPECT_EQ(decide(learner.look(now), small, 0, nullptr, 1).method, transfer_method::zero_copy);
  learner.reset(now, "rollback to rules");
  const transfer_decision d = decide(learner.look(now), small, 0, nullptr, 1);
  EXPECT_EQ(d.method, transfer_method::grpc);
  EXPECT_EQ(d.reason, decision_reason::threshold);
  EXPECT_EQ(learner.thresholds().threshold(data_type::binary), 10 * mebibyte);
}

TEST(cost_class, half_octaves_without_gaps) {
  EXPECT_EQ(cost_class_of(0), 0U);
  EXPECT_EQ(cost_class_of(1), 0U);
  for (std::size_t c = 3; c < cost_class_count; ++c) {
    EXPECT_EQ(cost_class_of(cost_class_begin(c)), c);
    EXPECT_EQ(cost_class_of(cost_class_begin(c) - 1), c - 1);
  }
  EXPECT_EQ(cost_class_of(~std::uint64_t{0}), cost_class_count - 1);
}

} // namespace
} // namespace homeostat
