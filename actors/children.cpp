#include "actors/children.hpp"

#include <caf/exit_reason.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <utility>

namespace homeostat {

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

void children::on_down(const caf::down_msg& message) {
  const auto found = std::ranges::find_if(children_, [&](const child& c) { return c.handle && c.handle.address() == message.source; });
  if (found == children_.end()) return;
  const auto i = static_cast<std::size_t>(found - children_.begin());
  found->handle = nullptr;
  if (waits_ == waiting::for_end && !ending_.empty() && ending_.front() == i) {
    ending_.pop_front();
    return end_next();
  }
  std::erase(ending_, i); // ended by itself before its turn
  const bool abnormal = message.reason != caf::exit_reason::normal;
  const std::string reason = found->spec.name + " ended: " + self_->home_system().render(message.reason);
  if (stopped_ || std::ranges::find(to_start_, i) != to_start_.end()) return; // is to be started again anyway, or never
  if (waits_ != waiting::nothing) {
    ended_meanwhile_.push_back({i, {abnormal, reason}});
    return;
  }
  handle_end(i, abnormal, reason);
}

void children::handle_end(std::size_t i, bool abnormal, const std::string& reason) {
  std::vector<child_restart> kinds;
  std::vector<bool> running;
  for (const child& c : children_) kinds.push_back(c.spec.restart), running.push_back(static_cast<bool>(c.handle));
  const auto decision = on_child_end(settings_, state_, kinds, running, i, abnormal, time_.now(self_));
  if (decision.what == supervision_decision::verdict::leave) return;
  ending_.assign(decision.stop.begin(), decision.stop.end());
  if (decision.what == supervision_decision::verdict::give_up) {
    stopped_ = true;
    after_ending_ = [this, reason] {
      gave_up_("more than " + std::to_string(settings_.intensity) + " restarts in " +
               std::to_string(static_cast<long>(seconds_of(settings_.period))) + " s; last: " + reason);
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
    if (!ending_.empty() && children_[ending_.front()].handle)
      caf::anon_send_exit(children_[ending_.front()].handle, caf::exit_reason::kill);
    return;
  }
  if (waits_ != waiting::for_delay) return;
  waits_ = waiting::nothing;
  for (std::size_t i : std::exchange(to_start_, {})) start(i), ++restarts_;
  while (waits_ == waiting::nothing && !ended_meanwhile_.empty()) {
    auto [i, end] = ended_meanwhile_.front();
    ended_meanwhile_.pop_front();
    if (!children_[i].handle) handle_end(i, end.first, end.second);
  }
}

void children::stop_all(std::function<void()> done) {
  stopped_ = true;
  to_start_.clear();
  ended_meanwhile_.clear();
  ending_.clear();
  for (std::size_t i = children_.size(); i-- > 0;)
    if (children_[i].handle) ending_.push_back(i);
  after_ending_ = std::move(done);
  end_next();
}

} // namespace homeostat
