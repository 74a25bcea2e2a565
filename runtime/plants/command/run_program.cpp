#include "runtime/plants/command/run_program.hpp"

#include "runtime/ports/descriptor.hpp"

#include "policies/number_text.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace homeostat {

namespace {

using clock = std::chrono::steady_clock;

std::vector<std::string> environment_with(const std::map<std::string, std::string>& extra) {
  std::vector<std::string> all;
  for (char** variable = environ; *variable != nullptr; ++variable) {
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

/// @returns 0, or the error of posix_spawnp. Signals that we block for ourselves must reach the child.
int spawn(pid_t& child, std::vector<std::string> argv, std::vector<std::string> environment, int out, int err) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  const int error = posix_spawnp(&child, argv.front().c_str(), &actions, &attributes, pointers_to(argv).data(),
                                 pointers_to(environment).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

enum class reading_end : std::uint8_t { finished, timed_out, too_long, stopped };

constexpr int stop_poll_ms = 100;

/// Most bytes a pipe holds: what a program wrote before its end is within these, what a grandchild adds may be endless.
constexpr std::size_t largest_pipe = std::size_t{1} << 20;

/// Where a program's two outputs go.
struct collected {
  std::string printed;
  std::string complaint; ///< standard error: only the first part is kept, the rest is drained
  output_kept kept{output_kept::whole};

  /// @returns false when too much has been printed.
  [[nodiscard]] bool take(std::size_t pipe, std::string_view chunk) {
    if (pipe == 1) {
      if (complaint.size() < 4096) complaint += chunk;
      return true;
    }
    printed += chunk;
    if (kept == output_kept::whole) return printed.size() <= program_output_limit;
    if (printed.size() > 2 * program_output_limit) printed.erase(0, printed.size() - program_output_limit);
    return true;
  }
};

/// Reads both pipes until both are closed, or the child has ended and they are empty: what it left running may hold
/// them open for ever.
reading_end read_all(pid_t child, descriptor& out, descriptor& err, collected& into, clock::time_point limit,
                     const std::stop_token& stop) {
  const int longest = stop.stop_possible() ? stop_poll_ms : 60'000;
  const descriptor exit(static_cast<int>(syscall(SYS_pidfd_open, child, 0)));
  std::array<pollfd, 3> watched{pollfd{out.get(), POLLIN, 0}, pollfd{err.get(), POLLIN, 0},
                                pollfd{exit.get(), POLLIN, 0}};
  bool ended = false;
  std::size_t after_end = 0;
  while (watched[0].fd >= 0 || watched[1].fd >= 0) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(limit - clock::now()).count();
    if (left <= 0) return reading_end::timed_out;
    if (stop.stop_requested()) return reading_end::stopped;
    const int ready = poll(watched.data(), watched.size(), ended ? 0 : static_cast<int>(std::min<long>(left, longest)));
    if (ended && (ready <= 0 || after_end > 2 * largest_pipe)) return reading_end::finished;
    if (ready <= 0) continue;
    for (std::size_t i = 0; i < 2; ++i) {
      if (watched[i].fd < 0 || watched[i].revents == 0) continue;
      std::array<char, 4096> chunk{};
      const ssize_t n = read(watched[i].fd, chunk.data(), chunk.size());
      if (n <= 0) {
        watched[i].fd = -1;
        continue;
      }
      if (ended) after_end += static_cast<std::size_t>(n);
      if (!into.take(i, {chunk.data(), static_cast<std::size_t>(n)})) return reading_end::too_long;
    }
    if (watched[2].fd >= 0 && watched[2].revents != 0) {
      ended = true;
      watched[2].fd = -1; // ready for ever
    }
  }
  return reading_end::finished;
}

/// Waits for the child's end until the limit; past it, or when `kill_now`, kills its group first. Never leaves a
/// zombie.
int reap(pid_t child, clock::time_point limit, bool kill_now, bool& timed_out, const std::stop_token& stop) {
  int status = 0;
  for (bool killed = false;;) {
    if (!killed && (kill_now || stop.stop_requested() || clock::now() >= limit)) {
      timed_out = timed_out || (!kill_now && !stop.stop_requested());
      kill(-child, SIGKILL);
      killed = true;
    }
    const pid_t done = waitpid(child, &status, killed ? 0 : WNOHANG);
    if (done == child || (done < 0 && errno != EINTR)) break;
    if (done == 0) poll(nullptr, 0, 2);
  }
  // Grandchildren that stayed in the group have nobody left to serve.
  kill(-child, SIGKILL);
  return status;
}

std::string last_line(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  const auto line = text.rfind('\n');
  return line == std::string::npos ? text : text.substr(line + 1);
}

} // namespace

std::expected<std::string, std::string> run_program(const std::vector<std::string>& argv,
                                                    const std::map<std::string, std::string>& environment,
                                                    duration patience, const std::stop_token& stop, output_kept kept) {
  const clock::time_point limit = clock::now() + patience;
  const auto fail = [&](const std::string& why) { return std::unexpected(argv.front() + ": " + why); };
  std::array<int, 2> out_pipe{}, err_pipe{};
  if (pipe2(out_pipe.data(), O_CLOEXEC) != 0) return fail(std::string("no pipe: ") + std::strerror(errno));
  descriptor out(out_pipe[0]), out_end(out_pipe[1]);
  if (pipe2(err_pipe.data(), O_CLOEXEC) != 0) return fail(std::string("no pipe: ") + std::strerror(errno));
  descriptor err(err_pipe[0]), err_end(err_pipe[1]);

  pid_t child = 0;
  if (const int error = spawn(child, argv, environment_with(environment), out_end.get(), err_end.get()); error != 0)
    return fail(std::string("cannot be run: ") + std::strerror(error));
  out_end.close();
  err_end.close();

  collected heard{.printed = {}, .complaint = {}, .kept = kept};
  const reading_end end = read_all(child, out, err, heard, limit, stop);
  bool timed_out = end == reading_end::timed_out;
  const int status = reap(child, limit, end != reading_end::finished, timed_out, stop);
  if (end == reading_end::stopped || stop.stop_requested()) return fail("was interrupted");
  if (timed_out) return fail("took longer than " + number_text(seconds_of(patience)) + " s and was killed");
  if (end == reading_end::too_long)
    return fail("printed more than " + std::to_string(program_output_limit) + " bytes and was killed");
  const std::string said = heard.complaint.empty() ? "" : ": " + last_line(heard.complaint);
  if (WIFSIGNALED(status)) return fail("ended by signal " + std::to_string(WTERMSIG(status)) + said);
  if (WEXITSTATUS(status) != 0) return fail("exit code " + std::to_string(WEXITSTATUS(status)) + ", expected 0" + said);
  return std::move(heard.printed);
}

} // namespace homeostat
