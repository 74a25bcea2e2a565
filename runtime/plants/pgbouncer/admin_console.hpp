#pragma once

#include "runtime/ports/plant.hpp"

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct pg_conn; // libpq's PGconn

namespace homeostat {

/// One answer of the console: text, as it came.
struct console_table {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows; ///< each as long as columns
};

/// A connection to PgBouncer's admin console that never blocks past a deadline: a pooler that is dead, stopped or cut
/// off gives an error in time, and the next command connects afresh. Not thread-safe: one user at a time.
class admin_console {
public:
  using time_point = std::chrono::steady_clock::time_point;

  /// @param conninfo  a libpq connection string ("host=127.0.0.1 port=6432 user=admin"); the database is `pgbouncer`
  /// unless it
  ///                  names another. Give addresses, not names: resolving a name is the one step that cannot be
  ///                  bounded.
  explicit admin_console(std::string conninfo);
  ~admin_console();
  admin_console(const admin_console&) = delete;
  admin_console& operator=(const admin_console&) = delete;

  /// Runs one console command, by the simple protocol (the console speaks no other). Connects first when needed.
  /// @returns the rows, none for commands without any; an error when the console refuses the command (the connection
  /// stays),
  ///          or when it cannot be reached, closes, or has not answered at the deadline (the connection is dropped).
  std::expected<console_table, plant_error> run(std::string_view command, time_point deadline);

  /// Drops the connection, if any.
  void close();

  /// @returns how many connections have been made. Counters read over different connections may be of different
  /// processes.
  [[nodiscard]] std::uint64_t connection_count() const { return connection_count_; }

private:
  struct closer {
    void operator()(pg_conn* c) const;
  };

  std::expected<void, plant_error> connect(time_point deadline);
  [[nodiscard]] bool is_alive();
  plant_error fail(std::string_view doing, std::string_view why);

  std::string conninfo_;
  std::unique_ptr<pg_conn, closer> connection_;
  std::uint64_t connection_count_{0};
};

} // namespace homeostat
