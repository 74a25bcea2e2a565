#include "runtime/plants/cache/cache_service.hpp"

#include "policies/number_text.hpp"

#include <optional>
#include <string>
#include <utility>

namespace homeostat::cache {

namespace {

constexpr auto most_workers = static_cast<std::size_t>(knob_facts[1].maximum);

plant_error stopped() { return {"cache service: it is stopped, expected a running service"}; }

} // namespace

cache_service::cache_service(const service_settings& settings, const cache_knobs& initial, origin& origin,
                             const plant_clock& clock)
    : settings_(settings), origin_(origin), clock_(clock), cache_(settings.cache_capacity, settings.cache_shards),
      knobs_(initial), lifetimes_(initial.ttl_ms, clock.now()), queue_(settings.queue), started_(clock.now()) {
  for (std::size_t i = 0; i < settings_.servers; ++i) threads_.emplace_back([this] { serve(); });
  for (std::size_t i = 0; i < most_workers; ++i) threads_.emplace_back([this, i] { fetch_forever(i); });
}

cache_service::~cache_service() { stop(); }

void cache_service::stop() {
  {
    std::lock_guard lock(inbox_mutex_);
    closed_ = true;
  }
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  inbox_filled_.notify_all();
  wake_everyone();
  stop_fetches_.request_stop();
  for (auto& t : threads_)
    if (t.joinable()) t.join();
}

void cache_service::wake_everyone() {
  lead_.notify_all();
  follow_.notify_all();
  parked_.notify_all();
  enrolled_changed_.notify_all();
}

// ---- requests
// --------------------------------------------------------------------------------------------------------

void cache_service::offer(const request& r) {
  bool full = false;
  {
    std::lock_guard lock(inbox_mutex_);
    if (closed_) return;
    received_.add(r.scheduled);
    full = inbox_.size() >= settings_.inbox;
    if (!full) inbox_.push_back(r);
  }
  if (full)
    tally_.shed();
  else
    inbox_filled_.notify_one();
}

void cache_service::observe(const traffic_conditions& conditions) { origin_.set_slowdown(conditions.origin_slowdown); }

sequence_hash cache_service::received() const {
  std::lock_guard lock(inbox_mutex_);
  return received_;
}

void cache_service::serve() {
  std::unique_lock lock(inbox_mutex_);
  for (;;) {
    inbox_filled_.wait(lock, [&] { return closed_ || !inbox_.empty(); });
    if (closed_) return;
    const request r = inbox_.front();
    inbox_.pop_front();
    lock.unlock();
    answer(r);
    lock.lock();
  }
}

void cache_service::answer(const request& r) {
  const auto key = r.scheduled.key;
  const instant now = clock_.now();
  if (const auto version = cache_.get(key, age_now(now))) {
    // A fetch may have stored a version newer than `now`: that is not stale.
    tally_.hit(now - r.arrival, *version < origin_.version_at(key, now));
    return;
  }
  std::unique_lock lock(mutex_);
  const auto admission = queue_.add(key, r.arrival, now);
  const auto queued = queue_.queued_keys();
  // The leader cares for two moments only: the first key starts its wait, a full batch ends it.
  const bool wake = admission == fetch_queue::admission::queued && (queued == 1 || queued == knobs_.batch_size);
  lock.unlock();
  if (admission == fetch_queue::admission::shed) tally_.shed();
  if (wake) lead_.notify_one();
}

double cache_service::age_now(instant now) const {
  std::lock_guard lock(mutex_);
  return lifetimes_.at(now);
}

// ---- fetchers
// --------------------------------------------------------------------------------------------------------

void cache_service::fetch_forever(std::size_t index) {
  bool enrolled = false;
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const bool wanted = index < knobs_.workers;
    if (wanted != enrolled) {
      enrolled = wanted;
      enrolled_ = wanted ? enrolled_ + 1 : enrolled_ - 1;
      origin_.set_sessions(enrolled_);
      enrolled_changed_.notify_all();
    } else if (!enrolled) {
      parked_.wait(lock);
    } else if (led_) {
      follow_.wait(lock);
    } else {
      led_ = true;
      const auto keys = lead(lock, index);
      led_ = false;
      follow_.notify_one();
      if (keys.empty()) continue;
      lock.unlock();
      fetch(keys);
      lock.lock();
    }
  }
}

