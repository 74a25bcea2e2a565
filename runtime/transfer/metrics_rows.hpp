#pragma once

#include "policies/transfer/metrics_store.hpp"
#include "runtime/store/sqlite_connection.hpp"

#include <array>
#include <optional>
#include <string>
#include <utility>

// How transfers and buckets lie in the metrics' database: one place for their columns, going in and coming out.
namespace homeostat {

/// Makes both tables as version 1 had them.
extern const char* const metrics_schema_sql;
/// What leads from each version to the next, from version 1 on. A new file goes the same way.
extern const std::array<const char*, 1> metrics_upgrades_sql;

inline constexpr const char* sample_columns =
    "pool, time, transfer_id, method, size, type, format, compressed, cpu_load, memory_pressure, available_memory, "
    "in_flight, hour, recent_slowdown, latency_us, cpu_us, memory_bytes, decision_us, predicted_us, explored, failed, "
    "generation, reason, rule, confidence, grpc_us, zero_copy_us, threshold, pressure";
inline constexpr int sample_column_count = 29;
/// As a bucket is read, in this order.
inline constexpr const char* bucket_columns =
    "minute, method, size_class, type, delivered, failed, explored, predicted, bytes, latency_us, throughput_mbps, "
    "cpu_us, memory_bytes, decision_us, prediction_error, explored_latency_us, lost_us, cpu_load, memory_pressure, "
    "least_generation, last_generation, latency";

void bind_sample(sqlite_statement& s, const std::string& pool, const transfer_metrics& m);
/// @param sketch  the bucket's latencies, packed; lives until the statement has run.
void bind_bucket(sqlite_statement& s, const std::string& pool, const metrics_store::bucket_id& id,
                 const metrics_bucket& b, const std::string& sketch);
/// @returns the transfer in a row of sample_columns; nothing when it makes no sense.
[[nodiscard]] std::optional<transfer_metrics> read_sample(const sqlite_statement& row);
/// @returns the bucket in a row of bucket_columns; nothing when it makes no sense.
[[nodiscard]] std::optional<std::pair<metrics_store::bucket_id, metrics_bucket>>
read_bucket(const sqlite_statement& row);

} // namespace homeostat
