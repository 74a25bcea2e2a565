#include "runtime/hotpath/spsc_ring.hpp"

#include "policies/telemetry/digest.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <latch>
#include <thread>
#include <utility>
#include <vector>

namespace homeostat {
namespace {

TEST(SpscRing, ReturnsElementsInOrder) {
  spsc_ring<int, 4> ring;
  EXPECT_EQ(ring.pop(), std::nullopt);
  for (int i = 1; i <= 4; ++i) EXPECT_EQ(ring.push(i), push_result::stored);
  EXPECT_EQ(ring.size(), 4U);
  for (int i = 1; i <= 4; ++i) EXPECT_EQ(ring.pop(), i);
  EXPECT_EQ(ring.pop(), std::nullopt);
  EXPECT_EQ(ring.evicted(), 0U);
}

TEST(SpscRing, EvictsAndCountsTheOldestWhenFull) {
  spsc_ring<int, 4> ring;
  for (int i = 1; i <= 4; ++i) ring.push(i);
  EXPECT_EQ(ring.push(5), push_result::stored_evicting_oldest);
  EXPECT_EQ(ring.push(6), push_result::stored_evicting_oldest);
  EXPECT_EQ(ring.evicted(), 2U);
  EXPECT_EQ(ring.size(), 4U);
  for (int i = 3; i <= 6; ++i) EXPECT_EQ(ring.pop(), i);
  EXPECT_EQ(ring.size(), 0U);
}

TEST(SpscRing, OfOneHoldsTheLatest) {
  spsc_ring<int, 1> ring;
  ring.push(1);
  EXPECT_EQ(ring.push(2), push_result::stored_evicting_oldest);
  EXPECT_EQ(ring.pop(), 2);
  EXPECT_EQ(ring.push(3), push_result::stored);
  EXPECT_EQ(ring.pop(), 3);
}

struct odd_sized {
  std::array<char, 13> text;
  friend bool operator==(const odd_sized&, const odd_sized&) = default;
};

TEST(SpscRing, CarriesElementsThatAreNoWholeNumberOfWords) {
  spsc_ring<odd_sized, 2> ring;
  const odd_sized element{{'a', 'b', 'c', 0, 1, 2, 3, 4, 5, 6, 7, 8, 'z'}};
  ring.push(element);
  EXPECT_EQ(ring.pop(), element);
}

TEST(SpscRing, CarriesDigests) {
  spsc_ring<telemetry_digest, 8> ring;
  telemetry_digest digest{
      .at = instant(5s), .window = 500ms, .sequence = 9, .generation = 3, .sample_count = 77, .objective = 1.5};
  digest.measures.set(digest_measure::error_rate, 0.01);
  ring.push(digest);
  EXPECT_EQ(ring.pop(), digest);
}

RC_GTEST_PROP(SpscRing, BehavesLikeADequeThatDropsItsFront, (std::vector<bool> pushes)) {
  spsc_ring<std::uint64_t, 8> ring;
  std::deque<std::uint64_t> twin;
  std::uint64_t next = 0;
  std::uint64_t dropped = 0;
  for (bool is_push : pushes) {
    if (is_push) {
      const bool full = twin.size() == 8;
      if (full) {
        twin.pop_front();
        ++dropped;
      }
      twin.push_back(next);
      RC_ASSERT((ring.push(next) == push_result::stored_evicting_oldest) == full);
      ++next;
    } else {
      const auto got = ring.pop();
      RC_ASSERT(got.has_value() == !twin.empty());
      if (got) {
        RC_ASSERT(*got == twin.front());
        twin.pop_front();
      }
    }
    RC_ASSERT(ring.size() == twin.size());
    RC_ASSERT(ring.evicted() == dropped);
  }
}

// ---- a consumer suspended between copying an element and claiming it ----

struct scripted_hook {
  std::function<void()>* script;
  void copied() const {
    if (*script) (*script)();
  }
};

class ConsumerSuspended : public testing::TestWithParam<int> {};

TEST_P(ConsumerSuspended, GetsTheOldestThatSurvivedThePushes) {
  const int pushes = GetParam();
  std::function<void()> script;
  spsc_ring<int, 4, scripted_hook> ring{scripted_hook{&script}};
  for (int i = 0; i < 4; ++i) ring.push(i); // full: the next push evicts
  bool first = true;
  script = [&] {
    if (!std::exchange(first, false)) return;
    for (int i = 0; i < pushes; ++i) EXPECT_EQ(ring.push(4 + i), push_result::stored_evicting_oldest);
  };
  for (int expected = pushes; expected < pushes + 4; ++expected) EXPECT_EQ(ring.pop(), expected);
  EXPECT_EQ(ring.pop(), std::nullopt);
  EXPECT_EQ(ring.evicted(), static_cast<std::uint64_t>(pushes));
}

INSTANTIATE_TEST_SUITE_P(ByPushes, ConsumerSuspended, testing::Values(0, 1, 2, 3, 4, 5, 9, 16));

// ---- two threads ----

/// Five words that all follow from the number: a mixture of two elements is seen at once.
struct stamped {
  std::array<std::uint64_t, 5> words;
};

stamped stamp(std::uint64_t number) { return {{number, ~number, number * 3, number * 5, number ^ 0x5555}}; }

struct consumer_findings {
  std::uint64_t popped{0};
  std::uint64_t torn{0};
  std::uint64_t not_increasing{0};
  std::uint64_t next{0}; // smallest number that may come now
};

void inspect(const stamped& element, consumer_findings& found) {
  ++found.popped;
  found.torn += element.words != stamp(element.words[0]).words;
  found.not_increasing += element.words[0] < found.next;
  found.next = element.words[0] + 1;
}

template <std::size_t N> void exchange(std::uint64_t pushes) {
  spsc_ring<stamped, N> ring;
  std::atomic<bool> done{false};
  consumer_findings found;
  std::uint64_t evictions_reported = 0;
  std::latch ready(2);
  {
    std::jthread consumer([&] {
      ready.arrive_and_wait();
      bool more = true;
      while (more) {
        more = !done.load(std::memory_order_acquire);
        while (const auto element = ring.pop()) inspect(*element, found);
      }
    });
    ready.arrive_and_wait();
    for (std::uint64_t number = 0; number < pushes; ++number)
      evictions_reported += ring.push(stamp(number)) == push_result::stored_evicting_oldest;
    done.store(true, std::memory_order_release);
  }
  EXPECT_EQ(found.torn, 0U);
  EXPECT_EQ(found.not_increasing, 0U);
  EXPECT_EQ(found.popped + ring.evicted(), pushes);
  EXPECT_EQ(evictions_reported, ring.evicted());
  EXPECT_EQ(found.next, pushes) << "the newest element is never the one that is lost";
  EXPECT_EQ(ring.size(), 0U);
}

TEST(SpscRingThreads, OfTwoLosesNothingUncounted) { exchange<2>(500'000); }
TEST(SpscRingThreads, OfOneLosesNothingUncounted) { exchange<1>(500'000); }
TEST(SpscRingThreads, OfSixtyFourLosesNothingUncounted) { exchange<64>(500'000); }

} // namespace
} // namespace homeostat
