#pragma once

#include "runtime/plants/pgbouncer/admin_console.hpp"
#include "runtime/plants/pgbouncer/pgbench_progress.hpp"
#include "runtime/plants/pgbouncer/show_output.hpp"
#include "runtime/ports/plant.hpp"

#include <filesystem>
#include <optional>
#include <string>

namespace homeostat {

/// How a pool that is larger than wanted loses connections. SET alone takes none from a busy pool: it would be measured
/// at its old size for as long as it stays busy.
enum class shrink_method {
  /// PAUSE, then RESUME: all connections are closed once their transactions end, and made anew. Every client of the
  /// database
  /// waits meanwhile, for the longest running transaction: with a long one the shrink fails after shrink_limit.
  pause,
  /// server_lifetime = 0 until the pool fits: each connection is closed when its transaction ends, and the other
  /// clients go
  /// on. Takes as long as pause, and succeeds beside long transactions; but a process that dies in between leaves
  /// server_lifetime at 0, that is, one login per transaction, until PgBouncer is reloaded.
  retire
};

struct pgbouncer_settings {
  std::string console;  ///< libpq connection string of the admin console: "host=127.0.0.1 port=6432 user=admin"
  std::string database; ///< as named under [databases]; its pools are measured and tuned; not longer than 63 bytes
  shrink_method shrink{shrink_method::pause};
  /// How long a shrink may wait for running transactions, > 0; less when the call's patience leaves less time to undo
  /// it.
  duration shrink_limit{2s};
  std::optional<std::filesystem::path> client_progress; ///< log of a `pgbench -P`, for the client_... metrics
};

/// A live PgBouncer as a plant: the size of one database's connection pool, and what it does to the clients.
///
/// Metrics: those of metrics_between(), clients_waiting, servers_active, servers_idle, maxwait_s, pool_size, and with
/// client_progress what pgbench_progress gives. The one knob is default_pool_size: a whole number from 1.
///
/// The first reading after a connection was made has nothing to compare with: its interval is empty and it has no
/// samples.
///
/// Sensor and actuator use connections of their own: each port is for one thread at a time, but both may be busy at
/// once.
class pgbouncer_plant final : public plant_sensor, public plant_actuator {
public:
  /// The name of the knob, as in pgbouncer.ini.
  static constexpr const char* pool_size_knob = "default_pool_size";

  /// Does not connect: the first call does.
  explicit pgbouncer_plant(pgbouncer_settings settings);

  /// Undoes what a failed shrink may have left behind (a paused database), for at most a second.
  ~pgbouncer_plant() override;

  std::expected<reading, plant_error> read(instant now, duration patience) override;

  /// Grows by SET alone; shrinks as the settings say, and returns when no pool of the database has more connections
  /// than wanted. A database that somebody else has paused is left alone.
  /// @errors  beyond the port's: the database has a pool_size of its own, so that the knob has no effect on it.
  std::expected<named_values, plant_error> apply(const named_values& wanted, duration patience) override;

  /// @returns the size in force: what is configured, capped by max_db_connections, or the connections the largest pool
  /// still
  ///          holds if those are more.
  std::expected<named_values, plant_error> read_back(duration patience) override;

private:
  using time_point = admin_console::time_point;

  struct counted {
    database_totals totals;
    time_point answered_at;
    instant at;
    std::uint64_t connection;
  };

  std::expected<database_state, plant_error> database(admin_console& console, time_point deadline);
  std::expected<pool_state, plant_error> pools(admin_console& console, time_point deadline);
  std::expected<void, plant_error> command(const std::string& text, time_point deadline);
  std::expected<double, plant_error> size_in_force(time_point deadline);
  std::expected<void, plant_error> pay_debts(time_point deadline);
  std::expected<void, plant_error> resume(time_point deadline);
  std::expected<void, plant_error> restore_lifetime(time_point deadline);
  std::expected<void, plant_error> shrink_to(std::uint64_t size, time_point deadline);
  std::expected<void, plant_error> pause_and_resume(time_point limit, time_point deadline);
  std::expected<void, plant_error> await_size(std::uint64_t size, time_point limit, time_point deadline);

  pgbouncer_settings settings_;

  // The sensor's.
  admin_console sensing_;
  std::optional<counted> last_;
  std::optional<pgbench_progress> progress_;

  // The actuator's.
  admin_console acting_;
  bool resume_owed_{false};                  ///< we sent PAUSE and have not seen the database running since
  std::optional<std::string> lifetime_owed_; ///< the server_lifetime to put back
};

} // namespace homeostat
