#include "runtime/store/group_committer.hpp"

#include <algorithm>
#include <cstdint>
#include <exception>
#include <numeric>

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
      wanted_ = 1;
      wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      if (!stopping_) gather(lock);
      wanted_ = nobody;
      too_late = stopping_ && clock::now() >= deadline_;
      if (too_late) tried_all_ = false;
      g = take_group(too_late);
    }
    if (too_late) {
      const store_error stopped{store_error_kind::closed, "the commit queue was stopped before this batch's turn"};
      g.outcomes.assign(g.batches.size(), std::unexpected{stopped});
    } else {
      commit(g);
    }
    release(g);
    answer(g);
  }
}

void group_committer::gather(std::unique_lock<std::mutex>& lock) {
  using real_time = std::chrono::duration<double, std::nano>; // a large share must meet the cap before it can overflow
  const real_time share = real_time{stats_.last_commit} * limits_.gather_share;
  const auto wait = std::chrono::duration_cast<clock::duration>(std::min<real_time>(share, limits_.gather_cap));
  const auto until = clock::now() + wait;
  wanted_ = std::max<std::size_t>(1, expected_);
  wake_.wait_until(lock, until, [this] {
    return stopping_ || waiting_.size() >= expected_ || waiting_entries_ >= limits_.max_group_entries;
  });
}

group_committer::group group_committer::take_group(bool everything) {
  group g;
  std::size_t entries = 0, bytes = 0;
  while (!waiting_.empty()) {
    const waiter& next = waiters_.front();
    entries += next.entries;
    bytes += next.bytes;
    const bool too_much = entries > limits_.max_group_entries || bytes > limits_.max_group_bytes;
    if (too_much && !everything && !g.batches.empty()) break;
    waiting_entries_ -= next.entries;
    g.batches.push_back(std::move(waiting_.front()));
    g.waiters.push_back(std::move(waiters_.front()));
    waiting_.pop_front();
    waiters_.pop_front();
  }
  return g;
}

void group_committer::commit(group& g) {
  const auto started = clock::now();
  g.outcomes.reserve(g.batches.size());
  commit_part(g, 0, g.batches.size());
  const std::scoped_lock lock{mutex_};
  stats_.last_commit = clock::now() - started;
}

/// Commits some batches of a group and appends their outcomes. One unacceptable batch must not fail its neighbours, so
/// a refused part is halved until the culprit stands alone; that costs a few syncs, and only then.
void group_committer::commit_part(group& g, std::size_t first, std::size_t count) {
  const auto part = std::span<const store_batch>{g.batches}.subspan(first, count);
  const commit_outcome last = commit_guarded(part);
  if (!last && last.error().kind == store_error_kind::invalid && count > 1) {
    commit_part(g, first, count / 2);
    commit_part(g, first + count / 2, count - count / 2);
    return;
  }
  if (!last) {
    g.outcomes.insert(g.outcomes.end(), count, last);
    return;
  }
  std::uint64_t records = std::accumulate(part.begin(), part.end(), std::uint64_t{0},
                                          [](std::uint64_t n, const store_batch& b) { return n + b.records.size(); });
  for (const store_batch& b : part) {
    records -= b.records.size();
    g.outcomes.emplace_back(*last - records);
  }
}

commit_outcome group_committer::commit_guarded(std::span<const store_batch> batches) {
  {
    const std::scoped_lock lock{mutex_};
    ++stats_.groups;
  }
  try {
    return target_.commit(batches);
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
  expected_ = g.batches.size() + waiting_.size();
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
