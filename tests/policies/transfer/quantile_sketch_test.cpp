#include "policies/transfer/quantile_sketch.hpp"

#include "policies/search/chacha8.hpp"
#include "policies/search/normal.hpp"
#include "policies/transfer/size_class.hpp"
#include "tests/policies/row_name.hpp"

#include <gtest/gtest.h>
// After gtest, which it needs.
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace homeostat {
namespace {

quantile_sketch sketch_of(const std::vector<double>& values) {
  quantile_sketch s;
  for (double v : values) s.add(v);
  return s;
}

/// The exact value of the rank that quantile() promises.
double exact(std::vector<double> values, double q) {
  std::ranges::sort(values);
  return values[static_cast<std::size_t>(std::floor(q * static_cast<double>(values.size() - 1)))];
}

struct distribution_row {
  const char* name;
  double (*draw)(chacha8_rng&);
};

class distributions : public ::testing::TestWithParam<distribution_row> {};

TEST_P(distributions, EveryQuantileIsWithinOnePercent) {
  chacha8_rng rng(7);
  for (const std::size_t n :
       {std::size_t{1}, std::size_t{2}, std::size_t{10}, std::size_t{1000}, std::size_t{50'000}}) {
    std::vector<double> values(n);
    for (double& v : values) v = GetParam().draw(rng);
    const quantile_sketch s = sketch_of(values);
    for (const double q : {0.0, 0.001, 0.01, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0}) {
      const double truth = exact(values, q);
      EXPECT_NEAR(*s.quantile(q), truth, truth * quantile_sketch::relative_error * (1 + 1e-9)) << n << " at " << q;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    , distributions,
    ::testing::Values(distribution_row{"Uniform", [](chacha8_rng& r) { return 1000 * r.uniform(); }},
                      distribution_row{"Exponential", [](chacha8_rng& r) { return -200 * std::log(1 - r.uniform()); }},
                      distribution_row{"LogNormal", [](chacha8_rng& r) { return std::exp(5 + normal(r)); }},
                      distribution_row{"Pareto", [](chacha8_rng& r) { return std::pow(1 - r.uniform(), -1 / 1.1); }},
                      distribution_row{"TwoHumps",
                                       [](chacha8_rng& r) { return r.uniform() < 0.98 ? 50 + normal(r) : 1e6; }},
                      distribution_row{"Constant", [](chacha8_rng&) { return 312.5; }},
                      distribution_row{"WholeNumbers", [](chacha8_rng& r) { return std::floor(20 * r.uniform()); }},
                      distribution_row{"Tiny", [](chacha8_rng& r) { return 1e-5 * (1 + r.uniform()); }},
                      distribution_row{"Huge", [](chacha8_rng& r) { return 1e200 * (1 + r.uniform()); }}),
    by_name);

TEST(quantile_sketch, WhatIsNoLatencyIsNotCounted) {
  quantile_sketch s;
  for (const double v : {-1.0, std::nan(""), HUGE_VAL, -HUGE_VAL}) EXPECT_FALSE(s.add(v));
  EXPECT_EQ(s, quantile_sketch{});
  EXPECT_EQ(s.quantile(0.5), std::nullopt);
  s.add(1);
  EXPECT_EQ(s.quantile(-0.1), std::nullopt);
  EXPECT_EQ(s.quantile(1.1), std::nullopt);
  EXPECT_EQ(s.quantile(std::nan("")), std::nullopt);
}

TEST(quantile_sketch, ZeroAndWhatIsTooSmallToMeasureAreZero) {
  const quantile_sketch s = sketch_of({0, 1e-300, 5e-7, 100});
  EXPECT_EQ(s.zeros(), 3U);
  EXPECT_EQ(s.quantile(0), 0.0);
  EXPECT_EQ(s.quantile(0.5), 0.0);
  EXPECT_NEAR(*s.quantile(1), 100, 1);
}

TEST(quantile_sketch, BeyondItsBinsOnlyTheLowestLoseTheirPrecision) {
  quantile_sketch s;
  std::vector<double> values; // 30 decades, 3000 bins' worth
  for (int i = 0; i < 30'000; ++i) values.push_back(1e-5 * std::pow(10.0, i / 1000.0));
  for (double v : values) s.add(v);
  EXPECT_EQ(s.bins().size(), quantile_sketch::max_bins);
  EXPECT_EQ(s.count(), values.size());
  for (const double q : {0.75, 0.9, 0.99, 1.0})
    EXPECT_NEAR(*s.quantile(q), exact(values, q), exact(values, q) * 0.0101) << q;
  std::ranges::reverse(values);
  EXPECT_EQ(sketch_of(values), s) << "the order of arrival must not show";
}

TEST(quantile_sketch, CountsWhatLiesAbove) {
  const quantile_sketch s = sketch_of({0, 10, 20, 30, 40, 50});
  EXPECT_EQ(s.count_above(35), 2U);
  EXPECT_EQ(s.count_above(0), 5U);
  EXPECT_EQ(s.count_above(-1), 6U);
  EXPECT_EQ(s.count_above(50), 0U);
  EXPECT_EQ(s.count_above(std::nan("")), 0U);
}

RC_GTEST_PROP(quantile_sketch_property, MergingInAnyOrderIsTheSameAsCountingTogether,
              (const std::vector<std::vector<std::uint32_t>>& parts, std::uint64_t seed)) {
  // Exponents from -6 to over 60: more than the bins can hold, so that folding is part of it.
  const auto value = [](std::uint32_t x) { return x % 17 == 0 ? 0 : std::pow(10.0, (x % 7000) / 100.0 - 6); };
  quantile_sketch together;
  std::vector<quantile_sketch> sketches(1);
  for (const auto& part : parts) {
    quantile_sketch& s = sketches.emplace_back();
    for (std::uint32_t x : part) s.add(value(x)), together.add(value(x));
    for (std::uint32_t i = 0; i < 40 && !part.empty(); ++i) {
      const double v = value(part[0] + 173 * i);
      s.add(v), together.add(v);
    }
  }
  chacha8_rng rng(seed);
  while (sketches.size() > 1) { // a random pair, until one is left
    std::swap(sketches[rng.next() % sketches.size()], sketches.back());
    const quantile_sketch last = sketches.back();
    sketches.pop_back();
    sketches[rng.next() % sketches.size()].merge(last);
  }
  RC_ASSERT(sketches[0] == together);
  const auto again = quantile_sketch::unpack(together.pack());
  RC_ASSERT(again.has_value());
  RC_ASSERT(*again == together);
}

RC_GTEST_PROP(quantile_sketch_property, BytesThatNobodyPackedAreRefusedOrASketch, (const std::string& bytes)) {
  const auto s = quantile_sketch::unpack(bytes);
  if (s) RC_ASSERT(s->pack() == bytes);
}

TEST(quantile_sketch, EveryDamagedByteIsRefusedOrStillASketch) {
  const std::string good = sketch_of({0, 1, 2, 3, 1000, 1e9}).pack();
  for (std::size_t i = 0; i <= good.size(); ++i)
    EXPECT_EQ(quantile_sketch::unpack(good.substr(0, i)).has_value(), i == good.size()) << i;
  EXPECT_FALSE(quantile_sketch::unpack(good + "x"));
  for (std::size_t i = 0; i < good.size(); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ (1 << bit));
      const auto s = quantile_sketch::unpack(bad);
      EXPECT_TRUE(!s || s->pack() == bad);
    }
}

TEST(size_class, LeastSizesAreTheirOwnClassAndTheSizeBelowIsNot) {
  for (size_class c = 1; c < size_class_count; ++c) {
    const std::uint64_t least = least_size(c);
    EXPECT_GE(size_class_of(least), c);
    EXPECT_LT(size_class_of(least - 1), c);
    EXPECT_TRUE(least < 8 || size_class_of(least) == c);
  }
  EXPECT_EQ(size_class_of(0), 0);
  EXPECT_EQ(size_class_of(~std::uint64_t{0}), size_class_count - 1);
}

TEST(size_class, SizesOfOneClassDifferByLessThanAFifth) {
  for (size_class c = 33; c + 1 < size_class_count; ++c)
    EXPECT_LT(static_cast<double>(least_size(c + 1)) / static_cast<double>(least_size(c)), 1.2);
  EXPECT_EQ(size_class_of(10U << 20U), size_class_of(11U << 20U));
  EXPECT_EQ(size_text(least_size(size_class_of(8U << 20U))), "8 MiB");
}

} // namespace
} // namespace homeostat
