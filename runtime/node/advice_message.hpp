#pragma once

#include "messages/pools.pb.h"
#include "policies/transfer/transfer_recommendation.hpp"

#include <expected>
#include <string>
#include <vector>

namespace homeostat {

// Advice on pools as a message: what the API shows, and what is kept of it in the store.

[[nodiscard]] v1::TransferAdvice message_of(const transfer_recommendation& r);
[[nodiscard]] v1::TransferAdviceList message_of(const std::vector<transfer_recommendation>& advice);
/// @errors one sentence: a state or verdict that this version does not know.
[[nodiscard]] std::expected<transfer_recommendation, std::string> advice_from(const v1::TransferAdvice& message,
                                                                              std::string pool);

} // namespace homeostat
