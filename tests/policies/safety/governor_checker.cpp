#include "tests/policies/safety/governor_checker.hpp"

#include <cmath>
#include <utility>

namespace homeostat {

namespace {

constexpr double slack = 1e-8; // what sums of doubles may be off

double place(const knob_spec& k, double v) {
  return k.scale == knob_scale::log ? (std::log(v) - std::log(k.min)) / (std::log(k.max) - std::log(k.min))
                                    : (v - k.min) / (k.max - k.min);
}

double way_of(const knob_spec& k, double from, double to) {
  if (k.type == knob_type::boolean || k.type == knob_type::categorical)
    return from == to ? 0 : std::copysign(0.25, to - from);
  if (k.scale == knob_scale::log && (from <= 0 || to <= 0)) return from == to ? 0 : std::copysign(1e6, to - from);
  double d = place(k, to) - place(k, from);
  if (k.scale == knob_scale::periodic) d -= std::round(d); // the shorter way round
  return d;
}

bool can_take(const knob_spec& k, double v) {
  if (!(v >= k.min && v <= k.max)) return false;
  if (k.type != knob_type::continuous && v != std::floor(v)) return false;
  if (!k.step) return true;
  const double n = (v - k.min) / *k.step;
  return std::abs(n - std::round(n)) < 1e-5;
}

bool is_proposals(const audit_record& r) {
  return r.classification != change_class::operator_change && r.classification != change_class::rollback;
}
bool is_look(const audit_record& r) {
  return r.change == proposal_kind::apply_plus || r.change == proposal_kind::apply_minus;
}
double seconds_between(instant from, instant to) { return static_cast<double>((to - from).count()) / 1e6; }

} // namespace

governor_checker::governor_checker(governor_config config) : config_(std::move(config)) {
  for (const knob_spec& k : config_.knobs) base_.push_back(k.initial);
  live_ = baseline_ = base_;
}

void governor_checker::expect(bool holds, const std::string& what) {
  if (!holds && complaints_.size() < 20) complaints_.push_back(what);
}

bool governor_checker::in_bounds(const knob_values& values) const {
  if (values.size() != config_.knobs.size()) return false;
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!can_take(config_.knobs[i], values[i])) return false;
  return true;
}

std::vector<double> governor_checker::way(const knob_values& from, const knob_values& to) const {
  std::vector<double> by;
  for (std::size_t i = 0; i < config_.knobs.size(); ++i) by.push_back(way_of(config_.knobs[i], from[i], to[i]));
  return by;
}

void governor_checker::watch(const governor_input* input, const governor_state& before, const governor_step& step,
                             instant now) {
  if (input) expect(step.state.last_now >= before.last_now, "time ran backwards");
  now_ = input ? std::max(now_, now) : now;
  for (const audit_record& r : step.effects.records) {
    expect(r.time == now_, "a record of another time");
    take(r, step.state.stopping);
  }
  if (step.effects.apply) check_application(*step.effects.apply);
  if (step.effects.verdict)
    expect(step.effects.verdict->accepted.has_value() != step.effects.verdict->refused.has_value(),
           "a verdict that is none");
  if (step.effects.live) {
    const live_configuration& l = *step.effects.live;
    expect(l.generation == step.state.generation && l.values == step.state.live && l.base == step.state.base,
           "an announcement of something else");
    expect(l.frozen == !reasons_.empty(), "an announcement that hides safe mode");
  }
  if (input && std::holds_alternative<proposal>(*input) && step.effects.verdict) check_refusal(before, step.state);
  check_state(step.state);
}

// ---- records
// -------------------------------------------------------------------------------------------------------------

void governor_checker::take(const audit_record& r, bool stopping) {
  switch (r.kind) {
  case audit_kind::intent: return take_intent(r);
  case audit_kind::committed:
  case audit_kind::aborted: return take_outcome(r, stopping);
  case audit_kind::safe_mode_entered: expect(reasons_.insert(r.source).second, r.source + " entered twice"); return;
  case audit_kind::safe_mode_left:
    expect(reasons_.erase(r.source) == 1, r.source + " left without having been entered");
    return;
  case audit_kind::baseline_set:
    expect(in_bounds(r.after), "a baseline out of bounds");
    baseline_ = r.after;
    return;
  case audit_kind::drift:
    take_drift(r);
    last_drift_ = now_;
    return;
  default: return;
  }
}

void governor_checker::take_drift(const audit_record& r) {
  knob_values base = r.after;
  for (std::size_t i = 0; i < base.size(); ++i) {
    const knob_spec& k = config_.knobs[i];
    const double rounding = k.step ? std::min(1e-4, 0.25 * smallest_move(k, live_[i])) : 1e-4;
    const bool same = r.after[i] == live_[i] ||
                      (k.type == knob_type::continuous && std::abs(displacement(k, live_[i], r.after[i])) <= rounding);
    if (same) base[i] = base_[i]; // where a probe is still in force the base point stays
  }
  moves_[r.generation] = {now_, way(base_, base)};
  live_ = r.after;
  base_ = base;
}

