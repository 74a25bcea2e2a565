#include "runtime/transfer/bench/peer_process.hpp"

#include "runtime/transfer/grpc_channel.hpp"
#include "runtime/transfer/shm_receiver.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace homeostat {

namespace {
constexpr int start_patience_ms = 10'000;
constexpr char ready_mark = 'R';
} // namespace

std::expected<peer_process, std::string> peer_process::start(const std::string& program, const std::string& socket,
                                                             const std::string& grpc) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return std::unexpected(std::string("pipe: ") + std::strerror(errno));
  const descriptor ready(ends[0]);
  descriptor theirs(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, theirs.get(), STDOUT_FILENO);
  std::vector<std::string> words{program, "transfer-peer", "--socket", socket, "--grpc", grpc, "--with-parent"};
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  peer_process peer;
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  const int failed = ::posix_spawn(&peer.pid_, program.c_str(), &actions, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) {
    peer.pid_ = 0;
    return std::unexpected(program + ": " + std::strerror(failed));
  }
  theirs.close();
  pollfd ask{ready.get(), POLLIN, 0};
  char mark = 0;
  if (::poll(&ask, 1, start_patience_ms) != 1 || ::read(ready.get(), &mark, 1) != 1 || mark != ready_mark)
    return std::unexpected("the receiving process did not begin to listen on " + socket + " and " + grpc);
  return peer;
}

peer_process::peer_process(peer_process&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)), end_(std::move(other.end_)) {}

std::string peer_process::end() {
  int status = 0;
  if (pid_ > 0 && ::waitpid(pid_, &status, WNOHANG) == pid_) {
    pid_ = 0;
    end_ = WIFSIGNALED(status) ? "was ended by signal " + std::to_string(WTERMSIG(status))
                               : "ended with exit code " + std::to_string(WEXITSTATUS(status));
  }
  return end_;
}

peer_process::~peer_process() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGTERM);
  for (int i = 0; i < 200; ++i) { // 2 s
    if (::waitpid(pid_, nullptr, WNOHANG) != 0) return;
    ::usleep(10'000);
  }
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

int run_transfer_peer(const std::string& socket, const std::string& grpc) {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr); // before the first thread: all inherit it
  const transfer_consumer touch = [](std::span<const std::byte> bytes, const transfer_characteristics&) {
    return touch_lines(bytes);
  };
  const auto shared = shm_receiver::listen(socket, touch);
  if (!shared) {
    std::fprintf(stderr, "homeostat: %s\n", shared.error().text.c_str());
    return 1;
  }
  const auto serialised = grpc_receiver::listen(grpc, touch);
  if (!serialised) {
    std::fprintf(stderr, "homeostat: %s\n", serialised.error().text.c_str());
    return 1;
  }
  const char mark = ready_mark;
  (void)!::write(STDOUT_FILENO, &mark, 1);
  int signal = 0;
  sigwait(&ends, &signal);
  return 0;
}

} // namespace homeostat
