// Starting from what survived: never from a guess (design §3, I9).
#include "policies/safety/governor_turn.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace homeostat {

namespace {

void shift(rate_window& w, duration by) {
  for (instant& at : w.accepted) at += by;
}

/// The wall clock was set back while nobody looked: every stored time moves so that what was left to wait is still
/// left.
void rebase(governor_state& s, instant now) {
  const duration by = now - s.last_now;
  for (rate_window* w :
       {&s.updates, &s.probes, &s.rollbacks, &s.hostile, &s.cumulative, &s.actuator_failures, &s.recorded_refusals})
    shift(*w, by);
  for (knob_movement& m : s.movement) {
    for (auto& total : m.totals) total.second += std::chrono::floor<std::chrono::seconds>(by).count() + 1;
    for (instant& at : m.flips) at += by;
  }
  for (std::optional<instant>* at : {&s.last_change, &s.stable_until})
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
  return s.origin == config.origin && s.live.size() == n && s.base.size() == n &&
         (!s.baseline || s.baseline->values.size() == n) && (!s.pending || s.pending->wanted.size() == n);
}

/// The knob set changed, or what the plant starts from: values cannot carry over, but numbers must never come twice
/// (I2), and neither a frozen loop nor a used-up budget is set free by it (I10).
governor_state with_other_values(const governor_config& config, governor_state old, instant now) {
  governor_state s = fresh_state(config, now);
  s.generation = s.last_generation = old.last_generation + 1;
  s.revision = old.revision + 1;
  s.last_ticket = old.last_ticket;
  s.baseline->revision = s.revision;
  s.last_change = old.last_change;
  s.stable_until = old.stable_until;
  s.safe_mode = old.safe_mode;
  s.updates = std::move(old.updates);
  s.probes = std::move(old.probes);
  s.rollbacks = std::move(old.rollbacks);
  s.hostile = std::move(old.hostile);
  s.cumulative = std::move(old.cumulative);
  s.actuator_failures = std::move(old.actuator_failures);
  s.recorded_refusals = std::move(old.recorded_refusals);
  s.unrecorded_refusals = old.unrecorded_refusals;
  s.last_now = old.last_now;
  s.pending = std::move(old.pending); // only to be recorded as aborted
  return s;
}

violation not_in_force() {
  return {.code = violation_code::actuator_failed, .knob = {}, .value = 0, .limit = 0, .retry_at = {}};
}

} // namespace

governor_step recover(const governor_config& config, std::optional<governor_state> persisted,
                      const std::optional<knob_values>& actual, instant now) {
  if (!persisted) {
    governor_turn turn(config, fresh_state(config, now), now);
    turn.on_first_start(actual, "first start, baseline default");
    return std::move(turn).finish();
  }
  const bool usable = fits(*persisted, config);
  governor_state state = usable ? std::move(*persisted) : with_other_values(config, std::move(*persisted), now);
  if (state.last_now > now) rebase(state, now);
  take_limits(state, config, now);
  state.stopping = false;
  state.last_window = now;
  state.last_reading = now;
  restart_comparison(state.regression);
  governor_turn turn(config, std::move(state), now);
  if (usable)
    turn.on_recovered_state(actual);
  else
    turn.on_first_start(actual, "start with another configuration, baseline default");
  return std::move(turn).finish();
}

bool governor_turn::is_reading(const std::optional<knob_values>& actual) const {
  return actual && actual->size() == config_.knobs.size() &&
         std::ranges::all_of(*actual, [](double value) { return std::isfinite(value); });
}

void governor_turn::on_first_start(const std::optional<knob_values>& actual, std::string text) {
  audit_record& r = record(audit_kind::started);
  r.after = state_.live;
  r.text = std::move(text);
  effects_.persist = true;
  if (state_.pending) {
    abort(not_in_force(), "the configuration changed while it was in flight");
    state_.restore = wanted_restore::none;
    effects_.verdict.reset();
  }
  announce_live();
  if (!is_reading(actual)) {
    state_.live_known = false;
    state_.unread = true;
    return freeze(safe_mode_reason::actuator_failing, now_ + config_.safe_mode.cooldown,
                  "the plant does not report its values");
  }
  if (!is_as_wanted(*actual, state_.live)) adopt_drift(*actual);
}

