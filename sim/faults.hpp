#pragma once

#include "sim/draw.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace homeostat::sim {

/// Everything that can go wrong, each with its own rate and its own periods of activity, both drawn from the seed.
enum class fault : std::uint8_t {
  // telemetry, per digest
  digest_dropped,
  digest_late,
  digest_duplicated,
  digest_reordered,
  digest_stale,
  digest_not_finite,
  digest_of_old_generation, ///< a relay sends an earlier digest again, under a fresh number
  digest_from_future,
  telemetry_burst,  ///< digests are held back and come all at once
  telemetry_silent, ///< no digest at all while the period lasts
  source_restart,   ///< its numbering starts over
  // audit, per flush or per batch
  audit_slow,
  audit_full,
  audit_failing,
  // actuator, per operation
  actuator_slow,
  actuator_refuses, ///< says that it failed, changed nothing
  actuator_partial, ///< says that it failed, changed some of the knobs
  answer_lost,      ///< applied, but nobody ever hears of it
  wrong_read_back,  ///< applied, but reports other values
  false_success,    ///< reports the values asked for, applied nothing
  plant_reverts,    ///< applied and reported; a moment later the plant is as before
  actuator_dead,    ///< nothing happens and nothing is answered while the period lasts
  read_garbage,     ///< a restart reads values that no knob can have
  // the world
  value_tampered, ///< somebody else sets a knob
  process_crash,  ///< per step between two effects
  child_crash,
  slow_message,
  // the authority's mail, per message
  mail_lost,
  mail_duplicated,
};
inline constexpr std::size_t fault_count = 29;
[[nodiscard]] std::string_view name_of(fault f);

/// When one fault may strike, and how often while it may.
struct fault_plan {
  struct period {
    duration begin{0};
    duration end{0};
  };
  double rate{0}; ///< chance per opportunity inside a period
  std::vector<period> periods;
};
using fault_plans = std::array<fault_plan, fault_count>;

/// Strikes according to plan. Times are true ones, since the start of the run.
class fault_schedule {
public:
  fault_schedule(const fault_plans& plans, draw randomness);

  /// One opportunity for a fault. @returns true if it strikes.
  [[nodiscard]] bool strikes(fault f, duration since_start);
  /// @returns true while the fault's period lasts (for faults that are states, not events).
  [[nodiscard]] bool active(fault f, duration since_start) const;
  /// @returns when the last fault period so far ended: since_start itself inside one.
  [[nodiscard]] duration calm_since(duration since_start) const;
  /// Ends all faults now: nothing strikes any more.
  void end_all(duration since_start);

private:
  const fault_plans& plans_;
  draw draw_;
  std::vector<fault_plan::period> merged_; ///< all periods, sorted, overlaps joined
  duration limit_{duration::max()};
};

} // namespace homeostat::sim
