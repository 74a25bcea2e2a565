#pragma once

#include "runtime/plants/cache/plant_clock.hpp"

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <vector>

namespace homeostat::cache {

/// Where values really live. Thread-safe.
class origin {
public:
  virtual ~origin() = default;

  /// Fetches a batch and blocks until the origin has answered.
  /// @param keys  what to fetch, at least one.  @param stop  ends the wait early.
  /// @returns one version per key, in order; nothing when it was stopped.
  virtual std::optional<std::vector<std::uint64_t>> fetch(std::span<const std::uint32_t> keys,
                                                          std::stop_token stop) = 0;

  /// @returns the true version of key at that time: what a value served then is compared with.
  [[nodiscard]] virtual std::uint64_t version_at(std::uint32_t key, instant when) const = 0;

  /// Tells how many sessions the client holds open, busy or idle.
  virtual void set_sessions(std::size_t open) = 0;

  /// Tells how much slower the origin is than usual, through causes outside this service. @param factor  > 0.
  virtual void set_slowdown(double factor) = 0;
};

/// What a slow origin is made of. Times are those of an idle origin with no sessions.
struct origin_settings {
  std::uint64_t seed{1};
  duration per_batch{9'000};       ///< fixed cost of one fetch
  duration per_item{1'500};        ///< cost of each key in it, as long as the batch is small
  double batch_knee{12};           ///< batch size at which a key costs twice that: big answers are put together slowly
  double item_capacity{80};        ///< keys in flight at which a fetch takes twice as long; grows with the square
  double session_overhead{0.01};   ///< part by which each open session slows every fetch
  double variability{0.3};         ///< 0: equal fetches take equal time; 1: times are spread exponentially; [0, 1]
  duration change_period{600'000}; ///< mean time between two changes of a value; each key has its own, within +-40 %
};

/// @returns how long one fetch takes on average.
/// @param items  keys in this fetch.  @param in_flight  keys in all fetches under way, this one included.
/// @param sessions  open sessions.  @param slowdown  outside factor.
[[nodiscard]] duration fetch_time(const origin_settings& s, std::size_t items, std::size_t in_flight,
                                  std::size_t sessions, double slowdown);

/// What an origin has done so far.
struct origin_totals {
  std::uint64_t fetches{0};
  std::uint64_t items{0};
  duration busy{0};            ///< sum of the lengths of all finished fetches
  std::size_t most_at_once{0}; ///< most fetches ever under way at the same time
};

/// An origin that really waits: a fetch sleeps about as long as fetch_time says, with the congestion it met at its
/// start.
class slow_origin final : public origin {
public:
  slow_origin(const origin_settings& settings, const plant_clock& clock) : settings_(settings), clock_(clock) {}

  std::optional<std::vector<std::uint64_t>> fetch(std::span<const std::uint32_t> keys, std::stop_token stop) override;
  [[nodiscard]] std::uint64_t version_at(std::uint32_t key, instant when) const override;
  void set_sessions(std::size_t open) override;
  void set_slowdown(double factor) override;

  [[nodiscard]] origin_totals totals() const;

private:
  const origin_settings settings_;
  const plant_clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable_any stopped_;
  std::size_t sessions_{0};
  double slowdown_{1};
  std::size_t items_in_flight_{0};
  std::size_t fetches_in_flight_{0};
  std::uint64_t fetches_begun_{0};
  origin_totals totals_;
};

} // namespace homeostat::cache
