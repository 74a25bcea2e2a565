#pragma once

#include "policies/safety/governor.hpp"
#include "runtime/hotpath/atomic_config.hpp"
#include "runtime/hotpath/bounded_queue.hpp"

#include <vector>

namespace homeostat {

/// The records of one decision on their way to the audit.
using audit_bundle = std::vector<audit_record>;

/// The governor without actors: for a loop over knobs of this very process that declares `audit: queued`. One call
/// takes a proposal through all guards, into the bounded audit queue, and into force (design §13: a few microseconds).
/// The same policy decides as everywhere; only the enacting is different. One thread at a time.
class inline_governor {
public:
  /// @param live   holds as many knobs as the configuration; nobody else writes to it.
  /// @param audit  drained by whoever makes the records durable. Both outlive this object.
  inline_governor(governor_config config, atomic_config& live, bounded_queue<audit_bundle>& audit, instant now);

  /// Applies a proposal or refuses it. @returns the verdict; when the audit queue is full nothing is applied.
  [[nodiscard]] proposal_verdict apply(const proposal& p, instant now);
  /// Feeds anything else the governor understands: windows, operator commands, ticks.
  governor_effects feed(const governor_input& input, instant now);

  [[nodiscard]] const governor_state& state() const { return state_; }

private:
  std::optional<proposal_verdict> enact(governor_effects effects, instant now);

  governor_config config_;
  governor_state state_;
  atomic_config& live_;
  bounded_queue<audit_bundle>& audit_;
};

} // namespace homeostat
