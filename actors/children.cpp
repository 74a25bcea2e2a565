#include "actors/children.hpp"

#include <caf/exit_reason.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <utility>

namespace homeostat {

children::~children() {
  // Nobody is left to wait for an orderly end, so none is asked for.
  for (auto i = children_.rbegin(); i != children_.rend(); ++i)
    if (i->handle) caf::anon_send_exit(i->handle, caf::exit_reason::kill);
}

void children::set_up(caf::scheduled_actor* self, supervision_settings settings, std::uint64_t seed, time_line time,
                      std::function<void(duration, std::uint64_t)> timer, std::function<void(std::string)> gave_up) {
  self_ = self;
  settings_ = settings;
  state_.rng = chacha8_rng(seed);
  time_ = time;
  timer_ = std::move(timer);
  gave_up_ = std::move(gave_up);
  self->set_down_handler([this](caf::down_msg& message) { on_down(message); });
}

void children::add(child_spec spec) { children_.push_back({.spec = std::move(spec), .handle = {}}); }

void children::start(std::size_t i) {
  children_[i].handle = children_[i].spec.spawn();
  self_->monitor(children_[i].handle);
}

void children::start_all() {
  for (std::size_t i = 0; i < children_.size(); ++i) start(i);
}

bool children::any_runs() const {
  return std::ranges::any_of(children_, [](const child& c) { return static_cast<bool>(c.handle); });
}

void children::clear() {
  children_.clear();
  ending_.clear();
  to_start_.clear();
  ended_meanwhile_.clear();
  after_ending_ = nullptr;
  state_.restarts.clear();
  waits_ = waiting::nothing;
  stage_ = stage::keeping;
}

void children::on_down(const caf::down_msg& message) {
  const auto found =
      std::ranges::find_if(children_, [&](const child& c) { return c.handle && c.handle.address() == message.source; });
  if (found == children_.end()) return;
  const auto i = static_cast<std::size_t>(found - children_.begin());
  found->handle = nullptr;
  if (ends_one() && ending_.front() == i) {
    ending_.pop_front();
    return end_next();
  }
  std::erase(ending_, i); // ended by itself before its turn
  if (stage_ != stage::keeping) return;
  if (std::ranges::find(to_start_, i) != to_start_.end()) return; // is to be started again anyway
  const bool abnormal = message.reason != caf::exit_reason::normal;
  child_end end{.which = i,
                .abnormal = abnormal,
                .reason = found->spec.name + " ended: " + self_->home_system().render(message.reason)};
  if (waits_ == waiting::nothing)
    handle_end(end);
  else
    ended_meanwhile_.push_back(std::move(end));
}

void children::handle_end(const child_end& end) {
  std::vector<child_restart> kinds;
  std::vector<bool> running;
  for (const child& c : children_) kinds.push_back(c.spec.restart), running.push_back(static_cast<bool>(c.handle));
  const auto decision = on_child_end(settings_, state_, kinds, running, end.which, end.abnormal, time_.now(self_));
  if (decision.what == supervision_decision::verdict::leave) return;
  failure_ = end.reason;
  ending_.assign(decision.stop.begin(), decision.stop.end());
  if (decision.what == supervision_decision::verdict::give_up) {
    stage_ = stage::given_up;
    ended_meanwhile_.clear();
    after_ending_ = [this] {
      gave_up_("more than " + std::to_string(settings_.intensity) + " restarts in " +
               std::to_string(std::chrono::floor<std::chrono::seconds>(settings_.period).count()) +
               " s; last: " + failure_);
    };
  } else {
    to_start_ = decision.start;
    after_ending_ = [this, delay = decision.delay] {
      waits_ = waiting::for_delay;
      timer_(delay, ++token_);
    };
  }
  end_next();
}

void children::end_next() {
  while (!ending_.empty() && !children_[ending_.front()].handle) ending_.pop_front();
  if (ending_.empty()) {
    waits_ = waiting::nothing;
    if (auto next = std::exchange(after_ending_, nullptr)) next();
    return;
  }
  waits_ = waiting::for_end;
  const child& c = children_[ending_.front()];
  caf::anon_send_exit(c.handle, caf::exit_reason::user_shutdown);
  timer_(c.spec.shutdown, ++token_);
}

void children::on_timer(std::uint64_t token) {
  if (token != token_) return;
  if (waits_ == waiting::for_end) {
    // It did not end in time. CAF cannot interrupt a handler: kill takes effect before its next message.
    const child& c = children_[ending_.front()];
    caf::anon_send_exit(c.handle, caf::exit_reason::kill);
    waits_ = waiting::for_kill;
    timer_(c.spec.shutdown, ++token_);
  } else if (waits_ == waiting::for_kill) {
    // Stuck in its handler. A second one must never run beside it; a shutdown goes on without it.
    if (stage_ != stage::closing) return timer_(children_[ending_.front()].spec.shutdown, ++token_);
    ending_.pop_front();
    end_next();
  } else if (waits_ == waiting::for_delay) {
    waits_ = waiting::nothing;
    ++restarts_;
    for (std::size_t i : std::exchange(to_start_, {})) start(i);
    while (waits_ == waiting::nothing && !ended_meanwhile_.empty()) {
      const child_end end = std::move(ended_meanwhile_.front());
      ended_meanwhile_.pop_front();
      if (!children_[end.which].handle) handle_end(end);
    }
  }
}

void children::hold() {
  stage_ = stage::closing;
  to_start_.clear();
  ended_meanwhile_.clear();
  after_ending_ = nullptr;
  if (waits_ == waiting::for_delay) waits_ = waiting::nothing;
}

void children::stop_all(std::function<void()> done) {
  hold();
  after_ending_ = std::move(done);
  if (ends_one()) {
    // The one being ended goes on; all others follow it.
    ending_.resize(1);
    for (std::size_t i = children_.size(); i-- > 0;)
      if (children_[i].handle && i != ending_.front()) ending_.push_back(i);
    return;
  }
  ending_.clear();
  for (std::size_t i = children_.size(); i-- > 0;)
    if (children_[i].handle) ending_.push_back(i);
  end_next();
}

} // namespace homeostat
