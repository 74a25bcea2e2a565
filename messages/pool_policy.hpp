#pragma once

#include "messages/pools.pb.h"
#include "policies/transfer/transfer_policy.hpp"

#include <expected>
#include <string>

namespace homeostat {

/// @returns the whole policy.
[[nodiscard]] v1::TransferPolicy message_of(const transfer_policy& policy);

/// @returns the policy with what the message says changed. @errors  one sentence with what, the value and the expected
/// form, check()'s among them.
[[nodiscard]] std::expected<transfer_policy, std::string> policy_from(const v1::TransferPolicy& change,
                                                                      transfer_policy policy);

} // namespace homeostat
