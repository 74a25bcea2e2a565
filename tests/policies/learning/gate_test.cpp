// The figures a model is judged by, and the gate at each of its limits.
#include "policies/learning/gate.hpp"
#include "policies/search/chacha8.hpp"
#include "tests/policies/row_name.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace homeostat {
namespace {

using testing::HasSubstr;

std::vector<judged_choice> choices(std::size_t count, std::size_t right, double confidence) {
  std::vector<judged_choice> all(count, {.confidence = confidence, .right = false});
  for (std::size_t i = 0; i < right; ++i) all[i].right = true;
  return all;
}
std::vector<judged_latency> latencies(std::size_t count, std::size_t within) {
  std::vector<judged_latency> all(count, {.predicted_us = 200, .actual_us = 100});
  for (std::size_t i = 0; i < within; ++i) all[i].predicted_us = 100;
  return all;
}

TEST(Calibration, ToleranceIncludesItsEdge) {
  EXPECT_TRUE(is_within({.predicted_us = 115, .actual_us = 100}, 0.15));
  EXPECT_TRUE(is_within({.predicted_us = 85, .actual_us = 100}, 0.15));
  EXPECT_FALSE(is_within({.predicted_us = 115.001, .actual_us = 100}, 0.15));
  EXPECT_FALSE(is_within({.predicted_us = 84.999, .actual_us = 100}, 0.15));
  EXPECT_FALSE(is_within({.predicted_us = 0, .actual_us = 0}, 0.15));
  EXPECT_FALSE(is_within({.predicted_us = std::numeric_limits<double>::quiet_NaN(), .actual_us = 1}, 0.15));
}

TEST(Calibration, ErrorOfAKnownDiagram) {
  EXPECT_EQ(expected_calibration_error({}), 0);
  EXPECT_NEAR(expected_calibration_error(choices(100, 90, 0.9)), 0, 1e-12) << "0.9, right nine times in ten";
  EXPECT_NEAR(expected_calibration_error(choices(100, 50, 0.95)), 0.45, 1e-12) << "far too sure";
  auto two = choices(100, 100, 0.62); // too modest by 0.38
  const auto half = choices(300, 240, 0.85);
  two.insert(two.end(), half.begin(), half.end()); // too sure by 0.05
  EXPECT_NEAR(expected_calibration_error(two), (100 * 0.38 + 300 * 0.05) / 400, 1e-12);
}

TEST(Calibration, HonestConfidenceHasASmallErrorEvenWithFewChoices) {
  chacha8_rng rng(1);
  double sum = 0;
  for (int round = 0; round < 200; ++round) {
    std::vector<judged_choice> all(100);
    for (judged_choice& c : all) {
      c.confidence = 0.9 + 0.1 * rng.uniform();
      c.right = rng.uniform() < c.confidence;
    }
    sum += expected_calibration_error(all);
  }
  EXPECT_LT(sum / 200, 0.05) << "or the gate's bound would refuse honest models";
}

struct gate_row {
  std::string name;
  std::vector<judged_choice> choices;
  std::vector<judged_latency> latencies;
  bool passed;
  std::string words;
};
void PrintTo(const gate_row& row, std::ostream* out) { *out << row.name; }

class Gate : public testing::TestWithParam<gate_row> {};
TEST_P(Gate, JudgesEachFigure) {
  const gate_row& row = GetParam();
  const gate_result r = pass_gate(row.choices, row.latencies, {});
  EXPECT_EQ(r.passed, row.passed) << r.text();
  EXPECT_THAT(r.text(), HasSubstr(row.words));
  std::size_t failed = 0;
  for (const gate_figure& f : r.figures) failed += f.passed ? 0 : 1;
  EXPECT_EQ(failed, row.passed ? 0U : 1U) << r.text();
}
INSTANTIATE_TEST_SUITE_P(
    All, Gate,
    testing::Values(
        gate_row{"GoodModel", choices(1000, 950, 0.95), latencies(1000, 950), true, "passed"},
        gate_row{"AccuracyOnItsLimit", choices(1000, 900, 0.9), latencies(1000, 950), false,
                 "FAILED: 90 % of 1000 method"},
        gate_row{"AccuracyJustAbove", choices(1000, 901, 0.9), latencies(1000, 950), true, "90.1 % of 1000"},
        gate_row{"LatencyOnItsLimit", choices(1000, 950, 0.95), latencies(1000, 900), true, "90 % of 1000 latencies"},
        gate_row{"LatencyJustBelow", choices(1000, 950, 0.95), latencies(1000, 899), false,
                 "FAILED: 89.9 % of 1000 lat"},
        gate_row{"TooModest", choices(1000, 1000, 0.8999), latencies(1000, 950), false, "FAILED: expected calibration"},
        gate_row{"JustModestEnough", choices(1000, 1000, 0.9001), latencies(1000, 950), true, "error 0.0999"},
        gate_row{"TooSure", choices(1000, 901, 1 + 0.0011), latencies(1000, 950), false,
                 "FAILED: expected calibration"},
        gate_row{"EnoughChoices", choices(100, 95, 0.95), latencies(1000, 950), true, "100 choices could"},
        gate_row{"TooFewChoices", choices(99, 95, 0.95), latencies(1000, 950), false, "FAILED: 99 choices could"},
        gate_row{"EnoughLatencies", choices(1000, 950, 0.95), latencies(200, 190), true, "200 latencies could"},
        gate_row{"TooFewLatencies", choices(1000, 950, 0.95), latencies(199, 190), false,
                 "FAILED: 199 latencies could"}),
    by_name);

TEST(Gate, NothingJudgedIsARefusal) {
  const gate_result r = pass_gate({}, {}, {});
  EXPECT_FALSE(r.passed);
  EXPECT_THAT(r.text(), HasSubstr("FAILED: 0 choices"));
}

} // namespace
} // namespace homeostat
