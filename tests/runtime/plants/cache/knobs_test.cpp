#include "runtime/plants/cache/knobs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <sstream>
#include <string>

namespace homeostat::cache {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

const named_values good{{"cache_ttl_ms", 137.25}, {"workers", 7}, {"batch_size", 3}};

struct row {
  const char* name;
  const char* knob;
  double value;
  bool accepted;
};

class KnobBounds : public testing::TestWithParam<row> {};

TEST_P(KnobBounds, AreHard) {
  auto wanted = good;
  wanted[GetParam().knob] = GetParam().value;
  const auto parsed = parse_knobs(wanted);
  ASSERT_EQ(parsed.has_value(), GetParam().accepted);
  if (parsed)
    EXPECT_EQ(named(*parsed), wanted) << "nothing is rounded or clamped in silence";
  else
    EXPECT_THAT(parsed.error().what, testing::HasSubstr(GetParam().knob));
}

INSTANTIATE_TEST_SUITE_P(
    , KnobBounds,
    testing::Values(row{"ShortestTtl", "cache_ttl_ms", 20, true},
                    row{"BelowTheShortestTtl", "cache_ttl_ms", 19.999, false},
                    row{"LongestTtl", "cache_ttl_ms", 2000, true},
                    row{"AboveTheLongestTtl", "cache_ttl_ms", 2000.001, false},
                    row{"FractionalTtl", "cache_ttl_ms", 33.3, true}, row{"NotANumber", "cache_ttl_ms", nan, false},
                    row{"FewestWorkers", "workers", 1, true}, row{"NoWorkers", "workers", 0, false},
                    row{"MostWorkers", "workers", 16, true}, row{"TooManyWorkers", "workers", 17, false},
                    row{"HalfAWorker", "workers", 3.5, false}, row{"SmallestBatch", "batch_size", 1, true},
                    row{"EmptyBatch", "batch_size", 0, false}, row{"LargestBatch", "batch_size", 64, true},
                    row{"TooLargeBatch", "batch_size", 65, false}, row{"FractionalBatch", "batch_size", 8.25, false}),
    [](const auto& r) { return r.param.name; });

TEST(Knobs, AMissingKnobIsNamed) {
  auto wanted = good;
  wanted.erase("workers");
  const auto parsed = parse_knobs(wanted);
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().what,
            "cache service: knob workers is missing, expected a whole number from 1 to 16 threads");
}

TEST(Knobs, AnUnknownKnobIsNamed) {
  auto wanted = good;
  wanted["shards"] = 4;
  const auto parsed = parse_knobs(wanted);
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().what,
            "cache service: unknown knob shards = 4, expected cache_ttl_ms, workers and batch_size");
}

TEST(Knobs, TheShippedSetIsAllowedAndInside) {
  const auto parsed = parse_knobs(named(cache_knobs{}));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(*parsed, cache_knobs{});
  for (const auto& fact : knob_facts) {
    EXPECT_EQ(fact.shipped, named(cache_knobs{}).at(std::string(fact.name)));
    EXPECT_GT(fact.shipped, fact.minimum);
    EXPECT_LT(fact.shipped, fact.maximum);
  }
}

/// Evaluates sums of "metric" and "number * metric", which is all the formula uses.
double evaluate(const std::string& formula, const named_values& metrics) {
  std::istringstream words(formula);
  double sum = 0;
  double factor = 1;
  for (std::string word; words >> word;) {
    if (word == "+" || word == "*") continue;
    if (metrics.contains(word)) {
      sum += factor * metrics.at(word);
      factor = 1;
    } else {
      factor = std::stod(word);
    }
  }
  return sum;
}

TEST(Objective, IsItsFormula) {
  const named_values metrics{
      {"latency_mean_ms", 21.5}, {"stale_ratio", 0.0625}, {"error_rate", 0.03125}, {"origin_load", 4.75}};
  EXPECT_DOUBLE_EQ(objective_of(metrics), evaluate(std::string(objective_formula), metrics));
  for (const auto& [name, value] : metrics) {
    auto less = metrics;
    less.erase(name);
    EXPECT_TRUE(std::isnan(objective_of(less))) << name << " = " << value << " is missing";
  }
}

} // namespace
} // namespace homeostat::cache
