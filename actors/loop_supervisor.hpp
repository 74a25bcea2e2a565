#pragma once

#include "actors/children.hpp"
#include "actors/governor.hpp"
#include "actors/open_promises.hpp"
#include "actors/ports.hpp"
#include "actors/proposer.hpp"
#include "actors/sensor.hpp"

#include <memory>
#include <optional>
#include <string>

namespace homeostat {

/// Everything one loop's actors are made of.
struct loop_setup {
  governor_settings governor;
  sensor_settings sensor;
  proposer_settings proposer;
  bool searches{true}; ///< false: no proposer
  /// rest_for_one or one_for_all: each child holds the handles of those before it. one_for_one is taken as
  /// rest_for_one.
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
  bool ending{false};                  ///< told to stop or to end: nothing is started any more
  open_promises<caf::typed_response_promise<bool>> stoppers;

  // The present ones; each child is given the handles of those before it.
  actuator_actor actuator;
  governor_actor governor;
  sensor_actor sensor;
};

/// Starts actuator, governor, sensor, proposer in this order and restarts the rest when one ends. When that happens too
/// often it leaves the loop frozen (RestartIntensity) at its last good values, with a governor that people can still
/// talk to; when they reset its safe mode, all children start again.
loop_supervisor_actor::behavior_type
loop_supervisor(loop_supervisor_actor::stateful_pointer<loop_supervisor_state> self, loop_setup setup,
                audit_sink_actor audit);

} // namespace homeostat
