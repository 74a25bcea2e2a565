#include "runtime/store/group_committer.hpp"

#include <algorithm>
#include <cstdint>
#include <exception>
#include <iterator>
#include <numeric>
#include <utility>

#ifdef __linux__
#include <sys/prctl.h>
#endif

namespace homeostat {
namespace {

constexpr std::size_t nobody = SIZE_MAX;

std::size_t count_entries(const store_batch& b) {
  // An empty batch counts too: its ticket takes room as well.
  return std::max<std::size_t>(1, b.records.size() + b.state.size() + b.revisions.size() + b.marks.size());
}

std::size_t count_bytes(const store_batch& b) {
  std::size_t n = 0;
  for (const audit_entry& e : b.records) n += sizeof e + e.loop.size() + e.kind.size() + e.payload.size();
  for (const state_entry& s : b.state) n += sizeof s + s.key.size() + (s.value ? s.value->size() : 0);
  for (const stored_revision& r : b.revisions)
    n += sizeof r + r.loop.size() + r.values.size() + (r.name ? r.name->size() : 0);
  for (const revision_mark& m : b.marks) n += sizeof m + m.loop.size() + (m.name ? m.name->size() : 0);
  return n;
}

} // namespace

group_committer::group_committer(store& target, const group_limits& limits)
    : target_{target}, limits_{limits}, writer_{[this] { run(); }} {}

group_committer::~group_committer() { stop(std::chrono::seconds{5}); }

bool group_committer::submit(store_batch batch, commit_callback done) {
  const std::size_t entries = count_entries(batch);
  const std::size_t bytes = count_bytes(batch);
  bool wake = false;
  {
    const std::scoped_lock lock{mutex_};
    if (stopping_ || entries > limits_.max_pending_entries - stats_.pending_entries ||
        bytes > limits_.max_pending_bytes - stats_.pending_bytes) {
      ++stats_.refused;
      return false;
    }
    waiting_.push_back(std::move(batch));
    waiters_.push_back({std::move(done), entries, bytes});
    waiting_entries_ += entries;
    stats_.pending_entries += entries;
    stats_.pending_bytes += bytes;
    ++stats_.accepted;
    wake = waiting_.size() >= wanted_ || waiting_entries_ >= limits_.max_group_entries;
    if (wake) wanted_ = nobody; // one wake-up is enough, however many follow before the writer runs
  }
  if (wake) wake_.notify_one();
  return true;
}

bool group_committer::stop(std::chrono::milliseconds deadline) {
  {
    const std::scoped_lock lock{mutex_};
    if (!stopping_) deadline_ = clock::now() + deadline;
    stopping_ = true;
  }
  wake_.notify_one();
  const std::scoped_lock lock{join_};
  if (writer_.joinable()) writer_.join();
  return tried_all_;
}

group_stats group_committer::stats() const {
  const std::scoped_lock lock{mutex_};
  return stats_;
}

void group_committer::run() {
#ifdef __linux__
  // The gather time is tens of microseconds, and the default slack of a timed wait is fifty on top of it.
  ::prctl(PR_SET_TIMERSLACK, 1'000UL, 0UL, 0UL, 0UL);
#endif
  for (;;) {
    group g;
    bool too_late = false;
    {
      std::unique_lock lock{mutex_};
      await_first(lock);
      if (waiting_.empty()) return;
      too_late = stopping_ && clock::now() >= deadline_;
      if (too_late) tried_all_ = false;
      take(g, too_late);
    }
    if (too_late) {
      const store_error stopped{store_error_kind::closed, "the commit queue was stopped before this batch's turn"};
      g.outcomes.assign(g.waiters.size(), std::unexpected{stopped});
    } else {
      commit(g);
    }
    release(g);
    answer(g);
  }
}

/// Waits until something waits or the end has come. When a group was just answered its submitters are about to come
/// again, and going to sleep and being woken would cost each round two switches of threads: so first it stays awake for
/// a moment, giving way to whoever else wants the processor.
void group_committer::await_first(std::unique_lock<std::mutex>& lock) {
  const auto ready = [this] { return stopping_ || !waiting_.empty(); };
  const auto awake = std::min<clock::duration>(stats_.last_commit / 8, limits_.awake_cap);
  for (const auto until = clock::now() + awake; expected_ > 1 && !ready() && clock::now() < until;) {
    lock.unlock();
    std::this_thread::yield();
    lock.lock();
  }
  wanted_ = 1;
  wake_.wait(lock, ready);
  wanted_ = nobody;
}

/// Moves what waits into the group, up to its limits; mutex_ is held.
/// @returns whether anything was taken.
bool group_committer::take(group& g, bool everything) {
  std::vector<store_batch> part;
  while (!waiting_.empty()) {
    const waiter& next = waiters_.front();
    const bool too_much =
        g.entries + next.entries > limits_.max_group_entries || g.bytes + next.bytes > limits_.max_group_bytes;
    if (too_much && !everything && !g.waiters.empty()) break;
    g.entries += next.entries;
    g.bytes += next.bytes;
    waiting_entries_ -= next.entries;
    part.push_back(std::move(waiting_.front()));
    g.waiters.push_back(std::move(waiters_.front()));
    waiting_.pop_front();
    waiters_.pop_front();
  }
  if (part.empty()) return false;
  g.parts.push_back(std::move(part));
  return true;
}

/// What has come for an open group since it was last asked; waits for stragglers when nothing has.
/// @returns an empty span when the group is closed: complete, full, or out of time.
std::span<const store_batch> group_committer::take_more(group& g) {
  std::unique_lock lock{mutex_};
  if (take(g, false)) return g.parts.back();
  const bool full = !waiting_.empty();
  if (full || stopping_ || g.waiters.size() >= expected_) return {};
  const auto begin = clock::now();
  const std::size_t missing = expected_ - g.waiters.size();
  wanted_ = missing;
  wake_.wait_until(lock, g.until, [&] {
    return stopping_ || waiting_.size() >= missing || waiting_entries_ >= limits_.max_group_entries;
  });
  wanted_ = nobody;
  g.waited_for += clock::now() - begin;
  return take(g, false) ? std::span<const store_batch>{g.parts.back()} : std::span<const store_batch>{};
}

void group_committer::commit(group& g) {
  using real_time = std::chrono::duration<double, std::nano>; // a large share must meet the cap before it can overflow
  const auto started = clock::now();
  {
    const std::scoped_lock lock{mutex_};
    const real_time share = real_time{stats_.last_commit} * limits_.gather_share;
    g.until = started + std::chrono::duration_cast<clock::duration>(std::min<real_time>(share, limits_.gather_cap));
  }
  bool first = true;
  const commit_outcome last = commit_guarded([&]() -> std::span<const store_batch> {
    return std::exchange(first, false) ? std::span<const store_batch>{g.parts.front()} : take_more(g);
  });
  g.outcomes.reserve(g.waiters.size());
  std::vector<store_batch> all;
  for (auto& part : g.parts) std::ranges::move(part, std::back_inserter(all));
  if (!last && last.error().kind == store_error_kind::invalid && all.size() > 1)
    commit_apart(g, all);
  else
    note(g, all, last);
  const std::scoped_lock lock{mutex_};
  stats_.last_commit = clock::now() - started - g.waited_for;
}

/// Commits the halves of a refused group, and theirs. One unacceptable batch must not fail its neighbours, so what is
/// refused is halved until the culprit stands alone; that costs a few syncs, and only then.
void group_committer::commit_apart(group& g, std::span<const store_batch> batches) {
  for (const auto part : {batches.first(batches.size() / 2), batches.subspan(batches.size() / 2)}) {
    const commit_outcome last = commit_guarded(source_of(part));
    if (!last && last.error().kind == store_error_kind::invalid && part.size() > 1)
      commit_apart(g, part);
    else
      note(g, part, last);
  }
}

/// Appends what each batch of a transaction learns.
void group_committer::note(group& g, std::span<const store_batch> batches, const commit_outcome& outcome) {
  if (!outcome) {
    g.outcomes.insert(g.outcomes.end(), batches.size(), outcome);
    return;
  }
  std::uint64_t behind = std::accumulate(batches.begin(), batches.end(), std::uint64_t{0},
                                         [](std::uint64_t n, const store_batch& b) { return n + b.records.size(); });
  for (const store_batch& b : batches) {
    behind -= b.records.size();
    g.outcomes.emplace_back(*outcome - behind);
  }
}

commit_outcome group_committer::commit_guarded(const batch_source& next) {
  {
    const std::scoped_lock lock{mutex_};
    ++stats_.groups;
  }
  try {
    return target_.commit(next);
  } catch (const std::exception& e) {
    return std::unexpected{store_error{store_error_kind::io, std::string{"the store threw: "} + e.what()}};
  } catch (...) { return std::unexpected{store_error{store_error_kind::io, "the store threw"}}; }
}

/// Gives the room back before the callbacks run, so that a submitter may come again from within its own.
void group_committer::release(const group& g) {
  const std::scoped_lock lock{mutex_};
  for (const waiter& w : g.waiters) {
    stats_.pending_entries -= w.entries;
    stats_.pending_bytes -= w.bytes;
  }
  for (const commit_outcome& o : g.outcomes) ++(o ? stats_.committed : stats_.failed);
  expected_ = g.waiters.size() + waiting_.size();
}

void group_committer::answer(group& g) {
  for (std::size_t i = 0; i < g.waiters.size(); ++i) {
    try {
      if (g.waiters[i].done) g.waiters[i].done(g.outcomes[i]);
    } catch (...) { // one broken submitter must not cost the others their answer
      const std::scoped_lock lock{mutex_};
      ++stats_.callback_exceptions;
    }
  }
}

} // namespace homeostat
