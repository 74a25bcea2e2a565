#include "policies/safety/rate_limit.hpp"

#include <algorithm>
#include <cmath>

namespace homeostat {

rate_window rate_window_of(double per_second) {
  const double count = std::max(1.0, std::floor(per_second));
  // Rounded up: the window never allows more than the rate.
  return {.count = static_cast<std::uint32_t>(count),
          .span = duration(static_cast<std::int64_t>(std::ceil(count / per_second * 1e6 - 1e-3))),
          .accepted = {}};
}

std::optional<instant> next_allowed(const rate_window& window, instant now) {
  if (window.accepted.size() < window.count) return std::nullopt;
  const instant free_at = window.accepted[window.accepted.size() - window.count] + window.span;
  if (now >= free_at) return std::nullopt;
  return free_at;
}

void accept(rate_window& window, instant now) {
  window.accepted.push_back(now);
  if (window.accepted.size() > window.count) window.accepted.erase(window.accepted.begin());
}

std::uint32_t events_in(const rate_window& window, instant now) {
  return static_cast<std::uint32_t>(
      std::ranges::count_if(window.accepted, [&](instant at) { return now - at < window.span; }));
}

} // namespace homeostat
