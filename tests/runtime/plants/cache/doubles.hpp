#pragma once

#include "runtime/plants/cache/origin.hpp"
#include "runtime/plants/cache/traffic_source.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace homeostat::cache {

/// A clock moved by hand.
class manual_clock final : public plant_clock {
public:
  [[nodiscard]] instant now() const override { return instant(duration(us_.load())); }
  void advance(duration by) { us_ += by.count(); }

private:
  std::atomic<std::int64_t> us_{1'000'000'000};
};

/// An origin that answers when the test says so, and remembers what it was asked.
class gate_origin final : public origin {
public:
  std::optional<std::vector<std::uint64_t>> fetch(std::span<const std::uint32_t> keys, std::stop_token stop) override {
    std::unique_lock lock(mutex_);
    batches_.emplace_back(keys.begin(), keys.end());
    ++under_way_;
    most_at_once_ = std::max(most_at_once_, under_way_);
    changed_.notify_all();
    const bool opened = changed_.wait(lock, stop, [&] { return open_; });
    --under_way_;
    changed_.notify_all();
    if (!opened) return std::nullopt;
    return std::vector<std::uint64_t>(keys.size(), version_.load());
  }
  [[nodiscard]] std::uint64_t version_at(std::uint32_t, instant) const override { return version_; }
  void set_sessions(std::size_t open) override { sessions_ = open; }
  void set_slowdown(double factor) override { slowdown_ = factor; }

  /// Lets fetches end (true) or holds them (false).
  void open(bool yes) {
    std::lock_guard lock(mutex_);
    open_ = yes;
    changed_.notify_all();
  }
  /// Changes every value at the origin.
  void change_values() { ++version_; }
  /// Waits until that many fetches are held at the gate. A service that never gets there fails by the test's time
  /// limit.
  void wait_for_under_way(std::size_t fetches) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return under_way_ == fetches; });
  }

  [[nodiscard]] std::size_t under_way() const { return locked(under_way_); }
  [[nodiscard]] std::size_t most_at_once() const { return locked(most_at_once_); }
  [[nodiscard]] std::vector<std::vector<std::uint32_t>> batches() const { return locked(batches_); }
  [[nodiscard]] std::size_t sessions() const { return sessions_; }
  [[nodiscard]] double slowdown() const { return slowdown_; }

private:
  template <class T> T locked(const T& member) const {
    std::lock_guard lock(mutex_);
    return member;
  }

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  bool open_{false};
  std::size_t under_way_{0};
  std::size_t most_at_once_{0};
  std::vector<std::vector<std::uint32_t>> batches_;
  std::atomic<std::uint64_t> version_{1};
  std::atomic<std::size_t> sessions_{0};
  std::atomic<double> slowdown_{1};
};

/// Waits for what another thread is about to do. Gives up after 20 s, which no healthy machine needs.
template <class F> bool eventually(F holds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (std::chrono::steady_clock::now() < end) {
    if (holds()) return true;
    std::this_thread::yield();
  }
  return holds();
}

} // namespace homeostat::cache
