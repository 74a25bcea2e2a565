#include "actors/serial_actuator.hpp"

#include <atomic>
#include <exception>
#include <mutex>
#include <utility>

namespace homeostat {

namespace {

using answer_function = std::function<void(actuation_answer)>;

actuation_answer failed(std::uint64_t ticket, std::string why) {
  return {.ticket = ticket, .ok = false, .read_back = {}, .text = std::move(why)};
}

class serial_actuator final : public actuator_port, public std::enable_shared_from_this<serial_actuator> {
public:
  explicit serial_actuator(std::shared_ptr<actuator_port> port) : port_(std::move(port)) {}

  void apply(actuation wanted, answer_function done) override {
    const std::uint64_t ticket = wanted.ticket;
    enter({.run = [wanted = std::move(wanted)](actuator_port& port,
                                               answer_function answer) { port.apply(wanted, std::move(answer)); },
           .done = std::move(done),
           .ticket = ticket});
  }

  void read_back(answer_function done) override {
    enter({.run = [](actuator_port& port, answer_function answer) { port.read_back(std::move(answer)); },
           .done = std::move(done),
           .ticket = 0});
  }

private:
  struct call {
    std::function<void(actuator_port&, answer_function)> run;
    answer_function done;
    std::uint64_t ticket{0};
  };

  void enter(call next) {
    call superseded;
    {
      const std::lock_guard lock(mutex_);
      if (busy_)
        std::swap(superseded, waiting_), std::swap(waiting_, next);
      else
        busy_ = true;
    }
    if (superseded.done) superseded.done(failed(superseded.ticket, "given up: a newer call took its place"));
    if (next.done) start(std::move(next));
  }

  /// @pre this call's turn has come; no lock is held, because the port may answer at once.
  void start(call current) {
    // The port may keep its callback for ever: that must not keep this alive.
    const auto once = std::make_shared<std::atomic_flag>();
    const auto finish = [weak = weak_from_this(), done = std::move(current.done), once](actuation_answer answer) {
      if (once->test_and_set()) return;
      done(std::move(answer));
      if (auto line = weak.lock()) line->next();
    };
    try {
      current.run(*port_, finish);
    } catch (const std::exception& e) {
      finish(failed(current.ticket, std::string("the actuator failed: ") + e.what()));
    }
  }

  void next() {
    call current;
    {
      const std::lock_guard lock(mutex_);
      busy_ = static_cast<bool>(waiting_.done);
      std::swap(current, waiting_);
    }
    if (current.done) start(std::move(current));
  }

  std::shared_ptr<actuator_port> port_;
  std::mutex mutex_;
  bool busy_{false}; ///< a call is open
  call waiting_;     ///< done is empty: none
};

} // namespace

std::shared_ptr<actuator_port> one_call_at_a_time(std::shared_ptr<actuator_port> port) {
  if (std::dynamic_pointer_cast<serial_actuator>(port)) return port;
  return std::make_shared<serial_actuator>(std::move(port));
}

} // namespace homeostat
