#include "policies/safety/governor.hpp"

#include "policies/number_text.hpp"
#include "policies/safety/governor_turn.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace homeostat {

namespace {

// Refusals beyond this are counted and summed up in the next record: a flood of proposals must not become a flood of
// fsyncs.
constexpr double recorded_refusals_per_second = 20;
// An actuator that fails this often in a minute is given up on, although every failure could be undone.
constexpr std::uint32_t actuator_failure_limit = 3;
// Windows a resting base point needs before it is judged without waiting for the next move.
constexpr std::uint32_t judge_after = 4;

// A number whose square overflows would make the noise infinite, and then nothing would ever count as a regression
// (I10).
bool is_sane(double objective) { return std::isfinite(objective) && std::abs(objective) < 1e150; }

bool is_sane(const objective_window& w) { return is_sane(w.mean) && is_sane(w.constraint_margin.value_or(0)); }

rate_window per_minute(std::uint32_t count) { return {.count = count, .span = 60s, .accepted = {}}; }

} // namespace

governor_state fresh_state(const governor_config& config, instant now) {
  governor_state s;
  s.generation = s.last_generation = 1;
  s.revision = 1;
  s.live = s.base = initial_values(config.knobs);
  s.baseline = tested_baseline{.name = "default", .revision = 1, .values = s.base};
  s.updates = rate_window_of(config.limits.max_updates_per_second);
  s.probes = rate_window_of(std::max(1e-6, config.limits.max_updates_per_second * config.limits.probe_share));
  s.movement.resize(config.knobs.size());
  s.rollbacks = {.count = config.rollback.max_rollbacks_per_hour, .span = 3600s, .accepted = {}};
  s.hostile = per_minute(config.safe_mode.repeated_violation_limit);
  s.cumulative = per_minute(config.safe_mode.repeated_cumulative_limit);
  s.actuator_failures = per_minute(actuator_failure_limit);
  s.recorded_refusals = rate_window_of(recorded_refusals_per_second);
  s.last_window = now;
  s.last_reading = now;
  s.last_now = now;
  s.origin = config.origin;
  return s;
}

governor_step decide(const governor_config& config, governor_state state, const governor_input& input, instant now) {
  governor_turn turn(config, std::move(state), now);
  std::visit([&](const auto& value) { turn.on(value); }, input);
  return std::move(turn).finish();
}

governor_turn::governor_turn(const governor_config& config, governor_state state, instant now)
    : config_(config), state_(std::move(state)), now_(std::max(now, state_.last_now)) {
  state_.last_now = now_;
}

audit_record& governor_turn::record(audit_kind kind) {
  audit_record& r = effects_.records.emplace_back();
  r.time = now_;
  r.kind = kind;
  r.generation = state_.generation;
  r.revision = state_.revision;
  r.actor = "homeostat";
  r.source = "governor";
  return r;
}

// ---- safe mode
// -----------------------------------------------------------------------------------------------------------

void governor_turn::freeze(safe_mode_reason reason, std::optional<instant> until, std::string text) {
  const safe_mode_state before = state_.safe_mode;
  if (!enter(state_.safe_mode, reason, now_, until, state_.last_objective)) {
    // A longer timer must survive a crash; in a flood of refusals it goes along with those that are recorded.
    if (state_.safe_mode != before && (effects_.persist || !effects_.records.empty() || !effects_.verdict))
      effects_.persist = true;
    return;
  }
  audit_record& r = record(audit_kind::safe_mode_entered);
  r.classification = change_class::rollback;
  r.source = name_of(reason);
  r.text = std::move(text);
  effects_.persist = true;
  announce_live();
}

void governor_turn::thaw(safe_mode_reason reason, safe_mode_exit exit) {
  if (reason == safe_mode_reason::actuator_failing && state_.unread) {
    // Only a reading ends this. Asked for now, and again after the next cooldown.
    auto& hold = state_.safe_mode.holds[static_cast<std::size_t>(reason)];
    if (hold) hold->until = now_ + config_.safe_mode.cooldown;
    effects_.read_plant = !state_.pending && !state_.stopping;
    return;
  }
  if (!leave(state_.safe_mode, reason)) return;
  audit_record& r = record(audit_kind::safe_mode_left);
  r.source = name_of(reason);
  r.text = name_of(exit);
  effects_.persist = true;
  // Judge what comes after by what comes after: the run of regressions that froze the loop is history.
  if (reason == safe_mode_reason::objective_regression) {
    restart_comparison(state_.regression);
    state_.regression.since_improvement = 0;
  }
  announce_live();
}

