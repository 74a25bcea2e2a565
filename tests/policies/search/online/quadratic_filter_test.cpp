// The local quadratic: what it forecasts, learns, and keeps when its centre moves.
#include "policies/search/online/quadratic_filter.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace homeostat {
namespace {

/// A filter in two dimensions that is open to everything.
quadratic_filter open_filter(bool cross, bool moving) {
  quadratic_filter f = fresh_filter(2, cross, moving);
  for (std::size_t k = 0; k < f.size(); ++k) f.variance(k) = 1e4;
  return f;
}

double bowl(double x, double y) { return 3 + 2 * x - y + 4 * x * x + 1.5 * y * y + 2.5 * x * y; }

void teach(quadratic_filter& f) {
  for (double x : {-0.2, 0.0, 0.1, 0.3})
    for (double y : {-0.3, 0.0, 0.2}) {
      const std::vector<double> at{x, y};
      const filter_forecast expected = forecast(f, at);
      absorb(f, expected, bowl(x, y) - expected.value, expected.variance + 1e-6);
    }
}

TEST(QuadraticFilter, LearnsLevelGradientAndCurvature) {
  quadratic_filter f = open_filter(true, false);
  teach(f);
  EXPECT_NEAR(f.mean[0], 3, 1e-2);
  EXPECT_NEAR(f.mean[f.gradient(0)], 2, 2e-2);
  EXPECT_NEAR(f.mean[f.gradient(1)], -1, 2e-2);
  EXPECT_NEAR(f.mean[f.curvature(0)], 8, 2e-1);
  EXPECT_NEAR(f.mean[f.curvature(1)], 3, 2e-1);
  EXPECT_NEAR(f.mean[f.coupling(1, 0)], 2.5, 1e-1);
}

TEST(QuadraticFilter, DescribesTheSameFunctionFromAnotherCentre) {
  quadratic_filter f = open_filter(true, false);
  teach(f);
  quadratic_filter moved = f;
  move_centre(moved, std::vector<double>{0.2, -0.1});
  for (double x : {-0.1, 0.0, 0.4}) {
    const filter_forecast here = forecast(f, std::vector<double>{x, 0.3});
    const filter_forecast there = forecast(moved, std::vector<double>{x - 0.2, 0.4});
    EXPECT_NEAR(there.value, here.value, 1e-9);
    EXPECT_NEAR(there.variance, here.variance, 1e-9 * (1 + here.variance));
  }
}

TEST(QuadraticFilter, AMeasurementLowersDoubtWhereItWasTaken) {
  quadratic_filter f = open_filter(true, false);
  const std::vector<double> at{0.1, 0.2};
  const filter_forecast before = forecast(f, at);
  absorb(f, before, 1.0, before.variance + 1.0);
  const filter_forecast after = forecast(f, at);
  EXPECT_LT(after.variance, 1.0);
  EXPECT_NEAR(after.value, 1.0, 1e-3) << "little was known, so the measurement is believed";
}

TEST(QuadraticFilter, GradientFollowsItsVelocity) {
  quadratic_filter f = fresh_filter(1, false, true);
  f.mean[f.gradient(0)] = 1;
  f.mean[f.velocity(0)] = 0.25;
  for (int i = 0; i < 4; ++i) advance(f);
  EXPECT_DOUBLE_EQ(f.mean[f.gradient(0)], 2);
  quadratic_filter still = fresh_filter(1, false, false);
  const quadratic_filter before = still;
  advance(still);
  EXPECT_EQ(still, before);
}

TEST(QuadraticFilter, ANewLevelKeepsTheShape) {
  quadratic_filter f = open_filter(true, false);
  teach(f);
  const double slope = f.mean[f.gradient(0)], doubt = f.variance(f.gradient(0));
  reset_level(f, 50, 4);
  EXPECT_EQ(forecast(f, std::vector<double>{0, 0}).value, 50);
  EXPECT_EQ(forecast(f, std::vector<double>{0, 0}).variance, 4);
  EXPECT_EQ(f.mean[f.gradient(0)], slope);
  EXPECT_EQ(f.variance(f.gradient(0)), doubt);
}

TEST(BoxMinimum, FindsTheMinimumInsideAndTheEdgeOutside) {
  const std::vector<double> low{-1, -1}, high{1, 1};
  const std::vector<double> round{2, 0.5, 0.5, 2}; // coupled bowl
  const std::vector<double> inside = box_minimum(std::vector<double>{1, -1}, round, low, high);
  EXPECT_NEAR(inside[0], -2.0 / 3, 1e-6);
  EXPECT_NEAR(inside[1], 2.0 / 3, 1e-6);
  const std::vector<double> edge = box_minimum(std::vector<double>{10, -10}, round, low, high);
  EXPECT_EQ(edge, (std::vector<double>{-1, 1}));
  const std::vector<double> saddle =
      box_minimum(std::vector<double>{0.1, 0}, std::vector<double>{-2, 0, 0, 2}, low, high);
  EXPECT_EQ(saddle, (std::vector<double>{-1, 0})) << "downhill along the negative curvature";
}

} // namespace
} // namespace homeostat
