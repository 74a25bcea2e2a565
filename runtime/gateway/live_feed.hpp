#pragma once

#include "runtime/gateway/event_hub.hpp"
#include "runtime/node/node.hpp"

#include <optional>

namespace homeostat {

/// Turns what a node does into events: `status` (as /api/v1/status answers) and `audit` (one entry of /api/v1/audit),
/// each with its data as JSON. Works only while somebody listens.
class live_feed {
public:
  live_feed(node& n, event_hub& hub) : node_(n), hub_(hub) { skip_audit(); }
  /// Call once a second, from one thread. May wait for the node, at most 4 s.
  void tick();

private:
  void publish_audit();
  node& node_;
  event_hub& hub_;
  /// What is in the store already, listeners fetch.
  void skip_audit();
  std::uint64_t audited_{0}; ///< sequence of the last record published or skipped
  unsigned quiet_{0};        ///< ticks since the last heartbeat
};

} // namespace homeostat
