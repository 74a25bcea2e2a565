#include "runtime/cli/interrupt.hpp"

#include <algorithm>
#include <atomic>

#include <signal.h>
#include <time.h>
#include <unistd.h>

namespace homeostat {

namespace {

std::atomic<bool> interrupted{false};
std::atomic<int> exit_code_at_limit{1};

sigset_t interrupt_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

} // namespace

void catch_interrupts() {
  // Blocked everywhere and fetched by sigtimedwait: no handler, so nothing runs between two instructions of anybody.
  const sigset_t set = interrupt_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

void survive_size_limits() { signal(SIGXFSZ, SIG_IGN); }

bool wait_for_interrupt(std::chrono::steady_clock::time_point until) {
  const sigset_t set = interrupt_signals();
  while (!interrupted.load()) {
    const auto left = std::max(until - std::chrono::steady_clock::now(), std::chrono::steady_clock::duration::zero());
    const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(left).count();
    const timespec wait{.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
    if (sigtimedwait(&set, nullptr, &wait) > 0)
      interrupted.store(true);
    else if (std::chrono::steady_clock::now() >= until)
      return false;
  }
  return true;
}

void end_process_after(std::chrono::seconds limit, int code) {
  exit_code_at_limit.store(code);
  struct sigaction action{};
  action.sa_handler = [](int) { _exit(exit_code_at_limit.load()); };
  sigaction(SIGALRM, &action, nullptr);
  alarm(static_cast<unsigned>(limit.count()));
}

} // namespace homeostat
