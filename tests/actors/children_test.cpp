// Supervision as policies/supervision decides it, carried out in virtual time.
#include "actors/children.hpp"
#include "actors/open_promises.hpp"
#include "tests/actors/actor_world.hpp"
#include "tests/actors/doubles.hpp"

#include <caf/stateful_actor.hpp>
#include <gmock/gmock.h>

namespace homeostat::testing {
namespace {

using ::testing::ElementsAre, ::testing::HasSubstr, ::testing::IsEmpty;

/// What a child does when it is told to end.
enum class manner { ends, is_deaf };

struct child_state {
  static inline const char* name = "child";
  std::string title;
  std::shared_ptr<journal> log;
  ~child_state() {
    if (log) log->push_back("end " + title);
  }
};

/// Ends normally when it is sent 0, with an error when it is sent another number.
caf::behavior child(caf::stateful_actor<child_state>* self, std::string title, std::shared_ptr<journal> log,
                    manner how) {
  self->state.title = title;
  self->state.log = log;
  log->push_back("start " + title);
  if (how == manner::is_deaf) self->set_exit_handler([](caf::exit_msg&) {});
  return {[self](int code) {
    if (code == 0)
      self->quit();
    else
      self->quit(caf::make_error(caf::sec::runtime_error, std::string("broken")));
  }};
}

struct parent_state {
  static inline const char* name = "parent";
  children kids;
};

struct parent_plan {
  supervision_settings supervision{.strategy = restart_strategy::one_for_one,
                                   .intensity = 5,
                                   .period = 60s,
                                   .backoff = 50ms,
                                   .backoff_limit = 5s,
                                   .jitter = 0};
  std::vector<child_restart> kinds{child_restart::permanent, child_restart::permanent, child_restart::permanent};
  std::vector<manner> manners{manner::ends, manner::ends, manner::ends};
  std::shared_ptr<journal> log = std::make_shared<journal>();
  time_line time;
};

/// "stop" ends all children and then itself; "hold" only holds.
caf::behavior parent(caf::stateful_actor<parent_state>* self, const parent_plan& plan) {
  auto& kids = self->state.kids;
  end_on_exception(self);
  kids.set_up(
      self, plan.supervision, 1, plan.time,
      [self](duration wait, std::uint64_t token) { self->delayed_send(self, wait, start_atom::value, token); },
      [log = plan.log](const std::string& why) { log->push_back("gave up: " + why); });
  for (std::size_t i = 0; i < plan.kinds.size(); ++i) {
    const std::string title(1, static_cast<char>('a' + i));
    kids.add({.name = title, .restart = plan.kinds[i], .shutdown = 1s, .spawn = [=] {
                return caf::actor_cast<caf::actor>(self->spawn(child, title, plan.log, plan.manners[i]));
              }});
  }
  kids.start_all();
  return {[self](start_atom, std::uint64_t token) { self->state.kids.on_timer(token); },
          [self](const std::string& command) {
            if (command == "hold") self->state.kids.hold();
            if (command == "throw") throw std::runtime_error("supervisor broke");
            if (command == "stop") self->state.kids.stop_all([self] { self->quit(); });
          },
          // One message, as several ends at the same moment.
          [self](std::size_t i) { return self->state.kids.handle(i); },
          [self](status_atom) { return self->state.kids.restarts(); }};
}

class children_test : public actor_world {
protected:
  void start() {
    plan.time = time;
    handle = system.spawn(parent, plan);
    settle();
    log->clear();
  }
  caf::actor child_at(std::size_t i) {
    const auto answer = ask<caf::actor>(handle, i);
    settle();
    return answer->value.value_or(caf::actor{});
  }
  void fail(std::size_t i, int code = 1) {
    caf::anon_send(child_at(i), code);
    settle();
  }
  void tell(const std::string& command) {
    caf::anon_send(handle, command);
    settle();
  }
  /// @returns what happened since the last call.
  journal news() { return std::exchange(*log, {}); }

  void TearDown() override {
    end(handle, caf::exit_reason::kill);
    handle = nullptr;
    actor_world::TearDown();
  }

