#pragma once

#include "runtime/hotpath/cache_line.hpp"

#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

/// An immutable value of any size that one side publishes anew and many threads read, without waiting.
///
/// Epoch-based reclamation (K. Fraser, "Practical lock-freedom", 2004, section 5.2.3). Each reading thread has a slot;
/// a read writes the present epoch into it, loads the pointer, and clears the slot at its end: two stores and two
/// loads, no loop, nothing shared is written. A publisher exchanges the pointer, advances the epoch, and frees what it
/// took out once no slot holds an epoch from before.
///
/// Why a reader never sees freed memory. Slot store, pointer load, pointer exchange and slot scan are sequentially
/// consistent. Take a value V retired at epoch e (exchanged out, then the epoch advanced from e to e + 1). A reader
/// whose slot store comes before the scan in the single order is seen by it, and holds an epoch <= e unless it read the
/// epoch after the advance, hence after the exchange, and so cannot have loaded V; one whose slot store comes after the
/// scan loads the pointer after the exchange and cannot get V either. V is freed only when no slot holds an epoch <= e.
namespace homeostat {

namespace published_detail {

struct alignas(cache_line) slot {
  std::atomic<std::uint64_t> epoch{0}; ///< 0: not reading
  std::atomic<bool> taken{false};
  std::uint32_t depth{0}; ///< of nested reads, of the owning thread alone
  slot* next{nullptr};
};

inline std::atomic<slot*> slots{nullptr}; ///< grows, never shrinks; slots of ended threads are taken again
inline std::atomic<std::uint64_t> present_epoch{1};

inline slot* take_slot() {
  for (slot* s = slots.load(); s != nullptr; s = s->next)
    if (!s->taken.exchange(true)) return s;
  auto* made = new slot; // lives as long as the process: a publisher may look at it at any time
  made->taken.store(true);
  made->next = slots.load();
  while (!slots.compare_exchange_weak(made->next, made)) {}
  return made;
}

/// Gives a thread's slot back at its end.
struct slot_return {
  slot*& mine;
  ~slot_return() {
    mine->taken.store(false);
    mine = nullptr;
  }
};

inline slot& of_this_thread() {
  // Neither has a destructor: what another thread-local object's destructor reads after the slot was given back takes
  // a new one, which stays taken.
  thread_local slot* mine = nullptr;
  thread_local bool returns = false;
  if (mine == nullptr) {
    mine = take_slot(); // the first read of a thread allocates, no other
    if (!returns) {
      returns = true;
      thread_local const slot_return at_end{mine};
    }
  }
  return *mine;
}

/// @returns the oldest epoch some thread still reads under.
inline std::uint64_t oldest_read() {
  std::uint64_t oldest = std::numeric_limits<std::uint64_t>::max();
  for (slot* s = slots.load(); s != nullptr; s = s->next) {
    const std::uint64_t epoch = s->epoch.load();
    if (epoch != 0 && epoch < oldest) oldest = epoch;
  }
  return oldest;
}

} // namespace published_detail

template <typename T> class published {
public:
  /// @param first  what readers see until something else is published; not null.
  explicit published(std::unique_ptr<const T> first) : current_(first.release()) {}
  published(const published&) = delete;
  published& operator=(const published&) = delete;
  /// No thread may read any more.
  ~published() {
    delete current_.load();
    for (const retired& old : retired_) delete old.value;
  }

  /// Holds a value readable. Short: while it lives nothing that is replaced can be freed. Of one thread.
  class reading {
  public:
    explicit reading(const std::atomic<const T*>& from) noexcept : slot_(published_detail::of_this_thread()) {
      if (slot_.depth++ == 0) slot_.epoch.store(published_detail::present_epoch.load());
      value_ = from.load();
    }
    reading(const reading&) = delete;
    reading& operator=(const reading&) = delete;
    ~reading() {
      if (--slot_.depth == 0) slot_.epoch.store(0, std::memory_order_release);
    }
    const T& operator*() const noexcept { return *value_; }
    const T* operator->() const noexcept { return value_; }

  private:
    published_detail::slot& slot_;
    const T* value_;
  };

  /// Any thread; wait-free but for a thread's very first read, which allocates.
  [[nodiscard]] reading read() const noexcept { return reading(current_); }

  /// Replaces the value. Any thread; publishers wait for each other. Frees what nobody reads any more: what was still
  /// read is freed by a later call, the last one's by the destructor.
  /// @param next  not null.
  void publish(std::unique_ptr<const T> next) {
    const std::lock_guard hold(publishing_);
    retired_.push_back({nullptr, 0}); // first: without memory for it nothing has changed
    retired_.back().value = current_.exchange(next.release());
    retired_.back().epoch = published_detail::present_epoch.fetch_add(1);
    const std::uint64_t oldest = published_detail::oldest_read();
    std::erase_if(retired_, [oldest](const retired& one) {
      if (one.epoch >= oldest) return false;
      delete one.value;
      return true;
    });
  }

  /// @returns values replaced and still held for a reader.
  [[nodiscard]] std::size_t held() const {
    const std::lock_guard hold(publishing_);
    return retired_.size();
  }

private:
  struct retired {
    const T* value;
    std::uint64_t epoch;
  };
  std::atomic<const T*> current_;
  mutable std::mutex publishing_; ///< guards what follows
  std::vector<retired> retired_;
};

} // namespace homeostat
