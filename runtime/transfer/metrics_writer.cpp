#include "runtime/transfer/metrics_writer.hpp"

#include <algorithm>
#include <exception>
#include <iterator>

namespace homeostat {

namespace {

std::size_t rows_of(const metrics_batch& b) { return b.samples.size() + b.buckets.size(); }

} // namespace

metrics_writer::metrics_writer(std::unique_ptr<metrics_file> target, const metrics_writer_limits& limits)
    : target_(std::move(target)), limits_(limits), thread_([this] { run(); }) {}

metrics_writer::~metrics_writer() { stop(std::chrono::seconds(2)); }

bool metrics_writer::submit(metrics_batch batch) noexcept {
  const std::size_t rows = rows_of(batch), samples = batch.samples.size();
  const std::scoped_lock lock{mutex_};
  const bool room = stats_.pending_rows == 0 || stats_.pending_rows + rows <= limits_.max_pending_rows;
  try {
    if (!stopping_ && room) {
      waiting_.push_back(std::move(batch));
      stats_.pending_rows += rows;
      ++stats_.accepted;
      wake_.notify_one();
      return true;
    }
  } catch (const std::exception&) { // no memory for one more batch: refused like any other
  }
  ++stats_.refused;
  stats_.refused_samples += samples;
  return false;
}

void metrics_writer::stop(std::chrono::milliseconds deadline) {
  {
    const std::scoped_lock lock{mutex_};
    if (!stopping_) deadline_ = clock::now() + deadline;
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

metrics_writer_stats metrics_writer::stats() const {
  const std::scoped_lock lock{mutex_};
  return stats_;
}

void metrics_writer::run() {
  std::unique_lock lock{mutex_};
  for (;;) {
    if (retry_.count() > 0)
      wake_.wait_for(lock, retry_, [this] { return stopping_; });
    else
      wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (!waiting_.empty() || !writing_.empty()) try_once(lock);
    const bool empty = waiting_.empty() && writing_.empty();
    // At the end a failed write is not waited for: the next process has nothing from it either way.
    if (stopping_ && (empty || retry_.count() > 0 || clock::now() >= deadline_)) break;
  }
  stats_.abandoned = waiting_.size() + writing_.size();
}

void metrics_writer::try_once(std::unique_lock<std::mutex>& lock) {
  std::move(waiting_.begin(), waiting_.end(), std::back_inserter(writing_));
  waiting_.clear();
  lock.unlock();
  const auto done = target_->write(writing_);
  lock.lock();
  if (!done) {
    ++stats_.failures;
    stats_.last_error = done.error().what;
    retry_ = std::clamp(retry_ * 2, limits_.first_retry, limits_.last_retry);
    return;
  }
  retry_ = std::chrono::milliseconds{0};
  ++stats_.groups;
  stats_.written += writing_.size();
  stats_.last_error.clear();
  instant newest{};
  for (const metrics_batch& b : writing_) stats_.pending_rows -= rows_of(b), newest = std::max(newest, b.now);
  writing_.clear();
  if (newest - expired_at_ >= limits_.expire_every) expire(newest, lock);
}

void metrics_writer::expire(instant now, std::unique_lock<std::mutex>& lock) {
  lock.unlock();
  const auto deleted = target_->expire(now);
  lock.lock();
  if (!deleted) {
    ++stats_.failures;
    stats_.last_error = deleted.error().what;
    return;
  }
  stats_.expired += *deleted;
  if (*deleted == 0) expired_at_ = now; // else goes on after the next batch, a piece at a time
}

} // namespace homeostat