  parent_plan plan;
  std::shared_ptr<journal> log = plan.log;
  caf::actor handle;
};

TEST_F(children_test, StartsInOrderAndEndsInReverseOrder) {
  plan.time = time;
  handle = system.spawn(parent, plan);
  settle();
  EXPECT_THAT(news(), ElementsAre("start a", "start b", "start c"));
  tell("stop");
  EXPECT_THAT(news(), ElementsAre("end c", "end b", "end a"));
  EXPECT_FALSE(alive(handle));
}

TEST_F(children_test, OneForOneRestartsTheOneThatFailed) {
  start();
  fail(1);
  EXPECT_THAT(news(), ElementsAre("end b"));
  advance(40ms);
  EXPECT_THAT(news(), IsEmpty()) << "not before its delay is over";
  advance(20ms);
  EXPECT_THAT(news(), ElementsAre("start b"));
}

TEST_F(children_test, RestForOneRestartsThoseBehindIt) {
  plan.supervision.strategy = restart_strategy::rest_for_one;
  start();
  fail(1);
  EXPECT_THAT(news(), ElementsAre("end b", "end c"));
  advance(60ms);
  EXPECT_THAT(news(), ElementsAre("start b", "start c"));
  fail(2);
  advance(200ms);
  EXPECT_THAT(news(), ElementsAre("end c", "start c"));
  fail(0);
  advance(300ms);
  EXPECT_THAT(news(), ElementsAre("end a", "end c", "end b", "start a", "start b", "start c"));
}

TEST_F(children_test, OneForAllRestartsAll) {
  plan.supervision.strategy = restart_strategy::one_for_all;
  start();
  fail(1);
  EXPECT_THAT(news(), ElementsAre("end b", "end c", "end a"));
  advance(60ms);
  EXPECT_THAT(news(), ElementsAre("start a", "start b", "start c"));
}

TEST_F(children_test, WaitsTwiceAsLongEachTime) {
  start();
  for (const duration delay : {50ms, 100ms, 200ms, 400ms}) {
    fail(0);
    news();
    advance(delay - 10ms);
    EXPECT_THAT(news(), IsEmpty()) << delay.count();
    advance(10ms);
    EXPECT_THAT(news(), ElementsAre("start a")) << delay.count();
  }
}

TEST_F(children_test, KeepsToTheRestartKinds) {
  plan.kinds = {child_restart::permanent, child_restart::transient, child_restart::temporary};
  start();
  for (std::size_t i = 0; i < 3; ++i) fail(i, 0);
  advance(1s);
  EXPECT_THAT(news(), ElementsAre("end a", "end b", "end c", "start a")) << "after a normal end";
  tell("stop");
  start();
  for (std::size_t i = 0; i < 3; ++i) fail(i, 1);
  advance(1s);
  EXPECT_THAT(news(), ElementsAre("end a", "end b", "end c", "start a", "start b")) << "after a failure";
}

TEST_F(children_test, GivesUpWhenTheIntensityIsExceeded) {
  plan.supervision.intensity = 2;
  start();
  for (int i = 0; i < 2; ++i) {
    fail(1);
    advance(200ms);
  }
  news();
  fail(1);
  EXPECT_THAT(news(), ElementsAre("end b", "end c", "end a",
                                  HasSubstr("gave up: more than 2 restarts in 60 s; last: b ended: ")));
  advance(20s, 1s);
  EXPECT_THAT(news(), IsEmpty());
  EXPECT_EQ(count("child"), 0U);
}

TEST_F(children_test, ForgetsOldRestarts) {
  plan.supervision.intensity = 2;
  start();
  for (int i = 0; i < 10; ++i) {
    fail(1);
    advance(31s, 1s);
  }
  EXPECT_EQ(count("child"), 3U);
  EXPECT_EQ(log->back(), "start b");
}

TEST_F(children_test, KillsAChildThatDoesNotEndInTime) {
  plan.supervision.strategy = restart_strategy::one_for_all;
  plan.manners[2] = manner::is_deaf;
  start();
  fail(0);
  EXPECT_THAT(news(), ElementsAre("end a")) << "it waits for c before it goes on";
  advance(990ms);
  EXPECT_THAT(news(), IsEmpty());
  advance(20ms);
  EXPECT_THAT(news(), ElementsAre("end c", "end b"));
  advance(60ms);
  EXPECT_THAT(news(), ElementsAre("start a", "start b", "start c"));
}

// Nothing ends a handler that does not return. A second child must not run beside it, but a shutdown goes on.
TEST_F(children_test, WaitsForAStuckChildOnlyWhileItGoesOnLiving) {
  plan.supervision.strategy = restart_strategy::one_for_all;
  start();
  stuck.push_back(child_at(2));
  fail(0);
  advance(30s, 100ms);
  EXPECT_THAT(news(), ElementsAre("end a"));
  tell("stop");
  advance(2100ms, 100ms);
  EXPECT_THAT(news(), ElementsAre("end b"));
  EXPECT_FALSE(alive(handle));
  stuck.clear();
  settle();
  EXPECT_THAT(news(), ElementsAre("end c")) << "once it returns";
}

// ---- ends that come together
// ---------------------------------------------------------------------------------------------

TEST_F(children_test, HandlesAnEndDuringTheDelayOfAnother) {
  start();
  fail(0);
  fail(2);
  EXPECT_THAT(news(), ElementsAre("end a", "end c"));
  advance(60ms);
  EXPECT_THAT(news(), ElementsAre("start a"));
  advance(110ms);
  EXPECT_THAT(news(), ElementsAre("start c"));
  EXPECT_EQ(count("child"), 3U);
}

TEST_F(children_test, HandlesAnEndWhileOthersAreBeingEnded) {
  plan.supervision.strategy = restart_strategy::rest_for_one;
  plan.manners[2] = manner::is_deaf;
  start();
  const auto a = child_at(0);
  fail(1); // c must end, and takes its time
  caf::anon_send(a, 1);
  settle();
  EXPECT_THAT(news(), ElementsAre("end b", "end a"));
  advance(1s);
  EXPECT_THAT(news(), ElementsAre("end c"));
  advance(3s);
  // First what was under way, then a, which takes all that come after it along.
  EXPECT_THAT(news(), ElementsAre("start b", "start c", "end c", "end b", "start a", "start b", "start c"));
}

TEST_F(children_test, StartsAChildOnceThatEndsBeforeItsTurn) {
  plan.supervision.strategy = restart_strategy::one_for_all;
  plan.manners[2] = manner::is_deaf;
  start();
  const auto b = child_at(1);
  fail(0); // c must end first, then b
  caf::anon_send(b, 1);
  settle();
  advance(3s);
  EXPECT_THAT(news(), ElementsAre("end a", "end b", "end c", "start a", "start b", "start c"));
}

TEST_F(children_test, HandlesAnEndRightAfterTheStart) {
  start();
  fail(0);
  fail(0, 1); // nobody is there
  advance(60ms);
  fail(0);
  advance(110ms);
  EXPECT_THAT(news(), ElementsAre("end a", "start a", "end a", "start a"));
}

// ---- the end of all
// ------------------------------------------------------------------------------------------------------

TEST_F(children_test, StopsInTheMiddleOfADelay) {
  start();
  fail(0);
  tell("stop");
  advance(10s, 1s);
  EXPECT_THAT(news(), ElementsAre("end a", "end c", "end b"));
  EXPECT_FALSE(alive(handle));
}

TEST_F(children_test, StopsInTheMiddleOfARestart) {
  plan.supervision.strategy = restart_strategy::one_for_all;
  plan.manners[2] = manner::is_deaf;
  start();
  fail(0);
  advance(500ms);
  tell("stop");
  advance(490ms);
  EXPECT_THAT(news(), ElementsAre("end a"));
  advance(20ms);
  EXPECT_THAT(news(), ElementsAre("end c", "end b")) << "the second that c had began before the stop";
  EXPECT_FALSE(alive(handle));
}

TEST_F(children_test, StartsNobodyOnceItHolds) {
  start();
  tell("hold");
  fail(0);
  fail(2, 0);
  advance(10s, 1s);
  EXPECT_THAT(news(), ElementsAre("end a", "end c"));
  tell("stop");
  EXPECT_THAT(news(), ElementsAre("end b"));
}

TEST_F(children_test, HoldsInTheMiddleOfADelay) {
  start();
  fail(0);
  tell("hold");
  advance(10s, 1s);
  EXPECT_THAT(news(), ElementsAre("end a"));
}

TEST_F(children_test, LeavesNobodyBehindWhenTheSupervisorFails) {
  start();
  tell("throw");
  EXPECT_FALSE(alive(handle));
  EXPECT_THAT(news(), ::testing::UnorderedElementsAre("end a", "end b", "end c"));
}

TEST_F(children_test, LeavesNobodyBehindWhenTheSupervisorIsKilled) {
  plan.manners[1] = manner::is_deaf;
  start();
  end(handle, caf::exit_reason::kill);
  EXPECT_EQ(count("child"), 0U);
}

} // namespace
} // namespace homeostat::testing
