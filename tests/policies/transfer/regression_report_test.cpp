#include "policies/transfer/regression_report.hpp"

#include "tests/policies/row_name.hpp"
#include "tests/policies/transfer/transfer_rig.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace homeostat {
namespace {

using testing::window_source;

struct cause_row {
  const char* name;
  component_change change;
  regression_cause expected;
};
class causes : public ::testing::TestWithParam<cause_row> {};
TEST_P(causes, AreToldFromTheComponents) {
  const cause_verdict v = cause_of(GetParam().change);
  EXPECT_EQ(name_of(v.cause), name_of(GetParam().expected)) << v.evidence;
  EXPECT_GE(v.confidence, 0);
  EXPECT_LE(v.confidence, 1);
  EXPECT_FALSE(v.evidence.empty());
}
constexpr auto grpc = transfer_method::grpc;
constexpr auto shared = transfer_method::zero_copy;
INSTANTIATE_TEST_SUITE_P(
    , causes,
    ::testing::Values(cause_row{"DecidingTakesHalfOfIt",
                                {.method = grpc, .latency_us = 100, .decision_us = 50},
                                regression_cause::decision},
                      cause_row{"DecidingTakesLessThanHalf",
                                {.method = grpc, .latency_us = 100, .decision_us = 49},
                                regression_cause::network},
                      cause_row{"MemoryBecameShort",
                                {.method = shared, .latency_us = 100, .memory_pressure = 0.9, .memory_rise = 0.4},
                                regression_cause::memory},
                      cause_row{"MemoryWasShortBefore",
                                {.method = shared, .latency_us = 100, .memory_pressure = 0.9, .memory_rise = 0},
                                regression_cause::io},
                      cause_row{"MoreMemoryIsHeld",
                                {.method = grpc, .latency_us = 100, .memory_ratio = 1.3},
                                regression_cause::memory},
                      cause_row{"ProcessorsBecameBusy",
                                {.method = grpc, .latency_us = 100, .cpu_load = 0.95, .cpu_rise = 0.5},
                                regression_cause::processor},
                      cause_row{"GrpcWorksMore",
                                {.method = grpc, .latency_us = 100, .cpu_us = 80, .other_method_too = false},
                                regression_cause::serialisation},
                      cause_row{"GrpcWorksMoreAndNothingElseIsKnown",
                                {.method = grpc, .latency_us = 100, .cpu_us = 80},
                                regression_cause::serialisation},
                      cause_row{"BothWorkMore",
                                {.method = grpc, .latency_us = 100, .cpu_us = 80, .other_method_too = true},
                                regression_cause::processor},
                      cause_row{"SharingWorksMore",
                                {.method = shared, .latency_us = 100, .cpu_us = 80, .other_method_too = false},
                                regression_cause::memory},
                      cause_row{"GrpcWaits",
                                {.method = grpc, .latency_us = 100, .cpu_us = 10, .other_method_too = false},
                                regression_cause::network},
                      cause_row{"BothWait",
                                {.method = grpc, .latency_us = 100, .cpu_us = 10, .other_method_too = true},
                                regression_cause::io},
                      cause_row{"SharingWaits",
                                {.method = shared, .latency_us = 100, .cpu_us = 10, .other_method_too = false},
                                regression_cause::io},
                      cause_row{"NothingWasAdded", {.method = grpc, .latency_us = 0}, regression_cause::unknown},
                      cause_row{"ProcessorTimeFell",
                                {.method = grpc, .latency_us = 100, .cpu_us = -50, .other_method_too = false},
                                regression_cause::network}),
    by_name);

/// A pool with some sizes and both methods, two hours old when the test begins.
struct pool {
  std::map<series_key, window_source> sources;
  std::map<series_key, performance_baseline> baselines;
  std::map<series_key, std::vector<metrics_window>> recent;
  std::vector<generation_start> starts;

