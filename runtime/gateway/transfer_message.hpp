#pragma once

#include "messages/pool_policy.hpp"
#include "messages/pools.pb.h"
#include "runtime/node/transfer_pools.hpp"

#include <expected>
#include <optional>
#include <string>

namespace homeostat {

// Transfers between the API's messages and the policies' values. Errors are one sentence with what, the value and the
// expected form.

[[nodiscard]] std::expected<transfer_characteristics, std::string> characteristics_from(const v1::TransferData& data);
[[nodiscard]] std::expected<transfer_metrics, std::string> metrics_from(const v1::TransferOutcome& outcome,
                                                                        const system_conditions& now, instant at);
/// @returns where an outcome counts in the experiment that runs; a place in none where it names none, or one that is
/// over.
/// @errors  also an arm that its session was not assigned.
[[nodiscard]] std::expected<experiment_place, std::string>
place_from(const v1::TransferOutcome& outcome, const transfer_pool& pool,
           const std::optional<pool_experiments::running_experiment>& running);
[[nodiscard]] v1::TransferDecision message_of(const transfer_decision& decision, const std::string& rationale);
[[nodiscard]] v1::PoolView message_of(const transfer_pool& pool, const transfer_pools& all);
[[nodiscard]] v1::TransferSeries message_of(const metrics_answer& answer);
[[nodiscard]] v1::RegressionReport message_of(const regression_report& report);
/// @returns the method of that name, never of an empty one.
[[nodiscard]] std::expected<transfer_method, std::string> method_from(const std::string& name);

} // namespace homeostat
