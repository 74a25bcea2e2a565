#include "runtime/hotpath/atomic_config.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <latch>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

namespace homeostat {
namespace {

constexpr std::size_t knobs = 8;
constexpr std::uint64_t updates = 60'000;

/// Every value follows from the generation and the knob, so one look tells a torn snapshot.
double expected_value(std::uint64_t generation, std::size_t knob) {
  return static_cast<double>(generation * 31 + knob * 7);
}

std::array<double, knobs> values_of(std::uint64_t generation) {
  std::array<double, knobs> values{};
  for (std::size_t i = 0; i < knobs; ++i) values[i] = expected_value(generation, i);
  return values;
}

/// What one reader found; checked after the threads are joined, because a failed assertion in a thread ends only its
/// function.
struct reader_findings {
  std::uint64_t snapshots{0};
  std::uint64_t torn{0};
  std::uint64_t went_back{0};
  std::uint64_t knob_behind_snapshot{0};
  std::uint64_t last_generation{0};
};

reader_findings read_until(const atomic_config& config, const std::atomic<bool>& done) {
  reader_findings found;
  std::uint64_t last = 0;
  bool more = true;
  while (more) {
    more = !done.load(std::memory_order_acquire); // so that the last round sees the last generation
    const config_snapshot seen = config.snapshot();
    ++found.snapshots;
    found.torn += seen.size != knobs;
    for (std::size_t i = 0; i < knobs; ++i) found.torn += seen.values[i] != expected_value(seen.generation, i);
    found.went_back += seen.generation < last;
    last = seen.generation;
    for (std::size_t i = 0; i < knobs; ++i) found.knob_behind_snapshot += config.value(i) < seen.values[i];
    const std::uint64_t now = config.generation();
    found.went_back += now < last;
    last = now;
  }
  found.last_generation = last;
  return found;
}

TEST(AtomicConfigThreads, SnapshotsAreWholeAndNeverGoBackUnderABusyWriter) {
  atomic_config config(values_of(0));
  std::atomic<bool> done{false};
  std::array<reader_findings, 3> found;
  {
    std::vector<std::jthread> readers;
    std::latch ready(static_cast<std::ptrdiff_t>(found.size()) + 1);
    for (auto& result : found)
      readers.emplace_back([&config, &done, &ready, &result] {
        ready.arrive_and_wait();
        result = read_until(config, done);
      });
    ready.arrive_and_wait();
    bool all_written = true;
    for (std::uint64_t generation = 1; generation <= updates; ++generation)
      all_written = all_written && config.update(values_of(generation)).has_value();
    done.store(true, std::memory_order_release);
    EXPECT_TRUE(all_written);
  }
  for (const auto& result : found) {
    EXPECT_GT(result.snapshots, 0U);
    EXPECT_EQ(result.torn, 0U);
    EXPECT_EQ(result.went_back, 0U);
    EXPECT_EQ(result.knob_behind_snapshot, 0U);
    EXPECT_EQ(result.last_generation, updates);
  }
}

TEST(AtomicConfigThreads, SingleKnobsNeverGoBackUnderABusyWriter) {
  atomic_config config(values_of(0));
  std::atomic<bool> done{false};
  std::array<std::uint64_t, 2> went_back{};
  {
    std::vector<std::jthread> readers;
    for (auto& count : went_back)
      readers.emplace_back([&config, &done, &count] {
        std::array<double, knobs> last{};
        while (!done.load(std::memory_order_acquire))
          for (std::size_t i = 0; i < knobs; ++i) {
            const double now = config.value(i);
            count += now < last[i];
            last[i] = now;
          }
      });
    for (std::uint64_t generation = 1; generation <= updates; ++generation) (void)config.update(values_of(generation));
    done.store(true, std::memory_order_release);
  }
  for (auto count : went_back) EXPECT_EQ(count, 0U);
}

TEST(AtomicConfigThreads, WritesMayMoveFromThreadToThread) {
  atomic_config config(values_of(0));
  for (std::uint64_t generation = 1; generation <= 64; ++generation)
    std::jthread([&] { EXPECT_TRUE(config.update(values_of(generation), generation)); }).join();
  EXPECT_EQ(config.generation(), 64U);
  EXPECT_EQ(config.snapshot().values[knobs - 1], expected_value(64, knobs - 1));
}

TEST(AtomicConfigThreads, TwoWritersAtOnceCannotMixTheirValues) {
  atomic_config config(values_of(0));
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::uint64_t> odd_refusals{0};
  constexpr std::uint64_t tries = 20'000;
  {
    std::vector<std::jthread> writers;
    for (std::uint64_t offset = 0; offset < 2; ++offset)
      writers.emplace_back([&, offset] {
        for (std::uint64_t i = 1; i <= tries; ++i) {
          const std::uint64_t generation = 2 * i + offset;
          const auto result = config.update(values_of(generation), generation);
          if (result)
            accepted.fetch_add(1);
          else if (result.error() != config_refusal::writer_busy && result.error() != config_refusal::stale_generation)
            odd_refusals.fetch_add(1);
        }
      });
  }
  EXPECT_GE(accepted.load(), 1U);
  EXPECT_EQ(odd_refusals.load(), 0U);
  const config_snapshot last = config.snapshot();
  for (std::size_t i = 0; i < knobs; ++i) {
    EXPECT_EQ(last.values[i], expected_value(last.generation, i));
    EXPECT_EQ(config.value(i), last.values[i]);
  }
}

/// Where a thread is parked, once per arming, until it is let go.
struct parking_lot {
  std::atomic<bool> armed{false};
  config_step where{};
  int skip{0}; // stops of that kind to pass first
  std::binary_semaphore arrived{0};
  std::binary_semaphore leave{0};

