// Starting from what survived: never from a guess (design §3, I9).
#include "policies/safety/governor_turn.hpp"

#include <utility>

namespace homeostat {

namespace {

void shift(rate_window& w, duration by) {
  for (instant& at : w.accepted) at += by;
}

/// The wall clock was set back while nobody looked: every stored time moves so that what was left to wait is still left.
void rebase(governor_state& s, instant now) {
  const duration by = now - s.last_now;
  for (rate_window* w : {&s.updates, &s.probes, &s.rollbacks, &s.hostile, &s.cumulative, &s.actuator_failures, &s.recorded_refusals})
    shift(*w, by);
  for (knob_movement& m : s.movement) {
    for (auto& total : m.totals) total.second += std::chrono::floor<std::chrono::seconds>(by).count() + 1;
    for (instant& at : m.flips) at += by;
  }
  for (std::optional<instant>* at : {&s.last_change, &s.stable_until, &s.last_window})
    if (*at) **at += by;
  for (auto& hold : s.safe_mode.holds)
    if (hold) {
      hold->since += by;
      if (hold->until) *hold->until += by;
    }
  s.last_now = now;
}

/// Limits come from the configuration of today, what has been used of them from the state.
void take_limits(governor_state& s, const governor_config& config, instant now) {
  const governor_state fresh = fresh_state(config, now);
  const auto take = [](rate_window& w, const rate_window& f) { w.count = f.count, w.span = f.span; };
  take(s.updates, fresh.updates);
  take(s.probes, fresh.probes);
  take(s.rollbacks, fresh.rollbacks);
  take(s.hostile, fresh.hostile);
  take(s.cumulative, fresh.cumulative);
  take(s.actuator_failures, fresh.actuator_failures);
  take(s.recorded_refusals, fresh.recorded_refusals);
  s.movement.resize(config.knobs.size());
}

bool fits(const governor_state& s, const governor_config& config) {
  const std::size_t n = config.knobs.size();
  return s.live.size() == n && s.base.size() == n && (!s.baseline || s.baseline->values.size() == n) &&
         (!s.pending || s.pending->wanted.size() == n);
}

} // namespace

governor_step recover(const governor_config& config, std::optional<governor_state> persisted,
                      const std::optional<knob_values>& actual, instant now) {
  const bool usable = persisted && fits(*persisted, config);
  if (!usable) {
    governor_state fresh = fresh_state(config, now);
    // The knob set changed: values cannot carry over, but generation numbers must never come twice (I2).
    if (persisted) {
      fresh.generation = fresh.last_generation = persisted->last_generation + 1;
      fresh.revision = persisted->revision + 1;
      fresh.last_ticket = persisted->last_ticket;
      fresh.baseline->revision = fresh.revision;
    }
    governor_turn turn(config, std::move(fresh), now);
    turn.on_first_start(actual);
    return std::move(turn).finish();
  }
  if (persisted->last_now > now) rebase(*persisted, now);
  take_limits(*persisted, config, now);
  persisted->stopping = false;
  persisted->last_window = now;
  restart_comparison(persisted->regression);
  governor_turn turn(config, std::move(*persisted), now);
  turn.on_recovered_state(actual);
  return std::move(turn).finish();
}

void governor_turn::on_first_start(const std::optional<knob_values>& actual) {
  audit_record& r = record(audit_kind::started);
  r.after = state_.live;
  r.text = "first start, baseline default";
  effects_.persist = true;
  announce_live();
  if (!actual) {
    state_.live_known = false;
    return freeze(safe_mode_reason::actuator_failing, now_ + config_.safe_mode.cooldown, "the plant does not report its values");
  }
  if (!is_as_wanted(*actual, state_.live)) adopt_drift(*actual);
}

void governor_turn::on_recovered_state(const std::optional<knob_values>& actual) {
  record(audit_kind::started).text = state_.pending ? "restart with a change in flight" : "restart";
  effects_.persist = true;
  announce_live();
  if (!actual) {
    if (state_.pending) abort({.code = violation_code::actuator_failed, .knob = {}, .value = 0, .limit = 0, .retry_at = {}}, "outcome unknown after restart");
    state_.live_known = false;
    effects_.verdict.reset();
    return freeze(safe_mode_reason::actuator_failing, now_ + config_.safe_mode.cooldown, "the plant does not report its values");
  }
  if (state_.pending) {
    if (is_as_wanted(*actual, state_.pending->wanted)) {
      commit(*actual, "found in force after restart");
    } else if (is_as_wanted(*actual, state_.live)) {
      abort({.code = violation_code::actuator_failed, .knob = {}, .value = 0, .limit = 0, .retry_at = {}}, "found not in force after restart");
    } else {
      abort({.code = violation_code::actuator_failed, .knob = {}, .value = 0, .limit = 0, .retry_at = {}}, "other values found after restart");
      adopt_drift(*actual);
    }
    effects_.verdict.reset(); // nobody waits for it any more
  } else if (!is_as_wanted(*actual, state_.live)) {
    adopt_drift(*actual);
  }
  state_.live_known = true;
  // A probe that outlived its proposer says nothing: back to the base point.
  if (state_.live != state_.base) request_restore(wanted_restore::base_point, "homeostat", "restart while probing");
}

void governor_turn::adopt_drift(const knob_values& actual) {
  const bool sane = !review_values(actual);
  audit_record& r = record(audit_kind::drift);
  r.classification = change_class::drift_capture;
  r.before = state_.live;
  r.after = actual;
  if (!sane) {
    // Somebody set what the bounds forbid. Never silently reverted, never built upon: a person decides.
    r.text = "live values outside the bounds; frozen until an operator decides";
    freeze(safe_mode_reason::manual, std::nullopt, "live values outside the bounds");
    return;
  }
  r.generation = ++state_.last_generation;
  r.revision = ++state_.revision;
  r.text = "live values adopted; requires review";
  state_.generation = state_.last_generation;
  record_move(state_.movement, displacements(state_.base, actual), config_.limits, now_);
  state_.live = state_.base = actual;
  restart_comparison(state_.regression);
  state_.base_judged = false;
  announce_live();
}

} // namespace homeostat
