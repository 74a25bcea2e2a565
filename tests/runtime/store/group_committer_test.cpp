#include "runtime/store/group_committer.hpp"

#include "runtime/store/sqlite_store.hpp"
#include "tests/runtime/store/scripted_store.hpp"
#include "tests/runtime/store/store_contract.hpp"
#include "tests/runtime/store/temporary_folder.hpp"

#include <gmock/gmock.h>

#include <future>
#include <stdexcept>

namespace homeostat {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr long as_result(store_error_kind kind) { return -static_cast<long>(kind); }

group_limits no_gathering() {
  group_limits l;
  l.gather_share = 0;
  return l;
}

store_batch one(std::uint64_t n, const std::string& loop = "a") { return records({entry(n, loop)}); }

TEST(group_committer, WhatWaitsTogetherIsCommittedTogetherAndAnsweredInOrder) {
  scripted_store s;
  answers a;
  s.hold();
  group_committer c{s, no_gathering()};
  ASSERT_TRUE(c.submit(one(0), a.expect(0)));
  s.await_begun(1);
  for (int i = 1; i <= 10; ++i) ASSERT_TRUE(c.submit(one(static_cast<std::uint64_t>(i)), a.expect(i)));
  s.let_all_through();
  a.await(11);
  EXPECT_EQ(s.group_sizes(), (std::vector<std::size_t>{1, 10}));
  EXPECT_EQ(a.order(), (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}));
  EXPECT_EQ(a.results(), (std::vector<long>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}));
}

TEST(group_committer, EachBatchLearnsTheSequenceOfItsOwnLastRecord) {
  scripted_store s;
  answers a;
  s.hold();
  group_committer c{s, no_gathering()};
  ASSERT_TRUE(c.submit(one(0), a.expect(0)));
  s.await_begun(1);
  ASSERT_TRUE(c.submit(records({entry(1), entry(2), entry(3)}), a.expect(1)));
  ASSERT_TRUE(c.submit(state("k", "v"), a.expect(2)));
  ASSERT_TRUE(c.submit(records({entry(4), entry(5)}), a.expect(3)));
  s.let_all_through();
  a.await(4);
  EXPECT_EQ(a.results(), (std::vector<long>{1, 4, 4, 6}));
}

TEST(group_committer, ManySubmittersGetEveryAnswerOnceAndInTheirOwnOrder) {
  constexpr int submitters = 8, each = 500;
  scripted_store s;
  std::vector<answers> a(submitters);
  {
    group_committer c{s};
    std::vector<std::jthread> threads;
    for (int t = 0; t < submitters; ++t)
      threads.emplace_back([&, t] {
        for (int i = 0; i < each; ++i)
          EXPECT_TRUE(c.submit(one(static_cast<std::uint64_t>(i), std::to_string(t)),
                               a[static_cast<std::size_t>(t)].expect(i)));
      });
    threads.clear();
    EXPECT_TRUE(c.stop(1min));
    EXPECT_EQ(c.stats().committed, static_cast<std::uint64_t>(submitters * each));
    EXPECT_EQ(c.stats().pending_entries, 0U);
    EXPECT_EQ(c.stats().pending_bytes, 0U);
  }
  const std::vector<audit_entry> log = s.log();
  ASSERT_EQ(log.size(), static_cast<std::size_t>(submitters * each));
  for (int t = 0; t < submitters; ++t) {
    const auto order = a[static_cast<std::size_t>(t)].order();
    const auto results = a[static_cast<std::size_t>(t)].results();
    ASSERT_EQ(order.size(), static_cast<std::size_t>(each));
    for (int i = 0; i < each; ++i) {
      const auto at = static_cast<std::size_t>(i);
      EXPECT_EQ(order[at], i);
      const audit_entry& stored =
          log.at(static_cast<std::size_t>(results[at]) - 1); // the sequence points at our record
      EXPECT_EQ(stored.loop, std::to_string(t));
      EXPECT_EQ(stored.generation, entry(static_cast<std::uint64_t>(i)).generation);
    }
  }
}

// ---- gathering
// -------------------------------------------------------------------------------------------------------

TEST(group_committer, AGroupWaitsForAsManyAsCameLastTime) {
  scripted_store s;
  answers a;
  s.hold();
  group_limits l;
  l.gather_share = 1e12; // as good as forever: what the test shows must not depend on the speed of the machine
  l.gather_cap = std::chrono::hours{1};
  group_committer c{s, l};
  ASSERT_TRUE(c.submit(one(0), a.expect(0)));
  s.await_begun(1);
  for (int i = 1; i <= 3; ++i) ASSERT_TRUE(c.submit(one(1), a.expect(i)));
  s.let_through();
  a.await(1);
  // One was answered while three waited: now four are expected. The fourth makes the group complete.
  ASSERT_TRUE(c.submit(one(2), a.expect(4)));
  s.await_begun(2);
  s.let_all_through();
  a.await(5);
  EXPECT_EQ(s.group_sizes(), (std::vector<std::size_t>{1, 4}));
  for (int i = 5; i <= 8; ++i) ASSERT_TRUE(c.submit(one(3), a.expect(i)));
  a.await(9);
  EXPECT_EQ(s.group_sizes(), (std::vector<std::size_t>{1, 4, 4}));
}

