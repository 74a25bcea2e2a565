#pragma once

#include "sim/invariants.hpp"
#include "sim/kernel.hpp"

#include <cstdint>
#include <optional>

namespace homeostat::sim {

/// People with an operator's rights who do what comes into their minds, one command after the other.
class operators {
public:
  operators(kernel& k, const scenario& s, invariants& check);
  void start();
  void on(const alarm_mail& a);
  /// @returns true if the answer is that of a durable safe-mode reset.
  bool on(const command_answer& a);
  [[nodiscard]] std::uint64_t commands() const { return commands_; }

private:
  void act();
  [[nodiscard]] operator_command draw_command();
  [[nodiscard]] knob_values draw_values(bool& override_bounds);

  kernel& kernel_;
  const scenario& scenario_;
  invariants& check_;
  draw draw_;
  bool paused_{false};
  std::uint64_t turn_token_{0};
  std::uint64_t commands_{0};
};

/// A second proposer that means harm, or knows no better: garbage, stale and forged proposals among passable ones.
class rival {
public:
  rival(kernel& k, const scenario& s);
  void start();
  void on(const alarm_mail& a);
  void on(const live_configuration& live) { live_ = live; }
  [[nodiscard]] std::uint64_t proposals() const { return proposals_; }

private:
  void act();
  [[nodiscard]] proposal draw_proposal();

  kernel& kernel_;
  const scenario& scenario_;
  draw draw_;
  std::optional<live_configuration> live_;
  std::uint64_t proposals_{0};
};

} // namespace homeostat::sim