void governor_turn::expire_timers() {
  if (is_reading_due()) {
    effects_.read_plant = true;
    state_.last_reading = now_;
  }
  for (const auto& hold : auto(state_.safe_mode.holds))
    if (hold && hold->until && now_ >= *hold->until) thaw(hold->reason, safe_mode_exit::cooldown);
  if (config_.watch_telemetry && state_.last_window &&
      now_ - *state_.last_window > config_.safe_mode.telemetry_timeout &&
      !holds(state_.safe_mode, safe_mode_reason::telemetry_lost))
    freeze(safe_mode_reason::telemetry_lost, std::nullopt,
           "no valid telemetry for " + number_text(seconds_of(now_ - *state_.last_window)) + " s");
}

// ---- telemetry
// -----------------------------------------------------------------------------------------------------------

void governor_turn::on(const objective_window& w) {
  if (w.generation != state_.generation || state_.pending || !is_sane(w))
    return; // I6; the sensor filters these already
  state_.last_window = now_;
  thaw(safe_mode_reason::telemetry_lost, safe_mode_exit::cause_gone);
  if (!state_.live_known) return; // the sensor is alive, but of which values it speaks nobody knows (I6)
  state_.last_objective = w.mean;
  if (is_frozen(state_.safe_mode)) {
    const safe_mode_state before = state_.safe_mode;
    if (!watch_recovery(state_.safe_mode, w.mean, config_.safe_mode)) return;
    state_.safe_mode.holds = before.holds; // thaw() ends them one by one, each with its record
    // A loop that has no rollback left must not move, however good it looks.
    const bool breaker = next_allowed(state_.rollbacks, now_).has_value();
    for (const auto& hold : before.holds)
      if (hold && ends_by_recovery(hold->reason) &&
          !(hold->reason == safe_mode_reason::objective_regression && breaker))
        thaw(hold->reason, safe_mode_exit::objective_recovery);
    return;
  }
  judge_regression(w);
}

void governor_turn::judge_regression(const objective_window& w) {
  regression_state& r = state_.regression;
  observe(r, w.mean);
  bool worse = w.constraint_margin && observe_constraint(r, *w.constraint_margin < 0, config_.regression);
  if (!state_.base_judged && r.reference &&
      r.current.windows >= std::max(judge_after, config_.regression.min_windows)) {
    const comparison result = judge_resting(r, config_.regression);
    worse = worse || result == comparison::worse;
    state_.base_judged = result == comparison::same || result == comparison::better;
  }
  if (worse) roll_back_for_regression();
}

void governor_turn::roll_back_for_regression() {
  const regression_state& r = state_.regression;
  const std::string seen = number_text(r.consecutive) + " regressions in a row, " + number_text(r.since_improvement) +
                           " since the last improvement";
  const bool too_many = r.since_improvement >= config_.limits.regression_count_limit;
  const bool roll_back =
      config_.rollback.on_regression && (too_many || r.consecutive >= config_.rollback.max_consecutive_regressions);
  const std::optional<instant> next_rollback = next_allowed(state_.rollbacks, now_);
  if (roll_back && !next_rollback) request_restore(wanted_restore::baseline, "homeostat", seen);
  if (too_many || (roll_back && next_rollback))
    freeze(safe_mode_reason::objective_regression,
           std::max(next_rollback.value_or(now_), now_ + config_.safe_mode.cooldown),
           seen + (roll_back && next_rollback ? "; all rollbacks of this hour are used" : ""));
}

// ---- people and supervisors
// ----------------------------------------------------------------------------------------------

void governor_turn::answer(bool ok, std::string text, bool later) {
  effects_.command = command_result{.ok = ok, .text = std::move(text), .later = later};
}