void governor_checker::take_intent(const audit_record& r) {
  expect(!intents_.contains(r.generation) || !intents_[r.generation].durable, "I2: a second intent for one generation");
  expect(r.before == live_, "an intent that starts from other values");
  const bool overridden =
      r.classification == change_class::operator_change && r.evidence.starts_with("bounds overridden by a person");
  expect(overridden || in_bounds(r.after), "I1: out of bounds: " + r.source);
  if (r.source == "rollback to baseline") expect(r.after == baseline_, "I5: a rollback to something else");
  if (r.source == "undo" || r.source == "return to base point") expect(r.after == base_, "a return to something else");
  if (r.classification == change_class::operator_change)
    expect(r.actor == "alice", "an operator's change without the operator");
  if (is_proposals(r)) check_proposal(r);
  intents_[r.generation] = {.record = r, .durable = false};
}

void governor_checker::take_outcome(const audit_record& r, bool stopping) {
  expect(intents_.contains(r.generation), "an outcome without an intent");
  const audit_record& i = intents_[r.generation].record;
  expect(r.classification == i.classification && r.actor == i.actor && r.change == i.change,
         "an outcome of something else");
  const bool touched =
      r.kind == audit_kind::committed || (r.reason && r.reason->code == violation_code::actuator_failed);
  if (touched) touches_[r.generation] = {.at = now_, .proposal = is_proposals(i), .probe = is_look(i)};
  if (r.kind == audit_kind::aborted) return;
  live_ = i.after;
  if (i.source == "undo" || i.source == "return to base point" || is_look(i)) return;
  if (base_ != i.after) moves_[r.generation] = {now_, way(base_, i.after)};
  base_ = i.after;
  if (i.source != "rollback to baseline") return;
  last_rollback_ = now_;
  if (i.actor != "homeostat" || stopping) return;
  rollbacks_[r.generation] = now_;
  std::uint32_t in_hour = 0;
  for (const auto& [generation, at] : rollbacks_) in_hour += seconds_between(at, now_) < 3600 ? 1U : 0U;
  expect(in_hour <= config_.rollback.max_rollbacks_per_hour, "I5: too many rollbacks in an hour");
}

// ---- guardrails of proposals (I3, I4)
// ------------------------------------------------------------------------------------

void governor_checker::check_proposal(const audit_record& r) {
  expect(reasons_.empty(), "I4: a proposal accepted in safe mode");
  expect(in_bounds(base_), "a proposal accepted from beyond the bounds");
  const std::vector<double> by = way(base_, r.after);
  for (std::size_t i = 0; i < by.size(); ++i) {
    const knob_spec& k = config_.knobs[i];
    if (k.type == knob_type::boolean || k.type == knob_type::categorical) continue;
    if (k.step_limit) {
      double units = r.after[i] - base_[i];
      if (k.scale == knob_scale::periodic) units = by[i] * (k.max - k.min);
      const double limit = units > 0 ? k.step_limit->up : k.step_limit->down;
      expect(std::abs(units) <= limit * (1 + 1e-6) + slack * (k.max - k.min),
             "I3: delta beyond the unit limit of " + k.name);
    } else {
      expect(std::abs(by[i]) <= config_.limits.max_delta_per_step + slack, "I3: delta too large on " + k.name);
    }
    const double before = std::abs(way_of(k, baseline_[i], base_[i]));
    const double after = std::abs(way_of(k, baseline_[i], r.after[i]));
    expect(is_look(r) || after <= config_.limits.max_baseline_distance + slack || after <= before + slack,
           "I3: too far from the baseline");
  }
  check_pace(r);
  if (!is_look(r)) check_movement(by);
}

int governor_checker::touches_within(double seconds, bool probes_only) const {
  int count = 0;
  for (const auto& [generation, t] : touches_)
    if (t.proposal && (!probes_only || t.probe) && seconds_between(t.at, now_) < seconds - 1e-9) ++count;
  return count;
}

void governor_checker::check_pace(const audit_record& r) {
  const auto within_rate = [&](double rate, bool probes_only) {
    const double n = std::max(1.0, std::floor(rate));
    return touches_within(n / rate, probes_only) + 1 <= static_cast<int>(n);
  };
  expect(within_rate(config_.limits.max_updates_per_second, false), "I3: too many updates");
  if (is_look(r))
    expect(within_rate(config_.limits.max_updates_per_second * config_.limits.probe_share, true),
           "I3: too many probes");
  const double interval = seconds_of(config_.limits.min_interval);
  for (const auto& [generation, t] : touches_)
    expect(seconds_between(t.at, now_) >= interval, "I3: too soon after a change");
  if (last_drift_) expect(seconds_between(*last_drift_, now_) >= interval, "I3: too soon after drift");
  if (last_rollback_)
    expect(seconds_between(*last_rollback_, now_) >= seconds_of(config_.rollback.min_stable_time),
           "too soon after a rollback");
}

