#include "runtime/transfer/machine_sense.hpp"

#include "runtime/scratch_folder.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace homeostat {
namespace {

/// Folders as the kernel shows them.
class MachineSense : public testing::Test {
protected:
  void write(const std::string& file, const std::string& text) {
    const std::filesystem::path path = std::filesystem::path(folder_.path()) / file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  void machine_of_8_gib() {
    write("proc/meminfo", "MemTotal:        8388608 kB\nMemFree:  10 kB\nMemAvailable:    2097152 kB\n");
  }
  [[nodiscard]] machine_sense sense() const {
    return machine_sense(folder_.path() + "/proc", folder_.path() + "/groups");
  }
  scratch_folder folder_{"homeostat-sense"};
};

constexpr std::uint64_t gib = std::uint64_t{1} << 30;

TEST_F(MachineSense, ProcessorsSinceTheLastCall) {
  write("proc/stat", "cpu  100 0 100 700 100 0 0 0 5 5\ncpu0 1 1 1 1\n");
  machine_sense s = sense();
  EXPECT_DOUBLE_EQ(s.read(instant{}).cpu_load, 0.2) << "since the machine started, at first";
  write("proc/stat", "cpu  150 10 110 725 105 2 3 0 5 5\n"); // 75 of 105
  EXPECT_DOUBLE_EQ(s.read(instant{}).cpu_load, 75.0 / 105);
  EXPECT_DOUBLE_EQ(s.read(instant{}).cpu_load, 75.0 / 105) << "too soon: the last figure";
  write("proc/stat", "cpu  140 10 100 800 105 2 3 0 5 5\n"); // a counter went back
  const double load = s.read(instant{}).cpu_load;
  EXPECT_GE(load, 0);
  EXPECT_LE(load, 1);
  write("proc/stat", "nonsense\n");
  EXPECT_EQ(s.read(instant{}).cpu_load, load);
}

TEST_F(MachineSense, MemoryOfTheMachineWithoutALimit) {
  machine_of_8_gib();
  write("proc/self/cgroup", "0::/user\n");
  write("groups/user/memory.max", "max\n");
  const auto seen = sense().read(instant{});
  EXPECT_DOUBLE_EQ(seen.memory_used, 0.75);
  EXPECT_EQ(seen.available_memory, 2 * gib);
}

TEST_F(MachineSense, Version2) {
  machine_of_8_gib();
  write("proc/self/cgroup", "0::/user/app\n");
  write("groups/user/app/memory.max", std::to_string(4 * gib));
  write("groups/user/app/memory.current", std::to_string(3 * gib));
  write("groups/user/app/memory.stat", "anon 5\ninactive_file " + std::to_string(gib) + "\n");
  const auto seen = sense().read(instant{});
  EXPECT_DOUBLE_EQ(seen.memory_used, 0.5) << "pages that can be given up are not in use";
  EXPECT_EQ(seen.available_memory, 2 * gib);
}

TEST_F(MachineSense, Version1) {
  machine_of_8_gib();
  write("proc/self/cgroup", "9:cpu,cpuacct:/a\n4:memory:/docker/abc\n0::/\n");
  write("groups/memory/docker/abc/memory.limit_in_bytes", std::to_string(4 * gib));
  write("groups/memory/docker/abc/memory.usage_in_bytes", std::to_string(3 * gib));
  write("groups/memory/docker/abc/memory.stat",
        "inactive_file 1\ntotal_inactive_file " + std::to_string(2 * gib) + "\n");
  const auto seen = sense().read(instant{});
  EXPECT_DOUBLE_EQ(seen.memory_used, 0.25);
  EXPECT_EQ(seen.available_memory, 3 * gib);
}

TEST_F(MachineSense, Version1WithoutALimitWritesALargeNumber) {
  machine_of_8_gib();
  write("proc/self/cgroup", "4:memory:/\n");
  write("groups/memory/memory.limit_in_bytes", "9223372036854771712\n");
  write("groups/memory/memory.usage_in_bytes", "5\n");
  EXPECT_DOUBLE_EQ(sense().read(instant{}).memory_used, 0.75);
}

TEST_F(MachineSense, TheTightestLimitAboveCounts) {
  machine_of_8_gib();
  write("proc/self/cgroup", "0::/slice/service/part\n");
  write("groups/slice/memory.max", std::to_string(2 * gib));
  write("groups/slice/memory.current", std::to_string(gib));
  write("groups/slice/service/memory.max", std::to_string(4 * gib));
  write("groups/slice/service/memory.current", std::to_string(gib / 2));
  write("groups/slice/service/part/memory.max", "max\n");
  const auto seen = sense().read(instant{});
  EXPECT_DOUBLE_EQ(seen.memory_used, 0.5);
  EXPECT_EQ(seen.available_memory, gib);
}

TEST_F(MachineSense, ContainerWhosePathOnlyTheHostSees) {
  machine_of_8_gib();
  write("proc/self/cgroup", "4:memory:/docker/0123456789\n");
  write("groups/memory/memory.limit_in_bytes", std::to_string(gib));
  write("groups/memory/memory.usage_in_bytes", std::to_string(gib / 4));
  EXPECT_DOUBLE_EQ(sense().read(instant{}).memory_used, 0.25);
}

TEST_F(MachineSense, LimitAboveTheMachineIsNone) {
  machine_of_8_gib();
  write("proc/self/cgroup", "0::/a\n");
  write("groups/a/memory.max", std::to_string(100 * gib));
  write("groups/a/memory.current", std::to_string(gib));
  EXPECT_DOUBLE_EQ(sense().read(instant{}).memory_used, 0.75);
}

TEST_F(MachineSense, WhatCannotBeReadCountsAsIdle) {
  const auto seen = sense().read(instant{});
  EXPECT_EQ(seen.cpu_load, 0);
  EXPECT_EQ(seen.memory_used, 0);
  EXPECT_EQ(seen.available_memory, 0U);
  write("proc/self/cgroup", "nonsense\n:\n0:\n4:memory:\n0::no-slash\n");
  write("proc/meminfo", "MemTotal:\n");
  write("proc/stat", "");
  EXPECT_EQ(sense().read(instant{}).memory_used, 0);
}

TEST_F(MachineSense, GroupThatGoesAwayCountsAsIdle) {
  machine_of_8_gib();
  write("proc/self/cgroup", "0::/a\n");
  write("groups/a/memory.max", std::to_string(gib));
  write("groups/a/memory.current", std::to_string(gib));
  machine_sense s = sense();
  EXPECT_EQ(s.read(instant{}).memory_used, 1);
  std::filesystem::remove_all(folder_.path() + "/groups");
  EXPECT_EQ(s.read(instant{}).memory_used, 0);
}

TEST_F(MachineSense, HourOfTheDay) {
  machine_sense s = sense();
  EXPECT_DOUBLE_EQ(s.read(instant{}).hour, 0);
  EXPECT_DOUBLE_EQ(s.read(instant{} + 24h * 365 + 13h + 30min).hour, 13.5);
  EXPECT_DOUBLE_EQ(s.read(instant{} - 1h).hour, 23) << "before the epoch";
}

TEST(MachineSenseHere, IsPlausible) {
  machine_sense s;
  const auto seen = s.read(instant{});
  EXPECT_GE(seen.cpu_load, 0);
  EXPECT_LE(seen.cpu_load, 1);
  EXPECT_GT(seen.memory_used, 0);
  EXPECT_LE(seen.memory_used, 1);
  EXPECT_GT(seen.available_memory, 0U);
}

} // namespace
} // namespace homeostat
