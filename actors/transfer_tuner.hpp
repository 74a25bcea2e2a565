#pragma once

#include "actors/interfaces.hpp"
#include "actors/ports.hpp"
#include "actors/time_line.hpp"

#include <memory>

namespace homeostat {

struct transfer_tuner_settings {
  std::shared_ptr<transfer_port> port;
  duration every{20ms}; ///< between two looks: outcomes and pressure reach decisions within it
  time_line time;
};

struct transfer_tuner_state {
  static inline const char* name = "transfer_tuner";
};

/// One pool's threshold manager: takes in outcomes, moves thresholds, publishes what decisions look up. With the node's
/// services as its port it is the learning engine and the performance analyzer, looking once a second. Decisions
/// themselves wait for nobody and go on without it; when it fails, its keeper starts it again and what was learned is
/// still there.
transfer_tuner_actor::behavior_type transfer_tuner(transfer_tuner_actor::stateful_pointer<transfer_tuner_state> self,
                                                   transfer_tuner_settings settings);

} // namespace homeostat
