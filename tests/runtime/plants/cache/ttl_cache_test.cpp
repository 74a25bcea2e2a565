#include "runtime/plants/cache/ttl_cache.hpp"

#include <gtest/gtest.h>

namespace homeostat::cache {
namespace {

constexpr instant start{duration(5'000'000)};

TEST(LifetimeClock, CountsTimeInLifetimes) {
  const lifetime_clock clock(200, start);
  EXPECT_DOUBLE_EQ(clock.at(start), 0);
  EXPECT_DOUBLE_EQ(clock.at(start + 50ms), 0.25);
  EXPECT_DOUBLE_EQ(clock.at(start + 1s), 5);
  EXPECT_DOUBLE_EQ(clock.ttl_ms(), 200);
}

TEST(LifetimeClock, AChangeCountsFromNowOn) {
  lifetime_clock clock(200, start);
  clock.set_ttl(50, start + 100ms);
  EXPECT_DOUBLE_EQ(clock.at(start + 100ms), 0.5) << "what has passed has passed";
  EXPECT_DOUBLE_EQ(clock.at(start + 125ms), 1.0) << "the second half goes four times as fast";
  clock.set_ttl(1000, start + 125ms);
  EXPECT_DOUBLE_EQ(clock.at(start + 625ms), 1.5);
}

TEST(TtlCache, ExpiresExactlyAtTheEndOfTheLifetime) {
  ttl_cache cache(8, 1);
  cache.put(7, 42, 3.0);
  EXPECT_EQ(cache.get(7, 3.0), 42U);
  EXPECT_EQ(cache.get(7, 3.999), 42U);
  EXPECT_EQ(cache.get(7, 4.0), std::nullopt);
}

TEST(TtlCache, DropsAnExpiredEntryWhenItIsAskedFor) {
  ttl_cache cache(8, 1);
  cache.put(7, 42, 0);
  cache.put(8, 42, 0);
  EXPECT_EQ(cache.size(), 2U);
  EXPECT_EQ(cache.get(7, 1.5), std::nullopt);
  EXPECT_EQ(cache.size(), 1U) << "only the one asked for: expiry is lazy";
}

TEST(TtlCache, PutRenewsVersionAndLifetime) {
  ttl_cache cache(8, 1);
  cache.put(7, 1, 0);
  cache.put(7, 2, 0.9);
  EXPECT_EQ(cache.get(7, 1.8), 2U);
  EXPECT_EQ(cache.size(), 1U);
}

TEST(TtlCache, ReadingDoesNotRenewTheLifetime) {
  ttl_cache cache(8, 1);
  cache.put(7, 1, 0);
  EXPECT_EQ(cache.get(7, 0.99), 1U);
  EXPECT_EQ(cache.get(7, 1.0), std::nullopt);
}

TEST(TtlCache, EvictsTheLeastRecentlyUsedWhenFull) {
  ttl_cache cache(3, 1);
  for (std::uint32_t key : {1U, 2U, 3U}) cache.put(key, key, 0);
  EXPECT_EQ(cache.get(1, 0), 1U); // now 2 is the oldest
  cache.put(4, 4, 0);
  EXPECT_EQ(cache.size(), 3U);
  EXPECT_EQ(cache.get(2, 0), std::nullopt);
  for (std::uint32_t key : {1U, 3U, 4U}) EXPECT_EQ(cache.get(key, 0), key);
}

TEST(TtlCache, NeverHoldsMoreThanItsCapacity) {
  ttl_cache cache(64, 8);
  for (std::uint32_t key = 0; key < 10'000; ++key) {
    cache.put(key, key, 0);
    ASSERT_LE(cache.size(), 64U);
  }
  EXPECT_EQ(cache.size(), 64U) << "with so many keys every shard has filled up";
}

} // namespace
} // namespace homeostat::cache
