#pragma once

#include "actors/interfaces.hpp"
#include "actors/open_promises.hpp"
#include "actors/ports.hpp"

#include <memory>

namespace homeostat {

struct actuator_state {
  static inline const char* name = "actuator";
  open_promises<caf::typed_response_promise<actuation_answer>> open;
};

/// Carries one loop's changes to its plant and what is in force back. @param port  outlives the actor.
actuator_actor::behavior_type actuator(actuator_actor::stateful_pointer<actuator_state> self,
                                       std::shared_ptr<actuator_port> port);

} // namespace homeostat
