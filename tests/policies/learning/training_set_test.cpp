// What a model learns from: bounded, no class starved, judged by what came later.
#include "policies/learning/training_set.hpp"
#include "tests/policies/learning/transfer_world.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

namespace homeostat {
namespace {

using enum transfer_method;

transfer_metrics transfer(std::uint64_t id, std::uint64_t bytes = 1 << 20, transfer_method method = grpc) {
  transfer_metrics m{.transfer_id = id, .timestamp = world_begin + std::chrono::seconds(id), .method = method};
  m.data.data_size = bytes;
  m.latency_us = 100;
  return m;
}

TEST(TrainingSet, NeedsAThousand) {
  training_set set({});
  for (std::uint64_t i = 1; i <= 999; ++i) EXPECT_TRUE(set.add(transfer(i, std::uint64_t{1} << (i % 8 + 20))));
  ASSERT_EQ(set.size(), 999U);
  EXPECT_THAT(set.split().error(), testing::HasSubstr("999 transfers to learn from, at least 1000"));
  EXPECT_TRUE(set.add(transfer(1000)));
  EXPECT_TRUE(set.split());
}

TEST(TrainingSet, HoldsOutTheLatestFifth) {
  training_set set({});
  for (const std::uint64_t i : {7, 3, 5}) set.add(transfer(10'000 + i));
  for (std::uint64_t i = 1; i <= 1998; ++i) set.add(transfer(i, std::uint64_t{1} << (i % 8 + 20)));
  const auto parts = set.split();
  ASSERT_TRUE(parts);
  EXPECT_EQ(parts->held_out.size(), 401U) << "a fifth of 2001, rounded up";
  EXPECT_EQ(parts->training.size() + parts->held_out.size(), set.size());
  EXPECT_TRUE(std::ranges::is_sorted(parts->training, {}, &transfer_metrics::timestamp));
  EXPECT_TRUE(std::ranges::is_sorted(parts->held_out, {}, &transfer_metrics::timestamp));
  EXPECT_LE(parts->training.back().timestamp, parts->held_out.front().timestamp);
  EXPECT_EQ(parts->held_out.back().transfer_id, 10'007U);
}

TEST(TrainingSet, RefusesWhatTeachesNothing) {
  training_set set({});
  transfer_metrics m = transfer(1);
  m.failed = true;
  EXPECT_FALSE(set.add(m));
  EXPECT_FALSE(set.add(transfer(1, 0)));
  for (const double us :
       {0.0, -1.0, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    m = transfer(1);
    m.latency_us = us;
    EXPECT_FALSE(set.add(m)) << us;
  }
  EXPECT_EQ(set.size(), 0U);
}

TEST(TrainingSet, ARareMethodKeepsItsPlaceAmongAMillionOthers) {
  training_set set({.per_class = 100});
  for (std::uint64_t i = 1; i <= 50; ++i) set.add(transfer(i, 1 << 24, zero_copy));
  for (std::uint64_t i = 51; i <= 200'000; ++i) set.add(transfer(i, 1 << 24, grpc));
  EXPECT_EQ(set.count({zero_copy, data_type::binary, 24}), 50U);
  EXPECT_EQ(set.count({grpc, data_type::binary, 24}), 100U);
  EXPECT_EQ(set.size(), 150U);
}

TEST(TrainingSet, AFullClassThinsOutWithAge) {
  // What is left of a block of n transfers after n * k more is n * exp(-k) by theory (a full reservoir of n).
  training_set set({.per_class = 1000, .least = 10}, 5);
  for (std::uint64_t i = 1; i <= 4000; ++i) set.add(transfer(i));
  const auto parts = set.split();
  ASSERT_TRUE(parts);
  std::array<double, 4> left{};
  for (const auto* part : {&parts->training, &parts->held_out})
    for (const transfer_metrics& m : *part) ++left[(m.transfer_id - 1) / 1000];
  EXPECT_NEAR(left[3], 632, 45) << "1 - 1/e of the latest thousand";
  EXPECT_NEAR(left[2], 233, 45);
  EXPECT_NEAR(left[1], 86, 35);
}

TEST(TrainingSet, NeverHoldsMoreThanItsBounds) {
  training_set set({.per_class = 4, .classes = 6});
  chacha8_rng rng(6);
  for (std::uint64_t i = 1; i <= 5000; ++i) {
    set.add(transfer(i, std::uint64_t{1} << (rng.next() % 40), i % 3 == 0 ? grpc : zero_copy));
    ASSERT_LE(set.classes(), 6U);
    ASSERT_LE(set.size(), 24U);
  }
  set.add(transfer(9999, std::uint64_t{1} << 50));
  EXPECT_EQ(set.count({grpc, data_type::binary, 50}), 1U) << "the class unseen for longest gave way";
}

TEST(TrainingSet, ForgetsWhatCameBeforeDrift) {
  training_set set({});
  for (std::uint64_t i = 1; i <= 100; ++i) set.add(transfer(i, std::uint64_t{1} << (i <= 40 ? 20 : 21)));
  set.forget_before(world_begin + 41s);
  EXPECT_EQ(set.size(), 60U);
  EXPECT_EQ(set.classes(), 1U);
  set.forget_before(world_begin + 100s);
  EXPECT_EQ(set.size(), 1U);
}

TEST(TrainingSet, SameSeedSameTransfersSameParts) {
  const auto parts = [] {
    training_set set({.per_class = 50, .least = 100}, 42);
    for (const transfer_metrics& m : transfer_world{}.draw_many(5000, 1)) set.add(m);
    return *set.split();
  };
  const auto a = parts(), b = parts();
  EXPECT_EQ(a.training, b.training);
  EXPECT_EQ(a.held_out, b.held_out);
}

TEST(TrainingSet, ClassesAreOctaves) {
  EXPECT_EQ(class_of(transfer(1, 1)).octave, 0);
  EXPECT_EQ(class_of(transfer(1, (1 << 20) - 1)).octave, 19);
  EXPECT_EQ(class_of(transfer(1, 1 << 20)).octave, 20);
  EXPECT_EQ(class_of(transfer(1, ~std::uint64_t{0})).octave, 63);
}

TEST(TrainingSet, SettingsAreChecked) {
  EXPECT_TRUE(check(training_set_settings{}));
  EXPECT_FALSE(check(training_set_settings{.per_class = 0}));
  EXPECT_FALSE(check(training_set_settings{.classes = 0}));
  EXPECT_FALSE(check(training_set_settings{.least = 9}));
  EXPECT_FALSE(check(training_set_settings{.held_out = 0}));
  EXPECT_FALSE(check(training_set_settings{.held_out = 0.5}));
}

} // namespace
} // namespace homeostat
