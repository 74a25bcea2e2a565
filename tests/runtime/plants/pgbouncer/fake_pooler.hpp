#pragma once

#include "tests/runtime/plants/pgbouncer/fake_console.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>

namespace homeostat::testing {

/// As much of PgBouncer as its console shows of one database, "shop", under a load that keeps every connection busy. A
/// busy pool keeps its connections when its size is lowered; PAUSE closes them all; with server_lifetime 0 one goes per
/// SHOW POOLS.
struct fake_pooler {
  std::uint64_t transactions{0};
  std::uint64_t transaction_us{0};
  std::uint64_t wait_us{0};
  int size{20};
  int own_size{0}; ///< pool_size under [databases]; 0: none
  int max_connections{0};
  int servers{20};
  int logins{0};      ///< being made; one is finished with each SHOW POOLS
  int min_servers{0}; ///< in transactions that do not end
  bool paused{false};
  bool login_cut_off{false}; ///< a PAUSE came while a connection was being made
  std::string server_lifetime{"3600"};
  std::map<std::string, fake_answer> overrides; ///< by command: answered so, after it took its effect

  fake_answer answer(const std::string& command) {
    const fake_answer usual = act(command);
    const auto override_ = overrides.find(command);
    return override_ == overrides.end() ? usual : override_->second;
  }

private:
  static fake_answer error(std::string text) { return {.what = fake_answer::kind::error, .message = std::move(text)}; }

  static fake_answer table(std::vector<std::string> columns, std::vector<std::vector<std::string>> rows) {
    return {.what = fake_answer::kind::rows, .columns = std::move(columns), .rows = std::move(rows)};
  }

  fake_answer act(const std::string& command) {
    const auto text = [](auto value) { return std::to_string(value); };
    if (command == "SHOW STATS")
      return table({"database", "total_xact_count", "total_query_count", "total_xact_time", "total_query_time",
                    "total_wait_time"},
                   {{"pgbouncer", "1", "1", "0", "0", "0"},
                    {"shop", text(transactions), text(transactions), text(transaction_us), text(transaction_us),
                     text(wait_us)}});
    if (command == "SHOW POOLS") {
      if (server_lifetime == "0" && servers > std::max(size, min_servers)) --servers;
      const auto shown =
          table({"database", "user", "cl_active", "cl_waiting", "sv_active", "sv_idle", "sv_used", "sv_tested",
                 "sv_login", "maxwait", "maxwait_us"},
                {{"shop", "app", text(servers), "7", text(servers), "0", "0", "0", text(logins), "1", "250000"}});
      servers += std::min(logins, 1);
      logins -= std::min(logins, 1);
      return shown;
    }
    if (command == "SHOW DATABASES")
      return table({"name", "pool_size", "max_connections", "paused"},
                   {{"shop", text(own_size > 0 ? own_size : size), text(max_connections), text(paused ? 1 : 0)}});
    if (command == "SHOW CONFIG") return table({"key", "value"}, {{"server_lifetime", server_lifetime}});
    if (command.starts_with("SET default_pool_size = ")) {
      size = std::stoi(command.substr(24));
      return {};
    }
    if (command.starts_with("SET server_lifetime = ")) {
      server_lifetime = command.substr(22);
      return {};
    }
    if (command == "PAUSE \"shop\"") {
      paused = true;
      login_cut_off = login_cut_off || logins > 0;
      servers = min_servers;
      return min_servers > 0 ? fake_answer{.what = fake_answer::kind::silence} : fake_answer{};
    }
    if (command == "RESUME \"shop\"") {
      if (!paused) return error("database shop is not paused");
      paused = false;
      servers = std::max(size, min_servers);
      return {};
    }
    return error("invalid command '" + command + "', use SHOW HELP;");
  }
};

} // namespace homeostat::testing
