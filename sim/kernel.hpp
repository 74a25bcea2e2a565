#pragma once

#include "sim/mail.hpp"
#include "sim/scenario.hpp"

#include <array>
#include <concepts>
#include <functional>
#include <optional>
#include <queue>
#include <string>
#include <vector>

namespace homeostat::sim {

/// Thrown at a crash point: the process, or one child of the loop supervisor, ends there and then.
struct process_crash {};
struct child_crash {
  party who;
};

/// Virtual time and mail. Deliveries happen in the order of their times, and of their sending where times are equal, so
/// that one seed is one history.
class kernel {
public:
  /// @param sink  receives one line per event; empty for none (a trace costs more than the simulation).
  kernel(const scenario& s, std::function<void(std::string)> sink);

  struct delivery {
    party to{};
    mail content;
  };

  /// True time since the start of the run. Never goes back.
  [[nodiscard]] duration at() const { return at_; }
  /// What the process's clock says: what policies are told.
  [[nodiscard]] instant now() const { return epoch_ + at_ + clock_offset_; }
  [[nodiscard]] std::uint64_t steps() const { return steps_; }
  [[nodiscard]] std::size_t waiting() const { return queue_.size(); }

  /// Sends over the ordered channel between two parties; takes a drawn delay. @param least  it takes at least this.
  void send(party from, party to, mail content, duration least = 0us);
  /// Delivers at a time of its own, whatever else is on the way (timers; telemetry, which knows no order).
  void deliver_after(party to, duration delay, mail content);
  void arm(party to, duration delay, alarm what, std::uint64_t token = 0) {
    deliver_after(to, delay, alarm_mail{what, token});
  }
  /// Advances to the next delivery to somebody who lives.
  std::optional<delivery> next();

  /// This party is dead: whatever is on the way to it, or will be sent to it before it is born again, is lost.
  void kill(party who) {
    ++incarnation_[static_cast<std::size_t>(who)];
    dead_[static_cast<std::size_t>(who)] = true;
  }
  void bear(party who) { dead_[static_cast<std::size_t>(who)] = false; }
  /// The process starts anew with its clock set back by this much.
  void set_clock_back(duration by) { clock_offset_ -= by; }

  [[nodiscard]] bool strikes(fault f) { return faults_.strikes(f, at_); }
  [[nodiscard]] bool active(fault f) const { return faults_.active(f, at_); }
  [[nodiscard]] fault_schedule& faults() { return faults_; }
  [[nodiscard]] draw& random() { return random_; }

  /// A place where the process or this party may end. @throws process_crash, child_crash
  void crash_point(party who);

  template <std::invocable F> void note(F&& text) {
    if (sink_) sink_(stamp() + text());
  }

private:
  struct entry {
    duration at;
    std::uint64_t order;
    std::uint32_t slot;
    std::uint32_t incarnation;
    party to;
    bool operator>(const entry& other) const { return at != other.at ? at > other.at : order > other.order; }
  };
  [[nodiscard]] std::string stamp() const;

  static constexpr instant epoch_{std::chrono::seconds(1'700'000'000)};
  duration at_{0};
  duration clock_offset_{0};
  std::uint64_t steps_{0};
  std::uint64_t order_{0};
  std::priority_queue<entry, std::vector<entry>, std::greater<>> queue_;
  std::vector<mail> slots_;
  std::vector<std::uint32_t> free_slots_;
  std::array<std::uint32_t, party_count> incarnation_{};
  std::array<bool, party_count> dead_{};
  std::array<duration, party_count * party_count> channel_{};
  duration message_delay_;
  fault_schedule faults_;
  draw random_;
  std::function<void(std::string)> sink_;
};

} // namespace homeostat::sim
