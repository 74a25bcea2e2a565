#include "policies/transfer/performance_baseline.hpp"

#include "tests/policies/row_name.hpp"
#include "tests/policies/transfer/transfer_rig.hpp"

#include <gtest/gtest.h>

#include <map>

namespace homeostat {
namespace {

using testing::epoch;
using testing::window_source;

/// One series under observation.
struct world {
  window_source source{.rng = chacha8_rng(1)};
  performance_baseline baseline;
  std::vector<generation_start> starts;
  baseline_settings settings;
  std::map<window_verdict, int> seen;

  void run(duration for_how_long) {
    for (const instant end = source.at + for_how_long; source.at < end;)
      ++seen[observe(baseline, source.next(), starts, settings)];
  }
  void change_configuration() { starts.push_back({.generation = ++source.generation, .at = source.at}); }
  [[nodiscard]] double p50() const { return baseline.p50_us().value_or(0); }
};

TEST(performance_baseline, FormsFromTheFirstSteadyWindows) {
  world w;
  w.run(29min);
  EXPECT_FALSE(w.baseline.anchor);
  w.run(1min);
  ASSERT_TRUE(w.baseline.anchor);
  EXPECT_NEAR(w.p50(), 100, 3);
  EXPECT_EQ(w.seen[window_verdict::formed], 1);
}

TEST(performance_baseline, IsNotFormedOnASlope) {
  world w;
  for (int i = 0; i < 60; ++i) {
    w.source.level_us *= 1.03;
    w.run(1min);
  }
  EXPECT_FALSE(w.baseline.anchor);
  w.run(1h);
  ASSERT_TRUE(w.baseline.anchor);
  EXPECT_NEAR(w.p50() / w.source.level_us, 1, 0.05);
}

TEST(performance_baseline, AcceptsWhatTheSeriesUsuallyDoes) {
  world w;
  w.source.noise = 0.08;
  w.run(24h);
  const double share = static_cast<double>(w.baseline.accepted) / (24 * 60 - 30);
  EXPECT_GT(share, 0.95) << "a truncated baseline would look calmer than the series is";
  EXPECT_EQ(w.baseline.windows.size(), w.settings.max_windows);
}

/// What comes over a healthy series, and whether it may move the anchor.
struct sick_row {
  const char* name;
  void (*happens)(world&);
  bool moves;
};
class happenings : public ::testing::TestWithParam<sick_row> {};
TEST_P(happenings, MoveTheAnchorOnlyIfTheyMay) {
  world w;
  w.run(2h);
  const double before = w.p50();
  GetParam().happens(w);
  EXPECT_EQ(w.p50() != before, GetParam().moves) << before << " " << w.p50();
  EXPECT_EQ(w.baseline.history.size(), GetParam().moves ? 2U : 1U);
}
INSTANTIATE_TEST_SUITE_P(
    , happenings,
    ::testing::Values(
        sick_row{"AWeekOfSicknessDoesNot", [](world& w) { w.source.level_us = 150, w.run(24h * 7); }, false},
        sick_row{"AWeekOfBeingFasterDoesNot", [](world& w) { w.source.level_us = 60, w.run(24h * 7); }, false},
        sick_row{"CreepingByAPercentAnHourDoesNot",
                 [](world& w) {
                   for (int i = 0; i < 72; ++i) w.source.level_us *= 1.01, w.run(1h);
                 },
                 false},
        sick_row{"ANewLevelFromAChangeThatHeldDoes",
                 [](world& w) { w.change_configuration(), w.source.level_us = 150, w.run(25h); }, true},
        sick_row{"ANewLevelFromAChangeThatHasNotHeldYetDoesNot",
                 [](world& w) { w.change_configuration(), w.source.level_us = 150, w.run(23h); }, false},
        sick_row{"ANewLevelLongAfterAChangeDoesNot",
                 [](world& w) { w.change_configuration(), w.run(1h), w.source.level_us = 150, w.run(48h); }, false},
        sick_row{"AChangeInTheMiddleOfSicknessDoesNot",
                 [](world& w) { w.source.level_us = 150, w.run(1h), w.change_configuration(), w.run(48h); }, false},
        sick_row{
            "ALevelThatFailsTransfersDoesNot",
            [](world& w) { w.change_configuration(), w.source.level_us = 150, w.source.failures = 0.05, w.run(48h); },
            false},
        sick_row{"ALevelUnderPressureDoesNot",
                 [](world& w) {
                   w.change_configuration(), w.source.level_us = 150, w.source.memory_pressure = 0.9, w.run(48h);
                 },
                 false},
        sick_row{"ALevelThatWorsensWhileItIsWatchedDoesNot",
                 [](world& w) {
                   w.change_configuration();
                   for (int i = 0; i < 30; ++i) w.source.level_us *= 1.05, w.run(1h);
                 },
                 false},
        sick_row{"ALevelThatComesAndGoesDoesNot",
                 [](world& w) {
                   w.change_configuration();
                   for (int i = 0; i < 30; ++i) w.source.level_us = i % 3 == 2 ? 100 : 150, w.run(1h);
                 },
                 false},
        sick_row{"LaterChangesDoNotInterruptALevel",
                 [](world& w) {
                   w.source.level_us = 150;
                   for (int i = 0; i < 25; ++i) w.change_configuration(), w.run(1h);
                 },
                 true},
        sick_row{"AFewStrayWindowsDoNotInterruptALevel",
                 [](world& w) {
                   w.change_configuration();
                   for (int i = 0; i < 25; ++i) {
                     w.source.level_us = 150, w.run(57min);
                     w.source.level_us = 100, w.run(3min);
                   }
                   w.source.level_us = 150, w.run(1h);
                 },
                 true}),
    by_name);

TEST(performance_baseline, APersonMayAcceptALevel) {
  world w;
  w.run(1h);
  w.source.level_us = 150;
  std::vector<metrics_window> windows;
  for (int i = 0; i < 9; ++i) windows.push_back(w.source.next());
  EXPECT_FALSE(accept_baseline(w.baseline, windows, "ann", w.source.at, w.settings));
  for (int i = 0; i < 11; ++i) windows.push_back(w.source.next());
  ASSERT_TRUE(accept_baseline(w.baseline, windows, "ann", w.source.at, w.settings));
  EXPECT_NEAR(w.p50(), 150, 5);
  EXPECT_EQ(w.baseline.history.back().why, "accepted by ann");
  w.run(1h);
  EXPECT_EQ(w.baseline.out_of_band, 0U);
}

TEST(performance_baseline, WindowsOutOfOrderAreCountedAndIgnored) {
  world w;
  w.run(1h);
  const performance_baseline before = w.baseline;
  w.source.at = epoch;
  EXPECT_EQ(observe(w.baseline, w.source.next(), {}, w.settings), window_verdict::out_of_order);
  EXPECT_EQ(w.baseline.windows, before.windows);
  EXPECT_EQ(w.baseline.out_of_order, 1U);
}

TEST(performance_baseline, HoldsABoundedNumberOfEverything) {
  world w;
  w.run(2h);
  for (int month = 0; month < 12; ++month) {
    w.change_configuration();
    w.source.level_us = month % 2 == 0 ? 150 : 100;
    w.run(30h);
    EXPECT_LE(w.baseline.windows.size(), w.settings.max_windows);
  }
  EXPECT_LE(w.baseline.history.size(), 8U);
}

struct setting_row {
  const char* name;
  void (*set)(baseline_settings&);
  bool good;
};
class baseline_setting : public ::testing::TestWithParam<setting_row> {};
TEST_P(baseline_setting, IsChecked) {
  baseline_settings s;
  GetParam().set(s);
  EXPECT_EQ(check(s).has_value(), GetParam().good);
}
INSTANTIATE_TEST_SUITE_P(
    , baseline_setting,
    ::testing::Values(setting_row{"Defaults", [](baseline_settings&) {}, true},
                      setting_row{"NineWindows", [](baseline_settings& s) { s.min_windows = 9; }, false},
                      setting_row{"TenWindows", [](baseline_settings& s) { s.min_windows = 10; }, true},
                      setting_row{"MostBelowLeast", [](baseline_settings& s) { s.max_windows = 29; }, false},
                      setting_row{"NoBand", [](baseline_settings& s) { s.band = 0; }, false},
                      setting_row{"BandBeyondTheWidest", [](baseline_settings& s) { s.band = 0.51; }, false},
                      setting_row{"BandThatIsNone", [](baseline_settings& s) { s.band = std::nan(""); }, false},
                      setting_row{"AllMayFail", [](baseline_settings& s) { s.most_failures = 1; }, false},
                      setting_row{"ShortHold", [](baseline_settings& s) { s.hold = 59min; }, false}),
    by_name);

} // namespace
} // namespace homeostat
