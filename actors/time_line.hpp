#pragma once

#include "policies/time.hpp"

#include <caf/actor_clock.hpp>
#include <caf/local_actor.hpp>

#include <chrono>

namespace homeostat {

/// The loop's time line: the actor system's steady clock, anchored once to the wall clock. It does not jump while the
/// process lives, means something after a restart, and is virtual under CAF's test scheduler.
struct time_line {
  instant wall{};
  caf::actor_clock::time_point steady{};

  /// Anchors at this moment; call once per process.
  [[nodiscard]] static time_line anchored(const caf::actor_clock& clock) {
    return {.wall = std::chrono::floor<duration>(std::chrono::system_clock::now()), .steady = clock.now()};
  }
  [[nodiscard]] instant at(caf::actor_clock::time_point t) const {
    return wall + std::chrono::duration_cast<duration>(t - steady);
  }
  [[nodiscard]] instant now(const caf::local_actor* self) const { return at(self->clock().now()); }
};

} // namespace homeostat
