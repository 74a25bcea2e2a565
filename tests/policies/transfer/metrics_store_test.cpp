#include "policies/transfer/metrics_store.hpp"

#include "tests/policies/row_name.hpp"
#include "tests/policies/transfer/transfer_rig.hpp"

#include <gtest/gtest.h>
// After gtest, which it needs.
#include <rapidcheck/gtest.h>

#include <algorithm>

namespace homeostat {
namespace {

using testing::epoch;
using testing::transfer_at;

metrics_answer answer(const metrics_store& s, instant from, instant to, duration step) {
  const auto a = s.query({.from = from, .to = to, .step = step});
  EXPECT_TRUE(a) << (a ? "" : a.error());
  return a.value_or(metrics_answer{});
}

TEST(metrics_store, OneMinuteTellsCountMeanAndPercentiles) {
  metrics_store s;
  for (int i = 1; i <= 1000; ++i) s.record(transfer_at(epoch + i * 50ms, i), epoch + i * 50ms);
  const metrics_answer a = answer(s, epoch, epoch + 1min, 1min);
  ASSERT_EQ(a.points.size(), 1U);
  const metrics_summary& of = a.points[0].of;
  EXPECT_TRUE(a.complete);
  EXPECT_EQ(of.delivered, 1000U);
  EXPECT_DOUBLE_EQ(of.latency_mean_us, 500.5);
  EXPECT_NEAR(of.latency_p50_us, 500, 5);
  EXPECT_NEAR(of.latency_p95_us, 950, 9.5);
  EXPECT_NEAR(of.latency_p99_us, 990, 9.9);
  EXPECT_NEAR(of.latency_p999_us, 999, 10);
  EXPECT_DOUBLE_EQ(of.goodput_mbps, 1000.0 * (8U << 20U) * 8 / 60e6);
  EXPECT_EQ(of, a.total);
}

TEST(metrics_store, FailedTransfersCountButDoNotLookFast) {
  metrics_store s;
  for (int i = 0; i < 10; ++i) {
    transfer_metrics m = transfer_at(epoch, i < 4 ? 1 : 100);
    m.failed = i < 4;
    s.record(m, epoch);
  }
  const metrics_summary of = answer(s, epoch, epoch + 1min, 1min).total;
  EXPECT_EQ(of.delivered, 6U);
  EXPECT_EQ(of.failed, 4U);
  EXPECT_DOUBLE_EQ(of.failure_share, 0.4);
  EXPECT_DOUBLE_EQ(of.latency_mean_us, 100);
}

TEST(metrics_store, SecondsComeFromSingleSamplesAndHoursFromMinutes) {
  metrics_store s;
  for (int i = 0; i < 7200; ++i) s.record(transfer_at(epoch + i * 1s, 100), epoch + i * 1s);
  EXPECT_EQ(answer(s, epoch + 10s, epoch + 20s, 1s).points.size(), 10U);
  EXPECT_EQ(answer(s, epoch, epoch + 2h, 1h).points.size(), 2U);
  for (const auto& p : answer(s, epoch, epoch + 2h, 1h).points) EXPECT_EQ(p.of.delivered, 3600U);
  for (const auto& p : answer(s, epoch, epoch + 1h, 10s).points) EXPECT_EQ(p.of.delivered, 10U);
}

TEST(metrics_store, AFilterPicksMethodTypeAndSizes) {
  metrics_store s;
  s.record(transfer_at(epoch, 100, transfer_method::grpc, 1U << 20U), epoch);
  s.record(transfer_at(epoch, 200, transfer_method::zero_copy, 64U << 20U), epoch);
  const auto count = [&](metrics_query q) {
    q.from = epoch, q.to = epoch + 1min;
    q.step = 1min;
    const auto coarse = s.query(q)->total.delivered;
    q.step = 1s;
    EXPECT_EQ(s.query(q)->total.delivered, coarse);
    return coarse;
  };
  EXPECT_EQ(count({}), 2U);
  EXPECT_EQ(count({.method = transfer_method::grpc}), 1U);
  EXPECT_EQ(count({.type = data_type::tensor}), 0U);
  EXPECT_EQ(count({.least_size = size_class_of(2U << 20U)}), 1U);
  EXPECT_EQ(count({.last_size = size_class_of(1U << 20U)}), 1U);
}

struct query_row {
  const char* name;
  duration length, step;
  const char* expected; ///< in the error; empty: accepted
};
class queries : public ::testing::TestWithParam<query_row> {};
TEST_P(queries, AreCheckedBeforeTheyAreAnswered) {
  const auto a = metrics_store().query({.from = epoch, .to = epoch + GetParam().length, .step = GetParam().step});
  const std::string expected = GetParam().expected;
  ASSERT_EQ(a.has_value(), expected.empty());
  if (!a) { EXPECT_NE(a.error().find(expected), std::string::npos) << a.error(); }
}
INSTANTIATE_TEST_SUITE_P(, queries,
                         ::testing::Values(query_row{"OneSecond", 1min, 1s, ""}, query_row{"OneHour", 168h, 1h, ""},
                                           query_row{"HalfASecond", 1min, 500ms, "from 1 s on"},
                                           query_row{"SevenSeconds", 1min, 7s, "divisor of a minute"},
                                           query_row{"NinetySeconds", 1h, 90s, "whole minutes"},
                                           query_row{"TwoHours", 24h, 2h, "up to 1 h"},
                                           query_row{"EmptyRange", 0s, 1s, "before"},
                                           query_row{"TooManyPoints", 24h, 1s, "at most 10000"}),
                         by_name);

TEST(metrics_store, NumbersThatAreNoneAreRefusedAndCounted) {
  metrics_store s;
  transfer_metrics m = transfer_at(epoch, std::nan(""));
  EXPECT_EQ(s.record(m, epoch), record_outcome::invalid);
  m = transfer_at(epoch, 1);
  m.cpu_time_us = -1;
  EXPECT_EQ(s.record(m, epoch), record_outcome::invalid);
  EXPECT_EQ(s.counts().invalid, 2U);
  EXPECT_EQ(s.counts().recorded, 0U);
}

TEST(metrics_store, ALateSampleGoesToItsOwnMinute) {
  metrics_store s;
  const instant now = epoch + 1h;
  EXPECT_EQ(s.record(transfer_at(epoch, 100), now), record_outcome::recorded);
  EXPECT_EQ(s.counts().late, 1U);
  EXPECT_EQ(answer(s, epoch, epoch + 1min, 1min).total.delivered, 1U);
  EXPECT_EQ(s.record(transfer_at(now - 168h - 2min, 100), now), record_outcome::too_late);
  EXPECT_EQ(s.counts().too_late, 1U);
}

TEST(metrics_store, ASampleFromTheFutureIsTakenAsOfNow) {
  metrics_store s;
  s.record(transfer_at(epoch + 999h, 100), epoch);
  EXPECT_EQ(s.counts().future, 1U);
  EXPECT_EQ(answer(s, epoch, epoch + 1min, 1min).total.delivered, 1U);
}

TEST(metrics_store, TimeMayGoBack) {
  metrics_store s;
  s.record(transfer_at(epoch + 1h, 100), epoch + 1h);
  s.record(transfer_at(epoch, 100), epoch);
  EXPECT_EQ(s.counts().clock_went_back, 1U);
  EXPECT_EQ(answer(s, epoch, epoch + 2h, 1h).total.delivered, 2U);
}

TEST(metrics_store, WhatIsPastTheRetentionIsDroppedAndSaidToBeMissing) {
  metrics_store s({.retention = 1h});
  s.record(transfer_at(epoch, 100), epoch);
  s.expire(epoch + 1h);
  EXPECT_EQ(s.buckets(), 1U) << "the minute ends with its last second";
  s.expire(epoch + 1h + 1min);
  EXPECT_EQ(s.buckets(), 0U);
  EXPECT_EQ(s.counts().expired, 1U);
  EXPECT_EQ(s.bytes(), 0U);
  EXPECT_FALSE(answer(s, epoch, epoch + 1min, 1min).complete);
  EXPECT_TRUE(answer(s, epoch + 1min, epoch + 2min, 1min).complete);
}

TEST(metrics_store, TheRingForgetsTheOldestAndTheAnswerSaysSo) {
  metrics_store s({.raw_samples = 10});
  for (int i = 0; i < 25; ++i) s.record(transfer_at(epoch + i * 1s, i), epoch + i * 1s);
  EXPECT_EQ(s.counts().raw_overwritten, 15U);
  const auto held = s.samples();
  ASSERT_EQ(held.size(), 10U);
  for (std::size_t i = 0; i < held.size(); ++i) EXPECT_EQ(held[i].latency_us, 15 + static_cast<double>(i));
  EXPECT_FALSE(answer(s, epoch + 10s, epoch + 25s, 1s).complete);
  EXPECT_TRUE(answer(s, epoch + 15s, epoch + 25s, 1s).complete);
  EXPECT_EQ(answer(s, epoch, epoch + 1min, 1min).total.delivered, 25U) << "minutes still hold them all";
}

TEST(metrics_store, MemoryIsBoundedAndEveryLossIsCounted) {
  metrics_store s({.bucket_bytes = 65'536});
  chacha8_rng rng(3);
  constexpr std::uint64_t n = 30'000;
  for (std::uint64_t i = 0; i < n; ++i) {
    const instant now = epoch + static_cast<long>(i) * 200ms;
    s.record(transfer_at(now, std::exp(10 * rng.uniform()), transfer_method::grpc, rng.next() >> (rng.next() % 60)),
             now);
    ASSERT_LE(s.bytes(), 65'536U);
  }
  std::uint64_t held = 0;
  for (const auto& [key, minutes] : s.series(epoch, epoch + 3h))
    for (const auto& [minute, bucket] : minutes) held += bucket.count();
  EXPECT_EQ(held + s.counts().evicted + s.counts().expired + s.counts().unbucketed, n);
  EXPECT_GT(s.counts().evicted, 0U);
  EXPECT_FALSE(answer(s, epoch, epoch + 3h, 1h).complete);
}

TEST(metrics_store, ChangedBucketsAreHandedOutOnceAndPutBackWhole) {
  metrics_store s;
  for (int i = 0; i < 100; ++i) s.record(transfer_at(epoch + i * 1s, 100 + i), epoch + i * 1s);
  const auto changed = s.take_changed();
  EXPECT_EQ(changed.size(), 2U);
  EXPECT_TRUE(s.take_changed().empty());
  metrics_store other;
  for (const auto& id : changed) other.restore(id, *s.find(id));
  for (const auto& id : changed) other.restore(id, *s.find(id)); // again: replaces
  for (const auto& m : s.samples()) other.restore(m);
  EXPECT_EQ(other.bytes(), s.bytes());
  EXPECT_EQ(other.buckets(), s.buckets());
  EXPECT_EQ(other.samples(), s.samples());
  EXPECT_EQ(answer(other, epoch, epoch + 1h, 1h).points, answer(s, epoch, epoch + 1h, 1h).points);
}

RC_GTEST_PROP(metrics_store_property, AnyRangeCountsWhatANaiveListCounts, (std::uint64_t seed)) {
  chacha8_rng rng(seed);
  metrics_store s;
  std::vector<transfer_metrics> all;
  for (int i = 0; i < 400; ++i) {
    const instant at = epoch + duration(rng.next() % 3'600'000'000);
    all.push_back(
        transfer_at(at, 1 + 1000 * rng.uniform(), rng.sign() > 0 ? transfer_method::grpc : transfer_method::zero_copy));
    s.record(all.back(), epoch + 1h);
  }
  const duration step = rng.sign() > 0 ? 10s : 5min;
  const instant from = epoch + 1min * static_cast<long>(rng.next() % 20),
                to = from + 5min * (1 + static_cast<long>(rng.next() % 8));
  const auto a = s.query({.from = from, .to = to, .step = step, .method = transfer_method::grpc});
  RC_ASSERT(a.has_value());
  std::map<instant, std::vector<double>> naive;
  for (const auto& m : all)
    if (m.method == transfer_method::grpc && m.timestamp >= from && m.timestamp < to)
      naive[from + (m.timestamp - from) / step * step].push_back(m.latency_us);
  RC_ASSERT(a->points.size() == naive.size());
  for (const auto& p : a->points) {
    std::vector<double>& values = naive.at(p.at);
    std::ranges::sort(values);
    const double median = values[(values.size() - 1) / 2];
    RC_ASSERT(p.of.delivered == values.size());
    RC_ASSERT(std::abs(p.of.latency_p50_us - median) <= median * 0.010001);
  }
}

TEST(windows, TakeAsManyMinutesAsTheyNeedAndNeverSpanTwoGenerations) {
  std::map<instant, metrics_bucket> minutes;
  for (int minute = 0; minute < 12; ++minute)
    for (int i = 0; i < 8; ++i) {
      transfer_metrics m = transfer_at(epoch + minute * 1min, 100);
      m.generation = minute < 5 ? 1 : 2;
      minutes[epoch + minute * 1min].add(m);
    }
  const auto windows = windows_of(minutes, {.min_transfers = 20, .max_length = 1h});
  ASSERT_EQ(windows.size(), 3U); // 0-2; 3-4 is cut off by the change; 5-7; 8-10; 11 is unfinished
  EXPECT_EQ(windows[0].begin, epoch);
  EXPECT_EQ(windows[0].end, epoch + 3min);
  EXPECT_EQ(windows[1].begin, epoch + 5min);
  EXPECT_EQ(windows[2].end, epoch + 11min);
  for (const auto& w : windows) EXPECT_EQ(w.of.least_generation, w.of.last_generation);
  EXPECT_TRUE(windows_of(minutes, {.min_transfers = 20, .max_length = 2min}).empty());
}

} // namespace
} // namespace homeostat