void governor_turn::on(const operator_command& c) {
  const auto note = [&](std::string text) {
    audit_record& r = record(audit_kind::operator_command);
    r.classification = change_class::operator_change;
    r.actor = c.actor;
    r.source = "operator";
    r.text = std::move(text) + (c.text.empty() ? "" : ": " + c.text);
    effects_.persist = true;
  };
  // Values beyond the bounds are a person's to end: no way out of safe mode leads past them.
  const std::optional<violation> out_of_bounds = review_values(state_.base);
  switch (c.action) {
  case operator_action::pause:
    note("pause");
    freeze(safe_mode_reason::manual, std::nullopt, "paused by " + c.actor);
    return answer(true, "paused: nothing but rollback and people change this loop now");
  case operator_action::resume:
    note("resume");
    if (!out_of_bounds) thaw(safe_mode_reason::manual, safe_mode_exit::operator_reset);
    if (out_of_bounds) return answer(false, describe(*out_of_bounds) + "; set values or roll back first");
    if (is_frozen(state_.safe_mode))
      return answer(false, "still in safe mode: " + reasons_of(state_.safe_mode) + "; see safe-mode reset");
    return answer(true, "running");
  case operator_action::reset_safe_mode:
    note("safe-mode reset");
    for (const auto& hold : auto(state_.safe_mode.holds))
      if (hold && !(out_of_bounds && hold->reason == safe_mode_reason::manual))
        thaw(hold->reason, safe_mode_exit::operator_reset);
    state_.regression.since_improvement = 0;
    state_.last_window = now_;
    if (out_of_bounds) return answer(false, describe(*out_of_bounds) + "; set values or roll back first");
    if (state_.unread) return answer(false, "still in safe mode until the plant reports its values; reading them now");
    return answer(true, "safe mode left");
  case operator_action::rollback:
    if (!state_.baseline) return answer(false, "NoBaseline: there is nothing to roll back to");
    if (state_.stopping) return answer(false, "the loop is stopping");
    if (c.actor == "homeostat" && next_allowed(state_.rollbacks, now_)) // the cap is on those nobody decided (I5)
      return answer(false, "all rollbacks of this hour are used");
    note("rollback to baseline " + state_.baseline->name);
    request_restore(wanted_restore::baseline, c.actor, c.text.empty() ? "operator rollback" : c.text);
    return answer(true, "rolling back to baseline " + state_.baseline->name);
  case operator_action::set_baseline: return set_baseline(c);
  case operator_action::set_values: return set_values(c);
  case operator_action::accept_drift:
  case operator_action::revert_drift: break;
  }
  const auto drift = std::ranges::find(state_.drifts, c.revision, &captured_drift::revision);
  if (drift == state_.drifts.end())
    return answer(false, "no drift of revision " + std::to_string(c.revision) + " waits for a review");
  if (c.action == operator_action::accept_drift) {
    note("drift of revision " + std::to_string(c.revision) + " accepted");
    state_.drifts.erase(drift);
    return answer(true, "accepted: the values found are the desired ones");
  }
  // The mark goes once the values are back (commit).
  operator_command back = c;
  back.revision = 0;
  back.values = state_.base;
  for (std::size_t i = 0; i < back.values.size(); ++i)
    if (drift->desired[i] != drift->found[i]) back.values[i] = drift->desired[i];
  back.text = "drift of revision " + std::to_string(c.revision) + " reverted" + (c.text.empty() ? "" : ": " + c.text);
  set_values(back);
}

void governor_turn::set_baseline(const operator_command& c) {
  if (is_frozen(state_.safe_mode) || state_.regression.consecutive > 0 || state_.pending || !state_.live_known ||
      state_.restore != wanted_restore::none || state_.stopping)
    return answer(false,
                  "a baseline is set from a healthy, resting loop: no safe mode, no change in flight, no regression");
  if (auto v = review_values(state_.base)) return answer(false, describe(*v));
  state_.baseline =
      tested_baseline{.name = c.text.empty() ? "operator" : c.text, .revision = state_.revision, .values = state_.base};
  audit_record& r = record(audit_kind::baseline_set);
  r.actor = c.actor;
  r.source = "operator";
  r.classification = change_class::operator_change;
  r.after = state_.base;
  r.text = state_.baseline->name;
  effects_.persist = true;
  announce_live();
  answer(true, "baseline " + state_.baseline->name + " is revision " + std::to_string(state_.revision));
}