/// Waits for a batch.  @returns its keys; none when this fetcher is to stop or to leave.
std::vector<std::uint32_t> cache_service::lead(std::unique_lock<std::mutex>& lock, std::size_t index) {
  while (!stopping_ && index < knobs_.workers) {
    const auto ready = queue_.ready_at(knobs_.batch_size);
    const instant now = clock_.now();
    if (!ready) {
      lead_.wait(lock);
    } else if (*ready > now) {
      lead_.wait_for(lock, *ready - now);
    } else {
      auto batch = queue_.take(knobs_.batch_size, now);
      tally_.timed_out(batch.timed_out, settings_.queue.timeout);
      if (!batch.keys.empty()) return std::move(batch.keys);
    }
  }
  return {};
}

void cache_service::fetch(const std::vector<std::uint32_t>& keys) {
  const instant begin = clock_.now();
  const auto versions = origin_.fetch(keys, stop_fetches_.get_token());
  if (!versions) return;
  const instant now = clock_.now();
  tally_.fetched(keys.size(), now - begin);
  const double age = age_now(now);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    // First the cache, then the waiters: a request that misses in between costs one fetch too many, never a lost
    // answer.
    cache_.put(keys[i], (*versions)[i], age);
    std::unique_lock lock(mutex_);
    const auto arrivals = queue_.complete(keys[i]);
    lock.unlock();
    for (const instant arrival : arrivals) {
      if (now - arrival >= settings_.queue.timeout)
        tally_.timed_out(1, settings_.queue.timeout);
      else
        tally_.miss(now - arrival);
    }
  }
}

// ---- the ports
// -------------------------------------------------------------------------------------------------------

std::expected<reading, plant_error> cache_service::read(instant now, duration) {
  std::lock_guard lock(read_mutex_);
  const instant begin = was_read_ ? last_read_ : now - (clock_.now() - started_);
  if (now <= begin)
    return std::unexpected(plant_error{"cache service: read at " + std::to_string(now.time_since_epoch().count()) +
                                       " us, expected a time after the previous read at " +
                                       std::to_string(begin.time_since_epoch().count()) + " us"});
  std::size_t depth = 0;
  std::size_t waiting = 0;
  {
    std::lock_guard state(mutex_);
    if (stopping_) return std::unexpected(stopped());
    depth = queue_.queued_keys();
    waiting = queue_.waiting_requests();
  }
  const auto totals = tally_.totals();
  reading out{begin, now, totals.requests() - last_totals_.requests(),
              metrics_between(last_totals_, totals, seconds_of(now - begin))};
  out.metrics["queue_depth"] = static_cast<double>(depth);
  out.metrics["requests_waiting"] = static_cast<double>(waiting);
  last_totals_ = totals;
  last_read_ = now;
  was_read_ = true;
  return out;
}

std::expected<named_values, plant_error> cache_service::apply(const named_values& wanted, duration patience) {
  const auto knobs = parse_knobs(wanted);
  if (!knobs) return std::unexpected(knobs.error());
  std::unique_lock lock(mutex_);
  if (stopping_) return std::unexpected(stopped());
  lifetimes_.set_ttl(knobs->ttl_ms, clock_.now());
  knobs_ = *knobs;
  const auto mine = ++knobs_set_;
  wake_everyone();
  enrolled_changed_.wait_for(lock, patience,
                             [&] { return stopping_ || knobs_set_ != mine || enrolled_ == knobs_.workers; });
  if (stopping_) return std::unexpected(stopped());
  if (knobs_set_ != mine)
    return std::unexpected(plant_error{"cache service: another set was applied before this one had settled"});
  if (enrolled_ != knobs_.workers)
    return std::unexpected(plant_error{"cache service: " + std::to_string(enrolled_) + " workers run after " +
                                       number_text(static_cast<double>(patience.count()) / 1e3) + " ms, expected " +
                                       std::to_string(knobs_.workers)});
  return named(in_force());
}

std::expected<named_values, plant_error> cache_service::read_back(duration) {
  std::lock_guard lock(mutex_);
  if (stopping_) return std::unexpected(stopped());
  return named(in_force());
}

/// The set as the threads use it; the caller holds the lock.
cache_knobs cache_service::in_force() const { return {lifetimes_.ttl_ms(), enrolled_, knobs_.batch_size}; }

} // namespace homeostat::cache