TEST(group_committer, WhoeverComesAloneIsNotKeptWaitingForOthers) {
  scripted_store s;
  answers a;
  s.hold();
  group_limits l;
  l.gather_cap = 1us;
  group_committer c{s, l};
  ASSERT_TRUE(c.submit(one(0), a.expect(0)));
  s.await_begun(1);
  for (int i = 1; i <= 3; ++i) ASSERT_TRUE(c.submit(one(1), a.expect(i)));
  s.let_all_through();
  a.await(4);
  ASSERT_TRUE(c.submit(one(2), a.expect(4))); // three are expected, and they never come
  a.await(5);
  EXPECT_EQ(a.order().back(), 4);
}

TEST(group_committer, StoppingEndsTheGathering) {
  scripted_store s;
  answers a;
  s.hold();
  group_limits l;
  l.gather_share = 1e12;
  l.gather_cap = std::chrono::hours{1};
  group_committer c{s, l};
  ASSERT_TRUE(c.submit(one(0), a.expect(0)));
  s.await_begun(1);
  ASSERT_TRUE(c.submit(one(1), a.expect(1)));
  s.let_all_through(); // two are expected then, and one waits
  a.await(1);
  EXPECT_TRUE(c.stop(1min));
  EXPECT_EQ(a.results(), (std::vector<long>{1, 2}));
}

TEST(group_committer, AGroupIsNoLargerThanItsLimits) {
  scripted_store s;
  answers a;
  s.hold();
  group_limits l = no_gathering();
  l.max_group_entries = 4;
  group_committer c{s, l};
  ASSERT_TRUE(c.submit(one(0), a.expect(0)));
  s.await_begun(1);
  for (int i = 1; i <= 9; ++i) ASSERT_TRUE(c.submit(one(1), a.expect(i)));
  store_batch large = one(2);
  for (int i = 0; i < 9; ++i) large.records.push_back(entry(2));
  ASSERT_TRUE(c.submit(large, a.expect(10))); // more than a group may hold: it goes alone
  s.let_all_through();
  a.await(11);
  EXPECT_EQ(s.group_sizes(), (std::vector<std::size_t>{1, 4, 4, 1, 1}));
}

// ---- bounds
// ----------------------------------------------------------------------------------------------------------

TEST(group_committer, AFullQueueRefusesAtOnceAndHasRoomAgainAfterwards) {
  scripted_store s;
  answers a;
  s.hold();
  group_limits l = no_gathering();
  l.max_pending_entries = 3;
  group_committer c{s, l};
  ASSERT_TRUE(c.submit(one(0), a.expect(0)));
  s.await_begun(1); // under way, and it still takes its place
  ASSERT_TRUE(c.submit(one(1), a.expect(1)));
  EXPECT_FALSE(c.submit(records({entry(2), entry(3)}), a.expect(99)));
  ASSERT_TRUE(c.submit(one(2), a.expect(2)));
  EXPECT_FALSE(c.submit(one(3), a.expect(99)));
  EXPECT_FALSE(c.submit({}, a.expect(99))); // even an empty batch takes a place
  EXPECT_EQ(c.stats().refused, 3U);
  s.let_all_through();
  a.await(3);
  ASSERT_TRUE(c.submit(records({entry(2), entry(3), entry(4)}), a.expect(3)));
  a.await(4);
  EXPECT_EQ(a.order(), (std::vector<int>{0, 1, 2, 3})); // a refused one is never answered
  EXPECT_EQ(s.log().size(), 6U);
}

