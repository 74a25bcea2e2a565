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
inline constexpr const char* transfer_decisions = "homeostat_transfer_decisions_total";
inline constexpr const char* transfers = "homeostat_transfers_total";
inline constexpr const char* transfer_bytes = "homeostat_transfer_bytes_total";
inline constexpr const char* transfers_explored = "homeostat_transfers_explored_total";
inline constexpr const char* transfer_outcomes_lost = "homeostat_transfer_outcomes_lost_total";
inline constexpr const char* transfer_latency = "homeostat_transfer_latency_seconds";
inline constexpr const char* transfer_exploration_loss = "homeostat_transfer_exploration_loss_seconds_total";
inline constexpr const char* transfer_predictions = "homeostat_transfer_predictions_total";
inline constexpr const char* transfer_predictions_close = "homeostat_transfer_predictions_close_total";
inline constexpr const char* transfer_threshold = "homeostat_transfer_threshold_bytes";
inline constexpr const char* transfer_pressure = "homeostat_transfer_pressure";
inline constexpr const char* transfer_slowdown = "homeostat_transfer_slowdown_ratio";
inline constexpr const char* transfer_learning = "homeostat_transfer_learning";
inline constexpr const char* transfer_model_step = "homeostat_transfer_model_step";
inline constexpr const char* transfer_training_samples = "homeostat_transfer_training_samples";
inline constexpr const char* transfer_drifts = "homeostat_transfer_drifts_total";
inline constexpr const char* transfer_regressions = "homeostat_transfer_regressions";
inline constexpr const char* transfer_recommendations = "homeostat_transfer_recommendations";
inline constexpr const char* transfer_samples_refused = "homeostat_transfer_metrics_refused_samples_total";
inline constexpr const char* transfer_write_failures = "homeostat_transfer_metrics_write_failures_total";
inline constexpr const char* transfer_rows_pending = "homeostat_transfer_metrics_pending_rows";
} // namespace metric

/// @returns the node's metrics in Prometheus' text format.
[[nodiscard]] std::string metrics_text(const std::vector<loop_status>& loops, const group_stats& audit);

} // namespace homeostat
