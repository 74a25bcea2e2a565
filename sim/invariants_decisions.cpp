// I4, I10, I11 and the order of effects: what the governor lets pass, against what it has said and seen before.
#include "sim/invariants.hpp"

#include "policies/number_text.hpp"

#include <algorithm>

namespace homeostat::sim {

void invariants::check_standing(const proposal& p, const governor_state& after) {
  const std::string who = "proposal " + std::to_string(p.id) + " of " + p.source + " was taken up ";
  if (!p.approved) fail("I11", who + "without approval");
  if (p.epoch < scenario_.epoch) fail("I8", who + "under the old epoch " + std::to_string(p.epoch));
  if (p.base_revision != shadow_.revision)
    fail("I11",
         who + "for revision " + std::to_string(p.base_revision) + ", present is " + std::to_string(shadow_.revision));
  if (p.base_generation != shadow_.generation)
    fail("I11", who + "for generation " + std::to_string(p.base_generation) + ", live is " +
                    std::to_string(shadow_.generation));
  if (!p.request.empty() && p.epoch != scenario_.epoch) fail("I8", who + "under another epoch");
  if (engine_misled_ && p.source == name_of(scenario_.engine.strategy))
    fail("I6", who + "although it is built on a window measured under another generation");
  if (!(after.pending->wanted == p.values)) fail("I3", who + "with other values than it asked for");
}

void invariants::note_window(const governor_input& input, const governor_state& after, instant now) {
  if (const auto* w = std::get_if<objective_window>(&input)) {
    if (w->generation == shadow_.generation) shadow_.last_window = now;
    if (tainted(*w) && after.last_objective != shadow_.last_objective)
      fail("I6", "the governor builds on a window of generation " + std::to_string(w->generation) +
                     " that was measured under another one");
    shadow_.last_objective = after.last_objective;
  }
  if (const auto* c = std::get_if<operator_command>(&input))
    if (c->action == operator_action::reset_safe_mode) shadow_.last_window = now;
}

void invariants::check_issue(const governor_state& after, const governor_effects& effects, instant now, duration at) {
  if (effects.apply && effects.durable_ticket) fail("I2", "one step both records and applies a change");
  if (!effects.apply) return;
  change* c = find(effects.apply->generation);
  if (c == nullptr || !(effects.apply->values == c->wanted))
    return fail("I2", "generation " + std::to_string(effects.apply->generation) +
                          " is applied with values that no intent has");
  if (c->issued) return fail("I2", "generation " + std::to_string(c->generation) + " is applied twice");
  c->issued = true;
  c->issued_at = at;
  if (!c->acknowledged)
    fail("I2",
         "generation " + std::to_string(c->generation) + " is applied before the audit has acknowledged its record");
  const bool by_program = c->origin == change_origin::operator_change && c->automatic;
  if (by_program && shadow_.holds.any())
    fail("I4", "generation " + std::to_string(c->generation) + ", no person's doing, is applied in safe mode");
  if (c->origin != change_origin::proposal) return;
  if (shadow_.holds.any() || is_frozen(after.safe_mode))
    fail("I4", "generation " + std::to_string(c->generation) + ", a proposal, is applied in safe mode");
  if (after.stopping)
    fail("I4", "generation " + std::to_string(c->generation) + ", a proposal, is applied while the loop stops");
  const duration silence = now - shadow_.last_window;
  if (scenario_.governor.watch_telemetry && silence > scenario_.governor.safe_mode.telemetry_timeout)
    fail("I10", "a proposal is applied " + number_text(seconds_of(silence)) + " s after the last telemetry");
}

void invariants::check_failures(const governor_input& input, const governor_effects& effects, instant now) {
  const auto count = [&](std::vector<instant>& times, std::size_t limit, safe_mode_reason reason) {
    std::erase_if(times, [&](instant t) { return now - t >= 60s; });
    times.push_back(now);
    if (times.size() >= limit && !shadow_.holds[static_cast<std::size_t>(reason)])
      fail("I10",
           std::to_string(times.size()) + " failures within a minute did not lead to " + std::string(name_of(reason)));
  };
  if (std::holds_alternative<actuation_answer>(input))
    for (const audit_record& r : effects.records)
      if (r.kind == audit_kind::aborted) count(actuator_failures_, 3, safe_mode_reason::actuator_failing);
  if (!std::holds_alternative<proposal>(input) || !effects.verdict || !effects.verdict->refused) return;
  switch (effects.verdict->refused->code) {
  case violation_code::delta_too_large:
  case violation_code::out_of_bounds:
  case violation_code::unknown_knob:
  case violation_code::non_finite:
  case violation_code::stale_epoch:
    count(hostile_, scenario_.governor.safe_mode.repeated_violation_limit, safe_mode_reason::repeated_violations);
    break;
  default: break;
  }
}

void invariants::command_given(operator_action action) {
  last_command_ = action;
  if (action == operator_action::resume || action == operator_action::reset_safe_mode) paused_for_certain_.reset();
}

void invariants::command_acknowledged(operator_action action) {
  if (action == operator_action::pause && last_command_ == operator_action::pause) paused_for_certain_ = true;
}

} // namespace homeostat::sim
