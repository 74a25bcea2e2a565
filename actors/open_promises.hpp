#pragma once

#include <caf/error.hpp>
#include <caf/exit_reason.hpp>
#include <caf/scheduled_actor.hpp>
#include <caf/sec.hpp>
#include <caf/typed_response_promise.hpp>

#include <cstdint>
#include <map>
#include <utility>

namespace homeostat {

/// Promises an actor still owes, by number. In CAF a dropped promise never answers, so they are all answered on exit.
template <class Promise>
class open_promises {
public:
  std::uint64_t add(Promise promise) {
    promises_.emplace(++last_, std::move(promise));
    return last_;
  }
  /// @returns the promise, which is then no longer owed; an unknown number gives one that nobody waits for.
  Promise take(std::uint64_t number) {
    auto node = promises_.extract(number);
    return node.empty() ? Promise{} : std::move(node.mapped());
  }
  [[nodiscard]] std::size_t size() const { return promises_.size(); }
  void fail_all(const caf::error& reason) {
    for (auto& [number, promise] : std::exchange(promises_, {})) promise.deliver(reason);
  }

private:
  std::map<std::uint64_t, Promise> promises_;
  std::uint64_t last_{0};
};

/// Runs `farewell` before the actor ends, whether it is told to or fails.
template <class Self, class Farewell>
void on_end(Self* self, Farewell farewell) {
  self->set_exit_handler([self, farewell](caf::exit_msg& message) {
    farewell(message.reason);
    self->quit(message.reason);
  });
  self->set_exception_handler([farewell](std::exception_ptr&) -> caf::error {
    const caf::error reason = caf::make_error(caf::exit_reason::unhandled_exception);
    farewell(reason);
    return reason;
  });
}

} // namespace homeostat
