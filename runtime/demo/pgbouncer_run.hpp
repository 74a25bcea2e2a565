#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace homeostat {

struct pgbouncer_run_options {
  std::optional<std::chrono::microseconds> phase; ///< tuning time per workload; absent: 100 s
  int clients{150};
  int pairs{7};                      ///< alternating windows, tuned and default, per workload; odd or even
  std::optional<std::string> folder; ///< kept with servers' logs and audit; absent: a scratch folder
  bool json{false};
};

/// Starts PostgreSQL, PgBouncer and pgbench of its own on loopback, tunes default_pool_size under hot-row transactions,
/// then under transactions with client think time, and measures the tuned value against the default in alternating
/// windows.
/// @returns the exit code: 0 if everything ran, nothing left its bounds and the audit chain is intact.
[[nodiscard]] int run_pgbouncer_demo(const pgbouncer_run_options& options);

} // namespace homeostat
