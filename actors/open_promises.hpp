#pragma once

#include <caf/error.hpp>
#include <caf/sec.hpp>
#include <caf/typed_response_promise.hpp>

#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <string>
#include <utility>

namespace homeostat {

// In CAF a promise that is dropped never answers. So whoever holds one for later holds it in one of these, which answer
// with an error when they go, and they go with the actor, whether it was told to end, failed or was killed.

/// Promises an actor still owes, by number. A part of its state.
/// @tparam Promise  anything with deliver(value) and deliver(caf::error).
template <class Promise> class open_promises {
public:
  open_promises() = default;
  open_promises(const open_promises&) = delete;
  open_promises& operator=(const open_promises&) = delete;
  ~open_promises() { fail_all(caf::make_error(caf::sec::request_receiver_down)); }

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
  [[nodiscard]] bool empty() const { return promises_.empty(); }

  template <class Value> void answer_all(const Value& value) {
    for (auto& [number, promise] : std::exchange(promises_, {})) promise.deliver(value);
  }
  void fail_all(const caf::error& reason) { answer_all(reason); }

private:
  std::map<std::uint64_t, Promise> promises_;
  std::uint64_t last_{0};
};

/// One answer that other actors' answers go into: held by the continuations that wait for them.
template <class Value> class owed_answer {
public:
  explicit owed_answer(caf::typed_response_promise<Value> promise) : promise_(std::move(promise)) {}
  owed_answer(const owed_answer&) = delete;
  owed_answer& operator=(const owed_answer&) = delete;
  ~owed_answer() {
    if (promise_.pending()) promise_.deliver(caf::make_error(caf::sec::request_receiver_down));
  }

  void deliver(Value value) {
    if (promise_.pending()) promise_.deliver(std::move(value));
  }
  void fail(caf::error reason) {
    if (promise_.pending()) promise_.deliver(std::move(reason));
  }
  [[nodiscard]] const caf::typed_response_promise<Value>& promise() const { return promise_; }

private:
  caf::typed_response_promise<Value> promise_;
};

/// @returns what the actor owes for the request it is handling; `return owed->promise();` ends the handler.
template <class Value, class Self> [[nodiscard]] std::shared_ptr<owed_answer<Value>> owe(Self* self) {
  return std::make_shared<owed_answer<Value>>(self->template make_response_promise<Value>());
}

/// An exception that leaves a handler ends the actor; its text becomes the reason, which the supervisor is told.
template <class Self> void end_on_exception(Self* self) {
  self->set_exception_handler([](std::exception_ptr& failure) -> caf::error {
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& e) {
      return caf::make_error(caf::sec::runtime_error, std::string(e.what()));
    } catch (...) { return caf::make_error(caf::sec::runtime_error, std::string("an exception of unknown type")); }
  });
}

} // namespace homeostat
