#pragma once

#include "policies/transfer/transfer_policy.hpp"
#include "runtime/node/pool_proposals.hpp"

#include <expected>
#include <string>

namespace homeostat {

// What people do to a pool's policy at once, without a proposal. The keys that the loop over the policy governs go
// through its governor, so that it knows what is live; the others change beside it. Both are durable and in force when
// these return, which blocks for some seconds at most: not for actors.

/// Makes a policy the pool's.
/// @param wanted  the whole of it.
/// @errors  404 no such pool; 422 what cannot be; 503 the loop or the store does not answer: then it is not known what
///          of it is in force.
[[nodiscard]] std::expected<void, authority_problem> change_policy(node& n, const std::string& pool,
                                                                   const transfer_policy& wanted,
                                                                   const std::string& actor, const std::string& text);

/// Rollback to rules: forgets what was learned, takes the model away and stops learning, also where the loop does not
/// answer. What is then in force becomes the loop's baseline, so that no automatic rollback brings learning back.
/// @errors  404 no such pool; 503 it is done, but not all of it for good: the sentence says what may come back.
[[nodiscard]] std::expected<void, authority_problem> back_to_rules(node& n, const std::string& pool,
                                                                   const std::string& actor, const std::string& text);

} // namespace homeostat
