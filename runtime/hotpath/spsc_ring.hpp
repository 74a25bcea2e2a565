#pragma once

#include "runtime/hotpath/cache_line.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <type_traits>
#include <utility>

namespace homeostat {

/// What a push did.
enum class push_result : std::uint8_t { stored, stored_evicting_oldest };

/// The place where a test may stop a pop: the element is copied but not yet claimed. Empty in production.
struct no_ring_hook {
  static constexpr void copied() noexcept {}
};

/// A ring for one producer and one consumer that never turns the producer away: when it is full the oldest element is
/// evicted and counted. Fresh telemetry is worth more than old, and a sensor must not wait for a slow reader.
///
/// Elements are numbered; number i lives in cell i mod N. `tail_` is the number of the next push, written by the
/// producer only. `head_` is the oldest number still in the ring; whoever moves it from h to h+1 by compare-and-swap
/// owns element h: the consumer to return it, the producer to drop it. Numbers have 64 bits and never repeat, so the
/// swap has no ABA problem.
///
/// Why an element is returned once, whole and in order (C++ memory model; cells are atomic words, so no race is
/// possible):
///  1. The consumer acquires `tail_` > h, so it reads from cell h mod N what push h stored, or something later.
///  2. Something later is push h+N. It starts only after the producer acquired `head_` >= h+1. If the consumer's own
///  swap
///     made that step, its release orders the consumer's reads of the cell before the producer's stores, so they cannot
///     have seen them. If the producer made it, the consumer's swap fails, and the mixed copy is thrown away.
///  3. `head_` only grows, so what a successful swap returns is in order and never returned twice.
/// push() is wait-free: its one swap fails only because the consumer has just made room. pop() is lock-free: it goes
/// round again only when the producer evicted the element meanwhile. Neither ever waits for the other side, wherever
/// that stands.
///
/// @tparam T  trivially copyable and default constructible.  @tparam N  capacity, a power of two.
/// @tparam Hook  for tests only.
template <typename T, std::size_t N, typename Hook = no_ring_hook> class spsc_ring {
  static_assert(std::has_single_bit(N), "the capacity is a power of two");
  static_assert(std::is_trivially_copyable_v<T> && std::is_default_constructible_v<T>,
                "elements are copied word by word, also while they are being overwritten");

public:
  explicit spsc_ring(Hook hook = {}) : hook_(std::move(hook)) {}
  spsc_ring(const spsc_ring&) = delete;
  spsc_ring& operator=(const spsc_ring&) = delete;

  /// Stores a copy of an element. Producer only. Wait-free.
  /// @returns whether the oldest element had to go for it.
  push_result push(const T& element) noexcept {
    const std::uint64_t number = tail_.load(std::memory_order_relaxed);
    std::uint64_t oldest = head_.load(std::memory_order_acquire);
    auto result = push_result::stored;
    // On failure of the swap the consumer took that element: there is room, and acquire makes its reads precede our
    // stores.
    if (number - oldest == N &&
        head_.compare_exchange_strong(oldest, oldest + 1, std::memory_order_acq_rel, std::memory_order_acquire)) {
      evicted_.store(evicted_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
      result = push_result::stored_evicting_oldest;
    }
    std::array<std::uint64_t, words_per_element> words{};
    std::memcpy(words.data(), &element, sizeof(T));
    cell& into = cells_[number % N];
    for (std::size_t i = 0; i < words_per_element; ++i) into[i].store(words[i], std::memory_order_relaxed);
    tail_.store(number + 1, std::memory_order_release);
    return result;
  }

  /// Takes the oldest element. Consumer only. Lock-free.
  /// @returns nothing if the ring is empty.
  [[nodiscard]] std::optional<T> pop() noexcept {
    std::uint64_t number = head_.load(std::memory_order_acquire);
    for (;;) {
      if (number == tail_.load(std::memory_order_acquire)) return std::nullopt;
      std::array<std::uint64_t, words_per_element> words;
      const cell& from = cells_[number % N];
      for (std::size_t i = 0; i < words_per_element; ++i) words[i] = from[i].load(std::memory_order_relaxed);
      hook_.copied();
      // Success needs release to finish the copy before the cell may be reused; failure leaves the new oldest in
      // `number`.
      if (head_.compare_exchange_strong(number, number + 1, std::memory_order_acq_rel, std::memory_order_acquire)) {
        T element;
        std::memcpy(static_cast<void*>(&element), words.data(), sizeof(T));
        return element;
      }
    }
  }

  /// @returns how many elements were evicted since construction. Any thread.
  [[nodiscard]] std::uint64_t evicted() const noexcept { return evicted_.load(std::memory_order_relaxed); }

  /// @returns how many elements are stored, 0..N; exact when neither side is active. Any thread.
  [[nodiscard]] std::size_t size() const noexcept {
    const std::uint64_t oldest = head_.load(std::memory_order_acquire); // first, so that it is not beyond the tail read
    return std::min<std::uint64_t>(tail_.load(std::memory_order_acquire) - oldest, N);
  }

  [[nodiscard]] static constexpr std::size_t capacity() noexcept { return N; }

private:
  static constexpr std::size_t words_per_element = (sizeof(T) + sizeof(std::uint64_t) - 1) / sizeof(std::uint64_t);
  using cell = std::array<std::atomic<std::uint64_t>, words_per_element>;

  alignas(cache_line) std::atomic<std::uint64_t> head_{0};
  alignas(cache_line) std::atomic<std::uint64_t> tail_{0};
  std::atomic<std::uint64_t> evicted_{0}; // written by the producer only, like tail_
  alignas(cache_line) std::array<cell, N> cells_{};
  [[no_unique_address]] Hook hook_;
};

} // namespace homeostat
