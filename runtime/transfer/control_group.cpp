#include "runtime/transfer/control_group.hpp"

#include <fstream>

namespace homeostat {

std::vector<memory_group> own_memory_groups(const std::string& proc, const std::string& groups) {
  std::vector<memory_group> found;
  std::ifstream lines(proc + "/self/cgroup");
  for (std::string line; std::getline(lines, line);) { // number:controllers:path
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (!controllers.empty() && controllers != "memory") continue;
    found.push_back({.root = controllers.empty() ? groups : groups + "/memory",
                     .path = line.substr(second + 1),
                     .version_2 = controllers.empty()});
  }
  return found;
}

} // namespace homeostat
