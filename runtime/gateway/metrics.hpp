#pragma once

#include "messages/types.hpp"
#include "runtime/store/group_committer.hpp"

#include <string>
#include <vector>

namespace homeostat {

// Every metric name of the node, in one place. Base units, `_total` on counters (Prometheus naming).
namespace metric {
inline constexpr const char* up = "homeostat_up";
inline constexpr const char* changes_applied = "homeostat_changes_applied_total";
inline constexpr const char* proposals_refused = "homeostat_proposals_refused_total";
inline constexpr const char* rollbacks = "homeostat_rollbacks_total";
inline constexpr const char* safe_mode = "homeostat_safe_mode";
inline constexpr const char* safe_mode_entries = "homeostat_safe_mode_entries_total";
inline constexpr const char* generation = "homeostat_generation";
inline constexpr const char* revision = "homeostat_revision";
inline constexpr const char* knob_value = "homeostat_knob_value";
inline constexpr const char* objective = "homeostat_objective";
inline constexpr const char* windows = "homeostat_windows_total";
inline constexpr const char* digests = "homeostat_digests_total";
inline constexpr const char* digests_rejected = "homeostat_digests_rejected_total";
inline constexpr const char* restarts = "homeostat_restarts_total";
inline constexpr const char* audit_batches = "homeostat_audit_batches_total";
inline constexpr const char* audit_pending = "homeostat_audit_pending_records";
inline constexpr const char* audit_commit_seconds = "homeostat_audit_last_commit_seconds";
} // namespace metric

/// @returns the node's metrics in Prometheus' text format.
[[nodiscard]] std::string metrics_text(const std::vector<loop_status>& loops, const group_stats& audit);

} // namespace homeostat
