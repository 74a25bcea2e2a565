#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace homeostat {

/// One thread that does what may block, in order, so that no actor ever does (design §3). Bounded: what finds no room
/// is refused to the caller, who answers for it.
class port_worker {
public:
  explicit port_worker(std::size_t capacity = 64);
  /// Finishes the task under way, drops the rest.
  ~port_worker();
  port_worker(const port_worker&) = delete;
  port_worker& operator=(const port_worker&) = delete;

  /// @returns false if there is no room or the worker has stopped; the task is then never run.
  [[nodiscard]] bool post(std::move_only_function<void()> task);
  /// Refuses further tasks and joins the thread. Idempotent.
  void stop();

private:
  void run();

  const std::size_t capacity_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::move_only_function<void()>> tasks_;
  bool stopping_{false};
  std::thread thread_;
};

} // namespace homeostat
