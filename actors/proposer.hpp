#pragma once

#include "actors/interfaces.hpp"
#include "actors/look_timers.hpp"
#include "actors/time_line.hpp"

#include <functional>
#include <string>

namespace homeostat {

struct proposer_settings {
  std::string loop;
  engine_settings engine;
  std::uint64_t seed{0};
  duration request_timeout{5s};
  duration verdict_timeout{60s}; ///< longer than the governor's own audit and apply timeouts together
  time_line time;
  std::function<void(const std::string&)> note{[](const std::string&) {}}; ///< what an operator should read in the log
};

struct proposer_actor_state {
  static inline const char* name = "proposer";
  proposer_settings settings;
  audit_sink_actor audit;
  governor_actor governor;
  sensor_actor sensor;
  engine_state core;
  look_timers timers;
  bool saving{false};  ///< one save at a time is under way
  bool unsaved{false}; ///< and the state has moved on since
};

/// Feeds windows to the strategy and its proposals to the governor. Starts from the durable strategy state.
proposer_actor::behavior_type proposer(proposer_actor::stateful_pointer<proposer_actor_state> self,
                                       proposer_settings settings, audit_sink_actor audit, governor_actor governor,
                                       sensor_actor sensor);

} // namespace homeostat
