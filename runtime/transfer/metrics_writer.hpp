#pragma once

#include "runtime/transfer/metrics_file.hpp"

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <thread>

namespace homeostat {

struct metrics_writer_limits {
  std::size_t max_pending_rows{200'000};      ///< samples and buckets that may wait; beyond, batches are refused
  std::chrono::milliseconds first_retry{500}; ///< after a failed write; doubles up to last_retry
  std::chrono::milliseconds last_retry{30'000};
  duration expire_every{10min}; ///< of the batches' time
};

struct metrics_writer_stats {
  std::uint64_t accepted{0}; ///< batches
  std::uint64_t refused{0};  ///< batches turned away: too many rows wait, or stopped
  std::uint64_t refused_samples{0};
  std::uint64_t written{0};   ///< batches durable
  std::uint64_t abandoned{0}; ///< batches that were still waiting at the end
  std::uint64_t groups{0};    ///< transactions that succeeded
  std::uint64_t failures{0};  ///< transactions that failed; their batches wait for the next try
  std::uint64_t expired{0};   ///< rows deleted for their age or number
  std::size_t pending_rows{0};
  std::string last_error; ///< of the last failure; empty after a success
};

/// Takes batches off the path of decisions: submit never waits for the disk, and everything that waits goes into one
/// transaction. A disk that fails is tried again, ever more slowly, while batches are kept up to the limit.
class metrics_writer {
public:
  explicit metrics_writer(std::unique_ptr<metrics_file> target, const metrics_writer_limits& limits = {});
  ~metrics_writer(); ///< stops with a deadline of 2 s
  metrics_writer(const metrics_writer&) = delete;
  metrics_writer& operator=(const metrics_writer&) = delete;

  /// @returns false when the batch is refused, whose samples are then lost to the file and counted; the caller puts its
  /// buckets back into the store (metrics_store::put_back).
  [[nodiscard]] bool submit(metrics_batch batch) noexcept;
  /// Writes what waits, for at most the deadline, and ends. Idempotent.
  void stop(std::chrono::milliseconds deadline);
  [[nodiscard]] metrics_writer_stats stats() const;

private:
  using clock = std::chrono::steady_clock; // paces retries only

  void run();
  void try_once(std::unique_lock<std::mutex>& lock);
  void expire(instant now, std::unique_lock<std::mutex>& lock);

  std::unique_ptr<metrics_file> target_;
  const metrics_writer_limits limits_;

  mutable std::mutex mutex_; ///< guards what follows
  std::condition_variable wake_;
  std::deque<metrics_batch> waiting_;
  std::vector<metrics_batch> writing_; ///< of the writer thread; kept when a write failed
  std::chrono::milliseconds retry_{0};
  instant expired_at_{};
  bool stopping_{false};
  clock::time_point deadline_{};
  metrics_writer_stats stats_;

  std::thread thread_;
};

} // namespace homeostat
