#pragma once

#include <expected>
#include <map>
#include <string>
#include <vector>

namespace homeostat {

/// The demo's own PostgreSQL, PgBouncer and pgbench, started and stopped by deploy/demo/pgbouncer-rig in one folder.
class pgbouncer_rig {
public:
  /// @param folder  where the servers' files go; the caller removes it.
  explicit pgbouncer_rig(std::string folder);
  /// Takes everything down.
  ~pgbouncer_rig();
  pgbouncer_rig(const pgbouncer_rig&) = delete;
  pgbouncer_rig& operator=(const pgbouncer_rig&) = delete;

  /// Each is one sentence or the script's own message when it fails.
  std::expected<void, std::string> up(int clients);
  std::expected<void, std::string> load(const std::string& workload);
  std::expected<void, std::string> stop_load();

  /// @returns a value of the rig's environment file, empty if there is none.
  [[nodiscard]] std::string value(const std::string& name) const;

private:
  std::expected<void, std::string> run(const std::vector<std::string>& arguments);

  std::string folder_;
  std::string script_;
  std::map<std::string, std::string> environment_;
};

} // namespace homeostat
