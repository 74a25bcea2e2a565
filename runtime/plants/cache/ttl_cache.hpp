#pragma once

#include "policies/time.hpp"

#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

namespace homeostat::cache {

/// Counts time in lifetimes: while the time to live is T, one lifetime passes every T.
/// An entry stored at lifetime v expires at v + 1. So a change of the time to live bends the rate at which entries age
/// from now on. Comparing plain ages with the new value instead would expire a whole band of entries at once (or spare
/// them all for a while): a burst that looks like an effect of the new value and is not.
class lifetime_clock {
public:
  /// @param ttl_ms  time to live, > 0.  @param now  where counting starts, at lifetime 0.
  lifetime_clock(double ttl_ms, instant now) : since_(now), ttl_ms_(ttl_ms) {}

  /// @returns lifetimes passed until now.
  [[nodiscard]] double at(instant now) const {
    return passed_ + static_cast<double>((now - since_).count()) / (ttl_ms_ * 1e3);
  }

  /// Changes the time to live from now on.  @param ttl_ms  > 0.
  void set_ttl(double ttl_ms, instant now) {
    passed_ = at(now);
    since_ = now;
    ttl_ms_ = ttl_ms;
  }

  /// @returns the time to live in force.
  [[nodiscard]] double ttl_ms() const { return ttl_ms_; }

private:
  instant since_;
  double ttl_ms_;
  double passed_{0};
};

/// A bounded key -> version cache with lazy expiry: an entry leaves when it is asked for after its end, or when room is
/// needed and it is the least recently used of its shard. Thread-safe; each shard has a lock of its own.
class ttl_cache {
public:
  /// @param capacity  entries in all, at least 1 per shard.  @param shards  number of shards, >= 1.
  ttl_cache(std::size_t capacity, std::size_t shards);

  /// @param age  lifetimes now, from the lifetime_clock that put() was given too.
  /// @returns the version stored under key, or nothing when there is none or it has expired.
  std::optional<std::uint64_t> get(std::uint32_t key, double age);

  /// Stores a version under key, with a fresh lifetime.
  void put(std::uint32_t key, std::uint64_t version, double age);

  /// @returns entries held, expired ones included until they are met. At most the capacity.
  [[nodiscard]] std::size_t size() const;

private:
  struct entry {
    std::uint32_t key;
    std::uint64_t version;
    double expires; ///< in lifetimes
  };
  struct shard {
    mutable std::mutex mutex;
    std::list<entry> by_use; ///< most recently used first
    std::unordered_map<std::uint32_t, std::list<entry>::iterator> by_key;
  };

  shard& shard_of(std::uint32_t key);

  std::size_t capacity_per_shard_;
  std::vector<shard> shards_;
};

} // namespace homeostat::cache
