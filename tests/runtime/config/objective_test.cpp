#include "runtime/config/objective.hpp"
#include "tests/runtime/config/row_name.hpp"

#include <gmock/gmock.h>

#include <cmath>

namespace homeostat {
namespace {

constraint_config constraint(const std::string& text) {
  return {.formula = margin_formula(text).value(), .text = text};
}

objective compiled(const objective_config& config) {
  auto o = objective::compile(config);
  if (!o) throw std::runtime_error(o.error().what);
  return std::move(*o);
}

TEST(Objective, LowerIsBetterEitherWay) {
  objective cost = compiled({.formula = "a + b", .maximize = false, .constraints = {}});
  objective gain = compiled({.formula = "a + b", .maximize = true, .constraints = {}});
  EXPECT_EQ(cost.evaluate({{"a", 1}, {"b", 2}}), 3);
  EXPECT_EQ(gain.evaluate({{"a", 1}, {"b", 2}}), -3);
}

TEST(Objective, TheScoreOfTheSreGuide) {
  // Source: "Systems & SRE", "Connection Pool Tuning": the solver gets the negative score.
  objective o = compiled(
      {.formula = "queries_per_second * 10 - p99_latency_ms - error_rate * 1000", .maximize = true, .constraints = {}});
  EXPECT_EQ(o.evaluate({{"queries_per_second", 50}, {"p99_latency_ms", 120}, {"error_rate", 0.01}}), -370);
}

TEST(Objective, MarginIsTheSmallestOfAllConstraints) {
  objective o =
      compiled({.formula = "x", .maximize = false, .constraints = {constraint("x <= 10"), constraint("y >= 2")}});
  EXPECT_EQ(o.margin({{"x", 4}, {"y", 3}}), 1);
  EXPECT_EQ(o.margin({{"x", 9.5}, {"y", 3}}), 0.5);
  EXPECT_EQ(o.margin({{"x", 12}, {"y", 1.5}}), -2);
  EXPECT_EQ(o.margin({{"x", 10}, {"y", 3}}), 0); // on the limit it holds
  EXPECT_THAT(o.metrics(), testing::ElementsAre("x", "y"));
}

TEST(Objective, WithoutConstraintsThereIsNoMargin) {
  objective o = compiled({.formula = "x", .maximize = false, .constraints = {}});
  const auto margin = o.margin({{"x", 4}});
  ASSERT_TRUE(margin.has_value());
  EXPECT_FALSE(margin->has_value());
}

TEST(Objective, AConstraintThatCannotBeCheckedIsAnError) {
  objective o =
      compiled({.formula = "x", .maximize = false, .constraints = {constraint("x <= 10"), constraint("y >= 2")}});
  const auto margin = o.margin({{"x", 4}});
  ASSERT_FALSE(margin.has_value());
  EXPECT_EQ(margin.error(), "formula '(y ) - ( 2)' needs the metric y, which the reading lacks; it has x");
}

struct margin_row {
  std::string text;
  std::string formula;
};
class Margin : public testing::TestWithParam<margin_row> {};
TEST_P(Margin, IsTheDistanceToTheLimit) { EXPECT_EQ(margin_formula(GetParam().text), GetParam().formula); }
INSTANTIATE_TEST_SUITE_P(Margins, Margin,
                         testing::Values(margin_row{"a<=1", "(1) - (a)"}, margin_row{"a>=1", "(a) - (1)"},
                                         margin_row{"a - b <= 2 * c", "( 2 * c) - (a - b )"},
                                         margin_row{"(a >= 1 ? 2 : 3) <= b", "( b) - ((a >= 1 ? 2 : 3) )"}));

struct wrong_margin_row {
  std::string name;
  std::string text;
  formula_error error;
};
class WrongMargin : public testing::TestWithParam<wrong_margin_row> {};
TEST_P(WrongMargin, IsRefused) {
  const auto margin = margin_formula(GetParam().text);
  ASSERT_FALSE(margin.has_value());
  EXPECT_EQ(margin.error().what, GetParam().error.what);
  EXPECT_EQ(margin.error().offset, GetParam().error.offset);
}
INSTANTIATE_TEST_SUITE_P(
    Margins, WrongMargin,
    testing::Values(wrong_margin_row{"NoComparison", "a", {"it does not compare by <= or >=", {}}},
                    wrong_margin_row{"Equality", "a == 1", {"it does not compare by <= or >=", {}}},
                    wrong_margin_row{"Strict", "a < 1", {"'<' has no margin, only <= and >= have", 2}},
                    wrong_margin_row{"Twice", "0 <= a <= 1", {"it compares twice", 7}},
                    wrong_margin_row{"NoLeftSide", "<= 1", {"it is empty", 0}},
                    wrong_margin_row{"NoRightSide", "a >=", {"it is empty", 4}},
                    wrong_margin_row{"OpenLeftSide", "(a <= 1", {"it does not compare by <= or >=", {}}},
                    wrong_margin_row{"BrokenRightSide", "a <= 1 +", {"it ends too early", 8}}),
    row_name);

// ---- digests ------------------------------------------------------------------------------------------------------

const instant noon{std::chrono::hours{12}};

reading observed(named_values metrics) {
  return {.begin = noon, .end = noon + 250ms, .sample_count = 10, .metrics = std::move(metrics)};
}

TEST(DigestOf, CarriesEverythingTheReadingTells) {
  objective o =
      compiled({.formula = "latency_p99_ms", .maximize = false, .constraints = {constraint("error_rate <= 0.5")}});
  const auto digest = digest_of(
      observed({{"latency_p99_ms", 12}, {"throughput_per_s", 900}, {"error_rate", 0.25}, {"extra", 1}}), o, 7, 3);
  ASSERT_TRUE(digest.has_value()) << digest.error();
  EXPECT_EQ(digest->at, noon + 250ms);
  EXPECT_EQ(digest->window, 250ms);
  EXPECT_EQ(digest->generation, 7U);
  EXPECT_EQ(digest->sequence, 3U);
  EXPECT_EQ(digest->sample_count, 10U);
  EXPECT_EQ(digest->objective, 12);
  EXPECT_EQ(digest->p99_latency_ms(), 12);
  EXPECT_EQ(digest->throughput_per_s(), 900);
  EXPECT_EQ(digest->error_rate(), 0.25);
  EXPECT_EQ(digest->constraint_margin(), 0.25);
}

TEST(DigestOf, WhatTheReadingLacksIsAbsentAndNotZero) {
  objective o = compiled({.formula = "x", .maximize = true, .constraints = {}});
  const auto digest = digest_of(observed({{"x", 5}}), o, 1, 1);
  ASSERT_TRUE(digest.has_value());
  EXPECT_EQ(digest->objective, -5);
  EXPECT_EQ(digest->measures, digest_measures{});
}

TEST(DigestOf, AReadingWithoutSamplesNeedsNoMetrics) {
  objective o = compiled({.formula = "x", .maximize = false, .constraints = {constraint("x <= 1")}});
  reading idle = observed({});
  idle.sample_count = 0;
  const auto digest = digest_of(idle, o, 2, 9);
  ASSERT_TRUE(digest.has_value()) << digest.error();
  EXPECT_EQ(digest->sample_count, 0U);
  EXPECT_EQ(digest->sequence, 9U);
  EXPECT_EQ(digest->measures, digest_measures{});
}

TEST(DigestOf, AMissingMetricIsAnError) {
  objective o = compiled({.formula = "x", .maximize = false, .constraints = {}});
  const auto digest = digest_of(observed({{"y", 1}}), o, 1, 1);
  ASSERT_FALSE(digest.has_value());
  EXPECT_EQ(digest.error(), "formula 'x' needs the metric x, which the reading lacks; it has y");
}

TEST(DigestOf, AMeasureThatIsNotFiniteIsAnErrorEvenIfNoFormulaUsesIt) {
  objective o = compiled({.formula = "x", .maximize = false, .constraints = {}});
  const auto digest = digest_of(observed({{"x", 1}, {"error_rate", std::nan("")}}), o, 1, 1);
  ASSERT_FALSE(digest.has_value());
  EXPECT_EQ(digest.error(), "metric error_rate is nan, expected a finite number");
}

} // namespace
} // namespace homeostat
