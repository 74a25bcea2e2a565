#pragma once

#include "policies/authority/authority.hpp"
#include "policies/safety/governor.hpp"
#include "policies/search/adaptive_engine.hpp"
#include "policies/supervision/restart.hpp"
#include "policies/telemetry/window.hpp"
#include "sim/faults.hpp"
#include "sim/landscape.hpp"

#include <cstdint>
#include <string>

namespace homeostat::sim {

/// How long things take and how long anybody waits for them.
struct timing {
  duration run{0}; ///< shutdown is asked for after this
  duration digest_interval{0};
  duration message_delay{0};       ///< the longest ordinary way from one actor to another
  duration flush{0};               ///< one fsync of the audit
  duration actuation{0};           ///< one ordinary apply
  duration audit_timeout{0};       ///< the governor takes an unanswered batch for failed
  duration actuation_timeout{0};   ///< the governor takes an unanswered apply for failed
  duration answer_timeout{0};      ///< the proposer stops waiting for a verdict
  std::uint32_t audit_capacity{0}; ///< batches; a change that does not fit is refused
};

/// How the plant measures and keeps its values.
struct plant_habits {
  double noise{0};    ///< relative standard deviation of one digest's objective
  double outliers{0}; ///< chance of a heavy-tailed one
  bool rounds_to_float{
      false};           ///< keeps continuous values in single precision, so that read-back is not what was asked for
  bool embedded{false}; ///< lives in the process: a crash takes it back to its defaults
  bool stamped_by_sensor{false}; ///< digests get the generation the sensor takes for live, not the one the plant knows
  bool starts_elsewhere{false};  ///< is not at the defaults when the loop starts for the first time
};

/// The authority of a run, the second loop it governs, and the people who decide.
struct authority_scenario {
  authority_config config; ///< of "loop", the one under simulation, and "neighbour"
  governor_config neighbour;
  duration request_timeout{0};
  duration verdict_timeout{0};
  duration observe_every{0};
  duration pause{0};    ///< between two doings of people, mean
  bool strategy{false}; ///< the loop's own strategy runs too; else nothing moves it but what the authority lets pass
  supervision_settings supervision;
};

/// One run, wholly drawn from its seed.
struct scenario {
  std::uint64_t seed{0};
  landscape plant;
  plant_habits habits;
  timing times;
  governor_config governor;
  engine_settings engine;
  window_settings window;
  supervision_settings supervision;
  fault_plans faults;
  bool fault_free{false};      ///< nothing goes wrong and nobody interferes: what the benefit is measured over
  bool clock_goes_back{false}; ///< the wall clock may be set back while the process is down
  bool operators{false};       ///< people interfere
  bool rival{false};           ///< a second proposer, hostile
  bool revert_on_exit{false};
  bool engine_remembers{true}; ///< the strategy's state survives a crash of the process
  std::uint64_t epoch{0};
  std::optional<authority_scenario> authority;
};

[[nodiscard]] scenario draw_scenario(std::uint64_t seed);

/// Gives a drawn scenario an authority (scenario_authority.cpp).
void draw_authority(draw& d, scenario& s);
/// One fault's chance and periods of activity. @param longest  of the run, a share.
void add_periods(draw& d, fault_plan& plan, duration run, double rate, double longest);

/// @returns one line about a scenario, for traces.
[[nodiscard]] std::string describe(const scenario& s);

} // namespace homeostat::sim
