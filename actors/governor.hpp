#pragma once

#include "actors/interfaces.hpp"
#include "actors/look_timers.hpp"
#include "actors/open_promises.hpp"
#include "actors/time_line.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace homeostat {

/// How one loop's governor is set up.
struct governor_settings {
  governor_config config;
  std::string pool;
  bool durable_audit{true};    ///< false: `audit: queued`
  duration audit_timeout{5s};  ///< a store slower than this is as good as gone
  duration apply_timeout{30s}; ///< longer than the actuator's own patience
  time_line time;
};

/// A proposer that waits for its verdict. Proposers number their proposals each on its own, so inside the governor they
/// go by another number.
struct verdict_promise {
  caf::typed_response_promise<proposal_verdict> promise;
  std::uint64_t proposal_id{0}; ///< the proposer's own
  void deliver(proposal_verdict verdict) {
    verdict.proposal_id = proposal_id;
    promise.deliver(std::move(verdict));
  }
  void deliver(const caf::error& reason) { promise.deliver(reason); }
};

struct governor_actor_state {
  static inline const char* name = "governor";

  governor_settings settings;
  audit_sink_actor audit;
  actuator_actor plant;

  bool recovered{false};
  bool stopped{false};                       ///< the loop is at rest for good: nothing is decided any more
  std::optional<bool> stop_recorded;         ///< the last record's fate, once it is known
  std::optional<std::string> given_up_early; ///< the supervisor gave up on the loop before it had recovered
  governor_state core;
  look_timers timers;

  open_promises<verdict_promise> proposers;
  open_promises<caf::typed_response_promise<bool>> stoppers;
  std::vector<live_listener_actor> listeners;

  std::uint64_t applied{0};
  std::uint64_t rollbacks{0};
  std::map<std::string, std::uint64_t> rejected;
};

/// Feeds every message to policies/safety/governor and enacts the effects. Starts from durable state: until that is
/// loaded and the plant's values are read back, every proposal is refused.
governor_actor::behavior_type governor(governor_actor::stateful_pointer<governor_actor_state> self,
                                       governor_settings settings, audit_sink_actor audit, actuator_actor plant);

} // namespace homeostat
