#include "policies/transfer/pool_outcomes.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace homeostat {
namespace {

transfer_metrics transfer(std::uint64_t size, double latency_us, double cpu_us = 10, std::uint64_t memory = 1000) {
  transfer_metrics m;
  m.data.data_size = size;
  m.latency_us = latency_us;
  m.cpu_time_us = cpu_us;
  m.memory_used = memory;
  return m;
}

/// Readings of so many transfers each.
void readings(pool_outcomes& outcomes, int count, int each, std::uint64_t size, double latency_us) {
  for (int i = 0; i < count; ++i) {
    for (int k = 0; k < each; ++k) outcomes.record(transfer(size, latency_us));
    (void)outcomes.take();
  }
}

TEST(pool_outcomes, sums_up_one_interval_and_begins_anew) {
  pool_outcomes outcomes;
  for (int i = 1; i <= 100; ++i) outcomes.record(transfer(1000, i, 2, 50));
  transfer_metrics lost = transfer(1000, 5);
  lost.failed = true;
  outcomes.record(lost);
  const outcome_summary s = outcomes.take();
  EXPECT_EQ(s.transfers, 101U);
  EXPECT_EQ(s.failed, 1U);
  EXPECT_EQ(s.bytes, 100'000U);
  EXPECT_DOUBLE_EQ(s.latency_mean_us, 50.5);
  EXPECT_NEAR(s.latency_p99_us, 99, 1);
  EXPECT_DOUBLE_EQ(s.cpu_mean_us, 2);
  EXPECT_DOUBLE_EQ(s.memory_mean_bytes, 50);
  EXPECT_EQ(s.latency_ratio, 1) << "nothing to compare with";
  EXPECT_EQ(outcomes.take().transfers, 0U);
}

TEST(pool_outcomes, another_mix_is_no_change_of_the_cost) {
  pool_outcomes outcomes;
  for (int i = 0; i < 50; ++i) {
    outcomes.record(transfer(10'000, 100));
    outcomes.record(transfer(50'000'000, 20'000));
    (void)outcomes.take();
  }
  for (int i = 0; i < 40; ++i) outcomes.record(transfer(50'000'000, 20'000));
  const outcome_summary s = outcomes.take();
  EXPECT_GT(s.latency_mean_us, 19'000);
  EXPECT_NEAR(s.latency_ratio, 1, 1e-9);
  EXPECT_NEAR(cost_ratio(s, transfer_goal::balanced), 1, 1e-9);
}

TEST(pool_outcomes, what_became_slower_shows_and_stays_to_be_seen_for_a_while) {
  pool_outcomes outcomes;
  readings(outcomes, 300, 2, 1'000'000, 1000);
  for (int i = 0; i < 30; ++i) { // half a minute of readings
    outcomes.record(transfer(1'000'000, 1300));
    EXPECT_GT(outcomes.take().latency_ratio, 1.2) << i;
  }
  readings(outcomes, 5000, 2, 1'000'000, 1300);
  outcomes.record(transfer(1'000'000, 1300));
  EXPECT_NEAR(outcomes.take().latency_ratio, 1, 0.01) << "that is how it is now";
}

TEST(pool_outcomes, a_failure_costs_the_time_lost_and_the_transfer_after_it) {
  pool_outcomes outcomes;
  readings(outcomes, 10, 1, 1'000'000, 1000);
  transfer_metrics lost = transfer(1'000'000, 500);
  lost.failed = true;
  outcomes.record(lost);
  EXPECT_NEAR(outcomes.take().latency_ratio, 1.5, 1e-6);
}

TEST(pool_outcomes, large_transfers_weigh_by_their_time) {
  pool_outcomes outcomes;
  for (int i = 0; i < 10; ++i) {
    for (int k = 0; k < 100; ++k) outcomes.record(transfer(100, 10));
    outcomes.record(transfer(100'000'000, 100'000));
    (void)outcomes.take();
  }
  for (int k = 0; k < 100; ++k) outcomes.record(transfer(100, 20)); // twice as slow, and nothing beside the rest
  outcomes.record(transfer(100'000'000, 90'000));
  EXPECT_LT(outcomes.take().latency_ratio, 0.92);
}

TEST(pool_outcomes, the_goal_says_what_counts) {
  outcome_summary s;
  s.latency_ratio = 2;
  s.memory_ratio = 0.5;
  EXPECT_EQ(cost_ratio(s, transfer_goal::minimize_latency), 2);
  EXPECT_LT(cost_ratio(s, transfer_goal::minimize_memory), 0.6);
}

TEST(pool_outcomes, nonsense_leaves_numbers) {
  pool_outcomes outcomes;
  for (int i = 0; i < 10; ++i) {
    for (const double bad :
         {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(), -5.0, 0.0})
      outcomes.record(transfer(std::numeric_limits<std::uint64_t>::max(), bad, bad, 0));
    const outcome_summary s = outcomes.take();
    for (const double value :
         {s.latency_mean_us, s.latency_p99_us, s.cpu_mean_us, s.latency_ratio, s.cpu_ratio, s.memory_ratio})
      EXPECT_TRUE(std::isfinite(value));
  }
}

} // namespace
} // namespace homeostat