void governor_checker::check_movement(const std::vector<double>& by) {
  for (std::size_t i = 0; i < by.size(); ++i) {
    if (by[i] == 0) continue;
    double sum = std::abs(by[i]);
    int direction = 0;
    std::uint32_t flips = 0;
    const auto direction_of = [&](double d) {
      return std::abs(d) <= config_.limits.flip_deadband + slack ? 0 : (d > 0 ? 1 : -1);
    };
    for (const auto& [generation, m] : moves_) {
      const bool recent = seconds_between(m.at, now_) < 60;
      if (recent) sum += std::abs(m.by[i]);
      const int d = direction_of(m.by[i]);
      if (d != 0 && direction != 0 && d != direction && recent) ++flips;
      if (d != 0) direction = d;
    }
    expect(sum <= config_.limits.max_cumulative_delta_per_minute + slack,
           "I3: sum of a minute exceeded on " + config_.knobs[i].name);
    const int d = direction_of(by[i]);
    if (d != 0 && direction != 0 && d != direction)
      expect(flips + 1 <= config_.limits.direction_flip_limit, "too many flips");
  }
}

// ---- effects and state
// ---------------------------------------------------------------------------------------------------

void governor_checker::check_application(const actuation& a) {
  expect(intents_.contains(a.generation), "I2: applied without an intent");
  const intent& i = intents_[a.generation];
  expect(i.durable, "I2: applied before the intent was durable");
  expect(a.values == i.record.after, "applied something else than intended");
  expect(a.values.size() == config_.knobs.size(), "I3: only a part of the knobs applied");
  expect(a.generation > last_applied_, "I2: generations do not increase");
  if (is_proposals(i.record)) expect(reasons_.empty(), "I4: a proposal applied in safe mode");
  last_applied_ = a.generation;
}

void governor_checker::check_state(const governor_state& s) {
  expect(s == s, "NaN in the state");
  expect(s.baseline.has_value() && s.baseline->values == baseline_ && in_bounds(baseline_),
         "I5: no baseline, or another");
  expect(s.live == live_ && s.base == base_, "the audit does not explain the live values");
  expect(is_frozen(s.safe_mode) == !reasons_.empty(), "the audit does not explain safe mode");
  expect(in_bounds(s.base) || reasons_.contains("Manual"), "beyond the bounds without a person");
  expect(s.generation <= s.last_generation, "a generation that was never given");
  for (const knob_movement& m : s.movement)
    expect(m.totals.size() <= 62 && m.flips.size() <= config_.limits.direction_flip_limit + 1, "I12: history grows");
  for (const rate_window* w :
       {&s.updates, &s.probes, &s.rollbacks, &s.hostile, &s.cumulative, &s.actuator_failures, &s.recorded_refusals})
    expect(w->accepted.size() <= w->count, "I12: a window grows");
}

void governor_checker::check_refusal(const governor_state& before, const governor_state& after) {
  governor_state same = after;
  same.hostile = before.hostile;
  same.cumulative = before.cumulative;
  same.recorded_refusals = before.recorded_refusals;
  same.unrecorded_refusals = before.unrecorded_refusals;
  same.last_now = before.last_now;
  if (same.safe_mode != before.safe_mode) { // its timers ran, and what they set off
    same.safe_mode = before.safe_mode;
    same.regression = before.regression;
    same.pending = before.pending;
    same.restore = before.restore;
    same.restore_actor = before.restore_actor;
    same.restore_reason = before.restore_reason;
    same.last_generation = before.last_generation;
    same.last_ticket = before.last_ticket;
  }
  expect(same == before, "a refused proposal changed something");
}

// ---- durability
// ----------------------------------------------------------------------------------------------------------

void governor_checker::durable(const std::vector<audit_record>& records) {
  for (const audit_record& r : records) {
    if (r.kind != audit_kind::intent && r.kind != audit_kind::drift) continue;
    expect(r.generation > last_durable_, "I2: generations in the log do not increase");
    last_durable_ = r.generation;
    if (r.kind == audit_kind::intent) intents_[r.generation].durable = true;
  }
}

void governor_checker::crashed(duration clock_set_back) {
  for (auto& [generation, i] : intents_) i.durable = true;
  for (auto& [generation, m] : moves_) m.at -= clock_set_back;
  for (auto& [generation, t] : touches_) t.at -= clock_set_back;
  for (auto& [generation, at] : rollbacks_) at -= clock_set_back;
  for (std::optional<instant>* at : {&last_rollback_, &last_drift_})
    if (*at) **at -= clock_set_back;
}

} // namespace homeostat
