#include "policies/transfer/rank_test.hpp"

#include "tests/policies/transfer/transfer_rig.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace homeostat {
namespace {

TEST(rank_test, SmallSidesAreExact) {
  // All of three above all of three: one arrangement in 20.
  EXPECT_NEAR(compare_ranks(std::vector{1.0, 2.0, 3.0}, std::vector{4.0, 5.0, 6.0}, 0.95).p, 1.0 / 20, 1e-12);
  EXPECT_NEAR(compare_ranks(std::vector{4.0, 5.0, 6.0}, std::vector{1.0, 2.0, 3.0}, 0.95).p, 1, 1e-12);
  // U = 8 of 9: the two highest of 20.
  EXPECT_NEAR(compare_ranks(std::vector{1.0, 2.0, 4.0}, std::vector{3.0, 5.0, 6.0}, 0.95).p, 2.0 / 20, 1e-12);
}

TEST(rank_test, MatchesAPublishedExample) {
  // Hollander, Wolfe, example 4.1 (permeability of the human chorioamnion): one-sided p 0.1272, shift -0.305.
  const std::vector x{0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46}, y{1.15, 0.88, 0.90, 0.74, 1.21};
  const rank_comparison c = compare_ranks(y, x, 0.95);
  EXPECT_NEAR(c.p, 0.1272, 5e-5);
  EXPECT_NEAR(c.shift, 0.305, 1e-9);
  EXPECT_LT(c.shift_low, 0);
  EXPECT_GT(c.shift_high, 0.305);
}

TEST(rank_test, TiesAndConstantsAreNoEvidence) {
  EXPECT_EQ(compare_ranks(std::vector(30, 5.0), std::vector(30, 5.0), 0.95).p, 1);
  EXPECT_EQ(compare_ranks({}, std::vector{1.0}, 0.95).p, 1);
  EXPECT_LT(compare_ranks(std::vector(30, 5.0), std::vector(30, 6.0), 0.95).p, 1e-9);
}

TEST(rank_test, FalseAlarmsAndCoverageAreNominal) {
  chacha8_rng rng(11);
  int rejected = 0, covered = 0;
  constexpr int runs = 4000;
  for (int i = 0; i < runs; ++i) {
    std::vector<double> a(30), b(10);
    for (double& v : a) v = std::exp(normal(rng));
    for (double& v : b) v = std::exp(normal(rng)) + 0.0;
    const rank_comparison c = compare_ranks(a, b, 0.95);
    rejected += c.p <= 0.05 ? 1 : 0;
    covered += c.shift_low <= 0 && c.shift_high >= 0 ? 1 : 0;
  }
  EXPECT_LE(rejected, runs * 0.06);
  EXPECT_GE(rejected, runs * 0.035);
  EXPECT_GE(covered, runs * 0.94);
}

TEST(rank_test, ManyTestsAreAdjustedAsBenjaminiAndHochbergDo) {
  // The 15 p-values of their section 3.2: at a rate of 0.05 exactly the four smallest are findings.
  const std::vector p{0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344,
                      0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000};
  std::vector<double> shuffled(p.rbegin(), p.rend());
  const std::vector<double> adjusted = adjust_for_many(shuffled);
  EXPECT_EQ(std::ranges::count_if(adjusted, [](double q) { return q <= 0.05; }), 4);
  EXPECT_NEAR(adjusted.back(), 0.0015, 1e-12);
  EXPECT_NEAR(adjusted[11], 0.0095 * 15 / 4, 1e-12);
  EXPECT_TRUE(adjust_for_many({}).empty());
}

TEST(rank_test, SerialCorrelationIsMeasuredAndWidensTheVerdict) {
  chacha8_rng rng(5);
  std::vector<double> alone(400), swinging(400);
  double state = 0;
  for (std::size_t i = 0; i < alone.size(); ++i) {
    alone[i] = normal(rng);
    swinging[i] = state = 0.6 * state + 0.8 * normal(rng);
  }
  EXPECT_LT(serial_inflation(alone), 1.3);
  EXPECT_NEAR(serial_inflation(swinging), 4, 1.2); // (1 + 0.6) / (1 - 0.6)
  EXPECT_EQ(serial_inflation(std::vector(10, 1.0)), 1);
  const std::vector<double> a(swinging.begin(), swinging.begin() + 100),
      b(swinging.begin() + 100, swinging.begin() + 130);
  const rank_comparison narrow = compare_ranks(a, b, 0.95), wide = compare_ranks(a, b, 0.95, 4);
  EXPECT_EQ(narrow.shift, wide.shift);
  EXPECT_LT(wide.shift_low, narrow.shift_low);
  EXPECT_GT(wide.shift_high, narrow.shift_high);
  EXPECT_GT(std::min(wide.p, 1 - wide.p), std::min(narrow.p, 1 - narrow.p));
}

TEST(rank_test, NormalQuantileInvertsTheDistribution) {
  EXPECT_NEAR(normal_quantile(0.975), 1.959963984540054, 1e-9);
  EXPECT_NEAR(normal_cdf(-4), 3.167124183311998e-05, 1e-15);
}

} // namespace
} // namespace homeostat
