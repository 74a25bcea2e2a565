#pragma once

#include "messages/caf_binding.hpp"
#include "policies/time.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace homeostat {

/// The timers behind a policy's `look_again`. Policies name the next look after every input; armed for each, timers
/// would pile up by the hundred. One that goes off early does no harm, the policy just names its time again, so a new
/// one is only armed when it is due before all that are on their way.
class look_timers {
public:
  /// Makes sure that a look_atom comes at `at` or before. @param now  this moment on the loop's time line.
  template <class Self> void arm(Self* self, instant at, instant now) {
    // Not at once: a policy that keeps naming the present would keep its actor busy for ever.
    const instant due = std::max<instant>(at, now + 1ms);
    if (std::ranges::any_of(due_, [&](instant earlier) { return earlier <= due; })) return;
    due_.push_back(due);
    self->delayed_send(self, due - now, look_atom::value, static_cast<std::uint64_t>(due.time_since_epoch().count()));
  }

  /// Takes a timer that has gone off. @returns false if it is none of these.
  bool fired(std::uint64_t timer) { return std::erase(due_, instant(duration(static_cast<std::int64_t>(timer)))) > 0; }

  [[nodiscard]] std::size_t on_their_way() const { return due_.size(); }

private:
  std::vector<instant> due_;
};

} // namespace homeostat