  explicit pool(std::uint64_t seed, double noise = 0.03) {
    for (size_class size = 90; size < 98; ++size)
      for (const auto method : transfer_methods) {
        const series_key key{.size = size, .type = data_type::tensor, .method = method};
        sources[key] = {.rng = chacha8_rng(seed, static_cast<std::uint64_t>(size * 2) + (method == grpc ? 0 : 1)),
                        .level_us = 100.0 * size,
                        .noise = noise};
      }
    run(2h);
    recent.clear();
  }
  void run(duration for_how_long) {
    for (auto& [key, source] : sources)
      for (const instant end = source.at + for_how_long; source.at < end;) {
        recent[key].push_back(source.next());
        observe(baselines[key], recent[key].back(), starts, {});
      }
  }
  template <class change> void change_if(transfer_method method, change what) {
    for (auto& [key, source] : sources)
      if (key.method == method) what(source);
  }
  [[nodiscard]] instant now() const { return sources.begin()->second.at; }
  [[nodiscard]] regression_report report(const report_settings& s = {}) const {
    return report_regressions(baselines, recent, starts, s, now());
  }
};

TEST(regression_report, ASlowerMethodIsFoundWithItsSizesCauseAndBeginning) {
  pool p(1);
  p.run(20min);
  const instant began = p.now();
  p.starts.push_back({.generation = 2, .at = began});
  p.change_if(grpc, [](window_source& s) { s.level_us *= 1.5, s.cpu_share = 0.6, s.generation = 2; });
  p.run(12min);
  const regression_report r = p.report();
  ASSERT_EQ(r.findings.size(), 8U);
  EXPECT_EQ(r.methods, std::vector{grpc});
  EXPECT_EQ(r.least_size, size_class{90});
  EXPECT_EQ(r.last_size, size_class{97});
  EXPECT_EQ(r.tests, 64U) << "16 series, two measures, a short and a long time";
  for (const regression_finding& f : r.findings) {
    EXPECT_NEAR(f.ratio, 1.5, 0.08);
    EXPECT_LE(f.ratio_low, f.ratio);
    EXPECT_GE(f.ratio_high, f.ratio);
    EXPECT_GT(f.ratio_low, 1.2);
    EXPECT_EQ(name_of(f.cause.cause), "serialisation") << describe(f);
    EXPECT_EQ(f.began, began);
    EXPECT_EQ(f.generation, 2U);
    EXPECT_EQ(f.measure, regressed_measure::latency_p50);
  }
  EXPECT_GT(r.findings.front().series.size, r.findings.back().series.size) << "the largest cost the most time";
  EXPECT_NE(describe(r.findings[0]).find("likely serialisation"), std::string::npos);
}

TEST(regression_report, ATailAloneIsFoundAsATail) {
  pool p(2);
  p.change_if(shared, [](window_source& s) { s.tail = 4.5; });
  p.run(15min);
  const regression_report r = p.report();
  ASSERT_EQ(r.findings.size(), 8U);
  for (const regression_finding& f : r.findings) EXPECT_EQ(f.measure, regressed_measure::latency_p95);
}

TEST(regression_report, LessThanTheThresholdIsNoFindingHoweverSure) {
  pool p(3, 0.005);
  p.change_if(grpc, [](window_source& s) { s.level_us *= 1.15; });
  p.run(60min);
  EXPECT_TRUE(p.report().findings.empty());
  EXPECT_EQ(p.report({.threshold = 0.1}).findings.size(), 8U);
}

TEST(regression_report, ABeginningFarFromAnyChangeIsLaidToNone) {
  pool p(4);
  p.starts.push_back({.generation = 2, .at = p.now()});
  p.change_if(grpc, [](window_source& s) { s.generation = 2; });
  p.run(30min);
  p.change_if(grpc, [](window_source& s) { s.level_us *= 1.6; });
  p.run(12min);
  ASSERT_FALSE(p.report().findings.empty());
  for (const regression_finding& f : p.report().findings) EXPECT_EQ(f.generation, std::nullopt);
}

TEST(regression_report, TooFewOrOldWindowsAreNotJudged) {
  pool p(5);
  p.change_if(grpc, [](window_source& s) { s.level_us *= 2; });
  p.run(4min);
  EXPECT_EQ(p.report().unjudged, 16U);
  EXPECT_TRUE(p.report().findings.empty());
  p.run(8min);
  EXPECT_EQ(p.report().unjudged, 0U);
  EXPECT_EQ(report_regressions(p.baselines, p.recent, {}, {}, p.now() + 7h).unjudged, 16U);
}

TEST(regression_report, HealthyPoolsAlmostNeverHaveAFinding) {
  int findings = 0, reports = 0;
  for (std::uint64_t seed = 100; seed < 120; ++seed) {
    pool p(seed, 0.15); // loud: single windows are off by 20 % every tenth minute
    for (int i = 0; i < 10; ++i, ++reports) {
      p.run(10min);
      findings += p.report().findings.empty() ? 0 : 1;
    }
  }
  EXPECT_LE(findings, reports / 100) << "of " << reports;
}

/// Lets every series swing by itself: neighbouring minutes are correlated by 0.7, one minute in six is off by a tenth.
void run_swinging(pool& p, std::map<series_key, double>& swing, int minutes, double level) {
  for (int i = 0; i < minutes; ++i) {
    for (auto& [key, source] : p.sources) {
      swing[key] = 0.7 * swing[key] + 0.1 * std::sqrt(1 - 0.49) * normal(source.rng);
      source.level_us = 100.0 * key.size * std::exp(swing[key]) * (key.method == grpc ? level : 1);
    }
    p.run(1min);
  }
}

TEST(regression_report, SeriesThatSwingByThemselvesHaveFewFindingsUntilTheyRegress) {
  int alarms = 0, reports = 0, found = 0;
  for (std::uint64_t seed = 300; seed < 306; ++seed) {
    pool p(seed, 0.02);
    std::map<series_key, double> swing;
    run_swinging(p, swing, 150, 1); // the baseline learns how much it swings
    for (int i = 0; i < 10; ++i, ++reports) {
      run_swinging(p, swing, 10, 1);
      alarms += p.report().findings.empty() ? 0 : 1;
    }
    run_swinging(p, swing, 45, 1.5);
    for (const regression_finding& f : p.report().findings) found += f.series.method == grpc ? 1 : 0;
  }
  std::printf("swinging: %d of %d reports with an alarm, %d of 48 regressions found\n", alarms, reports, found);
  EXPECT_LE(alarms, 2);
  EXPECT_GE(found, 43);
}

TEST(regression_report, ALoudSeriesThatGotThirtyPercentSlowerIsFound) {
  int found = 0;
  for (std::uint64_t seed = 200; seed < 220; ++seed) {
    pool p(seed, 0.10);
    p.change_if(grpc, [](window_source& s) { s.level_us *= 1.35; });
    p.run(15min);
    for (const regression_finding& f : p.report().findings) found += f.series.method == grpc ? 1 : 0;
  }
  EXPECT_GE(found, 20 * 8 * 9 / 10);
}

} // namespace
} // namespace homeostat
