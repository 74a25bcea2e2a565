#pragma once

// One actor system in virtual time. Nothing here runs by itself: messages move when a test lets them, time when it says
// so.

#include "actors/interfaces.hpp"
#include "actors/time_line.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scheduled_actor.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace homeostat::testing {

/// What came of one request.
template <class Value> struct reply {
  std::optional<Value> value;
  std::optional<std::string> error;
  [[nodiscard]] bool came() const { return value || error; }
};

class actor_world : public ::testing::Test {
protected:
  actor_world();
  /// Fails if an actor or a job is left: every test ends what it started.
  void TearDown() override;

  /// Handles messages until there are none. @param limit  so many must do: more is two actors calling each other for
  /// ever.
  void settle(std::size_t limit = 100'000);
  /// Handles one message. @returns false if there is none.
  bool step();
  /// Lets time pass in steps, handling messages after each.
  void advance(duration length, duration step = 10ms);
  [[nodiscard]] instant now() { return time.at(sched.clock().now()); }

  /// Sends one request. The answer is there once messages have moved.
  template <class Value, class Handle, class... Message>
  std::shared_ptr<reply<Value>> ask(const Handle& to, Message... message) {
    auto answer = std::make_shared<reply<Value>>();
    // An argument, always: CAF 0.17 binds a reference to null in an actor's function that takes none.
    system.spawn<caf::hidden>(
        [=](caf::event_based_actor* self, const std::shared_ptr<reply<Value>>& into) {
          self->request(caf::actor_cast<caf::actor>(to), std::chrono::minutes(1440), message...)
              .then([into](Value& value) { into->value = std::move(value); },
                    [into, self](const caf::error& reason) { into->error = self->system().render(reason); });
        },
        answer);
    return answer;
  }
  /// Loads have two results; the value stands for "there is one".
  std::shared_ptr<reply<std::optional<std::string>>> ask_load(const audit_sink_actor& sink, const std::string& key);

  /// Tells an actor to end and lets it.
  template <class Handle> void end(const Handle& actor, caf::exit_reason reason = caf::exit_reason::user_shutdown) {
    caf::anon_send_exit(actor, reason);
    settle();
  }
  template <class Handle> [[nodiscard]] static bool alive(const Handle& actor) {
    return actor && !caf::actor_cast<caf::abstract_actor*>(actor)->getf(caf::abstract_actor::is_terminated_flag);
  }

  /// For telling whether an actor's memory is still held by somebody.
  template <class Handle> [[nodiscard]] static caf::weak_actor_ptr trace_of(const Handle& actor) {
    return caf::weak_actor_ptr(caf::actor_cast<caf::strong_actor_ptr>(actor).get());
  }

  /// The actor of that name that started last and still runs, or nothing. Supervisors do not hand out their children.
  [[nodiscard]] caf::actor running(const std::string& name) const;
  [[nodiscard]] std::size_t count(const std::string& name) const; ///< how many of that name run
  /// Names of the actors that ended, in order, since this was called last.
  [[nodiscard]] std::vector<std::string> ended() { return std::exchange(ended_, {}); }

  std::vector<caf::actor> stuck; ///< their messages are not handled, as if they did not return from a handler

  caf::actor_system_config config;
  caf::actor_system system;
  caf::scheduler::test_coordinator& sched;
  time_line time;

private:
  struct seen_actor {
    std::string name;
    caf::weak_actor_ptr actor;
    bool over{false};
  };

  static caf::actor_system_config& prepared(caf::actor_system_config& config);
  void notice(caf::resumable* job);
  void notice_ends();

  std::vector<seen_actor> seen_;
  std::vector<std::string> ended_;
};

} // namespace homeostat::testing
