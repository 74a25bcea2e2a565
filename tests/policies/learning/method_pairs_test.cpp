// Labels for a choice of which only one side was ever seen.
#include "policies/learning/method_pairs.hpp"
#include "tests/policies/learning/transfer_world.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace homeostat {
namespace {

using enum transfer_method;

transfer_metrics transfer(transfer_method method, double latency_us, std::uint64_t bytes = 10'000'000,
                          double load = 0.5) {
  transfer_metrics m{.method = method};
  m.data.data_size = bytes;
  m.conditions.cpu_load = load;
  m.latency_us = latency_us;
  return m;
}
std::vector<transfer_metrics> both(std::vector<double> grpc, std::vector<double> zero_copy) {
  std::vector<transfer_metrics> all;
  for (const double us : grpc) all.push_back(transfer(transfer_method::grpc, us));
  for (const double us : zero_copy) all.push_back(transfer(transfer_method::zero_copy, us));
  return all;
}

TEST(MethodPairs, MediansDecideAndOneStallDoesNot) {
  const auto labels = label_methods(both({100, 101, 102}, {80, 81, 9000}), {});
  ASSERT_EQ(labels.size(), 6U);
  for (const method_label& l : labels) {
    EXPECT_EQ(l.faster, zero_copy);
    EXPECT_NEAR(l.gap, 101.0 / 81 - 1, 1e-12);
    EXPECT_NEAR(l.weight, l.gap / 0.25, 1e-12);
    EXPECT_FALSE(l.near_tie);
  }
}

TEST(MethodPairs, WeightGrowsFromTieToClearDifference) {
  const auto label = [](double slower) {
    return label_methods(both({100, 100, 100}, {slower, slower, slower}), {})[0];
  };
  EXPECT_EQ(label(100).weight, 0);
  EXPECT_TRUE(label(104.9).near_tie);
  EXPECT_FALSE(label(105.1).near_tie);
  EXPECT_NEAR(label(112.5).weight, 0.5, 1e-9);
  EXPECT_EQ(label(125).weight, 1);
  EXPECT_EQ(label(1000).weight, 1);
  EXPECT_EQ(label(1000).faster, grpc);
}

TEST(MethodPairs, TooFewOfOneMethodIsNoLabel) {
  EXPECT_TRUE(label_methods(both({1, 2, 3, 4, 5, 6}, {1, 2}), {}).empty());
  EXPECT_TRUE(label_methods(both({1, 2, 3, 4, 5, 6}, {}), {}).empty());
  EXPECT_TRUE(label_methods({}, {}).empty());
}

TEST(MethodPairs, OnlyTheLikeAreNeighbours) {
  const auto labels_with = [](auto change) {
    auto all = both({100, 100, 100}, {50, 50, 50});
    for (std::size_t i = 3; i < 6; ++i) change(all[i]);
    return label_methods(all, {}).size();
  };
  EXPECT_EQ(labels_with([](transfer_metrics&) {}), 6U);
  EXPECT_EQ(labels_with([](transfer_metrics& m) { m.data.type = data_type::tensor; }), 0U);
  EXPECT_EQ(labels_with([](transfer_metrics& m) { m.data.format = data_format::arrow; }), 0U);
  EXPECT_EQ(labels_with([](transfer_metrics& m) { m.data.compressed = true; }), 0U);
  EXPECT_EQ(labels_with([](transfer_metrics& m) { m.failed = true; }), 0U) << "time lost is no latency";
  EXPECT_EQ(labels_with([](transfer_metrics& m) { m.latency_us = 0; }), 0U);
  EXPECT_EQ(labels_with([](transfer_metrics& m) { m.data.data_size = 11'880'000; }), 6U) << "0.249 octaves";
  EXPECT_EQ(labels_with([](transfer_metrics& m) { m.data.data_size = 11'900'000; }), 0U) << "0.251 octaves";
  EXPECT_EQ(labels_with([](transfer_metrics& m) { m.conditions.cpu_load = 0.75; }), 6U);
  EXPECT_EQ(labels_with([](transfer_metrics& m) { m.conditions.cpu_load = 0.76; }), 0U);
}

TEST(MethodPairs, SizesOnBothSidesOfAThresholdAreNoDifference) {
  // Both methods take 1 ns a byte; one has the smaller transfers, the other the larger ones.
  std::vector<transfer_metrics> all;
  for (int i = -8; i <= 8; ++i) {
    const auto bytes = static_cast<std::uint64_t>(1e7 * std::exp2(i / 40.0));
    all.push_back(transfer(i < 0 ? grpc : zero_copy, static_cast<double>(bytes) / 1000, bytes));
  }
  const auto labels = label_methods(all, {});
  EXPECT_FALSE(labels.empty());
  for (const method_label& l : labels) EXPECT_LT(l.gap, 1e-6);
}

TEST(MethodPairs, OrderOfTheSamplesDoesNotMatter) {
  const transfer_world world{.exploration = 0.3};
  const std::vector<transfer_metrics> ordered = world.draw_many(2000, 4);
  std::vector<transfer_metrics> reversed(ordered.rbegin(), ordered.rend());
  std::map<std::uint64_t, method_label> by_id;
  for (const method_label& l : label_methods(ordered, {})) by_id[ordered[l.sample].transfer_id] = l;
  const auto labels = label_methods(reversed, {});
  ASSERT_EQ(labels.size(), by_id.size());
  for (method_label l : labels) {
    const method_label& expected = by_id.at(reversed[l.sample].transfer_id);
    l.sample = expected.sample;
    EXPECT_EQ(l, expected);
  }
}

TEST(MethodPairs, AgreeWithTheTruthOfAMadeUpMachine) {
  for (const double exploration : {0.05, 0.5}) {
    const transfer_world world{.noise = 0.08, .stalls = 0.03, .exploration = exploration};
    const auto samples = world.draw_many(20'000, 5);
    std::size_t clear = 0, right = 0;
    const auto labels = label_methods(samples, {});
    for (const method_label& l : labels) {
      if (l.near_tie) continue;
      ++clear;
      const transfer_metrics& m = samples[l.sample];
      right += l.faster == world.faster(m.data, m.conditions) ? 1 : 0;
    }
    EXPECT_GT(labels.size(), samples.size() / 2) << exploration;
    EXPECT_GT(static_cast<double>(right) / static_cast<double>(clear), 0.95) << exploration;
  }
}

} // namespace
} // namespace homeostat
