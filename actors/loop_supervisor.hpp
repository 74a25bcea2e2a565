#pragma once

#include "actors/children.hpp"
#include "actors/governor.hpp"
#include "actors/ports.hpp"
#include "actors/proposer.hpp"
#include "actors/sensor.hpp"

#include <memory>
#include <optional>

namespace homeostat {

/// Everything one loop's actors are made of.
struct loop_setup {
  governor_settings governor;
  sensor_settings sensor;
  proposer_settings proposer;
  supervision_settings supervision{.strategy = restart_strategy::rest_for_one};
  std::shared_ptr<actuator_port> actuator;
  std::shared_ptr<telemetry_port> telemetry;
  bool revert_on_exit{false};
  duration stop_timeout{3s}; ///< for the change in flight to be finished or undone
};

struct loop_supervisor_state {
  static inline const char* name = "loop-supervisor";
  loop_setup setup;
  audit_sink_actor audit;
  children kids;
  std::optional<std::string> given_up; ///< why; the children are then a caretaker governor and its actuator
  std::vector<caf::typed_response_promise<bool>> stoppers;

  // The present ones; each child is given the handles of those before it.
  actuator_actor actuator;
  governor_actor governor;
  sensor_actor sensor;
};

/// Starts actuator, governor, sensor, proposer in this order, restarts the rest when one ends, and when that happens too
/// often leaves the loop frozen at its last good values, with a governor that people can still talk to.
loop_supervisor_actor::behavior_type loop_supervisor(loop_supervisor_actor::stateful_pointer<loop_supervisor_state> self,
                                                     loop_setup setup, audit_sink_actor audit);

} // namespace homeostat
