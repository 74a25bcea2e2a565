#pragma once

#include "policies/transfer/transfer.hpp"

#include <cstdint>
#include <string>

namespace homeostat {

/// Reads how busy the machine is: processors from /proc/stat; memory from the control group that limits this process
/// most, its own or one above it (version 1 or 2), else from /proc/meminfo. What cannot be read counts as idle. Not for
/// several threads at once.
class machine_sense {
public:
  /// @param proc, groups  where the kernel's figures and the control groups are mounted.
  explicit machine_sense(std::string proc = "/proc", const std::string& groups = "/sys/fs/cgroup");
  /// @param now  for the time of day.
  /// @returns processors since the last call, memory as of now.
  [[nodiscard]] system_conditions read(instant now);

private:
  std::string proc_;
  std::string memory_folder_; ///< of the control group; empty without a limit
  bool version_2_{false};
  std::uint64_t busy_{0};
  std::uint64_t total_{0};
  double cpu_load_{0};
};

} // namespace homeostat
