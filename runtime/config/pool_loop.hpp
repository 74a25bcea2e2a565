#pragma once

#include "runtime/config/readers.hpp"

#include <string>

namespace homeostat::yaml {

/// @returns the name of the node's own loop over a pool's policy.
[[nodiscard]] std::string loop_over(const std::string& pool);

/// What is particular to a governor whose plant is a pool of this very process: nothing between the two can be lost, so
/// that a pool at rest is no reason for safe mode, and the plant begins with what the configuration says.
void govern_pool(governor_config& governor, const pool_config& pool);

/// Adds the loop over a pool's policy that needs no writing out: no strategy, every key a knob, changes by people and
/// proposals only, at a pace that still lets the guards see what each step did.
/// @param pool  one of the node's, with a transfer section.  @param policy  the pool's guardrails; null: conservative
/// ones.
void add_pool_loop(node_config& node, const pool_config& pool, const policy_settings* policy);

} // namespace homeostat::yaml
