#include "runtime/transfer/bench/pressure_rig.hpp"

#include "runtime/transfer/control_group.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace homeostat {

namespace {

namespace fs = std::filesystem;

/// Starts a child that does nothing but what it is given: no library, no lock, no allocation, for we have threads.
template <typename Work> pid_t start_child(Work work) {
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(0); // it ended in between
  work();
  ::_exit(0);
}

void end_child(pid_t pid) {
  if (pid <= 0) return;
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

bool write_to(const fs::path& file, const std::string& text) {
  std::ofstream out(file);
  out << text;
  out.flush();
  return static_cast<bool>(out);
}

/// Version 1 where both are there: only one of them limits memory, and a mixed system leaves it to version 1.
memory_group memory_group_of_ours() {
  memory_group found;
  for (const memory_group& group : own_memory_groups())
    if (found.root.empty() || found.version_2) found = group;
  return found;
}

} // namespace

cpu_hogs::cpu_hogs() {
  const unsigned processors = std::max(1U, std::thread::hardware_concurrency());
  for (unsigned i = 0; i < 2 * processors; ++i)
    hogs_.push_back(start_child([] {
      std::atomic<std::uint64_t> spun{0};
      for (;;) spun.fetch_add(1, std::memory_order_relaxed);
    }));
}

cpu_hogs::~cpu_hogs() {
  for (const pid_t hog : hogs_) end_child(hog);
}

std::expected<std::unique_ptr<memory_squeeze>, std::string>
memory_squeeze::begin(const std::vector<pid_t>& members, std::uint64_t limit, double share, const std::string& folder) {
  std::unique_ptr<memory_squeeze> made(new memory_squeeze);
  const memory_group ours = memory_group_of_ours();
  made->parent_ = ours.folder();
  made->group_ = made->parent_ + "/homeostat-bench-" + std::to_string(::getpid());
  std::error_code failed;
  fs::create_directory(made->group_, failed);
  const auto refuse = [&](const std::string& what) {
    return std::unexpected("memory pressure needs a control group of our own: " + what);
  };
  if (failed) return refuse(made->group_ + ": " + failed.message());
  if (!write_to(made->group_ + (ours.version_2 ? "/memory.max" : "/memory.limit_in_bytes"), std::to_string(limit)))
    return refuse(made->group_ + " takes no limit");
  made->members_ = members;
  made->members_.push_back(::getpid());
  for (const pid_t member : made->members_)
    if (!write_to(made->group_ + "/cgroup.procs", std::to_string(member)))
      return refuse("process " + std::to_string(member) + " cannot be moved into " + made->group_);

  made->file_ = folder + "/pages";
  const int file = ::open(made->file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  const auto held = static_cast<std::size_t>(static_cast<double>(limit) * share);
  if (file < 0 || ::posix_fallocate(file, 0, static_cast<off_t>(limit / 4)) != 0)
    return refuse(made->file_ + " cannot be made");
  made->hog_ = start_child([=] {
    void* memory = ::mmap(nullptr, held, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    static char buffer[1 << 16];
    for (;;) {
      if (memory == MAP_FAILED) ::_exit(1);
      ::lseek(file, 0, SEEK_SET);
      while (::read(file, buffer, sizeof buffer) > 0) {}
      ::usleep(50'000);
    }
  });
  ::close(file);
  ::usleep(1'500'000); // until it holds its share
  return made;
}

memory_squeeze::~memory_squeeze() {
  end_child(hog_);
  for (const pid_t member : members_) write_to(parent_ + "/cgroup.procs", std::to_string(member));
  std::error_code ignored;
  for (int i = 0; i < 50 && fs::exists(group_, ignored) && ::rmdir(group_.c_str()) != 0; ++i) ::usleep(20'000);
  if (!file_.empty()) fs::remove(file_, ignored);
}

} // namespace homeostat
