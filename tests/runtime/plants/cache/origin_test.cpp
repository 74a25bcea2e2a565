#include "runtime/plants/cache/origin.hpp"

#include "tests/runtime/plants/cache/doubles.hpp"

#include <gtest/gtest.h>

namespace homeostat::cache {
namespace {

const origin_settings shipped;

/// Keys per second when all workers fetch full batches all the time.
double capacity(std::size_t workers, std::size_t batch) {
  const auto time = fetch_time(shipped, batch, workers * batch, workers, 1);
  return static_cast<double>(workers * batch) / seconds_of(time);
}

TEST(FetchTime, IsItsParts) {
  const origin_settings s{
      .per_batch = 10ms, .per_item = 1ms, .batch_knee = 4, .item_capacity = 20, .session_overhead = 0};
  EXPECT_EQ(fetch_time(s, 4, 0, 0, 1), 10ms + 4 * 2ms) << "at the knee a key costs twice as much";
  EXPECT_EQ(fetch_time(s, 4, 20, 0, 1), 2 * 18ms) << "at the item capacity everything takes twice as long";
  EXPECT_EQ(fetch_time(s, 4, 0, 0, 1.5), 27ms) << "slowdown multiplies";
  origin_settings with_sessions = s;
  with_sessions.session_overhead = 0.05;
  EXPECT_EQ(fetch_time(with_sessions, 4, 0, 10, 1), 27ms) << "ten open sessions cost half as much again";
}

TEST(FetchTime, HasAnInteriorOptimumInBatchSize) {
  EXPECT_GT(capacity(5, 4), capacity(5, 1));
  EXPECT_GT(capacity(5, 8), capacity(5, 64));
}

TEST(FetchTime, HasAnInteriorOptimumInWorkers) {
  EXPECT_GT(capacity(6, 12), capacity(1, 12));
  EXPECT_GT(capacity(6, 12), capacity(16, 12)) << "congestion";
}

TEST(SlowOrigin, ValuesChangeAtTheirOwnPaceAndOnlyForward) {
  const manual_clock clock;
  const slow_origin origin(shipped, clock);
  const auto begin = clock.now();
  constexpr int keys = 200;
  std::uint64_t changes = 0;
  for (std::uint32_t key = 0; key < keys; ++key) {
    std::uint64_t previous = origin.version_at(key, begin);
    for (duration t{0}; t <= 6s; t += 5ms) {
      const auto version = origin.version_at(key, begin + t);
      ASSERT_TRUE(version == previous || version == previous + 1) << key;
      changes += version - previous;
      previous = version;
    }
  }
  const double per_key = static_cast<double>(changes) / keys;
  const double expected = 6.0 / seconds_of(shipped.change_period);
  EXPECT_GT(per_key, 0.9 * expected);
  EXPECT_LT(per_key, 1.25 * expected) << "the mean of 1/period is a little above 1/mean";
}

TEST(SlowOrigin, AnswersWithTheVersionsOfTheEndOfTheFetch) {
  const manual_clock clock;
  slow_origin origin({.per_batch = 0us, .per_item = 0us}, clock);
  const std::vector<std::uint32_t> keys{5, 6, 7};
  const auto versions = origin.fetch(keys, {});
  ASSERT_TRUE(versions);
  ASSERT_EQ(versions->size(), 3U);
  for (std::size_t i = 0; i < keys.size(); ++i) EXPECT_EQ((*versions)[i], origin.version_at(keys[i], clock.now()));
  EXPECT_EQ(origin.totals().fetches, 1U);
  EXPECT_EQ(origin.totals().items, 3U);
  EXPECT_EQ(origin.totals().most_at_once, 1U);
}

TEST(SlowOrigin, AFetchEndsEarlyWhenStopped) {
  const steady_plant_clock clock;
  slow_origin origin({.per_batch = 1h}, clock);
  std::stop_source stop;
  bool answered = true;
  std::thread fetcher([&] { answered = origin.fetch(std::vector<std::uint32_t>{1}, stop.get_token()).has_value(); });
  EXPECT_TRUE(eventually([&] { return origin.totals().most_at_once == 1; }));
  stop.request_stop();
  fetcher.join(); // an hour otherwise
  EXPECT_FALSE(answered);
  EXPECT_EQ(origin.totals().fetches, 0U);
}

TEST(SlowOrigin, ReallyWaits) {
  const steady_plant_clock clock;
  slow_origin origin({.per_batch = 10ms, .per_item = 1ms, .batch_knee = 1e9, .variability = 0}, clock);
  const auto begin = clock.now();
  ASSERT_TRUE(origin.fetch(std::vector<std::uint32_t>{1, 2, 3, 4, 5}, {}));
  EXPECT_GE(clock.now() - begin, 15ms);
  EXPECT_GE(origin.totals().busy, 15ms);
}

} // namespace
} // namespace homeostat::cache
