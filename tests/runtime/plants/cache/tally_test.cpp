#include "runtime/plants/cache/tally.hpp"

#include <gtest/gtest.h>

namespace homeostat::cache {
namespace {

TEST(LatencyHistogram, FindsQuantilesWithinABucket) {
  latency_histogram h;
  for (int ms = 1; ms <= 1000; ++ms) h.add(duration(ms * 1000));
  EXPECT_NEAR(h.quantile_ms(0.50), 500, 0.09 * 500);
  EXPECT_NEAR(h.quantile_ms(0.99), 990, 0.09 * 990);
  EXPECT_NEAR(h.quantile_ms(0.01), 10, 0.09 * 10);
}

TEST(LatencyHistogram, TakesTheExtremes) {
  latency_histogram h;
  EXPECT_EQ(h.quantile_ms(0.5), 0) << "of nothing";
  h.add(0us);
  EXPECT_LE(h.quantile_ms(1), 0.018);
  h.add(duration(3600s));
  EXPECT_GE(h.quantile_ms(1), 4000);
}

TEST(Metrics, AreThoseOfTheIntervalOnly) {
  tally t;
  t.hit(1ms, false);
  t.timed_out(2, 250ms);
  t.shed();
  const auto before = t.totals();
  t.hit(1ms, true);
  t.hit(1ms, false);
  t.hit(1ms, false);
  t.miss(37ms);
  t.timed_out(1, 250ms);
  for (int i = 0; i < 3; ++i) t.shed();
  t.fetched(6, 20ms);
  t.fetched(2, 30ms);
  const auto m = metrics_between(before, t.totals(), 0.5);
  EXPECT_DOUBLE_EQ(m.at("requests"), 8);
  EXPECT_DOUBLE_EQ(m.at("throughput_per_s"), 8) << "four answered in half a second";
  EXPECT_DOUBLE_EQ(m.at("hit_ratio"), 0.75);
  EXPECT_DOUBLE_EQ(m.at("stale_ratio"), 0.25);
  EXPECT_DOUBLE_EQ(m.at("error_rate"), 0.5);
  EXPECT_DOUBLE_EQ(m.at("latency_mean_ms"), (1 + 1 + 1 + 37 + 250) / 5.0) << "who gave up waited, who was shed did not";
  EXPECT_DOUBLE_EQ(m.at("origin_fetches_per_s"), 4);
  EXPECT_DOUBLE_EQ(m.at("origin_items_per_s"), 16);
  EXPECT_DOUBLE_EQ(m.at("origin_load"), 0.1);
  EXPECT_NEAR(m.at("latency_p50_ms"), 1, 0.1);
  EXPECT_NEAR(m.at("latency_p99_ms"), 250, 25);
}

TEST(Metrics, ARatioOfNothingIsLeftOut) {
  const auto m = metrics_between({}, {}, 0.1);
  EXPECT_EQ(m.at("requests"), 0);
  EXPECT_EQ(m.at("throughput_per_s"), 0);
  for (const char* name : {"hit_ratio", "stale_ratio", "error_rate", "latency_mean_ms", "latency_p50_ms"})
    EXPECT_FALSE(m.contains(name)) << name;
}

TEST(Metrics, WhenAllAreShedThereIsAnErrorRateAndNoLatency) {
  tally t;
  t.shed();
  const auto m = metrics_between({}, t.totals(), 0.1);
  EXPECT_EQ(m.at("error_rate"), 1);
  EXPECT_FALSE(m.contains("latency_mean_ms"));
  EXPECT_FALSE(m.contains("hit_ratio"));
}

} // namespace
} // namespace homeostat::cache
