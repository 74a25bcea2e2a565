#include "runtime/plants/cache/cache_service.hpp"

#include "tests/runtime/plants/cache/doubles.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

namespace homeostat::cache {
namespace {

using testing::HasSubstr;

constexpr duration patience = 20s;

named_values knob_set(double ttl_ms, double workers, double batch_size) {
  return {{"cache_ttl_ms", ttl_ms}, {"workers", workers}, {"batch_size", batch_size}};
}

/// A service over a gate and a clock moved by hand. Batches do not linger unless a test wants them to.
class CacheService : public testing::Test {
protected:
  void start(const cache_knobs& knobs, fetch_queue_limits limits = {.linger = 0us}) {
    service_ = std::make_unique<cache_service>(service_settings{.queue = limits}, knobs, gate_, clock_);
    ASSERT_TRUE(eventually([&] { return service_->read_back(patience)->at("workers") == double(knobs.workers); }));
    clock_.advance(100ms); // the first reading needs time to have passed
  }

  void ask(std::uint32_t key) {
    service_->offer({{duration(sequence_), key}, clock_.now()});
    ++sequence_;
  }

  /// Asks, and waits for the answer.
  void get(std::uint32_t key) {
    const auto before = service_->totals().requests();
    ask(key);
    ASSERT_TRUE(eventually([&] { return service_->totals().requests() == before + 1; }));
  }

  /// Readings are taken on a time line of their own, so that looking does not move the plant's clock.
  double metric(const char* name) {
    loop_time_ += 1ms;
    return service_->read(loop_time_, patience).value().metrics.at(name);
  }

  void wait_for_queued(double keys) {
    ASSERT_TRUE(eventually([&] { return metric("queue_depth") == keys; }));
  }

