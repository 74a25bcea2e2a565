#pragma once

#include "actors/interfaces.hpp"
#include "actors/look_timers.hpp"
#include "actors/open_promises.hpp"
#include "actors/time_line.hpp"
#include "policies/authority/authority.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace homeostat {

/// How a node's authority is set up.
struct authority_settings {
  authority_config config;
  duration request_timeout{5s};  ///< store, loop status
  duration verdict_timeout{65s}; ///< longer than the supervisors wait for a verdict
  duration observe_every{1s};    ///< while something has to be watched
  /// The newest values of the metrics that a loop's rules ask for, one per rule; empty if nothing was sensed. Any
  /// thread.
  std::function<std::vector<std::optional<double>>(const std::string& loop)> metrics;
  /// Told of what people should know: kind and one sentence.
  std::function<void(const std::string&, const std::string&)> notify;
  time_line time;
};

struct authority_actor_state {
  static inline const char* name = "authority";

  authority_settings settings;
  audit_sink_actor audit;
  supervisor_actor root;

  bool loaded{false};
  authority_memory memory; ///< until all is loaded
  authority_index index;   ///< likewise
  authority_state core;
  look_timers timers;

  using owed_reply = std::shared_ptr<owed_answer<authority_reply>>; ///< nothing: nobody asked
  /// What may only happen once everything before it is durable.
  struct held_effects {
    authority_effects effects;
    authority_reply reply;
    owed_reply owed;
  };
  /// What has changed since the last batch.
  struct gathered {
    std::vector<audit_record> records;
    std::set<std::uint64_t> proposals;
    std::set<std::string> advice;
    bool ledger{false};
  };
  gathered changes;
  std::vector<held_effects> held;       ///< by decision, in order
  bool writing{false};                  ///< a batch is on its way to the store
  bool watching{false};                 ///< a look at the loops is on its way
  std::map<std::string, bool> observed; ///< by loop: an answer is on its way
};

/// Feeds every call, observation and verdict to policies/authority and enacts the effects once they are durable.
/// @param root  the way to the loops' governors.
authority_actor::behavior_type authority(authority_actor::stateful_pointer<authority_actor_state> self,
                                         authority_settings settings, audit_sink_actor audit, supervisor_actor root);

} // namespace homeostat