TEST(group_committer, TheQueueIsBoundedInBytesToo) {
  scripted_store s;
  answers a;
  s.hold();
  group_limits l = no_gathering();
  l.max_pending_bytes = 10'000;
  group_committer c{s, l};
  const auto sized = [](std::size_t bytes) {
    store_batch b = one(1);
    b.records.back().payload.assign(bytes, 'x');
    return b;
  };
  ASSERT_TRUE(c.submit(sized(6'000), a.expect(0)));
  EXPECT_FALSE(c.submit(sized(6'000), a.expect(99)));
  EXPECT_FALSE(c.submit(state("k", std::string(6'000, 'x')), a.expect(99)));
  ASSERT_TRUE(c.submit(sized(1'000), a.expect(1)));
  s.let_all_through();
  a.await(2);
  EXPECT_FALSE(c.submit(sized(10'001), a.expect(99))); // one that never fits
  EXPECT_EQ(a.order(), (std::vector<int>{0, 1}));
}

TEST(group_committer, ASubmitterMayComeAgainFromItsOwnCallback) {
  scripted_store s;
  group_limits l = no_gathering();
  l.max_pending_entries = 1; // its own place must be free by then
  std::promise<void> finished;
  group_committer c{s, l};
  int left = 100;
  std::function<void(const commit_outcome&)> again = [&](const commit_outcome& o) {
    EXPECT_TRUE(o);
    if (--left == 0) return finished.set_value();
    EXPECT_TRUE(c.submit(one(1), [&](const commit_outcome& next) { again(next); }));
  };
  ASSERT_TRUE(c.submit(one(1), [&](const commit_outcome& o) { again(o); }));
  finished.get_future().wait();
  EXPECT_EQ(s.log().size(), 100U);
}

// ---- failures
// --------------------------------------------------------------------------------------------------------

TEST(group_committer, EveryErrorReachesEveryoneInTheGroupAndTheNextGroupTriesAgain) {
  for (const store_error_kind kind : {store_error_kind::busy, store_error_kind::full, store_error_kind::io,
                                      store_error_kind::corrupt, store_error_kind::schema, store_error_kind::closed}) {
    SCOPED_TRACE(to_string(kind));
    scripted_store s;
    answers a;
    s.hold();
    group_committer c{s, no_gathering()};
    ASSERT_TRUE(c.submit(one(0), a.expect(0)));
    s.await_begun(1);
    for (int i = 1; i <= 3; ++i) ASSERT_TRUE(c.submit(one(1), a.expect(i)));
    s.follow([&](auto batches) -> std::expected<void, store_error> {
      if (batches.size() == 1) return {};
      return std::unexpected{store_error{kind, "/some/path: no"}};
    });
    s.let_all_through();
    a.await(4);
    EXPECT_EQ(a.results(), (std::vector<long>{1, as_result(kind), as_result(kind), as_result(kind)}));
    EXPECT_EQ(a.of(2).error().what, "/some/path: no");
    s.follow({});
    ASSERT_TRUE(c.submit(one(2), a.expect(4)));
    a.await(5);
    EXPECT_EQ(a.results().back(), 2);
    EXPECT_EQ(c.stats().failed, 3U);
    EXPECT_EQ(c.stats().committed, 2U);
  }
}

TEST(group_committer, ABatchThatCannotBeAcceptedFailsAlone) {
  scripted_store s;
  answers a;
  s.hold();
  s.follow([](std::span<const store_batch> batches) -> std::expected<void, store_error> {
    for (const store_batch& b : batches)
      for (const audit_entry& e : b.records)
        if (e.loop == "bad") return std::unexpected{store_error{store_error_kind::invalid, "bad loop"}};
    return {};
  });
  group_committer c{s, no_gathering()};
  ASSERT_TRUE(c.submit(one(0), a.expect(0)));
  s.await_begun(1);
  for (int i = 1; i <= 7; ++i) ASSERT_TRUE(c.submit(one(1, i == 3 || i == 7 ? "bad" : "good"), a.expect(i)));
  s.let_all_through();
  a.await(8);
  const long bad = as_result(store_error_kind::invalid);
  EXPECT_EQ(a.order(), (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(a.results(), (std::vector<long>{1, 2, 3, bad, 4, 5, 6, bad}));
}

TEST(group_committer, AThrowingStoreIsAnError) {
  scripted_store s;
  answers a;
  s.follow([](auto) -> std::expected<void, store_error> { throw std::runtime_error{"out of pages"}; });
  group_committer c{s};
  ASSERT_TRUE(c.submit(one(0), a.expect(0)));
  a.await(1);
  EXPECT_EQ(a.of(0).error().kind, store_error_kind::io);
  EXPECT_THAT(a.of(0).error().what, HasSubstr("out of pages"));
}

TEST(group_committer, AThrowingCallbackCostsNobodyElseTheAnswer) {
  scripted_store s;
  answers a;
  s.hold();
  group_committer c{s, no_gathering()};
  ASSERT_TRUE(c.submit(one(0), a.expect(0)));
  s.await_begun(1);
  ASSERT_TRUE(c.submit(one(1), [](const commit_outcome&) { throw std::runtime_error{"mine"}; }));
  ASSERT_TRUE(c.submit(one(2), {}));
  ASSERT_TRUE(c.submit(one(3), a.expect(1)));
  s.let_all_through();
  a.await(2);
  EXPECT_EQ(a.results(), (std::vector<long>{1, 4}));
  EXPECT_EQ(c.stats().callback_exceptions, 1U);
}

// ---- stopping
// --------------------------------------------------------------------------------------------------------

TEST(group_committer, StopCommitsWhatIsPending) {
  scripted_store s;
  answers a;
  s.hold();
  group_committer c{s, no_gathering()};
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(c.submit(one(1), a.expect(i)));
  s.let_all_through();
  EXPECT_TRUE(c.stop(1min));
  EXPECT_EQ(a.order().size(), 20U);
  EXPECT_EQ(s.log().size(), 20U);
  EXPECT_FALSE(c.submit(one(2), a.expect(99)));
  EXPECT_TRUE(c.stop(0ms)); // again, and it says the same
  EXPECT_EQ(a.order().size(), 20U);
}

TEST(group_committer, WhatTheDeadlineCutsOffIsAnsweredWithAnError) {
  scripted_store s;
  answers a;
  s.hold();
  group_limits l = no_gathering();
  l.max_pending_entries = l.max_pending_bytes = SIZE_MAX; // so that only the stop can refuse
  group_committer c{s, l};
  ASSERT_TRUE(c.submit(one(0), a.expect(0)));
  s.await_begun(1);
  for (int i = 1; i <= 5; ++i) ASSERT_TRUE(c.submit(one(1), a.expect(i)));
  auto stopped = std::async(std::launch::async, [&] { return c.stop(0ms); });
  while (c.submit({}, {})) std::this_thread::yield();
  s.let_all_through();
  EXPECT_FALSE(stopped.get());
  const auto results = a.results();
  ASSERT_EQ(results.size(), 6U);
  EXPECT_EQ(results[0], 1); // under way at the deadline: it got its true outcome
  for (std::size_t i = 1; i < 6; ++i) EXPECT_EQ(results[i], as_result(store_error_kind::closed));
  EXPECT_EQ(s.log().size(), 1U);
  EXPECT_EQ(c.stats().pending_entries, 0U);
}

TEST(group_committer, AFailingStoreDoesNotHoldTheStopUp) {
  scripted_store s;
  answers a;
  s.follow([](auto) -> std::expected<void, store_error> {
    return std::unexpected{store_error{store_error_kind::full, "full"}};
  });
  group_committer c{s};
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(c.submit(one(1), a.expect(i)));
  EXPECT_TRUE(c.stop(1min));
  EXPECT_EQ(a.results(), std::vector<long>(100, as_result(store_error_kind::full)));
}

TEST(group_committer, TheDestructorAnswersEverybody) {
  scripted_store s;
  answers a;
  {
    group_committer c{s};
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(c.submit(one(1), a.expect(i)));
  }
  EXPECT_EQ(a.order().size(), 100U);
}

TEST(group_committer, SubmittersThatRaceWithTheStopAreAnsweredOrRefused) {
  for (int round = 0; round < 50; ++round) {
    scripted_store s;
    std::atomic<int> accepted{0}, answered{0};
    group_committer c{s};
    {
      std::vector<std::jthread> threads;
      for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] {
          while (c.submit(one(1), [&](const commit_outcome&) { ++answered; })) ++accepted;
        });
      while (accepted < 10) std::this_thread::yield();
      c.stop(round % 2 == 0 ? 0ms : 1min);
    }
    EXPECT_EQ(accepted, answered);
  }
}

// ---- with the embedded store
// -----------------------------------------------------------------------------------------

TEST(group_committer, WithTheEmbeddedStoreEveryAcknowledgedRecordIsWhereItWasPromised) {
  constexpr int submitters = 16, each = 50;
  const temporary_folder folder;
  const auto s = got(open_sqlite_store({.path = folder / "store.db"}, instant{}));
  std::vector<std::vector<std::uint64_t>> promised(submitters);
  {
    group_committer c{*s};
    std::vector<std::jthread> threads;
    for (int t = 0; t < submitters; ++t)
      threads.emplace_back([&, t] {
        for (int i = 0; i < each; ++i) {
          std::promise<std::uint64_t> sequence;
          EXPECT_TRUE(c.submit(one(static_cast<std::uint64_t>(i), std::to_string(t)),
                               [&](const commit_outcome& o) { sequence.set_value(o.value_or(0)); }));
          promised[static_cast<std::size_t>(t)].push_back(sequence.get_future().get());
        }
      });
    threads.clear();
    EXPECT_LT(c.stats().groups, static_cast<std::uint64_t>(submitters * each)); // they did share
  }
  for (int t = 0; t < submitters; ++t) {
    std::vector<std::uint64_t> stored;
    for (const stored_record& r : got(s->range(1, max_read_count, std::to_string(t)))) stored.push_back(r.sequence);
    EXPECT_EQ(stored, promised[static_cast<std::size_t>(t)]);
  }
  EXPECT_TRUE(got(s->verify({}, {})).intact());
}

} // namespace
} // namespace homeostat
