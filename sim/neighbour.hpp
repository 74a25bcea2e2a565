#pragma once

#include "sim/invariants.hpp"
#include "sim/kernel.hpp"
#include "sim/policy_set.hpp"

#include <deque>

namespace homeostat::sim {

/// A second loop that the same authority governs, on another node: a real governor over a plant and an audit that do as
/// they are told, whose people change values and pause it as they like. What happens to this process does not touch it.
class neighbour {
public:
  neighbour(kernel& k, const scenario& s, const policy_set& policies, invariants& check);
  void start();
  void on(proposal_mail& m);
  void on(const order_mail& o);
  void on(const status_request& r);
  void on(const alarm_mail& a);

private:
  /// Decides one input and everything that follows from it. @returns the verdict, if there is one.
  std::optional<proposal_verdict> decide(const governor_input& input, bool by_automation);
  void meddle();

  kernel& kernel_;
  const scenario& scenario_;
  const policy_set& policies_;
  invariants& check_;
  draw draw_;
  governor_state state_;
  knob_values plant_;
};

} // namespace homeostat::sim
