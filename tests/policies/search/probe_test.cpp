// The probe covers evenly, can be sharded, and comes out the same by index.
#include "policies/search/probe.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace homeostat {
namespace {

TEST(Probe, SlopesAreTheSquareRootsOfThePrimes) {
  const probe_settings s{.seed = 3, .uniform_share = 0};
  const unit_point a = probe_point(s, 10, 4);
  const unit_point b = probe_point(s, 11, 4);
  const double primes[] = {2, 3, 5, 7};
  for (std::size_t i = 0; i < 4; ++i) {
    const double step = b[i] - a[i] - std::sqrt(primes[i]);
    EXPECT_NEAR(step, std::nearbyint(step), 1e-12);
  }
}

TEST(Probe, EveryAxisIsCoveredMoreEvenlyThanByChance) {
  const probe_settings s{.seed = 4, .uniform_share = 0};
  constexpr int count = 256;
  for (std::size_t axis = 0; axis < 6; ++axis) {
    std::vector<double> places;
    for (std::uint64_t i = 0; i < count; ++i) places.push_back(probe_point(s, i, 6)[axis]);
    std::ranges::sort(places);
    double gap = places.front() + 1 - places.back();
    for (std::size_t i = 1; i < places.size(); ++i) gap = std::max(gap, places[i] - places[i - 1]);
    EXPECT_LT(gap * count, 4) << "axis " << axis; // random points leave gaps of some ln(256) = 5.5
  }
}

TEST(Probe, ShardsShareTheSequenceWithoutCollision) {
  const probe_settings s{.seed = 5};
  std::vector<unit_point> points;
  for (std::uint64_t index = 0; index < 300; ++index) points.push_back(probe_point(s, index, 3));
  std::ranges::sort(points);
  EXPECT_EQ(std::ranges::adjacent_find(points), points.end());
}

TEST(Probe, TheUniformShareIsItsShare) {
  const probe_settings plain{.seed = 6, .uniform_share = 0};
  const probe_settings mixed{.seed = 6, .uniform_share = 0.25};
  int different = 0;
  for (std::uint64_t i = 0; i < 100; ++i) different += probe_point(plain, i, 2) != probe_point(mixed, i, 2);
  EXPECT_EQ(different, 25);
}

} // namespace
} // namespace homeostat
