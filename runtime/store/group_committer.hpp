#pragma once

#include "runtime/store/store.hpp"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace homeostat {

/// What the submitter of a batch learns: the sequence of the last audit record of its batch (of the store's last record
/// if the batch has none), or why nothing of the batch is durable.
using commit_outcome = std::expected<std::uint64_t, store_error>;

/// Called exactly once per accepted batch, on the writer thread, in the order of submission. It should only hand the
/// outcome on: while it runs nothing is committed. An exception out of it is dropped and counted.
using commit_callback = std::move_only_function<void(const commit_outcome&)>;

struct group_limits {
  /// What may be pending at most, waiting or being committed. Beyond it submit refuses, and the governor applies
  /// nothing: a queue without an end would hide a dead disk until the memory is gone.
  std::size_t max_pending_entries{65'536};              ///< records, state blobs, revisions and marks together
  std::size_t max_pending_bytes{std::size_t{64} << 20}; ///< of their contents
  /// What one transaction takes at most; it bounds how long those behind it wait. A larger batch goes alone.
  std::size_t max_group_entries{8'192};
  std::size_t max_group_bytes{std::size_t{16} << 20};
  /// How long a group may stay open for stragglers: this share of the last commit's duration, but never above the cap,
  /// so that one stalled sync does not delay the commit behind it.
  double gather_share{0.5}; ///< 0..1
  std::chrono::microseconds gather_cap{2'000};
  /// How long the writer stays awake for those it just answered, at most; never more than an eighth of a commit.
  std::chrono::microseconds awake_cap{100};
};

struct group_stats {
  std::uint64_t accepted{0};  ///< batches
  std::uint64_t refused{0};   ///< batches turned away: full or stopped
  std::uint64_t committed{0}; ///< batches durable
  std::uint64_t failed{0};    ///< batches answered with an error
  std::uint64_t groups{0};    ///< transactions attempted
  std::uint64_t callback_exceptions{0};
  std::size_t pending_entries{0};
  std::size_t pending_bytes{0};
  std::chrono::nanoseconds last_commit{0}; ///< duration of the last transaction
};

/// Shares one disk sync among all who wait for one. Any number of threads submit; one writer thread commits everything
/// that waits as one group.
///
/// A group stays open while it is written: those who were just answered tend to come again at once, and whoever misses
/// the group pays for a whole second sync. So before the sync the writer waits, for at most a share of what a commit
/// costs, until as many have come as were answered last time plus those who arrived meanwhile. That sum also brings
/// two halves together again that would otherwise alternate forever, each waiting for the other's sync. What came early
/// is written while the rest is still being submitted: at 64 submitters this hides all of their work but the first's.
///
/// A failing store does not stop it: each group is answered with the error, and the next one tries again.
class group_committer {
public:
  /// @param target  outlives this object; nobody else needs to stop committing to it.
  explicit group_committer(store& target, const group_limits& limits = {});

  /// Stops with a deadline of 5 s if stop was not called.
  ~group_committer();
  group_committer(const group_committer&) = delete;
  group_committer& operator=(const group_committer&) = delete;

  /// Queues a batch. Never blocks on the disk.
  /// @param done  may be empty.
  /// @returns false when the queue is full or stopped: then done is never called, and nothing of the batch will be
  /// stored.
  [[nodiscard]] bool submit(store_batch batch, commit_callback done);

  /// Refuses new batches, commits what is pending until the deadline, and answers the rest with the error closed. A
  /// commit that is under way at the deadline is waited for: its outcome cannot be known earlier. Idempotent; not to be
  /// called from a callback.
  /// @returns whether everything pending was tried before the deadline.
  bool stop(std::chrono::milliseconds deadline);

  [[nodiscard]] group_stats stats() const;

private:
  using clock =
      std::chrono::steady_clock; // the pace of waiting only; no time of the project's time line comes from here

  struct waiter {
    commit_callback done;
    std::size_t entries{0};
    std::size_t bytes{0};
  };

  /// Batches and who waits for them, by the same index. Batches stand in the parts in which they were taken, because
  /// the store may still read the earlier ones while later ones are added.
  struct group {
    std::vector<std::vector<store_batch>> parts;
    std::vector<waiter> waiters;
    std::vector<commit_outcome> outcomes;
    std::size_t entries{0};
    std::size_t bytes{0};
    clock::time_point until{};     ///< when it closes at the latest
    clock::duration waited_for{0}; ///< time spent waiting for stragglers
  };

  void run();
  void await_first(std::unique_lock<std::mutex>& lock);
  bool take(group& g, bool everything);
  std::span<const store_batch> take_more(group& g);
  void release(const group& g);
  void commit(group& g);
  void commit_apart(group& g, std::span<const store_batch> batches);
  commit_outcome commit_guarded(const batch_source& next);
  static void note(group& g, std::span<const store_batch> batches, const commit_outcome& outcome);
  void answer(group& g);

  store& target_;
  const group_limits limits_;

  mutable std::mutex mutex_; ///< guards what follows
  std::condition_variable wake_;
  std::deque<store_batch> waiting_;
  std::deque<waiter> waiters_; ///< of waiting_, by the same index
  std::size_t waiting_entries_{0};
  std::size_t wanted_{1};   ///< batches whose waiting wakes the writer; the largest number while it is awake
  std::size_t expected_{0}; ///< batches that the next group stays open for, within the gather time
  bool stopping_{false};
  clock::time_point deadline_{clock::time_point::max()};
  bool tried_all_{true};
  group_stats stats_;

  std::mutex join_;
  std::thread writer_;
};

} // namespace homeostat
