#pragma once

#include "messages/control.pb.h"
#include "runtime/store/store.hpp"

#include <chrono>
#include <condition_variable>
#include <expected>
#include <mutex>
#include <optional>
#include <thread>

namespace homeostat {

[[nodiscard]] v1::AuditVerdict verdict_of(const chain_report& report);

/// Checks the audit chain for whoever asks: one check at a time on a thread of its own, its result good for a while, so
/// that asking often costs nothing.
class chain_check {
public:
  using answer = std::expected<v1::AuditVerdict, std::string>;

  /// @param audit  outlives this, or is closed before it ends: that ends a running check.
  /// @param good_for  how long a result answers for the chain.
  explicit chain_check(store& audit, std::chrono::milliseconds good_for = std::chrono::seconds(10))
      : audit_(audit), good_for_(good_for) {}
  ~chain_check() = default; // stops and joins
  chain_check(const chain_check&) = delete;
  chain_check& operator=(const chain_check&) = delete;

  /// @param patience  how long to wait for a check to end.
  /// @returns what the latest check said; nothing while it still runs. @errors  why the store could not be read.
  [[nodiscard]] std::optional<answer> latest(std::chrono::milliseconds patience);

private:
  void run(const std::stop_token& stop);

  store& audit_;
  std::chrono::milliseconds good_for_;
  std::mutex mutex_;
  std::condition_variable ended_;
  std::optional<answer> answer_;
  std::chrono::steady_clock::time_point ended_at_{};
  bool running_{false};
  std::jthread thread_; // last: it ends before what it uses
};

} // namespace homeostat
