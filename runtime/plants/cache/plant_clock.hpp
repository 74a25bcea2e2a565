#pragma once

#include "policies/time.hpp"

namespace homeostat::cache {

/// The time line of the demo plant. Every thread of the plant asks the same clock, so that arrival times, ages and
/// latencies can be subtracted from each other; tests move a clock of their own by hand.
class plant_clock {
public:
  virtual ~plant_clock() = default;

  /// @returns the time now, never earlier than a previous answer. Safe to call from any thread.
  [[nodiscard]] virtual instant now() const = 0;
};

/// The steady clock, anchored once to the wall clock: it does not jump while the process lives.
class steady_plant_clock final : public plant_clock {
public:
  [[nodiscard]] instant now() const override {
    return wall_ + std::chrono::duration_cast<duration>(std::chrono::steady_clock::now() - steady_);
  }

private:
  instant wall_{std::chrono::time_point_cast<duration>(std::chrono::system_clock::now())};
  std::chrono::steady_clock::time_point steady_{std::chrono::steady_clock::now()};
};

} // namespace homeostat::cache
