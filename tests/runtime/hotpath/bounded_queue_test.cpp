#include "runtime/hotpath/bounded_queue.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace homeostat {
namespace {

TEST(BoundedQueue, TakesOnlyPowersOfTwoFromTwoUp) {
  for (std::size_t bad : {0U, 1U, 3U, 6U, 100U}) EXPECT_THROW(bounded_queue<int>{bad}, std::invalid_argument) << bad;
  for (std::size_t good : {2U, 4U, 1024U}) EXPECT_EQ(bounded_queue<int>(good).capacity(), good);
}

TEST(BoundedQueue, ReturnsEventsInOrderAndSaysWhenItIsFull) {
  bounded_queue<std::string> queue(2);
  EXPECT_EQ(queue.try_dequeue(), std::nullopt);
  EXPECT_EQ(queue.try_enqueue("first"), enqueue_result::enqueued);
  EXPECT_EQ(queue.try_enqueue("second"), enqueue_result::enqueued);
  EXPECT_EQ(queue.size(), 2U);
  EXPECT_EQ(queue.try_enqueue("third"), enqueue_result::full);
  EXPECT_EQ(queue.try_dequeue(), "first");
  EXPECT_EQ(queue.try_enqueue("third"), enqueue_result::enqueued);
  EXPECT_EQ(queue.try_dequeue(), "second");
  EXPECT_EQ(queue.try_dequeue(), "third");
  EXPECT_EQ(queue.try_dequeue(), std::nullopt);
  EXPECT_EQ(queue.size(), 0U);
}

TEST(BoundedQueue, LeavesTheCallersEventAloneWhenFull) {
  bounded_queue<std::unique_ptr<int>> queue(2);
  ASSERT_EQ(queue.try_enqueue(std::make_unique<int>(1)), enqueue_result::enqueued);
  ASSERT_EQ(queue.try_enqueue(std::make_unique<int>(2)), enqueue_result::enqueued);
  auto event = std::make_unique<int>(3);
  EXPECT_EQ(queue.try_enqueue(std::move(event)), enqueue_result::full);
  ASSERT_NE(event, nullptr);
  EXPECT_EQ(*event, 3);
}

TEST(BoundedQueue, CopiesAnEventThatIsNotGivenAway) {
  bounded_queue<std::string> queue(2);
  const std::string event = "a text too long for the short string buffer";
  EXPECT_EQ(queue.try_enqueue(event), enqueue_result::enqueued);
  EXPECT_EQ(queue.try_dequeue(), event);
}

TEST(BoundedQueue, DestroysWhatIsStillQueued) {
  const auto counted = std::make_shared<int>(0);
  {
    bounded_queue<std::shared_ptr<int>> queue(8);
    for (int i = 0; i < 5; ++i) ASSERT_EQ(queue.try_enqueue(counted), enqueue_result::enqueued);
    ASSERT_TRUE(queue.try_dequeue());
    EXPECT_EQ(counted.use_count(), 1 + 4);
  }
  EXPECT_EQ(counted.use_count(), 1);
}

/// Counts objects, moved-from ones too.
struct counted {
  explicit counted(int& counter) : alive(&counter) { ++*alive; }
  counted(counted&& other) noexcept : alive(other.alive) { ++*alive; }
  ~counted() { --*alive; }
  int* alive;
};

TEST(BoundedQueue, DestroysWhatIsMovedOut) {
  int alive = 0;
  bounded_queue<counted> queue(2);
  for (int round = 0; round < 5; ++round) {
    ASSERT_EQ(queue.try_enqueue(counted(alive)), enqueue_result::enqueued);
    EXPECT_EQ(alive, 1);
    ASSERT_TRUE(queue.try_dequeue());
    EXPECT_EQ(alive, 0);
  }
}

RC_GTEST_PROP(BoundedQueue, BehavesLikeADequeWithALimit, (std::vector<bool> enqueues)) {
  bounded_queue<std::string> queue(8);
  std::deque<std::string> twin;
  int next = 0;
  for (bool is_enqueue : enqueues) {
    if (is_enqueue) {
      const std::string event = "event number " + std::to_string(next++);
      const auto result = queue.try_enqueue(event);
      RC_ASSERT((result == enqueue_result::full) == (twin.size() == 8));
      if (result == enqueue_result::enqueued) twin.push_back(event);
    } else {
      const auto got = queue.try_dequeue();
      RC_ASSERT(got.has_value() == !twin.empty());
      if (got) {
        RC_ASSERT(*got == twin.front());
        twin.pop_front();
      }
    }
    RC_ASSERT(queue.size() == twin.size());
  }
}

struct event {
  std::uint32_t producer;
  std::uint32_t number;
  std::string text; // on the heap: a race on the payload shows
};

/// Each producer repeats an event until there is room, so all of them must come out: once each, and in each producer's
/// order as seen by one consumer.
void exchange(std::uint32_t producers, std::uint32_t consumers, std::size_t capacity, std::uint32_t per_producer) {
  bounded_queue<event> queue(capacity);
  const std::uint64_t total = std::uint64_t{producers} * per_producer;
  std::atomic<std::uint64_t> taken{0};
  std::vector<std::vector<event>> received(consumers);
  {
    std::vector<std::jthread> threads;
    for (std::uint32_t p = 0; p < producers; ++p)
      threads.emplace_back([&queue, p, per_producer] {
        for (std::uint32_t n = 0; n < per_producer; ++n) {
          event next{p, n, "a text that does not fit a short string, number " + std::to_string(n)};
          while (queue.try_enqueue(std::move(next)) == enqueue_result::full) std::this_thread::yield();
        }
      });
    for (auto& mine : received)
      threads.emplace_back([&queue, &taken, &mine, total] {
        while (taken.load(std::memory_order_relaxed) < total) {
          auto got = queue.try_dequeue();
          if (!got) {
            std::this_thread::yield();
            continue;
          }
          taken.fetch_add(1, std::memory_order_relaxed);
          mine.push_back(std::move(*got));
        }
      });
  }
  std::vector<std::vector<int>> seen(producers, std::vector<int>(per_producer, 0));
  std::uint64_t out_of_order = 0;
  for (const auto& mine : received) {
    std::vector<std::int64_t> last(producers, -1);
    for (const event& e : mine) {
      ASSERT_LT(e.producer, producers);
      ASSERT_LT(e.number, per_producer);
      ASSERT_TRUE(e.text.ends_with("number " + std::to_string(e.number)));
      ++seen[e.producer][e.number];
      out_of_order += e.number <= last[e.producer];
      last[e.producer] = e.number;
    }
  }
  EXPECT_EQ(out_of_order, 0U);
  for (const auto& counts : seen)
    for (int count : counts) ASSERT_EQ(count, 1);
  EXPECT_EQ(queue.size(), 0U);
}

TEST(BoundedQueueThreads, OneToOneLosesNothing) { exchange(1, 1, 64, 20'000); }
TEST(BoundedQueueThreads, ManyToOneLosesNothing) { exchange(4, 1, 16, 5'000); }
TEST(BoundedQueueThreads, ManyToManyThroughASmallQueueLosesNothing) { exchange(3, 3, 2, 5'000); }

} // namespace
} // namespace homeostat
