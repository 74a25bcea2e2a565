#pragma once

#include <string>
#include <vector>

namespace homeostat {

/// A control group that accounts for this process's memory.
struct memory_group {
  std::string root; ///< where its hierarchy is mounted
  std::string path; ///< from there, begins with /; of a container as only the host may see it
  bool version_2{false};
  [[nodiscard]] std::string folder() const { return root + path; }
};

/// @returns those of this process, in the kernel's order: at most one of version 1 and one of version 2.
/// @param proc, groups  where the kernel's figures and the control groups are mounted.
[[nodiscard]] std::vector<memory_group> own_memory_groups(const std::string& proc = "/proc",
                                                          const std::string& groups = "/sys/fs/cgroup");

} // namespace homeostat
