// When digests make a window, and which digests are fit to (I6, I10).
#include "policies/telemetry/window.hpp"
#include "tests/policies/row_name.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <ostream>
#include <set>
#include <string>

namespace homeostat {
namespace {

constexpr instant t0{std::chrono::seconds(1'800'000'000)};
constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double inf = std::numeric_limits<double>::infinity();

sensor_state live_since(instant applied_at, std::uint64_t generation = 3) {
  sensor_state s;
  begin_generation(s, {}, generation, applied_at);
  return s;
}

/// A good digest: 100 ms that end now, well after the generation has settled.
telemetry_digest digest_at(instant at, double objective = 10, std::uint64_t sequence = 1) {
  telemetry_digest d;
  d.at = at;
  d.window = 100ms;
  d.sequence = sequence;
  d.generation = 3;
  d.sample_count = 20;
  d.objective = objective;
  return d;
}

// ---- faults
// --------------------------------------------------------------------------------------------------------------

struct fault_row {
  std::string name;
  std::function<void(telemetry_digest&)> given; ///< what is changed of a good digest that arrives at t0 + 10 s
  std::string expected;                         ///< the fault, "" for none
};
void PrintTo(const fault_row& row, std::ostream* out) { *out << row.name; }

class DigestFault : public testing::TestWithParam<fault_row> {};
TEST_P(DigestFault, IsFoundAndCounted) {
  const window_settings settings;
  sensor_state s = live_since(t0);
  const instant now = t0 + 10s;
  telemetry_digest first = digest_at(now - 3s, 10, 100);
  ASSERT_FALSE(take(s, settings, first, now));
  ASSERT_EQ(s.accepted, 1U);
  telemetry_digest d = digest_at(now, 10, 101);
  GetParam().given(d);
  const auto fault = judge(s, settings, d, now);
  EXPECT_EQ(fault ? std::string(name_of(*fault)) : "", GetParam().expected);
  const objective_window before = s.partial;
  take(s, settings, d, now);
  std::uint64_t faults = 0;
  for (std::uint64_t n : s.faults) faults += n;
  EXPECT_EQ(faults, fault ? 1U : 0U);
  EXPECT_EQ(s.accepted, fault ? 1U : 2U);
  if (fault) {
    EXPECT_EQ(s.faults[static_cast<std::size_t>(*fault)], 1U);
    EXPECT_EQ(s.partial, before) << "a faulty digest leaves no trace";
    EXPECT_EQ(s.last_sequence, 100U);
  }
}

constexpr instant arrival = t0 + 10s;
const std::vector<fault_row> fault_rows{
    {"GoodOne", [](telemetry_digest&) {}, ""},
    {"OlderGeneration", [](telemetry_digest& d) { d.generation = 2; }, "other_generation"},
    {"NewerGeneration", [](telemetry_digest& d) { d.generation = 4; }, "other_generation"},
    {"EndsNow", [](telemetry_digest& d) { d.at = arrival; }, ""},
    {"EndsInTheFuture", [](telemetry_digest& d) { d.at = arrival + 1us; }, "from_the_future"},
    {"EndsInTheFarthestFuture", [](telemetry_digest& d) { d.at = instant::max(); }, "from_the_future"},
    {"OldestThatCounts", [](telemetry_digest& d) { d.at = arrival - 3s + 1us; }, ""},
    {"JustStale", [](telemetry_digest& d) { d.at = arrival - 5s - 1us; }, "stale"},
    {"NotStaleButOutOfOrder", [](telemetry_digest& d) { d.at = arrival - 5s; }, "out_of_order"},
    {"FromTheFarthestPast", [](telemetry_digest& d) { d.at = instant::min(); }, "stale"},
    {"SameSequence", [](telemetry_digest& d) { d.sequence = 100; }, "out_of_order"},
    {"LowerSequence", [](telemetry_digest& d) { d.sequence = 99; }, "out_of_order"},
    {"LostSequencesAreNoFault", [](telemetry_digest& d) { d.sequence = 1000; }, ""},
    {"SameTime", [](telemetry_digest& d) { d.at = arrival - 3s; }, "out_of_order"},
    {"NoSamples", [](telemetry_digest& d) { d.sample_count = 0; }, "empty"},
    {"OneSample", [](telemetry_digest& d) { d.sample_count = 1; }, ""},
    {"NoLength", [](telemetry_digest& d) { d.window = 0us; }, "empty"},
    {"NegativeLength", [](telemetry_digest& d) { d.window = -1us; }, "empty"},
    {"ShortestLength", [](telemetry_digest& d) { d.window = 1us; }, ""},
    {"BegunBeforeItSettled", [](telemetry_digest& d) { d.window = 10s - 10ms + 1us; }, "settling"},
    {"BegunWhenItHadSettled", [](telemetry_digest& d) { d.window = 10s - 10ms; }, ""},
    {"LongestLength", [](telemetry_digest& d) { d.window = duration::max(); }, "settling"},
    {"ObjectiveNaN", [](telemetry_digest& d) { d.objective = nan; }, "not_finite"},
    {"ObjectiveInfinite", [](telemetry_digest& d) { d.objective = -inf; }, "not_finite"},
    {"LatencyNaN", [](telemetry_digest& d) { d.measures.set(digest_measure::p99_latency_ms, nan); }, "not_finite"},
    {"ThroughputInfinite", [](telemetry_digest& d) { d.measures.set(digest_measure::throughput_per_s, inf); },
     "not_finite"},
    {"ErrorRateNaN", [](telemetry_digest& d) { d.measures.set(digest_measure::error_rate, nan); }, "not_finite"},
    {"MarginInfinite", [](telemetry_digest& d) { d.measures.set(digest_measure::constraint_margin, -inf); },
     "not_finite"},
    {"NoNumberOutranksNoSamples", [](telemetry_digest& d) { d.objective = nan, d.sample_count = 0; }, "not_finite"},
};
INSTANTIATE_TEST_SUITE_P(Rows, DigestFault, testing::ValuesIn(fault_rows), by_name);

TEST(DigestFaults, RowsCoverEveryFaultAndNamesDiffer) {
  std::set<std::string> expected, names;
  for (const fault_row& row : fault_rows)
    if (!row.expected.empty()) expected.insert(row.expected);
  for (std::size_t i = 0; i < digest_fault_count; ++i) names.insert(std::string(name_of(static_cast<digest_fault>(i))));
  EXPECT_EQ(expected, names);
  EXPECT_EQ(names.size(), digest_fault_count);
}

// ---- closing
// -------------------------------------------------------------------------------------------------------------

/// Feeds digests of this length one after the other. @returns the digests of each window that closed.
std::vector<std::uint32_t> windows_of(const window_settings& settings, duration length, int digests) {
  sensor_state s = live_since(t0);
  std::vector<std::uint32_t> closed;
  instant at = t0 + 1s;
  for (int i = 0; i < digests; ++i, at += length) {
    telemetry_digest d = digest_at(at, 10, static_cast<std::uint64_t>(i) + 1);
    d.window = length;
    if (auto w = take(s, settings, d, at)) closed.push_back(w->digests);
  }
  return closed;
}

TEST(Window, ClosesByCount) {
  EXPECT_EQ(windows_of({}, 10ms, 4), (std::vector<std::uint32_t>{}));
  EXPECT_EQ(windows_of({}, 10ms, 5), (std::vector<std::uint32_t>{5}));
  EXPECT_EQ(windows_of({}, 10ms, 12), (std::vector<std::uint32_t>{5, 5}));
  window_settings single;
  single.digests = 1;
  EXPECT_EQ(windows_of(single, 10ms, 3), (std::vector<std::uint32_t>{1, 1, 1}));
}

TEST(Window, ClosesBySpan) {
  EXPECT_EQ(windows_of({}, 250ms, 4), (std::vector<std::uint32_t>{2, 2})) << "exactly 500 ms";
  EXPECT_EQ(windows_of({}, 249ms, 3), (std::vector<std::uint32_t>{3})) << "498 ms are not enough";
  EXPECT_EQ(windows_of({}, 500ms, 2), (std::vector<std::uint32_t>{1, 1}));
  EXPECT_EQ(windows_of({}, 600ms, 2), (std::vector<std::uint32_t>{1, 1}))
      << "a digest longer than the span is a window";
}

TEST(Window, SumsUpItsDigests) {
  sensor_state s = live_since(t0);
  std::optional<objective_window> w;
  const double objectives[] = {10, 12, 14, 16, 18};
  for (std::uint64_t i = 0; i < 5; ++i) w = take(s, {}, digest_at(t0 + 1s + i * 100ms, objectives[i], i + 1), t0 + 2s);
  ASSERT_TRUE(w);
  EXPECT_EQ(w->generation, 3U);
  EXPECT_EQ(w->begin, t0 + 900ms);
  EXPECT_EQ(w->end, t0 + 1400ms);
  EXPECT_EQ(w->digests, 5U);
  EXPECT_EQ(w->samples, 100U);
  EXPECT_DOUBLE_EQ(w->mean, 14);
  EXPECT_DOUBLE_EQ(w->variance, 10);
  EXPECT_FALSE(w->latency_p99_ms || w->throughput_per_s || w->error_rate || w->constraint_margin);
  EXPECT_EQ(s.partial, objective_window{});
}

TEST(Window, OfOneDigestHasNoVariance) {
  sensor_state s = live_since(t0);
  telemetry_digest d = digest_at(t0 + 2s);
  d.window = 1s;
  const auto w = take(s, {}, d, t0 + 2s);
  ASSERT_TRUE(w);
  EXPECT_EQ(w->variance, 0);
  EXPECT_EQ(w->mean, 10);
}

TEST(Window, VarianceSurvivesALargeMean) {
  sensor_state s = live_since(t0);
  std::optional<objective_window> w;
  for (std::uint64_t i = 0; i < 5; ++i)
    w = take(s, {}, digest_at(t0 + 1s + i * 1ms, 1e9 + static_cast<double>(i), i + 1), t0 + 2s);
  EXPECT_NEAR(w->variance, 2.5, 1e-6);
}

/// Five digests with these values of one measure; absent where a value is missing.
objective_window with_measure(digest_measure m, const std::vector<std::optional<double>>& values) {
  sensor_state s = live_since(t0);
  std::optional<objective_window> w;
  for (std::size_t i = 0; i < values.size(); ++i) {
    telemetry_digest d = digest_at(t0 + 1s + static_cast<std::int64_t>(i) * 1ms, 10, i + 1);
    if (values[i]) d.measures.set(m, *values[i]);
    w = take(s, {}, d, t0 + 2s);
  }
  return w.value_or(objective_window{});
}
constexpr std::optional<double> none;

TEST(WindowMeasures, LatencyIsTheWorstOfTheWindow) {
  EXPECT_EQ(with_measure(digest_measure::p99_latency_ms, {5.0, 50.0, none, 7.0, 6.0}).latency_p99_ms, 50);
}
TEST(WindowMeasures, MarginIsTheSmallestOfTheWindow) {
  EXPECT_EQ(with_measure(digest_measure::constraint_margin, {3.0, none, -0.5, 2.0, 9.0}).constraint_margin, -0.5);
}
TEST(WindowMeasures, ThroughputIsTheMeanOfThoseThatTellIt) {
  EXPECT_DOUBLE_EQ(*with_measure(digest_measure::throughput_per_s, {10.0, 20.0, 30.0, 40.0, 50.0}).throughput_per_s,
                   30);
  EXPECT_DOUBLE_EQ(*with_measure(digest_measure::throughput_per_s, {none, 10.0, 20.0, none, none}).throughput_per_s,
                   15);
  EXPECT_DOUBLE_EQ(*with_measure(digest_measure::throughput_per_s, {10.0, none, 20.0, none, 60.0}).throughput_per_s,
                   30);
}
TEST(WindowMeasures, ErrorRateIsTheMeanOfThoseThatTellIt) {
  EXPECT_DOUBLE_EQ(*with_measure(digest_measure::error_rate, {0.5, none, none, none, 0.1}).error_rate, 0.3);
  EXPECT_DOUBLE_EQ(*with_measure(digest_measure::error_rate, {0.0, 0.0, 0.0, 0.0, 0.0}).error_rate, 0);
}
TEST(WindowMeasures, OneWindowsMeasuresDoNotLeakIntoTheNext) {
  sensor_state s = live_since(t0);
  std::optional<objective_window> w;
  for (std::uint64_t i = 0; i < 10; ++i) {
    telemetry_digest d = digest_at(t0 + 1s + i * 1ms, 10, i + 1);
    if (i < 5)
      d.measures.set(digest_measure::p99_latency_ms, 99)
          .set(digest_measure::throughput_per_s, 1)
          .set(digest_measure::error_rate, 1)
          .set(digest_measure::constraint_margin, -9);
    else if (i == 7)
      d.measures.set(digest_measure::throughput_per_s, 7);
    w = take(s, {}, d, t0 + 2s);
  }
  ASSERT_TRUE(w);
  EXPECT_FALSE(w->latency_p99_ms || w->error_rate || w->constraint_margin);
  EXPECT_DOUBLE_EQ(*w->throughput_per_s, 7);
}

// ---- generations
// ---------------------------------------------------------------------------------------------------------

TEST(Generation, ANewOneDropsWhatWasCollected) {
  sensor_state s = live_since(t0);
  for (std::uint64_t i = 0; i < 4; ++i) take(s, {}, digest_at(t0 + 1s + i * 1ms, 1000, i + 1), t0 + 2s);
  begin_generation(s, {}, 4, t0 + 2s);
  EXPECT_EQ(s.partial.digests, 0U);
  std::optional<objective_window> w;
  for (std::uint64_t i = 4; i < 9; ++i) {
    telemetry_digest d = digest_at(t0 + 3s + i * 1ms, 10, i + 1);
    d.generation = 4;
    w = take(s, {}, d, t0 + 4s);
  }
  ASSERT_TRUE(w);
  EXPECT_EQ(w->generation, 4U);
  EXPECT_DOUBLE_EQ(w->mean, 10);
  EXPECT_DOUBLE_EQ(w->variance, 0);
}

TEST(Generation, ItsConfirmationRepeatedChangesNothingAndALaterOneMeasuresAnew) {
  sensor_state s = live_since(t0);
  take(s, {}, digest_at(t0 + 1s, 1000, 1), t0 + 2s);
  EXPECT_FALSE(note_live(s, {}, s.generation, t0));
  EXPECT_EQ(s.partial.digests, 1U);
  EXPECT_TRUE(note_live(s, {}, s.generation, t0 + 3s));
  EXPECT_EQ(s.partial.digests, 0U);
  EXPECT_EQ(judge(s, {}, digest_at(t0 + 3s, 10, 2), t0 + 3s), digest_fault::settling);
  EXPECT_TRUE(note_live(s, {}, s.generation + 1, t0));
}

TEST(Generation, SettleTimeIsCountedFromTheBeginningOfTheDigest) {
  window_settings settings;
  settings.settle_time = 1s;
  sensor_state s;
  begin_generation(s, settings, 3, t0);
  EXPECT_EQ(judge(s, settings, digest_at(t0 + 1100ms - 1us), t0 + 2s), digest_fault::settling);
  EXPECT_EQ(judge(s, settings, digest_at(t0 + 1100ms), t0 + 2s), std::nullopt);
}

TEST(Generation, SequencesGoOnAcrossGenerations) {
  sensor_state s = live_since(t0);
  take(s, {}, digest_at(t0 + 1s, 10, 50), t0 + 1s);
  begin_generation(s, {}, 4, t0 + 1s);
  telemetry_digest replay = digest_at(t0 + 2s, 10, 50);
  replay.generation = 4;
  EXPECT_EQ(judge(s, {}, replay, t0 + 2s), digest_fault::out_of_order);
}

TEST(Generation, NothingCountsBeforeTheFirstIsKnown) {
  const sensor_state s;
  EXPECT_EQ(judge(s, {}, digest_at(t0 + 1s), t0 + 1s), digest_fault::other_generation);
}

} // namespace
} // namespace homeostat
