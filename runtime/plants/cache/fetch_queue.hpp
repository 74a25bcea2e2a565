#pragma once

#include "policies/time.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <vector>

namespace homeostat::cache {

/// Bounds and waits of a fetch queue.
struct fetch_queue_limits {
  std::size_t waiting_requests{96}; ///< requests waiting in all, queued or in flight; the next one is shed
  duration linger{8'000};           ///< how long the oldest queued key waits for its batch to fill
  duration timeout{250'000};        ///< how long a request waits before its client gives up
};

/// The misses of a cache: requests wait by key (requests for the same key share one fetch), keys leave in batches.
/// A plain state machine: time is an argument, and the owner brings the lock.
class fetch_queue {
public:
  explicit fetch_queue(const fetch_queue_limits& limits) : limits_(limits) {}

  enum class admission : std::uint8_t { queued, joined, shed };

  /// Lets one request wait for key.
  /// @param arrival  when the request arrived: its timeout counts from there.  @param now  not before arrival.
  /// @returns queued: the key waits for a batch; joined: it was waiting or in flight already; shed: no room.
  admission add(std::uint32_t key, instant arrival, instant now);

  /// @returns when a batch may leave: at once (instant::min()) when batch_size keys are queued, else when the oldest
  /// key
  ///          has lingered; nothing while no key is queued.
  [[nodiscard]] std::optional<instant> ready_at(std::size_t batch_size) const;

  /// What take() hands out.
  struct batch {
    std::vector<std::uint32_t> keys; ///< at most batch_size, oldest first; they are in flight from now on
    std::size_t timed_out{0};        ///< requests dropped because their client has given up
  };

  /// Takes a batch. Keys nobody waits for any more are dropped, not fetched.
  batch take(std::size_t batch_size, instant now);

  /// Ends the flight of key.  @returns the arrival of each request that waited for it.
  std::vector<instant> complete(std::uint32_t key);

  [[nodiscard]] std::size_t queued_keys() const { return order_.size(); }
  [[nodiscard]] std::size_t waiting_requests() const { return waiting_; }
  [[nodiscard]] const fetch_queue_limits& limits() const { return limits_; }

private:
  struct pending {
    instant queued_at;
    std::vector<instant> arrivals;
  };

  fetch_queue_limits limits_;
  std::unordered_map<std::uint32_t, pending> pending_; ///< queued and in flight
  std::deque<std::uint32_t> order_;                    ///< queued only, oldest first
  std::size_t waiting_{0};
};

} // namespace homeostat::cache
