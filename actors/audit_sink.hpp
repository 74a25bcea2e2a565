#pragma once

#include "actors/interfaces.hpp"
#include "actors/open_promises.hpp"
#include "actors/ports.hpp"

#include <memory>

namespace homeostat {

struct audit_sink_state {
  static inline const char* name = "audit-sink";
  open_promises<caf::typed_response_promise<audit_answer>> writes;
  open_promises<caf::typed_response_promise<bool, std::string>> reads;
  bool queue_lost_records{false}; ///< a record nobody waited for did not become durable; the next ones are waited for
};

/// Stands between governors and the store. The store's queue is bounded: when it is full the answer is `full`, at once.
/// @param store  outlives the actor.
audit_sink_actor::behavior_type audit_sink(audit_sink_actor::stateful_pointer<audit_sink_state> self,
                                           std::shared_ptr<store_port> store);

} // namespace homeostat
