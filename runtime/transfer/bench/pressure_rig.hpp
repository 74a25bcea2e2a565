#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

namespace homeostat {

/// Keeps every processor busy while it lives: two processes of ours for each.
class cpu_hogs {
public:
  cpu_hogs();
  ~cpu_hogs();
  cpu_hogs(const cpu_hogs&) = delete;
  cpu_hogs& operator=(const cpu_hogs&) = delete;

private:
  std::vector<pid_t> hogs_;
};

/// Makes memory short while it lives: this process and the given ones move into a control group with a limit, most of
/// which another process holds, and whose rest a file's pages fill, so that every allocation has to reclaim.
class memory_squeeze {
public:
  /// @param limit  bytes of the group.  @param share  of it that is held, 0..1.  @param folder  for the file.
  /// @returns one sentence when this machine does not let us make a control group.
  [[nodiscard]] static std::expected<std::unique_ptr<memory_squeeze>, std::string>
  begin(const std::vector<pid_t>& members, std::uint64_t limit, double share, const std::string& folder);
  /// Members go back to the parent group; nothing is left.
  ~memory_squeeze();
  memory_squeeze(const memory_squeeze&) = delete;
  memory_squeeze& operator=(const memory_squeeze&) = delete;

private:
  memory_squeeze() = default;
  std::string group_;
  std::string parent_;
  std::vector<pid_t> members_;
  std::string file_;
  pid_t hog_{0};
};

} // namespace homeostat
