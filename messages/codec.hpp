#pragma once

#include "messages/types.hpp"
#include "policies/authority/authority.hpp"
#include "policies/search/adaptive_engine.hpp"
#include "policies/transfer/transfer_memory.hpp"
#include "policies/transfer/transfer_policy.hpp"

#include <expected>
#include <string>
#include <string_view>

namespace homeostat {

// Between the values policies work with and the Protobuf bytes that are stored or leave the process. Every `decode`
// checks what it reads: a name that is not known, too many knobs or a truncated message is an error, never a default.

/// Where the authority finds again what it keeps one by one.
struct authority_index {
  authority_ledger ledger;
  std::vector<std::uint64_t> proposals;
  std::vector<std::string> advice;
  friend bool operator==(const authority_index&, const authority_index&) = default;
};

/// A pool's policy as it was changed at run time, and the configuration it was changed from.
struct kept_policy {
  transfer_policy configured;
  transfer_policy policy;
  friend bool operator==(const kept_policy&, const kept_policy&) = default;
};

[[nodiscard]] std::string encode(const proposal& x);
[[nodiscard]] std::string encode(const proposal_verdict& x);
[[nodiscard]] std::string encode(const live_configuration& x);
[[nodiscard]] std::string encode(const actuation& x);
[[nodiscard]] std::string encode(const actuation_answer& x);
[[nodiscard]] std::string encode(const objective_window& x);
[[nodiscard]] std::string encode(const audit_answer& x);
[[nodiscard]] std::string encode(const audit_batch& x);
[[nodiscard]] std::string encode(const operator_command& x);
[[nodiscard]] std::string encode(const command_result& x);
[[nodiscard]] std::string encode(const loop_status& x);
[[nodiscard]] std::string encode(const sensor_status& x);
[[nodiscard]] std::string encode(const authority_call& x);
[[nodiscard]] std::string encode(const authority_reply& x);
[[nodiscard]] std::string encode(const config_proposal& x);
[[nodiscard]] std::string encode(const config_recommendation& x);
[[nodiscard]] std::string encode(const authority_index& x);
[[nodiscard]] std::string encode(const governor_state& x);
[[nodiscard]] std::string encode(const engine_state& x);
[[nodiscard]] std::string encode(const kept_policy& x);
[[nodiscard]] std::string encode(const transfer_memory& x);
/// @param loop  the loop the record belongs to; stored with it.
[[nodiscard]] std::string encode(const audit_record& x, std::string_view loop);

/// @returns the value, or one sentence on what is wrong with the bytes.
template <class T> [[nodiscard]] std::expected<T, std::string> decode(std::string_view bytes);

/// @returns the record as one JSON object (Protobuf's JSON mapping), for people and scripts.
[[nodiscard]] std::string audit_json(std::string_view bytes);

} // namespace homeostat
