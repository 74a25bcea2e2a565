#include "actors/audit_sink.hpp"
#include "actors/ordered_store.hpp"
#include "tests/actors/actor_world.hpp"
#include "tests/actors/doubles.hpp"

namespace homeostat::testing {
namespace {

class audit_sink_test : public actor_world {
protected:
  audit_sink_actor start() { return system.spawn(audit_sink, store); }
  static audit_batch batch(std::string state = "s", bool durable = true) {
    return {.loop = "web", .records = {audit_record{}}, .state = std::move(state), .durable = durable};
  }
  static save_atom save() { return save_atom::value; }

  std::shared_ptr<fake_store> store = std::make_shared<fake_store>();
};

TEST_F(audit_sink_test, AnswersOnceTheBatchIsDurable) {
  store->submits = fake_store::way::held;
  const auto sink = start();
  const auto answer = ask<audit_answer>(sink, batch());
  settle();
  EXPECT_FALSE(answer->came());
  store->release();
  settle();
  ASSERT_TRUE(answer->value);
  EXPECT_EQ(answer->value->status, audit_status::durable);
  EXPECT_EQ(store->states.at("governor/web"), "s");
  end(sink);
}

TEST_F(audit_sink_test, AnswersEachRequesterItsOwn) {
  store->submits = fake_store::way::held;
  const auto sink = start();
  const auto first = ask<audit_answer>(sink, batch("1"));
  const auto second = ask<audit_answer>(sink, batch("2"));
  settle();
  store->release("disk gone", 1);
  store->release();
  settle();
  EXPECT_EQ(first->value->status, audit_status::failed);
  EXPECT_EQ(first->value->text, "disk gone");
  EXPECT_EQ(second->value->status, audit_status::durable);
  end(sink);
}

TEST_F(audit_sink_test, SaysFullAtOnce) {
  store->submits = fake_store::way::held;
  store->saves = fake_store::way::held;
  store->capacity = 1;
  const auto sink = start();
  const auto first = ask<audit_answer>(sink, batch());
  const auto second = ask<audit_answer>(sink, batch());
  const auto third = ask<audit_answer>(sink, save(), std::string("k"), std::string("v"));
  const auto waiting = ask<std::uint64_t>(sink, status_atom::value);
  settle();
  EXPECT_FALSE(first->came());
  EXPECT_EQ(second->value->status, audit_status::full);
  EXPECT_EQ(third->value->status, audit_status::full);
  EXPECT_EQ(waiting->value, 1U);
  store->release();
  settle();
  EXPECT_EQ(first->value->status, audit_status::durable);
  end(sink);
}

TEST_F(audit_sink_test, AnswersQueuedBatchesFromTheQueue) {
  store->submits = fake_store::way::held;
  const auto sink = start();
  const auto answer = ask<audit_answer>(sink, batch("s", false));
  settle();
  ASSERT_TRUE(answer->value);
  EXPECT_EQ(answer->value->status, audit_status::durable);
  EXPECT_EQ(store->held(), 1U);
  store->capacity = 1;
  const auto refused = ask<audit_answer>(sink, batch("s", false));
  settle();
  EXPECT_EQ(refused->value->status, audit_status::full);
  store->release();
  end(sink);
}

// I10: a queue that loses records must not go on answering for them.
TEST_F(audit_sink_test, WaitsForQueuedBatchesAfterOneWasLost) {
  store->submits = fake_store::way::held;
  const auto sink = start();
  const auto lost = ask<audit_answer>(sink, batch("1", false));
  settle();
  store->release("disk gone");
  settle();
  EXPECT_EQ(lost->value->status, audit_status::durable) << "it was in the queue";
  const auto next = ask<audit_answer>(sink, batch("2", false));
  settle();
  EXPECT_FALSE(next->came());
  store->release("disk gone");
  settle();
  EXPECT_EQ(next->value->status, audit_status::failed);
  const auto cured = ask<audit_answer>(sink, batch("3", false));
  settle();
  store->release();
  settle();
  EXPECT_EQ(cured->value->status, audit_status::durable);
  const auto queued_again = ask<audit_answer>(sink, batch("4", false));
  settle();
  EXPECT_EQ(queued_again->value->status, audit_status::durable);
  EXPECT_EQ(store->held(), 1U);
  store->release();
  end(sink);
}

TEST_F(audit_sink_test, LoadsWhatWasSaved) {
  const auto sink = start();
  const auto saved = ask<audit_answer>(sink, save(), std::string("strategy/web"), std::string("bytes"));
  const auto found = ask_load(sink, "strategy/web");
  const auto none = ask_load(sink, "strategy/db");
  settle();
  EXPECT_EQ(saved->value->status, audit_status::durable);
  EXPECT_EQ(found->value, std::optional<std::string>("bytes"));
  ASSERT_TRUE(none->value);
  EXPECT_FALSE(*none->value);
  end(sink);
}

// I10: if a failed load looked like "there is none", a loop would begin afresh, out of its safe mode.
TEST_F(audit_sink_test, SaysWhyALoadFailed) {
  store->loads = fake_store::way::failing;
  const auto sink = start();
  for (const char* failure : {"disk gone", ""}) {
    store->load_failure = failure;
    const auto answer = ask_load(sink, "governor/web");
    settle();
    ASSERT_TRUE(answer->error) << "failure '" << failure << "'";
    EXPECT_NE(answer->error->find("cannot read durable state: " + std::string(failure)), std::string::npos)
        << *answer->error;
  }
  end(sink);
}

TEST_F(audit_sink_test, AnswersAllItOwesWhenItEnds) {
  store->submits = store->saves = store->loads = fake_store::way::held;
  for (const auto reason : {caf::exit_reason::user_shutdown, caf::exit_reason::kill}) {
    const auto sink = start();
    const auto write = ask<audit_answer>(sink, batch());
    const auto written = ask<audit_answer>(sink, save(), std::string("k"), std::string("v"));
    const auto load = ask_load(sink, "k");
    settle();
    end(sink, reason);
    EXPECT_TRUE(write->error);
    EXPECT_TRUE(written->error);
    EXPECT_TRUE(load->error);
  }
  store->release(); // late answers reach nobody
  settle();
}

TEST_F(audit_sink_test, EndsWhenThePortThrowsAndTellsEveryRequester) {
  store->submits = fake_store::way::held;
  const auto sink = start();
  const auto waiting = ask<audit_answer>(sink, batch());
  settle();
  store->submits = fake_store::way::throwing;
  const auto answer = ask<audit_answer>(sink, batch());
  settle();
  EXPECT_FALSE(alive(sink));
  EXPECT_TRUE(answer->error);
  EXPECT_TRUE(waiting->error);
  store->release();
}

// A port may keep its callbacks for ever. That must not keep the actor.
TEST_F(audit_sink_test, IsFreedWhileThePortStillHoldsItsCallback) {
  store->submits = store->loads = fake_store::way::held;
  auto sink = start();
  const auto trace = trace_of(sink);
  (void)ask<audit_answer>(sink, batch());
  (void)ask_load(sink, "k");
  settle();
  end(sink);
  sink = nullptr;
  settle();
  EXPECT_EQ(store->held(), 2U);
  EXPECT_FALSE(trace.lock());
}

// ---- reads_after_writes
// --------------------------------------------------------------------------------------------------

class ordered_store_test : public audit_sink_test {
protected:
  std::shared_ptr<store_port> ordered = reads_after_writes(store);
  std::vector<std::string> log;
  auto note(const std::string& what) {
    return [this, what](const auto&) { log.push_back(what); };
  }
};

TEST_F(ordered_store_test, LetsNoReadOvertakeAWriteThatCameBefore) {
  store->submits = fake_store::way::held;
  ASSERT_TRUE(ordered->submit(batch("old"), note("write 1")));
  std::optional<std::string> seen;
  ordered->load("governor/web", [&](store_port::loaded value) { seen = value->value_or("none"); });
  ASSERT_TRUE(ordered->submit(batch("new"), note("write 2")));
  EXPECT_FALSE(seen);
  store->release({}, 1);
  EXPECT_EQ(seen, "old") << "and waits for no write that came after";
  store->release();
  EXPECT_EQ(log, (std::vector<std::string>{"write 1", "write 2"}));
}

TEST_F(ordered_store_test, ReadsAtOnceWhenNothingIsOpen) {
  bool read = false;
  ordered->load("k", [&](store_port::loaded value) { read = value && !*value; });
  EXPECT_TRUE(read);
}

TEST_F(ordered_store_test, DoesNotWaitForWritesThatWereRefused) {
  store->capacity = 0;
  EXPECT_FALSE(ordered->submit(batch(), note("never")));
  EXPECT_FALSE(ordered->save("k", "v", note("never")));
  store->capacity = 64;
  store->submits = fake_store::way::throwing;
  EXPECT_THROW((void)ordered->submit(batch(), note("never")), std::runtime_error);
  bool read = false;
  ordered->load("k", [&](const store_port::loaded&) { read = true; });
  EXPECT_TRUE(read);
  EXPECT_TRUE(log.empty());
}

TEST_F(ordered_store_test, IsNotWrappedTwice) { EXPECT_EQ(reads_after_writes(ordered), ordered); }

TEST_F(ordered_store_test, MayGoBeforeItsStoreAnswers) {
  store->saves = fake_store::way::held;
  ASSERT_TRUE(ordered->save("k", "v", note("saved")));
  ordered.reset();
  store->release();
  EXPECT_EQ(log, std::vector<std::string>{"saved"});
}

} // namespace
} // namespace homeostat::testing
