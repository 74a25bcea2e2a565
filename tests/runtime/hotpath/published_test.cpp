#include "runtime/hotpath/published.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <array>
#include <atomic>
#include <latch>
#include <optional>
#include <thread>

namespace homeostat {
namespace {

/// A value that knows whether it lives, and counts its kind.
struct witness {
  static constexpr std::uint64_t alive = 0x616c697665;
  witness(std::uint64_t number_, std::atomic<std::int64_t>& count_)
      : count(count_), number(number_), twice(2 * number_) {
    ++count;
  }
  witness(const witness&) = delete;
  witness& operator=(const witness&) = delete;
  ~witness() {
    if (mark != alive) std::abort(); // freed a second time
    mark = 0;
    --count;
  }
  [[nodiscard]] bool whole() const { return mark == alive && twice == 2 * number; }
  std::atomic<std::int64_t>& count;
  std::uint64_t number;
  std::uint64_t twice;
  std::uint64_t mark{alive};
};

std::unique_ptr<const witness> make(std::uint64_t number, std::atomic<std::int64_t>& count) {
  return std::make_unique<const witness>(number, count);
}

TEST(Published, ReadersSeeTheLatest) {
  std::atomic<std::int64_t> count{0};
  {
    published<witness> value(make(0, count));
    for (std::uint64_t i = 1; i < 100; ++i) {
      value.publish(make(i, count));
      EXPECT_EQ(value.read()->number, i);
      EXPECT_EQ((*value.read()).number, i);
      EXPECT_EQ(value.held(), 0U) << "nobody reads: freed at once";
      EXPECT_EQ(count, 1);
    }
  }
  EXPECT_EQ(count, 0);
}

TEST(Published, ReaderThatHoldsOnDelaysFreeingNotPublishing) {
  std::atomic<std::int64_t> count{0};
  published<witness> value(make(0, count));
  value.publish(make(1, count));
  std::optional<std::thread> other;
  std::latch holding(1), done(1);
  other.emplace([&] {
    const auto held = value.read();
    holding.count_down();
    done.wait();
    EXPECT_TRUE(held->whole());
    EXPECT_EQ(held->number, 1U);
  });
  holding.wait();
  for (std::uint64_t i = 2; i < 50; ++i) value.publish(make(i, count));
  EXPECT_EQ(value.read()->number, 49U);
  EXPECT_EQ(value.held(), 48U) << "all since, for its epoch is the reader's";
  done.count_down();
  other->join();
  value.publish(make(50, count));
  EXPECT_EQ(value.held(), 0U);
  EXPECT_EQ(count, 1);
}

TEST(Published, ReaderOfOneDelaysAnotherWithoutHarm) {
  std::atomic<std::int64_t> count{0};
  {
    published<witness> a(make(1, count)), b(make(2, count));
    {
      const auto held = a.read();
      b.publish(make(3, count));
      EXPECT_EQ(b.held(), 1U) << "one epoch for all";
      EXPECT_EQ(held->number, 1U);
    }
    b.publish(make(4, count));
    EXPECT_EQ(b.held(), 0U);
  }
  EXPECT_EQ(count, 0);
}

TEST(Published, NestedReadsHoldUntilTheOuterEnds) {
  std::atomic<std::int64_t> count{0};
  published<witness> a(make(1, count)), b(make(10, count));
  {
    const auto outer = a.read();
    a.publish(make(2, count));
    {
      const auto inner = a.read();
      EXPECT_EQ(inner->number, 2U) << "each sees what is current when it begins";
      const auto deeper = b.read();
      EXPECT_EQ(deeper->number, 10U);
    }
    a.publish(make(3, count));
    EXPECT_TRUE(outer->whole());
    EXPECT_EQ(outer->number, 1U);
    EXPECT_EQ(a.held(), 2U);
  }
  a.publish(make(4, count));
  EXPECT_EQ(a.held(), 0U);
  EXPECT_EQ(count, 2);
}

std::size_t slots() {
  std::size_t n = 0;
  for (auto* s = published_detail::slots.load(); s != nullptr; s = s->next) ++n;
  return n;
}

TEST(Published, SlotsOfEndedThreadsAreTakenAgain) {
  std::atomic<std::int64_t> count{0};
  published<witness> value(make(1, count));
  const auto round = [&] {
    std::latch together(4);
    std::array<std::thread, 4> threads;
    for (std::thread& t : threads)
      t = std::thread([&] {
        const auto held = value.read();
        together.arrive_and_wait(); // all four at once
        EXPECT_TRUE(held->whole());
      });
    for (std::thread& t : threads) t.join();
  };
  round();
  const std::size_t after_one = slots();
  for (int i = 0; i < 50; ++i) round();
  EXPECT_EQ(slots(), after_one);
  value.publish(make(2, count));
  EXPECT_EQ(value.held(), 0U) << "an ended thread holds nothing";
}

/// Reads when its thread ends, perhaps after the thread's slot was given back.
struct reads_at_end {
  const published<witness>* from{nullptr};
  std::atomic<int>* intact{nullptr};
  ~reads_at_end() {
    if (from == nullptr) return;
    const auto outer = from->read();
    const auto inner = from->read();
    *intact += outer->whole() && inner->whole();
  }
};

TEST(Published, ThreadLocalDestructorsMayStillRead) {
  std::atomic<std::int64_t> count{0};
  std::atomic<int> intact{0};
  {
    published<witness> value(make(1, count));
    std::atomic<bool> stop{false};
    std::thread publisher([&] {
      for (std::uint64_t i = 2; !stop.load(); ++i) value.publish(make(i, count));
    });
    for (int i = 0; i < 20; ++i) {
      std::thread reader([&] {
        static thread_local reads_at_end last; // made before the slot, hence destroyed after it
        last.from = &value;
        last.intact = &intact;
        (void)value.read()->number;
      });
      reader.join();
    }
    stop = true;
    publisher.join();
  }
  EXPECT_EQ(intact, 20);
  EXPECT_EQ(count, 0);
}

TEST(Published, ReadersAndPublishersAtOnce) {
  std::atomic<std::int64_t> count{0};
  std::atomic<std::uint64_t> broken{0}, went_back{0}, reads{0};
  {
    published<witness> a(make(0, count)), b(make(0, count));
    std::atomic<bool> stop{false};
    std::vector<std::thread> readers, publishers;
    for (int r = 0; r < 4; ++r)
      readers.emplace_back([&, r] {
        std::uint64_t last = 0;
        while (!stop.load()) {
          const auto first = a.read();
          if (!first->whole()) ++broken;
          if (first->number < last) ++went_back;
          last = first->number;
          const auto second = b.read(); // nested: under the older epoch
          if (r % 2 == 0) std::this_thread::yield();
          if (!first->whole() || !second->whole()) ++broken;
          ++reads;
        }
      });
    std::thread passing([&] { // threads that come and go
      while (!stop.load())
        std::thread([&] {
          if (!a.read()->whole()) ++broken;
        }).join();
    });
    std::atomic<std::uint64_t> next{0};
    publishers.emplace_back([&] { // a's numbers grow: one publisher
      for (std::uint64_t i = 1; i <= 20'000; ++i) a.publish(make(i, count));
    });
    for (int p = 0; p < 2; ++p)
      publishers.emplace_back([&] {
        for (int i = 0; i < 10'000; ++i) b.publish(make(++next, count));
      });
    for (std::thread& t : publishers) t.join();
    stop = true;
    for (std::thread& t : readers) t.join();
    passing.join();
    EXPECT_EQ(a.read()->number, 20'000U);
    a.publish(make(1, count));
    b.publish(make(1, count));
    EXPECT_EQ(a.held() + b.held(), 0U);
    EXPECT_EQ(count, 2);
  }
  EXPECT_EQ(count, 0);
  EXPECT_EQ(broken, 0U);
  EXPECT_EQ(went_back, 0U);
  EXPECT_GT(reads, 0U);
}

/// Any order of beginning and ending reads and publishing, on one thread: what is read is what was current, and what is
/// freed is exactly what no read that is still open could have seen.
TEST(Published, AnyOrderOfReadsAndPublishes) {
  EXPECT_TRUE(rc::check("open reads stay whole, nothing leaks", [] {
    std::atomic<std::int64_t> count{0};
    {
      published<witness> value(make(0, count));
      std::vector<std::pair<std::unique_ptr<published<witness>::reading>, std::uint64_t>> open;
      std::uint64_t current = 0;
      const auto steps = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 4));
      for (const int step : steps) {
        if (step == 0) {
          // guaranteed elision makes it in place
          open.emplace_back(std::unique_ptr<published<witness>::reading>(new published<witness>::reading(value.read())),
                            current);
        } else if (step == 1 && !open.empty()) {
          open.pop_back();
        } else if (step == 2 && !open.empty()) {
          open.erase(open.begin());
        } else {
          value.publish(make(++current, count));
          if (open.empty()) RC_ASSERT(value.held() == 0U);
        }
        for (const auto& [reading, number] : open) RC_ASSERT((*reading)->whole() && (*reading)->number == number);
        RC_ASSERT(static_cast<std::size_t>(count.load()) == value.held() + 1);
      }
    }
    RC_ASSERT(count.load() == 0);
  }));
}

} // namespace
} // namespace homeostat
