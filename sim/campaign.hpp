#pragma once

#include "sim/policy_set.hpp"
#include "sim/world.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace homeostat::sim {

/// Which seeds to run, and how.
struct campaign_settings {
  std::uint64_t first{1};
  std::uint64_t seeds{1000};
  unsigned jobs{2};
  /// Every so many seeds run a second time, and must decide the same (I7); 0 = none.
  std::uint64_t repeat_every{40};
  bool progress{false};     ///< a line on standard error now and then
  bool stop_at_first{true}; ///< false: go on after a violation and report them all
};

/// What all runs together showed.
struct campaign_summary {
  std::uint64_t seeds{0};
  std::uint64_t repeated{0};
  double virtual_hours{0};
  run_result total;         ///< counters summed up
  std::uint64_t stopped{0}; ///< runs that ended by an ordered shutdown
  std::uint64_t gave_up{0};
  std::uint64_t fault_free{0};
  double benefit_median{0}; ///< of the fault-free runs, objective relative to the static defaults; below 1 is better
  double benefit_second_half_median{0};
  double benefit_worst{0};
  std::array<double, landscape_kind_count> benefit_by_landscape{}; ///< medians, second half
  std::vector<run_result> broken;                                  ///< by seed
};

/// Runs seeds on several threads. The summary does not depend on how many.
[[nodiscard]] campaign_summary run_campaign(const campaign_settings& settings, const policy_set& policies);

/// @returns the last lines of a seed's trace: what led to its violation.
[[nodiscard]] std::vector<std::string> last_events(std::uint64_t seed, const policy_set& policies, std::size_t lines);

/// @returns the report of one violation: seed, step, virtual time, invariant, last events, and the command that replays
/// it.
[[nodiscard]] std::string report(const run_result& broken, const policy_set& policies);

[[nodiscard]] std::string as_table(const campaign_summary& summary);
[[nodiscard]] std::string as_json(const campaign_summary& summary);

} // namespace homeostat::sim
