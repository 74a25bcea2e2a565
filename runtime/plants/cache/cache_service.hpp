#pragma once

#include "runtime/plants/cache/fetch_queue.hpp"
#include "runtime/plants/cache/knobs.hpp"
#include "runtime/plants/cache/origin.hpp"
#include "runtime/plants/cache/plant_clock.hpp"
#include "runtime/plants/cache/tally.hpp"
#include "runtime/plants/cache/traffic_source.hpp"
#include "runtime/plants/cache/ttl_cache.hpp"
#include "runtime/ports/plant.hpp"

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

namespace homeostat::cache {

/// What of a service is fixed for its life.
struct service_settings {
  std::size_t servers{2};           ///< threads that answer requests, >= 1
  std::size_t cache_capacity{2048}; ///< entries, >= shards
  std::size_t cache_shards{8};      ///< >= 1
  std::size_t inbox{1024};          ///< requests waiting for a server; the next one is shed
  fetch_queue_limits queue;
};

/// A service that answers requests from a TTL cache and fetches what it misses from an origin, in batches.
///
/// Servers look a request up and answer hits. Misses wait in a fetch queue; fetchers take them in batches. One idle
/// fetcher at a time leads: it waits for a batch to fill, takes it, and hands the lead on, so that a request wakes one
/// thread and not sixteen. Fetchers beyond the knob `workers` are parked and hold no origin session.
///
/// The threads start with the object and end with stop() or the destructor. Every public function may be called from
/// any thread; read() keeps one "previous call" for the object, so it is for one observer, and totals() is for all
/// others.
class cache_service final : public plant_sensor, public plant_actuator, public request_sink {
public:
  /// @param origin, clock  must outlive this object.  @param initial  within the bounds of knob_facts.
  cache_service(const service_settings& settings, const cache_knobs& initial, origin& origin, const plant_clock& clock);
  ~cache_service() override;
  cache_service(const cache_service&) = delete;
  cache_service& operator=(const cache_service&) = delete;

  /// Ends and joins all threads; requests that still wait get no answer and are not counted. May be called again.
  void stop();

  /// The metrics of metrics_between() plus two of the moment: queue_depth (keys waiting for a batch) and
  /// requests_waiting (for a fetch, queued or under way). Never blocks.
  std::expected<reading, plant_error> read(instant now, duration patience) override;

  /// Puts the whole set in force at once. The time to live and the batch size hold from this moment; it waits for
  /// fetchers that must join or leave (one in the middle of a fetch leaves after it).
  std::expected<named_values, plant_error> apply(const named_values& wanted, duration patience) override;

  /// @returns the values the threads work with now: `workers` counts the fetchers that really take part.
  std::expected<named_values, plant_error> read_back(duration patience) override;

  void offer(const request& r) override;
  void observe(const traffic_conditions& conditions) override;

  /// @returns all counts since the start.
  [[nodiscard]] service_totals totals() const { return tally_.totals(); }

  /// @returns the fingerprint of the requests offered so far.
  [[nodiscard]] sequence_hash received() const;

private:
  void serve();
  void answer(const request& r);
  void fetch_forever(std::size_t index);
  std::vector<std::uint32_t> lead(std::unique_lock<std::mutex>& lock, std::size_t index);
  void fetch(const std::vector<std::uint32_t>& keys);
  [[nodiscard]] double age_now(instant now) const;
  [[nodiscard]] cache_knobs in_force() const;
  void wake_everyone();

  const service_settings settings_;
  origin& origin_;
  const plant_clock& clock_;
  ttl_cache cache_;
  tally tally_;

  mutable std::mutex inbox_mutex_;
  std::condition_variable inbox_filled_;
  std::deque<request> inbox_;
  sequence_hash received_;
  bool closed_{false};

  mutable std::mutex mutex_;       ///< guards everything down to the threads
  std::condition_variable lead_;   ///< the leader waits here for work
  std::condition_variable follow_; ///< idle fetchers wait here for the lead
  std::condition_variable parked_; ///< fetchers beyond `workers` wait here
  std::condition_variable enrolled_changed_;
  cache_knobs knobs_;
  std::uint64_t knobs_set_{0}; ///< number of the set in force
  lifetime_clock lifetimes_;
  fetch_queue queue_;
  std::size_t enrolled_{0};
  bool led_{false};
  bool stopping_{false};

  std::mutex read_mutex_;
  service_totals last_totals_;
  instant last_read_;
  bool was_read_{false};
  const instant started_;

  std::stop_source stop_fetches_;
  std::vector<std::thread> threads_; ///< last: they use everything above
};

} // namespace homeostat::cache
