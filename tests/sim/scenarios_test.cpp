// The five ways in which feedback runs away, both sides of each: without its mitigation the plant really runs away, and
// with it it does not.
#include "sim/scenarios/runaway.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace homeostat::sim {
namespace {

runaway_scenario run(std::string_view name) {
  auto s = run_runaway(name);
  EXPECT_TRUE(s) << name;
  return s.value_or(runaway_scenario{});
}

TEST(Runaway, OscillationBetweenTwoMetrics) {
  const runaway_scenario s = run("oscillation");
  EXPECT_GT(s.figure("changes a day").without, 200) << "without cooldown, hysteresis and a look at both metrics";
  EXPECT_GT(s.figure("reversals a day").without, 200);
  EXPECT_LE(s.figure("changes a day").with, 2);
  EXPECT_EQ(s.figure("reversals a day").with, 0);
}

TEST(Runaway, NoiseIsAmplifiedByColdStarts) {
  const runaway_scenario s = run("noise");
  EXPECT_EQ(s.figure("concurrency at the end").without, 200) << "one noisy reading is enough, each step makes the next";
  EXPECT_GT(s.figure("latency at the end, ms").without, 250);
  EXPECT_EQ(s.figure("concurrency at the end").with, 20) << "noise does not persist";
  EXPECT_EQ(s.figure("latency at the end, ms").with, 100);
}

TEST(Runaway, TheMetricIsGamedByRejectingSlowRequests) {
  const runaway_scenario s = run("gaming");
  EXPECT_LE(s.figure("p50 at the end, ms").without, 25) << "p50 looks great";
  EXPECT_GT(s.figure("rejected at the end, share").without, 0.4) << "four in ten are rejected";
  EXPECT_LT(s.figure("goodput, share of all requests").without, 0.8);
  EXPECT_LE(s.figure("rejected at the end, share").with, 0.01) << "the governor takes back what breaks the invariant";
  EXPECT_GT(s.figure("goodput, share of all requests").with, 0.97);
}

TEST(Runaway, AChangeCascadesThroughThreeServices) {
  const runaway_scenario s = run("cascade");
  EXPECT_EQ(s.figure("services that changed").without, 3) << "b and c react to nothing but transients";
  EXPECT_EQ(s.figure("services that changed").with, 1) << "only the service that really had the load";
  EXPECT_EQ(s.figure("changes that answered a transient").with, 0);
}

TEST(Runaway, DriftAwayFromTheTestedSet) {
  const runaway_scenario s = run("drift");
  const runaway_figure farthest = s.figure("farthest from the tested set, ranges over three knobs");
  EXPECT_GT(farthest.without, 1.5) << "three knobs, each more than half of its range away";
  EXPECT_LT(farthest.with, 0.75) << "caps, and the way back every three days";
  EXPECT_EQ(s.figure("returns to the tested values").without, 0);
  EXPECT_GE(s.figure("returns to the tested values").with, 9);
}

TEST(Runaway, EveryScenarioIsShownWithBothSides) {
  EXPECT_EQ(runaway_names().size(), 5U);
  EXPECT_FALSE(run_runaway("nothing"));
  EXPECT_THAT(as_table(run("cascade")), ::testing::HasSubstr("without"));
}

} // namespace
} // namespace homeostat::sim
