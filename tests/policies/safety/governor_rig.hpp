#pragma once

#include "policies/safety/governor.hpp"

#include <optional>
#include <ostream>
#include <string>
#include <vector>

namespace homeostat {

// What a failing test prints.
inline void PrintTo(const knob_values& values, std::ostream* out) {
  *out << "{";
  for (double value : values) *out << " " << value;
  *out << " }";
}
inline void PrintTo(violation_code code, std::ostream* out) { *out << name_of(code); }
inline void PrintTo(change_class c, std::ostream* out) { *out << name_of(c); }
inline void PrintTo(preset p, std::ostream* out) { *out << "preset " << static_cast<int>(p); }
inline void PrintTo(instant at, std::ostream* out) { *out << at.time_since_epoch().count() << " us"; }

/// A continuous knob from 0 to 1, linear, at 0.5: fractions of its range are its values.
[[nodiscard]] knob_spec unit_knob(std::string name = "x");

/// One loop with these knobs under the balanced preset; no telemetry watch, so that tests may let time pass.
[[nodiscard]] governor_config config_of(std::vector<knob_spec> knobs);
[[nodiscard]] governor_config config_of(std::vector<knob_spec> knobs, preset p);

/// A governor with an audit and a plant that do what they are asked, unless a test answers for them.
class governor_rig {
public:
  explicit governor_rig(governor_config c);
  governor_rig(governor_config c, std::optional<governor_state> persisted, std::optional<knob_values> actual,
               instant at);

  /// One input at the present time, remembering its effects.
  const governor_effects& give(const governor_input& input);
  const governor_effects& tick_after(duration d);
  void wait(duration d) { now += d; }

  /// A proposal that is up to date and approved.
  [[nodiscard]] proposal draft(knob_values values, proposal_kind kind = proposal_kind::update) const;
  /// Proposes and lets the change run to its end. @returns the verdict.
  proposal_verdict change(knob_values values, proposal_kind kind = proposal_kind::update);
  /// Proposes without answering for audit and plant.
  const governor_effects& propose(knob_values values, proposal_kind kind = proposal_kind::update);
  /// Commands and lets what follows run to its end. @returns the answer to the command.
  command_result command(operator_action action, std::string text = {}, knob_values values = {},
                         bool override_bounds = false);
  /// One window of the live generation.
  const governor_effects& window(double mean, std::optional<double> margin = std::nullopt);
  /// Windows, letting what follows run to its end.
  void windows(double mean, int count);

  const governor_effects& answer_audit(audit_status status = audit_status::durable);
  const governor_effects& answer_actuator();                                    ///< as asked
  const governor_effects& answer_actuator(bool ok, knob_values read_back = {}); ///< as the test says
  /// Answers audit and plant as asked until nothing is open.
  void settle();

  [[nodiscard]] std::vector<audit_record> records_of(audit_kind kind) const;
  [[nodiscard]] bool frozen_for(safe_mode_reason reason) const { return holds(state.safe_mode, reason); }
  [[nodiscard]] bool frozen() const { return is_frozen(state.safe_mode); }

  governor_config config;
  governor_state state;
  instant now;
  governor_effects last;                       ///< of the last input
  std::vector<audit_record> records;           ///< of all inputs
  std::optional<std::uint64_t> open_audit;     ///< ticket waiting for the audit
  std::optional<actuation> open_actuation;     ///< waiting for the plant
  std::optional<proposal_verdict> verdict;     ///< the last one
  std::optional<command_result> answer;        ///< the last one
  std::optional<live_configuration> announced; ///< the last one
  std::vector<actuation> actuations;           ///< all of them
  knob_values plant;                           ///< what an honest plant has now

private:
  void take(governor_step step);
};

} // namespace homeostat
