#include "runtime/plants/cache/fetch_queue.hpp"

#include <gtest/gtest.h>

namespace homeostat::cache {
namespace {

using admission = fetch_queue::admission;
using keys = std::vector<std::uint32_t>;

constexpr instant start{duration(5'000'000)};
constexpr fetch_queue_limits limits{.waiting_requests = 4, .linger = 8ms, .timeout = 100ms};

TEST(FetchQueue, IsNotReadyWhileEmpty) { EXPECT_EQ(fetch_queue(limits).ready_at(1), std::nullopt); }

TEST(FetchQueue, APartialBatchLeavesWhenItsOldestKeyHasLingered) {
  fetch_queue queue(limits);
  queue.add(1, start, start);
  queue.add(2, start + 5ms, start + 5ms);
  EXPECT_EQ(queue.ready_at(3), start + 8ms);
}

TEST(FetchQueue, AFullBatchLeavesAtOnce) {
  fetch_queue queue(limits);
  queue.add(1, start, start);
  queue.add(2, start, start);
  EXPECT_EQ(queue.ready_at(2), instant::min());
}

TEST(FetchQueue, LingeringCountsFromQueueingNotFromArrival) {
  fetch_queue queue(limits);
  queue.add(1, start, start + 3ms);
  EXPECT_EQ(queue.ready_at(2), start + 11ms);
}

TEST(FetchQueue, HandsOutTheOldestKeysFirstAndNoMoreThanAsked) {
  fetch_queue queue(limits);
  for (std::uint32_t key : {9U, 3U, 7U}) queue.add(key, start, start);
  EXPECT_EQ(queue.take(2, start).keys, (keys{9, 3}));
  EXPECT_EQ(queue.take(2, start).keys, (keys{7}));
  EXPECT_EQ(queue.take(2, start).keys, keys{});
}

TEST(FetchQueue, RequestsForOneKeyShareAFetchAlsoWhileItIsInFlight) {
  fetch_queue queue(limits);
  EXPECT_EQ(queue.add(1, start, start), admission::queued);
  EXPECT_EQ(queue.add(1, start + 1ms, start + 1ms), admission::joined);
  EXPECT_EQ(queue.take(8, start + 2ms).keys, keys{1});
  EXPECT_EQ(queue.add(1, start + 3ms, start + 3ms), admission::joined);
  EXPECT_EQ(queue.queued_keys(), 0U);
  EXPECT_EQ(queue.complete(1), (std::vector{start, start + 1ms, start + 3ms}));
  EXPECT_EQ(queue.waiting_requests(), 0U);
  EXPECT_EQ(queue.add(1, start, start), admission::queued) << "the flight is over";
}

TEST(FetchQueue, ShedsWhatIsBeyondItsBoundAndCountsWhatIsInFlight) {
  fetch_queue queue(limits);
  for (std::uint32_t key : {1U, 2U, 3U, 3U}) EXPECT_NE(queue.add(key, start, start), admission::shed) << key;
  EXPECT_EQ(queue.add(4, start, start), admission::shed);
  EXPECT_EQ(queue.add(3, start, start), admission::shed) << "joining takes room as well";
  EXPECT_EQ(queue.take(8, start).keys, (keys{1, 2, 3}));
  EXPECT_EQ(queue.add(4, start, start), admission::shed);
  queue.complete(3);
  EXPECT_EQ(queue.waiting_requests(), 2U);
  EXPECT_EQ(queue.add(4, start, start), admission::queued);
}

TEST(FetchQueue, DoesNotFetchForClientsThatHaveGivenUp) {
  fetch_queue queue(limits);
  queue.add(1, start, start);
  queue.add(2, start, start);
  queue.add(2, start + 1ms, start + 1ms);
  const auto batch = queue.take(8, start + 100ms); // a wait of exactly the timeout is over
  EXPECT_EQ(batch.keys, keys{2}) << "one client of key 2 still waits";
  EXPECT_EQ(batch.timed_out, 2U);
  EXPECT_EQ(queue.waiting_requests(), 1U);
  EXPECT_EQ(queue.complete(2), std::vector{start + 1ms});
}

TEST(FetchQueue, KeepsARequestUntilItsTimeoutIsReached) {
  fetch_queue queue(limits);
  queue.add(1, start, start);
  EXPECT_EQ(queue.take(8, start + 99'999us).keys, keys{1});
}

TEST(FetchQueue, CompletingAnUnknownKeyAnswersNobody) { EXPECT_TRUE(fetch_queue(limits).complete(1).empty()); }

} // namespace
} // namespace homeostat::cache
