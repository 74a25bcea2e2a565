#include "runtime/transfer/machine_sense.hpp"

#include "runtime/transfer/control_group.hpp"

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <optional>
#include <sstream>

namespace homeostat {

namespace {

/// Above this a limit is none: version 1 writes the largest number of pages.
constexpr std::uint64_t no_limit = std::uint64_t{1} << 60;

std::optional<std::uint64_t> number_in(const std::string& file) {
  std::ifstream in(file);
  std::uint64_t value = 0;
  if (in >> value) return value;
  return std::nullopt;
}

/// @returns the number after a key in a file of `key value` lines.
std::uint64_t number_after(const std::string& file, const std::string& key) {
  std::ifstream in(file);
  std::string word;
  std::uint64_t value = 0;
  while (in >> word)
    if (word == key && in >> value) return value;
  return 0;
}

} // namespace

machine_sense::machine_sense(std::string proc, const std::string& groups) : proc_(std::move(proc)) {
  // A limit above what there is limits nothing.
  std::uint64_t least = number_after(proc_ + "/meminfo", "MemTotal:") * 1024;
  if (least == 0) least = no_limit;
  for (memory_group group : own_memory_groups(proc_, groups)) {
    std::string& path = group.path;
    // Up to the root, which in a container is the group itself: its path names a folder that only the host sees.
    for (;;) {
      while (path.ends_with('/')) path.pop_back();
      const auto limit = number_in(group.folder() + (group.version_2 ? "/memory.max" : "/memory.limit_in_bytes"));
      if (limit && *limit < least) {
        least = *limit;
        memory_folder_ = group.folder();
        version_2_ = group.version_2;
      }
      if (path.empty()) break;
      path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
    }
  }
  (void)read(instant{});
}

system_conditions machine_sense::read(instant now) {
  system_conditions seen;
  std::ifstream stat(proc_ + "/stat");
  std::string name;
  stat >> name;
  std::uint64_t busy = 0;
  std::uint64_t total = 0;
  std::uint64_t value = 0;
  for (int field = 0; field < 8 && stat >> value; ++field) {
    total += value;
    if (field != 3 && field != 4) busy += value; // idle, waiting for a disk
  }
  if (total > total_) { // the kernel counts in hundredths of a second: a call too soon keeps the last figure
    cpu_load_ =
        std::clamp(static_cast<double>(busy - std::min(busy, busy_)) / static_cast<double>(total - total_), 0.0, 1.0);
    busy_ = busy;
    total_ = total;
  }
  seen.cpu_load = cpu_load_;

  std::uint64_t limit = 0;
  std::uint64_t used = 0;
  if (!memory_folder_.empty()) {
    limit = number_in(memory_folder_ + (version_2_ ? "/memory.max" : "/memory.limit_in_bytes")).value_or(0);
    used = number_in(memory_folder_ + (version_2_ ? "/memory.current" : "/memory.usage_in_bytes")).value_or(0);
    // Pages of files that nobody uses are given up at need.
    used -= std::min(
        used, number_after(memory_folder_ + "/memory.stat", version_2_ ? "inactive_file" : "total_inactive_file"));
  } else {
    limit = number_after(proc_ + "/meminfo", "MemTotal:") * 1024;
    used = limit - std::min(limit, number_after(proc_ + "/meminfo", "MemAvailable:") * 1024);
  }
  if (limit > 0) {
    seen.memory_used = std::clamp(static_cast<double>(used) / static_cast<double>(limit), 0.0, 1.0);
    seen.available_memory = limit - std::min(limit, used);
  }
  using days = std::chrono::days;
  seen.hour = std::chrono::duration<double, std::ratio<3600>>(now - std::chrono::floor<days>(now)).count();
  return seen;
}

} // namespace homeostat
