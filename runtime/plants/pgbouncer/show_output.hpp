#pragma once

#include "runtime/plants/pgbouncer/admin_console.hpp"

#include <chrono>
#include <cstdint>
#include <string_view>

namespace homeostat {

/// What SHOW STATS has counted for one database since PgBouncer started. Contrary to its manual, PgBouncer starts the
/// clocks of a transaction and of its first query when the client sends it, before it has a server: both include the
/// wait.
struct database_totals {
  std::uint64_t transactions{0};   ///< begun
  std::uint64_t queries{0};        ///< begun
  std::uint64_t transaction_us{0}; ///< in transactions that ended, with the wait for a server
  std::uint64_t query_us{0};       ///< in queries that ended, with the wait for a server
  std::uint64_t wait_us{0};        ///< waiting for a server, by clients that got one

  bool operator==(const database_totals&) const = default;
};

/// SHOW POOLS for one database: sums over its pools (there is one per user).
struct pool_state {
  std::uint64_t clients_active{0};
  std::uint64_t clients_waiting{0};
  std::uint64_t servers_active{0};
  std::uint64_t servers_idle{0};
  std::uint64_t servers_login{0};   ///< connections to the server being made
  std::uint64_t largest_servers{0}; ///< connections of any kind in the largest pool: what the pool size limits
  double maxwait_s{0};              ///< age of the oldest waiting client, the worst pool

  bool operator==(const pool_state&) const = default;
};

/// SHOW DATABASES for one database.
struct database_state {
  std::uint64_t pool_size{0};       ///< in force for it: its own, else default_pool_size
  std::uint64_t max_connections{0}; ///< cap over all its pools; 0: none
  bool paused{false};

  bool operator==(const database_state&) const = default;
};

/// @returns the totals of a database from SHOW STATS; zeros when it has no row, which means that nobody has used it
/// yet.
/// @errors  a column is missing or a cell is not a whole number.
std::expected<database_totals, plant_error> parse_totals(const console_table& stats, std::string_view database);

/// @returns the state of a database's pools from SHOW POOLS; zeros when it has none, as before its first client.
/// @errors  a column is missing or a cell is not a whole number.
std::expected<pool_state, plant_error> parse_pools(const console_table& pools, std::string_view database);

/// @returns the state of a database from SHOW DATABASES.
/// @errors  the database is not there, a column is missing, or a cell is not a whole number.
std::expected<database_state, plant_error> parse_database(const console_table& databases, std::string_view database);

/// @returns one value of SHOW CONFIG, as text.
/// @errors  the key or a column is missing.
std::expected<std::string, plant_error> parse_config(const console_table& config, std::string_view key);

/// Computes what happened between two readings of the totals.
/// @param elapsed  the time between the two, > 0.
/// @returns throughput_per_s and, per transaction, latency_mean_ms (all of it), its part wait_mean_ms (for a server)
/// and its
///          part held_mean_ms (holding one); query_mean_ms per query, without the wait. Means over nothing are left
///          out.
/// @errors  a total went backwards: PgBouncer was restarted or the database was dropped in between.
std::expected<named_values, plant_error> metrics_between(const database_totals& before, const database_totals& after,
                                                         duration elapsed);

} // namespace homeostat
