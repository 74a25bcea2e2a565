// Drift: seen when it is there, soon; and seldom when it is not. Rates are measured over seeded streams.
#include "policies/learning/drift_detection.hpp"
#include "tests/policies/learning/transfer_world.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace homeostat {
namespace {

using testing::HasSubstr;

// ---- Page-Hinkley on errors

/// @returns alarms in a stream of errors of one kind; heavy: one in twenty is ten times as wide.
std::size_t false_alarms(std::size_t errors, double mean, double deviation, bool heavy) {
  chacha8_rng rng(7);
  page_hinkley_state state;
  std::size_t alarms = 0;
  for (std::size_t i = 0; i < errors; ++i) {
    const double wide = heavy && rng.uniform() < 0.05 ? 10 : 1;
    alarms += observe(state, {}, mean + deviation * wide * normal_draw(rng)) ? 1 : 0;
  }
  return alarms;
}

TEST(PageHinkley, SeldomRaisesAFalseAlarm) {
  EXPECT_LE(false_alarms(1'000'000, 0, 1, false), 2U);
  EXPECT_LE(false_alarms(1'000'000, 0.3, 0.05, false), 2U) << "a model that is always off a little has not drifted";
  EXPECT_LE(false_alarms(1'000'000, 0, 0.05, true), 2U) << "stalls are no drift";
}

/// @returns the mean number of errors until a shift by so many deviations is seen, over 200 streams; 0 if one is
/// missed.
double delay(double shift) {
  double sum = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    chacha8_rng rng(seed);
    page_hinkley_state state;
    for (int i = 0; i < 2000; ++i)
      if (observe(state, {}, normal_draw(rng))) return 0;
    int after = 1;
    while (after < 10'000 && !observe(state, {}, normal_draw(rng) + shift)) ++after;
    if (after == 10'000) return 0;
    sum += after;
  }
  return sum / 200;
}

TEST(PageHinkley, SeesAShiftOfTheErrorsSoonInBothDirections) {
  for (const double sign : {1.0, -1.0}) {
    const double one = delay(sign), two = delay(2 * sign), four = delay(4 * sign);
    EXPECT_GT(one, 0);
    EXPECT_LE(one, 45);
    EXPECT_GT(two, 0);
    EXPECT_LE(two, 14);
    EXPECT_GT(four, 0);
    EXPECT_LE(four, 7);
  }
}

TEST(PageHinkley, BeginsAfreshAfterDrift) {
  page_hinkley_state state;
  for (int i = 0; i < 500; ++i) EXPECT_FALSE(observe(state, {}, i % 2 == 0 ? 1.0 : -1.0));
  std::optional<drift_finding> found;
  for (int i = 0; i < 20 && !found; ++i) found = observe(state, {}, 10.0);
  ASSERT_TRUE(found);
  EXPECT_THAT(found->text, HasSubstr("slower"));
  EXPECT_GT(found->statistic, found->limit);
  EXPECT_EQ(state, page_hinkley_state{});
}

TEST(PageHinkley, LeavesOutWhatIsNoNumberAndSurvivesAReferenceWithoutSpread) {
  page_hinkley_state state;
  for (int i = 0; i < 500; ++i) EXPECT_FALSE(observe(state, {}, 0.25));
  const page_hinkley_state before = state;
  EXPECT_FALSE(observe(state, {}, std::numeric_limits<double>::quiet_NaN()));
  EXPECT_FALSE(observe(state, {}, std::numeric_limits<double>::infinity()));
  EXPECT_EQ(state, before);
  EXPECT_FALSE(observe(state, {}, 0.25));
}

// ---- Kolmogorov-Smirnov on sizes

TEST(KolmogorovSmirnov, DistanceOfKnownSamples) {
  const std::vector<double> a{1, 2, 3, 4}, b{3, 4, 5, 6}, ties{2, 2, 2, 2};
  EXPECT_EQ(kolmogorov_smirnov_distance(a, a), 0);
  EXPECT_EQ(kolmogorov_smirnov_distance(a, b), 0.5);
  EXPECT_EQ(kolmogorov_smirnov_distance(b, a), 0.5);
  EXPECT_EQ(kolmogorov_smirnov_distance(a, ties), 0.5);
  EXPECT_EQ(kolmogorov_smirnov_distance(a, std::vector<double>{10, 11}), 1);
  EXPECT_EQ(kolmogorov_smirnov_distance(a, {}), 0);
  EXPECT_NEAR(kolmogorov_smirnov_limit(100, 100, 0.05), 1.358 * std::sqrt(0.02), 1e-3) << "the table's 5 % value";
}

TEST(KolmogorovSmirnov, DistanceEqualsTheDefinition) {
  chacha8_rng rng(3);
  for (int round = 0; round < 200; ++round) {
    std::vector<double> a(1 + rng.next() % 30), b(1 + rng.next() % 30);
    for (auto* list : {&a, &b}) {
      for (double& x : *list) x = static_cast<double>(rng.next() % 12); // many ties
      std::ranges::sort(*list);
    }
    double naive = 0;
    for (int x = 0; x < 12; ++x) {
      const auto below = [x](const std::vector<double>& list) {
        return static_cast<double>(std::ranges::count_if(list, [x](double y) { return y <= x; })) /
               static_cast<double>(list.size());
      };
      naive = std::max(naive, std::abs(below(a) - below(b)));
    }
    ASSERT_NEAR(kolmogorov_smirnov_distance(a, b), naive, 1e-12);
  }
}

std::uint64_t size_draw(chacha8_rng& rng, double centre) {
  return static_cast<std::uint64_t>(std::exp2(centre + 2 * normal_draw(rng)));
}

TEST(SizeShift, SeldomRaisesAFalseAlarm) {
  std::size_t alarms = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) { // references differ, and all blocks are held against one
    chacha8_rng rng(seed);
    size_shift_state state;
    for (int i = 0; i < 25'000; ++i) alarms += observe(state, {}, size_draw(rng, 22)) ? 1 : 0;
  }
  EXPECT_LE(alarms, 2U) << "in a million sizes";
}

TEST(SizeShift, SeesOtherSizesWithinThreeBlocksAndNotOneBurst) {
  int bursts = 0;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    chacha8_rng rng(seed);
    size_shift_state state;
    const auto feed = [&](int count, double centre) {
      for (int i = 0; i < count; ++i)
        if (observe(state, {}, size_draw(rng, centre))) return i + 1;
      return 0;
    };
    ASSERT_EQ(feed(1024 + 256 * 4 + 100, 22), 0);
    if (feed(156, 24) != 0) { // one block, a batch job's; the one before it may differ by chance
      ++bursts;
      continue;
    }
    ASSERT_EQ(feed(256, 22), 0);
    const int after = feed(256 * 4, 23); // half a deviation
    EXPECT_GT(after, 0);
    EXPECT_LE(after, 256 * 3);
    EXPECT_EQ(state, size_shift_state{});
  }
  EXPECT_LE(bursts, 1);
}

TEST(SizeShift, HoldsNoMoreThanReferenceAndBlock) {
  size_shift_state state;
  for (int i = 0; i < 5000; ++i) {
    (void)observe(state, {}, 1000);
    ASSERT_LE(state.reference.size(), 1024U);
    ASSERT_LT(state.block.size(), 256U);
  }
}

// ---- both

TEST(Drift, ASlowerMachineIsSeenThroughItsErrors) {
  transfer_world world{.noise = 0.05};
  chacha8_rng rng(9);
  drift_state state;
  const auto step = [&](double speed) {
    transfer_world now = world;
    now.speed = speed;
    const transfer_metrics m = now.draw(rng, world_begin, 1);
    return observe(state, {}, m.data.data_size, world.expected_us(m.data, m.conditions, m.method), m.latency_us);
  };
  for (int i = 0; i < 3000; ++i) ASSERT_FALSE(step(1));
  int after = 0;
  std::optional<drift_finding> found;
  while (!found && after < 500) found = step(0.8), ++after;
  ASSERT_TRUE(found);
  EXPECT_LE(after, 40);
  EXPECT_THAT(found->text, HasSubstr("Page-Hinkley"));
}

TEST(Drift, WithoutPredictionsTheSizesAreStillLookedAt) {
  chacha8_rng rng(9);
  drift_state state;
  for (int i = 0; i < 2000; ++i) ASSERT_FALSE(observe(state, {}, size_draw(rng, 20), 0, 100));
  std::optional<drift_finding> found;
  for (int i = 0; i < 1000 && !found; ++i) found = observe(state, {}, size_draw(rng, 26), 0, 100);
  ASSERT_TRUE(found);
  EXPECT_THAT(found->text, HasSubstr("Kolmogorov-Smirnov"));
  EXPECT_EQ(state.errors.count, 0U);
}

} // namespace
} // namespace homeostat
