#include "runtime/plants/command/run_program.hpp"

#include "policies/number_text.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <mutex>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace homeostat {

namespace {

using clock = std::chrono::steady_clock;

/// How much of standard error is kept: its end, where programs say why they give up.
constexpr std::size_t complaint_limit = 4096;
/// How long a killed program may take to end. More needs a process stuck inside the kernel, on a dead disk for example.
constexpr std::chrono::seconds death_limit{2};
/// Killed programs that have not ended yet, before none is started any more.
constexpr std::size_t undead_limit = 16;

std::string error_text(int error) { return std::strerror(error); } // glibc's is safe in threads

class descriptor {
public:
  descriptor() = default;
  explicit descriptor(int fd) : fd_(fd) {}
  descriptor(descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  descriptor& operator=(descriptor&& other) noexcept {
    if (this != &other) close(), fd_ = std::exchange(other.fd_, -1);
    return *this;
  }
  ~descriptor() { close(); }
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool is_open() const { return fd_ >= 0; }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

private:
  int fd_{-1};
};

struct pipe_ends {
  descriptor read;
  descriptor write;
};

/// @returns a pipe whose reading end never blocks; errno in the error.
std::expected<pipe_ends, int> make_pipe() {
  std::array<int, 2> fds{};
  if (pipe2(fds.data(), O_CLOEXEC) != 0) return std::unexpected(errno);
  pipe_ends ends{.read = descriptor(fds[0]), .write = descriptor(fds[1])};
  if (fcntl(ends.read.get(), F_SETFL, O_NONBLOCK) != 0) return std::unexpected(errno);
  return ends;
}

// ---- starting -----------------------------------------------------------------------------------------------------

std::vector<std::string> environment_with(const std::map<std::string, std::string>& extra) {
  std::vector<std::string> all;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    const std::string text(*variable);
    if (!extra.contains(text.substr(0, text.find('=')))) all.push_back(text);
  }
  for (const auto& [name, value] : extra) all.push_back(name + "=" + value);
  return all;
}

std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

/// @returns 0, or the error of posix_spawnp, which includes a program that is not there.
int spawn(pid_t& child, std::vector<std::string> argv, std::vector<std::string> environment, int out, int err) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
  posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // What we block or ignore for ourselves must reach the child: a shell script whose SIGPIPE is ignored, for example,
  // does not end with its reader.
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  sigset_t usual;
  sigemptyset(&usual);
  for (int signal : {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD, SIGUSR1, SIGUSR2}) sigaddset(&usual, signal);
  posix_spawnattr_setsigdefault(&attributes, &usual);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  const int error = posix_spawnp(&child, argv.front().c_str(), &actions, &attributes, pointers_to(argv).data(),
                                 pointers_to(environment).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

// ---- ending -------------------------------------------------------------------------------------------------------

/// Programs that were killed and have not ended yet. They are reaped when they do, at the latest when the next program
/// is run after that.
class undead_list {
public:
  void add(pid_t pid) {
    const std::lock_guard lock(mutex_);
    pids_.push_back(pid);
  }
  /// @returns how many there still are.
  std::size_t reap() {
    const std::lock_guard lock(mutex_);
    std::erase_if(pids_, [](pid_t pid) { return waitpid(pid, nullptr, WNOHANG) != 0; });
    return pids_.size();
  }

private:
  std::mutex mutex_;
  std::vector<pid_t> pids_;
};

undead_list& undead() {
  static undead_list list;
  return list;
}

/// Waits until a descriptor can be read. @returns false when the limit comes first.
bool await(const descriptor& d, clock::time_point limit) {
  pollfd wanted{d.get(), POLLIN, 0};
  while (true) {
    const auto left = std::max(limit - clock::now(), clock::duration::zero());
    const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    const int ready = poll(&wanted, 1, static_cast<int>(milliseconds));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

/// Kills the program's group. Until the program is reaped its number, and so that of its group, belongs to nobody else.
void kill_and_reap(pid_t child, const descriptor& ended) {
  kill(-child, SIGKILL);
  if (!ended.is_open() || !await(ended, clock::now() + death_limit)) return undead().add(child);
  waitpid(child, nullptr, 0);
}

/// @returns nothing when the program ended with code 0, else how it ended.
std::optional<std::string> exit_problem(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return "its exit code is lost: " + error_text(errno); // somebody else reaps, or ignores SIGCHLD
  if (WIFSIGNALED(status)) return "ended by signal " + std::to_string(WTERMSIG(status));
  if (WEXITSTATUS(status) != 0) return "exit code " + std::to_string(WEXITSTATUS(status)) + ", expected 0";
  return std::nullopt;
}

// ---- running ------------------------------------------------------------------------------------------------------

enum class run_end : std::uint8_t { ended, timed_out, too_long };

/// What comes out of a program while it runs.
class program_output {
public:
  program_output(descriptor out, descriptor err) : out_(std::move(out)), err_(std::move(err)) {}

  /// Reads until the program ends, then what is still in the pipes.
  run_end collect(const descriptor& ended, clock::time_point limit) {
    while (true) {
      std::array<pollfd, 3> sources{pollfd{out_.get(), POLLIN, 0}, pollfd{err_.get(), POLLIN, 0},
                                    pollfd{ended.get(), POLLIN, 0}};
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(limit - clock::now()).count();
      if (left <= 0) return run_end::timed_out;
      constexpr std::int64_t one_minute = 60'000; // keeps the number within poll's int
      if (poll(sources.data(), sources.size(), static_cast<int>(std::min<std::int64_t>(left, one_minute))) <= 0)
        continue;
      // In this order: what was written before the end is in the pipes once the end is seen.
      const bool is_over = sources[2].revents != 0;
      drain(out_, printed_, program_output_limit + 1);
      drain(err_, complaint_, complaint_.size() + (std::size_t{1} << 16));
      if (complaint_.size() > complaint_limit) complaint_.erase(0, complaint_.size() - complaint_limit);
      if (printed_.size() > program_output_limit) return run_end::too_long;
      if (is_over) return run_end::ended;
    }
  }

  [[nodiscard]] std::string& printed() { return printed_; }
  /// @returns ": " and the last line of standard error, if there is one.
  [[nodiscard]] std::string last_words() const {
    const auto end = complaint_.find_last_not_of(" \t\r\n");
    if (end == std::string::npos) return "";
    const auto line = complaint_.find_last_of("\r\n", end);
    return ": " + printable(std::string_view(complaint_).substr(line == std::string::npos ? 0 : line + 1, end - line));
  }

private:
  /// Appends what is there now, up to a size; closes at the end of the stream.
  static void drain(descriptor& from, std::string& into, std::size_t most) {
    std::array<char, 16384> chunk{};
    while (from.is_open() && into.size() < most) {
      const ssize_t n = read(from.get(), chunk.data(), std::min(chunk.size(), most - into.size()));
      if (n > 0)
        into.append(chunk.data(), static_cast<std::size_t>(n));
      else if (n < 0 && errno == EINTR)
        continue;
      else if (n < 0 && errno == EAGAIN)
        return;
      else
        from.close();
    }
  }

  descriptor out_;
  descriptor err_;
  std::string printed_;
  std::string complaint_;
};

} // namespace

std::string printable(std::string_view text) {
  constexpr std::size_t longest = 200;
  std::string line(text.substr(0, longest));
  for (char& c : line)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  if (text.size() > longest) line += "...";
  return line;
}

std::expected<std::string, std::string> run_program(const std::vector<std::string>& argv,
                                                    const std::map<std::string, std::string>& environment,
                                                    duration patience) {
  const clock::time_point limit = clock::now() + patience;
  const auto fail = [&](const std::string& why) { return std::unexpected(argv.front() + ": " + why); };
  if (const std::size_t left = undead().reap(); left >= undead_limit)
    return fail("is not run, because " + std::to_string(left) + " programs that were killed have not ended");
  auto out = make_pipe();
  auto err = make_pipe();
  if (!out || !err) return fail("cannot be run, no pipe: " + error_text(out ? err.error() : out.error()));

  pid_t child = 0;
  const int error = spawn(child, argv, environment_with(environment), out->write.get(), err->write.get());
  if (error != 0) return fail("cannot be run: " + error_text(error));
  out->write.close();
  err->write.close();
  const descriptor ended(pidfd_open(child, 0));
  if (!ended.is_open()) {
    const int why = errno;
    kill_and_reap(child, ended);
    return fail("cannot be watched and was killed: " + error_text(why));
  }

  program_output output(std::move(out->read), std::move(err->read));
  switch (output.collect(ended, limit)) {
  case run_end::timed_out:
    kill_and_reap(child, ended);
    return fail("took longer than " + number_text(seconds_of(patience)) + " s and was killed" + output.last_words());
  case run_end::too_long:
    kill_and_reap(child, ended);
    return fail("printed more than " + std::to_string(program_output_limit) + " bytes and was killed");
  case run_end::ended: break;
  }
  if (const auto problem = exit_problem(child)) return fail(*problem + output.last_words());
  return std::move(output.printed());
}

} // namespace homeostat