  manual_clock clock_;
  gate_origin gate_;
  std::unique_ptr<cache_service> service_; ///< last: it uses the others
  std::int64_t sequence_{0};
  instant loop_time_{77s};
};

TEST_F(CacheService, AMissIsFetchedOnceAndThenHit) {
  start({});
  gate_.open(true);
  get(7);
  get(7);
  get(7);
  const auto totals = service_->totals();
  EXPECT_EQ(totals.misses, 1U);
  EXPECT_EQ(totals.hits, 2U);
  EXPECT_EQ(totals.stale, 0U);
  EXPECT_EQ(totals.fetched_keys, 1U);
}

TEST_F(CacheService, AValueIsFetchedAgainAfterItsTimeToLive) {
  start({.ttl_ms = 100});
  gate_.open(true);
  get(7);
  clock_.advance(99'999us);
  get(7);
  EXPECT_EQ(service_->totals().hits, 1U);
  clock_.advance(1us);
  get(7);
  EXPECT_EQ(service_->totals().hits, 1U);
  EXPECT_EQ(service_->totals().misses, 2U);
}

TEST_F(CacheService, ANewTimeToLiveHoldsAtOnceForWhatIsCachedAlready) {
  start({.ttl_ms = 1000});
  gate_.open(true);
  get(7);
  clock_.advance(500ms); // half its life
  ASSERT_TRUE(service_->apply(knob_set(20, 5, 12), patience));
  clock_.advance(9'999us);
  get(7);
  EXPECT_EQ(service_->totals().hits, 1U);
  clock_.advance(1us); // the other half at the new pace: 10 ms
  get(7);
  EXPECT_EQ(service_->totals().misses, 2U);
}

TEST_F(CacheService, AnAnswerIsStaleWhenTheOriginHasMovedOn) {
  start({.ttl_ms = 100});
  gate_.open(true);
  get(7);
  gate_.change_values();
  get(7);
  get(7);
  EXPECT_EQ(service_->totals().hits, 2U);
  EXPECT_EQ(service_->totals().stale, 2U);
  clock_.advance(100ms);
  get(7); // fetched again
  get(7);
  EXPECT_EQ(service_->totals().hits, 3U);
  EXPECT_EQ(service_->totals().stale, 2U) << "the new value is the true one";
}

TEST_F(CacheService, NeverFetchesMoreThanABatchAndFillsItWhenItCan) {
  start({.workers = 1, .batch_size = 4});
  ask(1000);
  gate_.wait_for_under_way(1); // the only fetcher is busy: the rest queues up
  for (std::uint32_t key = 0; key < 10; ++key) ask(key);
  wait_for_queued(10);
  gate_.open(true);
  ASSERT_TRUE(eventually([&] { return service_->totals().misses == 11; }));
  std::vector<std::size_t> sizes;
  for (const auto& batch : gate_.batches()) sizes.push_back(batch.size());
  EXPECT_EQ(sizes, (std::vector<std::size_t>{1, 4, 4, 2}));
}

TEST_F(CacheService, ANewBatchSizeHoldsForTheNextBatch) {
  start({.workers = 1, .batch_size = 4});
  ask(1000);
  gate_.wait_for_under_way(1);
  for (std::uint32_t key = 0; key < 10; ++key) ask(key);
  wait_for_queued(10);
  ASSERT_TRUE(service_->apply(knob_set(80, 1, 7), patience));
  gate_.open(true);
  ASSERT_TRUE(eventually([&] { return service_->totals().misses == 11; }));
  EXPECT_EQ(gate_.batches()[1].size(), 7U);
}

TEST_F(CacheService, APartialBatchWaitsForMoreAndLeavesAfterLingering) {
  start({.workers = 1, .batch_size = 4}, {.linger = 30ms});
  gate_.open(true);
  ask(1);
  wait_for_queued(1);
  ask(2);
  wait_for_queued(2);
  clock_.advance(29ms);
  ask(3);
  wait_for_queued(3);
  EXPECT_TRUE(gate_.batches().empty());
  clock_.advance(1ms);
  ASSERT_TRUE(eventually([&] { return service_->totals().misses == 3; }));
  EXPECT_EQ(gate_.batches(), (std::vector<std::vector<std::uint32_t>>{{1, 2, 3}}));
}

TEST_F(CacheService, AFullBatchDoesNotLinger) {
  start({.workers = 1, .batch_size = 3}, {.linger = 1h});
  gate_.open(true);
  for (std::uint32_t key : {1U, 2U, 3U}) ask(key);
  EXPECT_TRUE(eventually([&] { return service_->totals().misses == 3; }));
}

TEST_F(CacheService, AsManyFetchAtOnceAsThereAreWorkers) {
  start({.workers = 3, .batch_size = 1});
  for (std::uint32_t key = 0; key < 20; ++key) ask(key);
  gate_.wait_for_under_way(3);
  wait_for_queued(17);
  EXPECT_EQ(gate_.sessions(), 3U);
  gate_.open(true);
  ASSERT_TRUE(eventually([&] { return service_->totals().misses == 20; }));
  EXPECT_EQ(gate_.most_at_once(), 3U);
}

TEST_F(CacheService, MoreWorkersJoinAtOnce) {
  start({.workers = 2, .batch_size = 1});
  for (std::uint32_t key = 0; key < 20; ++key) ask(key);
  gate_.wait_for_under_way(2);
  const auto in_force = service_->apply(knob_set(80, 16, 1), patience);
  ASSERT_TRUE(in_force);
  EXPECT_EQ(in_force->at("workers"), 16);
  gate_.wait_for_under_way(16);
  EXPECT_EQ(gate_.sessions(), 16U);
}

TEST_F(CacheService, FewerWorkersAreInForceOnlyWhenTheLastFetchTooManyHasEnded) {
  start({.workers = 4, .batch_size = 1});
  for (std::uint32_t key = 0; key < 20; ++key) ask(key);
  gate_.wait_for_under_way(4);
  const auto early = service_->apply(knob_set(80, 1, 1), 1ms);
  ASSERT_FALSE(early);
  EXPECT_THAT(early.error().what, HasSubstr("expected 1"));
  EXPECT_GT(service_->read_back(patience)->at("workers"), 1) << "what is, not what was asked for";
  gate_.open(true);
  const auto settled = service_->apply(knob_set(80, 1, 1), patience);
  ASSERT_TRUE(settled);
  EXPECT_EQ(*settled, knob_set(80, 1, 1));
  EXPECT_EQ(gate_.sessions(), 1U);
  ASSERT_TRUE(eventually([&] { return service_->totals().misses == 20; })) << "nobody was forgotten";
  gate_.open(false);
  for (std::uint32_t key = 100; key < 110; ++key) ask(key);
  gate_.wait_for_under_way(1);
  wait_for_queued(9);
  EXPECT_EQ(gate_.under_way(), 1U);
}

TEST_F(CacheService, ReadsBackExactlyWhatIsInForce) {
  start({});
  const auto wanted = knob_set(137.123456789, 3, 9);
  EXPECT_EQ(service_->apply(wanted, patience).value(), wanted);
  EXPECT_EQ(service_->read_back(patience).value(), wanted);
}

TEST_F(CacheService, ARefusedSetChangesNothing) {
  start({});
  auto bad = knob_set(500, 9, 65);
  const auto refused = service_->apply(bad, patience);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().what, HasSubstr("batch_size is 65"));
  EXPECT_EQ(service_->read_back(patience).value(), named(cache_knobs{}));
}

TEST_F(CacheService, RequestsForOneKeyShareOneFetch) {
  start({.workers = 4, .batch_size = 1});
  for (int i = 0; i < 5; ++i) ask(7);
  ASSERT_TRUE(eventually([&] { return metric("requests_waiting") == 5; }));
  gate_.open(true);
  ASSERT_TRUE(eventually([&] { return service_->totals().requests() == 5; }));
  EXPECT_EQ(service_->totals().fetched_keys, 1U);
}

TEST_F(CacheService, LatencyCountsFromArrivalAndIncludesTheQueue) {
  start({.workers = 1, .batch_size = 1});
  ask(1);
  gate_.wait_for_under_way(1);
  clock_.advance(10ms);
  ask(2); // waits behind it
  wait_for_queued(1);
  clock_.advance(40ms);
  gate_.open(true);
  ASSERT_TRUE(eventually([&] { return service_->totals().misses == 2; }));
  EXPECT_EQ(service_->totals().latency, 50ms + 40ms);
}

TEST_F(CacheService, AClientThatWaitedTooLongIsAnErrorOfTheTimeoutsLength) {
  start({.workers = 1, .batch_size = 1}, {.linger = 0us, .timeout = 50ms});
  ask(1);
  gate_.wait_for_under_way(1); // times out in flight
  ask(2);                      // times out in the queue: not fetched at all
  wait_for_queued(1);
  clock_.advance(60ms);
  gate_.open(true);
  ASSERT_TRUE(eventually([&] { return service_->totals().timed_out == 2; }));
  EXPECT_EQ(service_->totals().latency, 100ms);
  EXPECT_EQ(gate_.batches().size(), 1U);
}

TEST_F(CacheService, ShedsWhenItsQueueIsFull) {
  start({.workers = 1, .batch_size = 1}, {.waiting_requests = 3, .linger = 0us});
  for (std::uint32_t key = 0; key < 5; ++key) ask(key);
  ASSERT_TRUE(eventually([&] { return service_->totals().shed == 2; }));
  gate_.open(true);
  EXPECT_TRUE(eventually([&] { return service_->totals().misses == 3; }));
}

TEST_F(CacheService, TellsTheOriginHowTheTrafficSlowsIt) {
  start({});
  service_->observe({.kind = regime::flash, .rate_per_s = 1, .origin_slowdown = 1.75});
  EXPECT_EQ(gate_.slowdown(), 1.75);
}

TEST_F(CacheService, ReadingsAreContiguousAndDescribeTheirInterval) {
  start({});
  gate_.open(true);
  get(7);
  get(7);
  constexpr instant loop_time{77s}; // the loop has a time line of its own
  const auto first = service_->read(loop_time, patience);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->begin, loop_time - 100ms) << "since the service runs";
  EXPECT_EQ(first->end, loop_time);
  EXPECT_EQ(first->sample_count, 2U);
  EXPECT_EQ(first->metrics.at("hit_ratio"), 0.5);
  EXPECT_EQ(first->metrics.at("error_rate"), 0);
  const auto second = service_->read(loop_time + 100ms, patience);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->begin, first->end);
  EXPECT_EQ(second->sample_count, 0U) << "nothing happened";
  EXPECT_FALSE(second->metrics.contains("latency_mean_ms"));
  EXPECT_FALSE(service_->read(loop_time + 100ms, patience)) << "no time has passed";
}

TEST_F(CacheService, StopsWhileFetchesAreHeldAndSaysSoAfterwards) {
  start({.workers = 16, .batch_size = 1});
  for (std::uint32_t key = 0; key < 40; ++key) ask(key);
  gate_.wait_for_under_way(16);
  service_->stop(); // the gate never opens: a fetch that cannot be interrupted would hang here
  service_->stop();
  EXPECT_EQ(gate_.under_way(), 0U);
  EXPECT_FALSE(service_->apply(knob_set(80, 1, 1), patience));
  EXPECT_FALSE(service_->read_back(patience));
  EXPECT_FALSE(service_->read(clock_.now() + 1s, patience));
  ask(1); // and late traffic does no harm
  EXPECT_EQ(service_->received().count(), 40U);
}

} // namespace
} // namespace homeostat::cache
