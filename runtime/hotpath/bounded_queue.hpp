#pragma once

#include "runtime/hotpath/cache_line.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace homeostat {

/// What became of an event. The caller of a full queue decides; the governor refuses to apply.
enum class enqueue_result : std::uint8_t { enqueued, full };

/// A bounded first-in first-out queue for any number of producers and consumers, without locks or allocation after
/// construction: Dmitry Vyukov's bounded MPMC queue
/// (https://www.1024cores.net/home/lock-free-algorithms/queues/bounded-mpmc-queue).
///
/// Each cell carries a turn. Position p lives in cell p mod capacity; turn == p means free for the producer of p,
/// turn == p + 1 means filled for the consumer of p, and that consumer sets it to p + capacity for the next round. A
/// thread claims a position by compare-and-swap and then owns its cell alone; the release store of the turn hands it on
/// to whoever acquires it. One producer's events come out in its order.
///
/// No call waits. But a thread suspended between claim and hand-over hides what was enqueued behind it: consumers see
/// the queue as empty up to there, and producers see it full once they have gone round. Nothing is lost and both are
/// the safe side (an audit event that cannot be queued refuses the change).
///
/// @tparam T  nothrow move constructible and destructible: an exception after the claim would leave a hole for ever.
template <typename T> class bounded_queue {
  static_assert(std::is_nothrow_move_constructible_v<T> && std::is_nothrow_destructible_v<T>);

public:
  /// @param capacity  how many events fit, a power of two from 2 up.  @throws std::invalid_argument on any other.
  explicit bounded_queue(std::size_t capacity)
      : mask_(checked(capacity) - 1), cells_(std::make_unique<cell[]>(capacity)) {
    for (std::size_t i = 0; i < capacity; ++i) cells_[i].turn.store(i, std::memory_order_relaxed);
  }
  bounded_queue(const bounded_queue&) = delete;
  bounded_queue& operator=(const bounded_queue&) = delete;
  /// Destroys what is still queued. No other thread may use the queue any more.
  ~bounded_queue() {
    while (try_dequeue()) {}
  }

  /// Adds an event at the end. Any thread.
  /// @param event  moved from only if it was enqueued; as it was if the queue is full.
  [[nodiscard]] enqueue_result try_enqueue(T&& event) noexcept {
    std::uint64_t position = next_in_.load(std::memory_order_relaxed);
    for (;;) {
      cell& target = cells_[position & mask_];
      const std::uint64_t turn = target.turn.load(std::memory_order_acquire);
      if (turn == position) {
        if (!next_in_.compare_exchange_weak(position, position + 1, std::memory_order_relaxed)) continue;
        std::construct_at(&target.event, std::move(event));
        target.turn.store(position + 1, std::memory_order_release);
        return enqueue_result::enqueued;
      }
      if (turn < position) return enqueue_result::full;    // its consumer of the round before is not done
      position = next_in_.load(std::memory_order_relaxed); // another producer took the position
    }
  }

  /// The same for a copy, which is made first: copying may throw, and then the queue is as it was.
  [[nodiscard]] enqueue_result try_enqueue(const T& event)
    requires std::is_copy_constructible_v<T>
  {
    return try_enqueue(T(event));
  }

  /// Takes the oldest event. Any thread.
  /// @returns nothing if the queue is empty, or its oldest event is not handed over yet.
  [[nodiscard]] std::optional<T> try_dequeue() noexcept {
    std::uint64_t position = next_out_.load(std::memory_order_relaxed);
    for (;;) {
      cell& target = cells_[position & mask_];
      const std::uint64_t turn = target.turn.load(std::memory_order_acquire);
      if (turn == position + 1) {
        if (!next_out_.compare_exchange_weak(position, position + 1, std::memory_order_relaxed)) continue;
        std::optional<T> event(std::move(target.event));
        std::destroy_at(&target.event);
        target.turn.store(position + mask_ + 1, std::memory_order_release);
        return event;
      }
      if (turn < position + 1) return std::nullopt;
      position = next_out_.load(std::memory_order_relaxed); // another consumer took it
    }
  }

  /// @returns how many events are queued or being handed over, 0..capacity; exact when nobody is active. Any thread.
  [[nodiscard]] std::size_t size() const noexcept {
    const std::uint64_t out = next_out_.load(std::memory_order_acquire);
    const std::uint64_t in = next_in_.load(std::memory_order_acquire);
    return in < out ? 0 : std::min<std::uint64_t>(in - out, capacity());
  }

  [[nodiscard]] std::size_t capacity() const noexcept { return mask_ + 1; }

private:
  struct cell {
    std::atomic<std::uint64_t> turn{0};
    union {
      T event; // alive between a producer's hand-over and its consumer's
    };
    cell() noexcept {}
    ~cell() {}
    cell(const cell&) = delete;
    cell& operator=(const cell&) = delete;
  };

  static std::size_t checked(std::size_t capacity) {
    if (capacity < 2 || !std::has_single_bit(capacity))
      throw std::invalid_argument("bounded_queue: capacity " + std::to_string(capacity) +
                                  ", expected a power of two from 2 up");
    return capacity;
  }

  const std::size_t mask_;
  const std::unique_ptr<cell[]> cells_;
  alignas(cache_line) std::atomic<std::uint64_t> next_in_{0};
  alignas(cache_line) std::atomic<std::uint64_t> next_out_{0}; // and the rest of its line is padding
};

} // namespace homeostat