void governor_turn::on_recovered_state(const std::optional<knob_values>& actual) {
  record(audit_kind::started).text = state_.pending ? "restart with a change in flight" : "restart";
  effects_.persist = true;
  if (state_.baseline && review_values(state_.baseline->values)) {
    // The bounds were made narrower: going back to what they now forbid is no rollback (I1).
    state_.baseline =
        tested_baseline{.name = "default", .revision = state_.revision, .values = initial_values(config_.knobs)};
    audit_record& r = record(audit_kind::baseline_set);
    r.after = state_.baseline->values;
    r.text = "default; the baseline before lies outside the bounds of today";
  }
  if (!is_reading(actual)) {
    announce_live();
    if (state_.pending) {
      count_against_rate(*state_.pending);
      abort(not_in_force(), "outcome unknown after restart");
    }
    state_.live_known = false;
    effects_.verdict.reset();
    return freeze(safe_mode_reason::actuator_failing, now_ + config_.safe_mode.cooldown,
                  "the plant does not report its values");
  }
  end_unread();
  state_.live_known = true;
  if (state_.pending)
    settle_pending(*actual);
  else if (!is_as_wanted(*actual, state_.live))
    adopt_drift(*actual);
  effects_.verdict.reset(); // nobody waits for it any more
  hold_if_out_of_bounds();
  // A probe that outlived its proposer says nothing: back to the base point.
  if (state_.live_known && state_.live != state_.base)
    request_restore(wanted_restore::base_point, "homeostat", "restart while probing");
  // Nobody watched until now: what was measured before is not known to belong to these values.
  announce_live();
  effects_.live->applied_at = now_;
}

void governor_turn::end_unread() {
  if (std::exchange(state_.unread, false)) thaw(safe_mode_reason::actuator_failing, safe_mode_exit::cause_gone);
}

void governor_turn::on(const plant_reading& r) {
  if (state_.pending || !is_reading(r.values)) return; // the timer asks again
  if (!state_.unread) {
    if (config_.drift_check > 0us && state_.live_known && !state_.stopping && !is_as_wanted(*r.values, state_.live))
      adopt_drift(*r.values);
    return;
  }
  end_unread();
  state_.live_known = true;
  state_.last_change = now_; // what was measured before belongs to no known values
  effects_.persist = true;
  announce_live();
  if (!is_as_wanted(*r.values, state_.live)) adopt_drift(*r.values);
}

void governor_turn::settle_pending(const knob_values& actual) {
  count_against_rate(*state_.pending);
  if (is_as_wanted(actual, state_.pending->wanted)) return commit(actual, "found in force after restart");
  if (is_as_wanted(actual, state_.live)) return abort(not_in_force(), "found not in force after restart");
  if (is_half_done(actual)) {
    // Ours, and never meant: the rest of the turn puts all knobs back.
    abort(not_in_force(), "found half done after restart");
    state_.live_known = false;
    return;
  }
  abort(not_in_force(), "other values found after restart");
  adopt_drift(actual);
}

bool governor_turn::is_half_done(const knob_values& actual) const {
  for (std::size_t i = 0; i < actual.size(); ++i)
    if (!is_as_wanted(i, actual[i], state_.pending->wanted[i]) && !is_as_wanted(i, actual[i], state_.live[i]))
      return false;
  return true;
}

knob_values governor_turn::as_admissible(knob_values actual) const {
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const knob_spec& knob = config_.knobs[i];
    if (is_admissible(knob, actual[i])) continue;
    const double place = position_of(knob, actual[i]);
    const double nearest = place <= 0 ? knob.min : place >= 1 ? knob.max : value_at(knob, place);
    const bool near = std::abs(place - position_of(knob, nearest)) < 0.5; // not a whole turn away
    if (near && is_as_wanted(i, actual[i], nearest)) actual[i] = nearest;
  }
  return actual;
}

void governor_turn::adopt_drift(const knob_values& read_back) {
  const knob_values actual = as_admissible(read_back);
  audit_record& r = record(audit_kind::drift);
  r.classification = change_class::drift_capture;
  r.before = state_.live;
  r.after = actual;
  r.generation = ++state_.last_generation;
  r.revision = ++state_.revision;
  r.text = "live values adopted; break-glass, requires-review";
  state_.generation = state_.last_generation;
  // Where a probe is still in force nobody has meddled: there the base point stays.
  knob_values base = actual;
  for (std::size_t i = 0; i < base.size(); ++i)
    if (is_as_wanted(i, actual[i], state_.live[i])) base[i] = state_.base[i];
  record_move(state_.movement, displacements(state_.base, base), config_.limits, now_);
  if (state_.drifts.size() >= max_captured_drifts) state_.drifts.erase(state_.drifts.begin());
  state_.drifts.push_back({.revision = state_.revision, .found_at = now_, .desired = state_.base, .found = base});
  state_.live = actual;
  state_.base = base;
  effects_.persist = true;
  state_.last_change = now_;
  restart_comparison(state_.regression);
  state_.base_judged = false;
  announce_live();
  if (state_.live != state_.base) request_restore(wanted_restore::base_point, "homeostat", "drift found while probing");
  hold_if_out_of_bounds(); // never built upon: a person decides
}

} // namespace homeostat
