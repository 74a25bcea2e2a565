#pragma once

#include "actors/interfaces.hpp"
#include "actors/open_promises.hpp"
#include "actors/time_line.hpp"

#include <map>
#include <optional>
#include <vector>

namespace homeostat {

/// How one loop's governor is set up.
struct governor_settings {
  governor_config config;
  std::string pool;
  bool durable_audit{true};             ///< false: `audit: queued`
  duration audit_timeout{5s};           ///< a store slower than this is as good as gone
  duration apply_timeout{30s};          ///< longer than the actuator's own patience
  time_line time;
};

struct governor_actor_state {
  static inline const char* name = "governor";

  governor_settings settings;
  audit_sink_actor audit;
  actuator_actor plant;

  bool recovered{false};
  governor_state core;
  std::uint64_t armed{0};               ///< the timer that counts; older ones are void
  std::optional<objective_window> last_window;

  std::map<std::uint64_t, caf::typed_response_promise<proposal_verdict>> proposers; ///< by proposal id
  std::vector<caf::typed_response_promise<bool>> stoppers;
  std::vector<live_listener_actor> listeners;

  std::uint64_t applied{0};
  std::uint64_t rollbacks{0};
  std::map<std::string, std::uint64_t> rejected;
};

/// Feeds every message to policies/safety/governor and enacts the effects. Starts from durable state: until that is loaded
/// and the plant's values are read back, every proposal is refused.
governor_actor::behavior_type governor(governor_actor::stateful_pointer<governor_actor_state> self,
                                       governor_settings settings, audit_sink_actor audit, actuator_actor plant);

} // namespace homeostat
