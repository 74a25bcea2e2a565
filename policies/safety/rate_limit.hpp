#pragma once

#include "policies/time.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace homeostat {

/// A sliding window over accepted events: at most `count` in any `span`. A rate r per second is max(1, floor(r)) events
/// in that many seconds divided by r, so 0.1/s is one event in 10 s and 2.5/s two in 0.8 s. Chosen over a token bucket,
/// which lets a burst of twice the rate through at a window's edge.
struct rate_window {
  std::uint32_t count{1};
  duration span{1s};
  std::vector<instant> accepted; ///< the last `count` acceptances, oldest first

  friend bool operator==(const rate_window&, const rate_window&) = default;
};

/// @param per_second  events per second, 1e-6..1e4.
[[nodiscard]] rate_window rate_window_of(double per_second);

/// @returns nothing if an event may be accepted at `now`, else the time from which it may.
[[nodiscard]] std::optional<instant> next_allowed(const rate_window& window, instant now);

/// Counts an accepted event. @param now  not before the last accepted event.
void accept(rate_window& window, instant now);

/// @returns how many accepted events lie inside the window that ends at `now`.
[[nodiscard]] std::uint32_t events_in(const rate_window& window, instant now);

} // namespace homeostat