void governor_turn::set_values(const operator_command& c) {
  if (state_.pending) return answer(false, "a change is in flight; try again", true);
  if (state_.stopping) return answer(false, "the loop is stopping");
  if (c.revision != 0 && c.revision != state_.revision)
    return answer(false,
                  "StaleRevision: the loop is at revision " + std::to_string(state_.revision) + ", meant was " +
                      std::to_string(c.revision),
                  true);
  if (c.actor == "homeostat" && is_frozen(state_.safe_mode))
    return answer(false, "in safe mode nothing but people and rollbacks change a value");
  const std::optional<violation> v = review_values(c.values);
  const bool overridden = v && v->code == violation_code::out_of_bounds && c.override_bounds && may_override(c.values);
  if (v && !overridden) return answer(false, describe(*v));
  pending_change change;
  change.origin = change_origin::operator_change;
  change.classification = change_class::operator_change;
  change.wanted = c.values;
  change.actor = c.actor;
  change.reason = c.text;
  begin_change(std::move(change), "operator", overridden ? "bounds overridden by a person: " + c.text : c.text);
  answer(true, "applying");
}

void governor_turn::hold_if_out_of_bounds() {
  if (auto v = review_values(state_.base))
    freeze(safe_mode_reason::manual, std::nullopt, describe(*v) + "; frozen until a person sets values or rolls back");
}

void governor_turn::on(const give_up& g) {
  request_restore(wanted_restore::base_point, "homeostat", g.text);
  freeze(safe_mode_reason::restart_intensity, std::nullopt, g.text);
}

void governor_turn::on(const stop_request& s) {
  state_.stopping = true;
  // Nobody waits for a cooldown now: what may have come back meanwhile gets one more chance to put the plant at rest.
  thaw(safe_mode_reason::audit_unavailable, safe_mode_exit::operator_reset);
  thaw(safe_mode_reason::actuator_failing, safe_mode_exit::operator_reset); // but a plant never read is not written to
  if (s.revert && state_.baseline)
    request_restore(wanted_restore::baseline, "homeostat", "shutdown, on_exit: revert");
  else if (state_.live != state_.base)
    request_restore(wanted_restore::base_point, "homeostat", "shutdown");
}

// ---- the end of every turn
// -----------------------------------------------------------------------------------------------

void governor_turn::announce_live() {
  effects_.live = live_configuration{.generation = state_.generation,
                                     .revision = state_.revision,
                                     .applied_at = state_.last_change.value_or(now_),
                                     .values = state_.live,
                                     .base = state_.base,
                                     .frozen = is_frozen(state_.safe_mode),
                                     .baseline = state_.baseline ? state_.baseline->values : knob_values{}};
}

bool governor_turn::is_reading_due() const {
  return config_.drift_check > 0us && !state_.pending && !state_.stopping && state_.live_known && state_.last_reading &&
         now_ - *state_.last_reading >= config_.drift_check;
}

std::optional<instant> governor_turn::next_look() const {
  std::optional<instant> look;
  const auto consider = [&](instant at) { look = look ? std::min(*look, at) : at; };
  // While nothing can be read there is nothing to wake up for: what ends that is a turn of its own.
  if (config_.drift_check > 0us && state_.last_reading && !state_.stopping && !state_.pending && state_.live_known)
    consider(std::max(*state_.last_reading + config_.drift_check, now_ + 1ms));
  for (const auto& hold : state_.safe_mode.holds)
    if (hold && hold->until) consider(*hold->until);
  if (config_.watch_telemetry && state_.last_window && !holds(state_.safe_mode, safe_mode_reason::telemetry_lost))
    consider(*state_.last_window + config_.safe_mode.telemetry_timeout + 1us);
  return look;
}

governor_step governor_turn::finish() && {
  expire_timers();
  begin_restore_if_due();
  effects_.look_again = next_look();
  const bool at_rest = !state_.pending && state_.restore == wanted_restore::none;
  // A loop whose audit or actuator is gone cannot be put in order by waiting: it stops as it is, and the audit says so.
  const bool stuck = !state_.pending && (holds(state_.safe_mode, safe_mode_reason::audit_unavailable) ||
                                         holds(state_.safe_mode, safe_mode_reason::actuator_failing));
  effects_.stopped = state_.stopping && (at_rest || stuck);
  if (effects_.stopped) {
    record(audit_kind::stopped).after = state_.live;
    effects_.persist = true;
  }
  return {.state = std::move(state_), .effects = std::move(effects_)};
}

} // namespace homeostat
