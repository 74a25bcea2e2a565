#pragma once

#include "actors/audit_sink.hpp"
#include "actors/authority.hpp"
#include "actors/children.hpp"
#include "actors/loop_supervisor.hpp"
#include "actors/open_promises.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace homeostat {

/// One pool: a named group of loops under one supervision policy.
struct pool_setup {
  std::string name;
  supervision_settings supervision{.strategy = restart_strategy::one_for_one};
  std::vector<loop_setup> loops;              ///< loop names are unique in the node
  std::shared_ptr<transfer_port> transfers{}; ///< of a pool that decides on transfers; else empty
};

/// The whole node.
struct node_setup {
  std::string name;
  supervision_settings supervision{.strategy = restart_strategy::rest_for_one};
  std::shared_ptr<store_port> store;
  std::vector<pool_setup> pools;
  authority_settings authority{};
  std::shared_ptr<transfer_port> learning{}; ///< of nodes with pools that decide on transfers; else empty
  std::shared_ptr<transfer_port> analysis{}; ///< likewise
  time_line time;
  std::uint64_t seed{0};
};

/// What pool and node supervisors have in common: members that answer by loop name, and a way to the right one.
struct group_state {
  static inline const char* name = "supervisor";

  /// Where a loop lives.
  struct place {
    std::size_t child;
    std::string pool;
  };

  children kids;
  std::map<std::string, place> route; ///< by loop name
  std::size_t first_member{0};        ///< children before it serve the members (audit sink)
  std::size_t members_end{0};         ///< children from here on are served by them (authority)
  duration patience{};                ///< for a member's answer: longer than the member's own
  duration stop_patience{};           ///< for a member's ordered stop, likewise
  open_promises<caf::typed_response_promise<bool>> stoppers;
  audit_sink_actor audit;
  authority_actor authority; ///< node only
};

/// Supervises the loops of one pool, each on its own.
supervisor_actor::behavior_type pool_supervisor(supervisor_actor::stateful_pointer<group_state> self, pool_setup setup,
                                                audit_sink_actor audit, time_line time, std::uint64_t seed);

/// Supervises audit sink and pools. The sink starts first and stops last; when it ends, the pools start again with the
/// new one, from durable state. A stop is answered within the longest stop_timeout of its loops and 2 s.
supervisor_actor::behavior_type node_supervisor(supervisor_actor::stateful_pointer<group_state> self, node_setup setup);

} // namespace homeostat
