#include "policies/search/chacha8.hpp"
#include "policies/search/normal.hpp"
#include "policies/transfer/cost_table.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace homeostat {
namespace {

constexpr std::uint64_t buffer_bytes = 1 << 20;

transfer_metrics took(double latency_us) {
  transfer_metrics done;
  done.method = transfer_method::grpc;
  done.data.data_size = buffer_bytes;
  done.latency_us = latency_us;
  return done;
}

cost_estimate known(const cost_table& costs) {
  return costs.estimate(pressure::none, data_type::binary, cost_class_of(buffer_bytes), transfer_method::grpc,
                        buffer_bytes);
}

TEST(cost_table, rare_slow_transfers_move_the_estimate_little) {
  cost_table costs;
  for (int i = 0; i < 200; ++i) costs.record(took(i % 10 == 9 ? 6000 : 1000), pressure::none);
  EXPECT_GT(known(costs).cost.latency_us, 1000);
  EXPECT_LT(known(costs).cost.latency_us, 1400) << "the mean is 1500";
  EXPECT_GT(known(costs).spread, 0.3) << "but that they come is known";
}

TEST(cost_table, what_varies_is_no_surprise_and_what_changes_is) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    cost_table costs;
    chacha8_rng rng(seed, 1);
    for (int i = 0; i < 300; ++i) costs.record(took(1000 * std::exp(0.5 * normal(rng))), pressure::none);
    EXPECT_LE(costs.surprises(), 1U) << "seed " << seed; // three in a row within the first few
    EXPECT_NEAR(known(costs).spread, 0.5, 0.25) << "seed " << seed;
    const auto before = costs.surprises();
    for (int i = 0; i < 3; ++i) costs.record(took(6000), pressure::none);
    EXPECT_EQ(costs.surprises(), before + 1) << "seed " << seed;
    EXPECT_NEAR(known(costs).cost.latency_us, 6000, 600) << "seed " << seed;
  }
}

TEST(cost_table, extremes_leave_what_can_be_kept) {
  cost_table costs;
  for (const double latency : {1e-12, 1e9, 1e-12, 1e12, 1e-3, 1e12, 1.0, 1e-9, 1e12, 1e12, 1e12})
    costs.record(took(latency), pressure::none);
  EXPECT_TRUE(check(costs.learned())) << check(costs.learned()).error();
  EXPECT_TRUE(std::isfinite(known(costs).cost.latency_us));
  EXPECT_TRUE(std::isfinite(known(costs).spread));
}

} // namespace
} // namespace homeostat