  void arm(config_step step, int skipped) {
    where = step;
    skip = skipped;
    armed.store(true, std::memory_order_release);
  }
  void pass(config_step step) {
    if (!armed.load(std::memory_order_acquire) || step != where || skip-- > 0) return;
    armed.store(false, std::memory_order_release);
    arrived.release();
    leave.acquire();
  }
};

/// One lot for the writer's steps, one for the reader's.
struct parking_hook {
  parking_lot* writers;
  parking_lot* readers;
  void reached(config_step step) const {
    const bool reading = step == config_step::tag_loaded || step == config_step::value_loaded;
    (reading ? readers : writers)->pass(step);
  }
};
using parking_config = basic_atomic_config<parking_hook>;

struct parking_row {
  std::string name;
  config_step where;
  int skip;
};

void PrintTo(const parking_row& row, std::ostream* out) { *out << row.name; }

class WriterSuspended : public testing::TestWithParam<parking_row> {};

TEST_P(WriterSuspended, DoesNotHoldUpReadersOfOtherThreads) {
  parking_lot writers;
  parking_lot readers; // never armed
  parking_config config(values_of(0), parking_hook{&writers, &readers});
  ASSERT_TRUE(config.update(values_of(1)));
  writers.arm(GetParam().where, GetParam().skip);
  std::jthread writer([&] { EXPECT_TRUE(config.update(values_of(2))); });
  writers.arrived.acquire(); // from here the writer stands in the middle of generation 2

  std::array<std::uint64_t, 2> failures{};
  {
    std::vector<std::jthread> threads;
    for (auto& count : failures)
      threads.emplace_back([&config, &count] {
        for (int i = 0; i < 20'000; ++i) {
          config_snapshot seen;
          if (!config.try_snapshot(seen, 1) || seen.generation != 1) ++count;
          for (std::size_t k = 0; k < knobs; ++k) count += seen.values[k] != expected_value(1, k);
        }
      });
  }
  for (auto count : failures) EXPECT_EQ(count, 0U);
  writers.leave.release();
  writer.join();
  EXPECT_EQ(config.snapshot().generation, 2U);
}

TEST_P(WriterSuspended, InTheSlotOfASlowReaderIsNoticedByThatReader) {
  for (int values_read = 0; values_read < static_cast<int>(knobs); ++values_read) {
    parking_lot writers;
    parking_lot readers;
    parking_config config(values_of(0), parking_hook{&writers, &readers});
    readers.arm(config_step::value_loaded, values_read);
    config_snapshot seen;
    bool accepted = false;
    std::jthread reader([&] { accepted = config.try_snapshot(seen, 1); });
    readers.arrived.acquire(); // the reader stands in the middle of its copy of generation 0

    std::uint64_t generation = 0;
    while (generation < parking_config::slot_count - 1) EXPECT_TRUE(config.update(values_of(++generation)));
    writers.arm(GetParam().where, GetParam().skip);
    std::jthread writer([&] { EXPECT_TRUE(config.update(values_of(parking_config::slot_count))); });
    writers.arrived.acquire(); // and the writer in the middle of overwriting the same slot
    readers.leave.release();
    reader.join();
    EXPECT_FALSE(accepted) << "stopped after value " << values_read;
    writers.leave.release();
  }
}

INSTANTIATE_TEST_SUITE_P(Where, WriterSuspended,
                         testing::Values(parking_row{"AfterClaimingTheSlot", config_step::slot_claimed, 0},
                                         parking_row{"AfterHalfTheValues", config_step::value_stored, 3},
                                         parking_row{"AfterHalfTheLiveWords", config_step::live_word_stored, 3},
                                         parking_row{"BeforePublishing", config_step::live_word_stored, 7}),
                         [](const auto& row) { return row.param.name; });

} // namespace
} // namespace homeostat
