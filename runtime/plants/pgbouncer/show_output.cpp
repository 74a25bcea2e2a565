#include "runtime/plants/pgbouncer/show_output.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <system_error>

namespace homeostat {

namespace {

using cells = std::vector<std::string>;

/// Reads cells of one SHOW answer by column name. The first failure is kept and everything after it reads as zero, so
/// that a caller checks once.
class row_reader {
public:
  row_reader(const console_table& table, std::string_view command) : table_(table), command_(command) {
    if (table.columns.empty()) fail("came without any columns");
  }

  /// @returns the cell of a column, or nothing (and a failure) when there is no such column.
  const std::string* text(const cells& row, std::string_view column) {
    const auto at = std::ranges::find(table_.columns, column);
    const auto index = static_cast<std::size_t>(at - table_.columns.begin());
    if (at != table_.columns.end() && index < row.size()) return &row[index];
    fail("has no column '" + std::string(column) + "'");
    return nullptr;
  }

  std::uint64_t whole_number(const cells& row, std::string_view column) {
    const std::string* cell = text(row, column);
    if (cell == nullptr) return 0;
    std::uint64_t value = 0;
    const char* end_of_cell = cell->data() + cell->size();
    const auto [end, error] = std::from_chars(cell->data(), end_of_cell, value);
    if (error == std::errc{} && end == end_of_cell) return value;
    fail("has '" + *cell + "' in column '" + std::string(column) + "', expected a whole number that is not negative");
    return 0;
  }

  void fail(std::string why) {
    if (!failure_) failure_ = plant_error{"PgBouncer's " + std::string(command_) + " " + std::move(why)};
  }

  /// @returns the value, unless something failed on the way.
  template <class T> std::expected<T, plant_error> finish(T value) {
    if (failure_) return std::unexpected(*failure_);
    return value;
  }

private:
  const console_table& table_;
  std::string_view command_;
  std::optional<plant_error> failure_;
};

double ms(std::uint64_t us) { return static_cast<double>(us) / 1e3; }

} // namespace

std::expected<database_totals, plant_error> parse_totals(const console_table& stats, std::string_view database) {
  row_reader read(stats, "SHOW STATS");
  database_totals totals;
  for (const auto& row : stats.rows) {
    const std::string* name = read.text(row, "database");
    if (name == nullptr) break;
    if (*name != database) continue;
    totals.transactions += read.whole_number(row, "total_xact_count");
    totals.queries += read.whole_number(row, "total_query_count");
    totals.transaction_us += read.whole_number(row, "total_xact_time");
    totals.query_us += read.whole_number(row, "total_query_time");
    totals.wait_us += read.whole_number(row, "total_wait_time");
  }
  return read.finish(totals);
}

std::expected<pool_state, plant_error> parse_pools(const console_table& pools, std::string_view database) {
  row_reader read(pools, "SHOW POOLS");
  pool_state state;
  for (const auto& row : pools.rows) {
    const std::string* name = read.text(row, "database");
    if (name == nullptr) break;
    if (*name != database) continue;
    const auto active = read.whole_number(row, "sv_active");
    const auto idle = read.whole_number(row, "sv_idle");
    const auto login = read.whole_number(row, "sv_login");
    const auto other = read.whole_number(row, "sv_used") + read.whole_number(row, "sv_tested");
    state.clients_active += read.whole_number(row, "cl_active");
    state.clients_waiting += read.whole_number(row, "cl_waiting");
    state.servers_active += active;
    state.servers_idle += idle;
    state.servers_login += login;
    state.largest_servers = std::max(state.largest_servers, active + idle + login + other);
    const double wait = static_cast<double>(read.whole_number(row, "maxwait")) +
                        static_cast<double>(read.whole_number(row, "maxwait_us")) / 1e6;
    state.maxwait_s = std::max(state.maxwait_s, wait);
  }
  return read.finish(state);
}

std::expected<database_state, plant_error> parse_database(const console_table& databases, std::string_view database) {
  row_reader read(databases, "SHOW DATABASES");
  for (const auto& row : databases.rows) {
    const std::string* name = read.text(row, "name");
    if (name == nullptr) break;
    if (*name != database) continue;
    database_state state;
    state.pool_size = read.whole_number(row, "pool_size");
    state.max_connections = read.whole_number(row, "max_connections");
    state.paused = read.whole_number(row, "paused") != 0;
    return read.finish(state);
  }
  read.fail("has no database '" + std::string(database) + "': expected one listed under [databases]");
  return read.finish(database_state{});
}

std::expected<std::string, plant_error> parse_config(const console_table& config, std::string_view key) {
  row_reader read(config, "SHOW CONFIG");
  for (const auto& row : config.rows) {
    const std::string* name = read.text(row, "key");
    const std::string* value = read.text(row, "value");
    if (name == nullptr || value == nullptr) break;
    if (*name == key) return *value;
  }
  read.fail("has no key '" + std::string(key) + "'");
  return read.finish(std::string{});
}

std::expected<named_values, plant_error> metrics_between(const database_totals& before, const database_totals& after,
                                                         duration elapsed) {
  if (after.transactions < before.transactions || after.queries < before.queries ||
      after.transaction_us < before.transaction_us || after.query_us < before.query_us ||
      after.wait_us < before.wait_us)
    return std::unexpected(plant_error{
        "PgBouncer's SHOW STATS totals went backwards (transactions from " + std::to_string(before.transactions) +
        " to " + std::to_string(after.transactions) + "): it was restarted, expected totals that only grow"});
  const auto transactions = static_cast<double>(after.transactions - before.transactions);
  const auto queries = static_cast<double>(after.queries - before.queries);
  const double wait = ms(after.wait_us - before.wait_us);
  const double latency = ms(after.transaction_us - before.transaction_us);
  // A wait is booked when it ends, the time around it when the query or transaction ends, perhaps in the next interval.
  const auto without_wait = [wait](double time) { return std::max(0.0, time - wait); };
  named_values metrics{{"throughput_per_s", transactions / seconds_of(elapsed)}};
  if (transactions > 0) {
    metrics["latency_mean_ms"] = latency / transactions;
    metrics["wait_mean_ms"] = wait / transactions;
    metrics["held_mean_ms"] = without_wait(latency) / transactions;
  }
  if (queries > 0) metrics["query_mean_ms"] = without_wait(ms(after.query_us - before.query_us)) / queries;
  return metrics;
}

} // namespace homeostat
