#include "sim/kernel.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace homeostat::sim {

kernel::kernel(const scenario& s, std::function<void(std::string)> sink)
    : message_delay_(s.times.message_delay), faults_(s.faults, draw(s.seed, 2)), random_(s.seed, 3),
      sink_(std::move(sink)) {}

void kernel::send(party from, party to, mail content, duration least) {
  duration delay = least + random_.span(1us, message_delay_);
  if (strikes(fault::slow_message)) delay += random_.exponential(300ms);
  duration& last = channel_[static_cast<std::size_t>(from) * party_count + static_cast<std::size_t>(to)];
  last = std::max(last, at_ + delay);
  deliver_after(to, last - at_, std::move(content));
}

void kernel::deliver_after(party to, duration delay, mail content) {
  if (dead_[static_cast<std::size_t>(to)]) return;
  std::uint32_t slot = 0;
  if (free_slots_.empty()) {
    slot = static_cast<std::uint32_t>(slots_.size());
    slots_.push_back(std::move(content));
  } else {
    slot = free_slots_.back();
    free_slots_.pop_back();
    slots_[slot] = std::move(content);
  }
  queue_.push({.at = at_ + std::max(delay, duration(0)),
               .order = order_++,
               .slot = slot,
               .incarnation = incarnation_[static_cast<std::size_t>(to)],
               .to = to});
}

std::optional<kernel::delivery> kernel::next() {
  while (!queue_.empty()) {
    const entry e = queue_.top();
    queue_.pop();
    mail content = std::move(slots_[e.slot]);
    slots_[e.slot] = alarm_mail{};
    free_slots_.push_back(e.slot);
    if (e.incarnation != incarnation_[static_cast<std::size_t>(e.to)]) continue;
    at_ = e.at;
    ++steps_;
    return delivery{.to = e.to, .content = std::move(content)};
  }
  return std::nullopt;
}

void kernel::crash_point(party who) {
  if (strikes(fault::process_crash)) throw process_crash{};
  if (strikes(fault::child_crash)) throw child_crash{who};
}

std::string kernel::stamp() const {
  char text[64];
  std::snprintf(text, sizeof text, "%12.6f s  #%-6llu ", seconds_of(at_), static_cast<unsigned long long>(steps_));
  return text;
}

} // namespace homeostat::sim
