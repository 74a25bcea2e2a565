#pragma once

#include "sim/actuator.hpp"
#include "sim/loop_actors.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace homeostat::sim {

/// The loop supervisor: starts actuator, governor, sensor and proposer in this order, and carries out what the restart
/// policy decides when one of them ends. When it has to give up, it leaves a governor and an actuator that put the
/// knobs to the last good values and keep them there until a person resets the loop.
class loop_supervisor {
public:
  loop_supervisor(kernel& k, const scenario& s, const policy_set& policies, actuator& a, governor_actor& g,
                  sensor_actor& sensor, engine_actor& e, invariants& check);
  void start();
  void on_child_crash(party who);
  void on_process_end();
  void on(const alarm_mail& a);
  /// A person has reset the loop: automation starts again.
  void on_reset();
  /// Shutdown was asked for: a governor that starts from now on stops at once.
  void stop(stop_request request);

  [[nodiscard]] bool given_up() const { return given_up_; }
  [[nodiscard]] const supervision_state& state() const { return state_; }
  [[nodiscard]] std::uint64_t restarts() const { return restarts_; }

private:
  static constexpr std::size_t children = 4;
  void start_child(std::size_t child);
  void end_child(std::size_t child);

  kernel& kernel_;
  const scenario& scenario_;
  const policy_set& policies_;
  actuator& actuator_;
  governor_actor& governor_;
  sensor_actor& sensor_;
  engine_actor& engine_;
  invariants& check_;
  supervision_state state_;
  std::vector<bool> running_ = std::vector<bool>(children);
  bool given_up_{false};
  std::optional<stop_request> stop_;
  std::uint64_t restarts_{0};
};

} // namespace homeostat::sim
