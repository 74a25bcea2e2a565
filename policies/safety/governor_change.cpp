// One change from intent to commit, and back when it does not come into force.
#include "policies/safety/governor_turn.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace homeostat {

namespace {

// Read-back may be rounded by the plant (a float, a unit conversion): this much of the range is still the same value.
constexpr double read_back_tolerance = 1e-4;

violation failure(violation_code code) { return {.code = code, .knob = {}, .value = 0, .limit = 0, .retry_at = {}}; }

} // namespace

std::vector<double> governor_turn::displacements(const knob_values& from, const knob_values& to) const {
  std::vector<double> moves(config_.knobs.size());
  for (std::size_t i = 0; i < moves.size(); ++i) moves[i] = displacement(config_.knobs[i], from[i], to[i]);
  return moves;
}

bool governor_turn::is_as_wanted(std::size_t i, double read_back, double wanted) const {
  const knob_spec& knob = config_.knobs[i];
  if (read_back == wanted) return true;
  if (knob.type != knob_type::continuous || !std::isfinite(read_back)) return false;
  // In the knob's scale: a tolerance in its unit would swallow the small values of a log scale.
  const double tolerance =
      knob.step ? std::min(read_back_tolerance, 0.25 * smallest_move(knob, wanted)) : read_back_tolerance;
  return std::abs(displacement(knob, wanted, read_back)) <= tolerance;
}

bool governor_turn::is_as_wanted(const knob_values& read_back, const knob_values& wanted) const {
  if (read_back.size() != wanted.size()) return false;
  for (std::size_t i = 0; i < wanted.size(); ++i)
    if (!is_as_wanted(i, read_back[i], wanted[i])) return false;
  return true;
}

void governor_turn::begin_change(pending_change change, std::string source, std::string evidence) {
  change.ticket = ++state_.last_ticket;
  change.generation = ++state_.last_generation;
  change.phase = change_phase::awaiting_audit;
  audit_record& r = record(audit_kind::intent);
  r.generation = change.generation;
  r.change = change.kind;
  r.classification = change.classification;
  r.source = std::move(source);
  r.actor = change.actor;
  r.evidence = std::move(evidence);
  r.before = state_.live;
  r.after = change.wanted;
  r.text = change.reason;
  effects_.durable_ticket = change.ticket;
  effects_.persist = true;
  state_.pending = std::move(change);
}

void governor_turn::on(const audit_answer& a) {
  if (!state_.pending || state_.pending->ticket != a.ticket || state_.pending->phase != change_phase::awaiting_audit)
    return;
  pending_change& change = *state_.pending;
  if (a.status == audit_status::durable) {
    // Safe mode may have come while the record was being written (I4).
    const bool automatic = change.origin == change_origin::operator_change && change.actor == "homeostat";
    if ((change.origin == change_origin::proposal || automatic) && (is_frozen(state_.safe_mode) || state_.stopping))
      return abort(failure(violation_code::in_safe_mode), "frozen before it was applied");
    change.phase = change_phase::awaiting_actuation;
    effects_.apply = actuation{.ticket = change.ticket, .generation = change.generation, .values = change.wanted};
    return;
  }
  if (change.origin == change_origin::proposal)
    effects_.verdict = proposal_verdict{.proposal_id = change.proposal_id,
                                        .accepted = std::nullopt,
                                        .refused = failure(violation_code::audit_queue_full)};
  // What could not be recorded is not applied; a return to safer values stays wanted until the audit takes it.
  if (change.origin == change_origin::rollback)
    request_restore(wanted_restore::baseline, std::move(change.actor), std::move(change.reason));
  else if (change.origin == change_origin::retreat || change.origin == change_origin::undo)
    request_restore(wanted_restore::base_point, std::move(change.actor), std::move(change.reason));
  state_.pending.reset();
  effects_.persist = true;
  const bool retry_needs_time = state_.restore != wanted_restore::none;
  if (a.status == audit_status::failed || retry_needs_time)
    freeze(safe_mode_reason::audit_unavailable, now_ + config_.safe_mode.cooldown, a.text);
}

void governor_turn::on(const actuation_answer& a) {
  if (!state_.pending || state_.pending->ticket != a.ticket ||
      state_.pending->phase != change_phase::awaiting_actuation)
    return;
  count_against_rate(*state_.pending);
  if (a.ok && is_as_wanted(a.read_back, state_.pending->wanted)) return commit(a.read_back, a.text);
  std::string text = a.ok ? "the values read back are not those asked for" : a.text;
  violation v = failure(violation_code::actuator_failed);
  if (a.ok)
    for (std::size_t i = 0; i < std::min(a.read_back.size(), config_.knobs.size()); ++i)
      if (!is_as_wanted(i, a.read_back[i], state_.pending->wanted[i])) {
        v.knob = config_.knobs[i].name, v.value = a.read_back[i], v.limit = state_.pending->wanted[i];
        break;
      }
  const bool was_undo = state_.pending->origin == change_origin::undo;
  // Nobody knows whether it reached the plant: the hour's rollbacks count what may have moved it (I10).
  if (!a.ok && state_.pending->origin == change_origin::rollback && state_.pending->actor == "homeostat" &&
      state_.live_known && !state_.stopping)
    accept(state_.rollbacks, now_);
  state_.live_known = false;
  abort(v, std::move(text));
  accept(state_.actuator_failures, now_);
  if (was_undo || events_in(state_.actuator_failures, now_) >= state_.actuator_failures.count)
    freeze(safe_mode_reason::actuator_failing, now_ + config_.safe_mode.cooldown, describe(v));
}

void governor_turn::count_against_rate(const pending_change& change) {
  // Whatever came of it: the plant has been touched, and one that fails must not be touched more often for it.
  state_.last_change = now_;
  if (change.origin != change_origin::proposal) return;
  accept(state_.updates, now_);
  if (is_probe(change.kind)) accept(state_.probes, now_);
}

void governor_turn::commit(const knob_values& in_force, std::string text) {
  const pending_change change = std::move(*state_.pending);
  state_.pending.reset();
  const bool moves_base = !is_probe(change.kind) &&
                          (change.origin == change_origin::proposal ||
                           change.origin == change_origin::operator_change || change.origin == change_origin::rollback);
  {
    // In a scope of its own: what follows may record more, and that moves this record elsewhere.
    audit_record& r = record(audit_kind::committed);
    r.generation = change.generation;
    r.change = change.kind;
    r.classification = change.classification;
    r.source = name_of(change.origin);
    r.actor = change.actor;
    r.before = state_.live;
    r.after = in_force;
    r.text = std::move(text);
    if (moves_base) r.revision = ++state_.revision;
  }
  state_.generation = change.generation;
  if (!change.request.empty()) state_.last_request = change.request, state_.last_request_revision = state_.revision;
  // As asked for, not as read back: rounding by the plant must not creep into the base point and its comparisons.
  state_.live = change.wanted;
  state_.live_known = true;
  end_unread(); // a person's change, and it was read back
  if (moves_base && state_.base != change.wanted) {
    record_move(state_.movement, displacements(state_.base, change.wanted), config_.limits, now_);
    state_.base = change.wanted;
    if (change.origin == change_origin::proposal) {
      const std::uint32_t before = state_.regression.since_improvement;
      if (!state_.base_judged)
        close_base_point(state_.regression, config_.regression);
      else
        state_.regression.reference = state_.regression.current, state_.regression.current = {};
      if (state_.regression.since_improvement > before) roll_back_for_regression();
    } else {
      restart_comparison(state_.regression);
    }
    state_.base_judged = false;
  }
  if (change.origin == change_origin::operator_change) {
    std::erase_if(state_.drifts, [&](const captured_drift& d) { // what is as it was needs no review any more
      for (std::size_t i = 0; i < d.desired.size(); ++i)
        if (d.desired[i] != d.found[i] && state_.base[i] != d.desired[i]) return false;
      return true;
    });
    // A person decided otherwise than the guards; what people asked for stays wanted.
    if (state_.restore_actor == "homeostat" && !state_.stopping) state_.restore = wanted_restore::none;
    hold_if_out_of_bounds();
  }
  if (change.origin == change_origin::rollback) {
    state_.stable_until = now_ + config_.rollback.min_stable_time;
    if (change.actor == "homeostat" && !state_.stopping) {
      accept(state_.rollbacks, now_);
      // The circuit breaker opens with the last rollback of the hour, not after it: a loop with none left must not
      // move.
      if (auto free_at = next_allowed(state_.rollbacks, now_))
        freeze(safe_mode_reason::objective_regression, std::max(*free_at, now_ + config_.safe_mode.cooldown),
               "all rollbacks of this hour are used");
    }
  }
  effects_.persist = true;
  announce_live();
  if (change.origin == change_origin::proposal)
    effects_.verdict = proposal_verdict{.proposal_id = change.proposal_id,
                                        .accepted = receipt{.generation = state_.generation,
                                                            .revision = state_.revision,
                                                            .applied_at = now_,
                                                            .values = state_.live},
                                        .refused = std::nullopt};
}

void governor_turn::abort(const violation& v, std::string text) {
  const pending_change change = std::move(*state_.pending);
  state_.pending.reset();
  audit_record& r = record(audit_kind::aborted);
  r.generation = change.generation;
  r.change = change.kind;
  r.classification = change.classification;
  r.source = name_of(change.origin);
  r.actor = change.actor;
  r.before = state_.live;
  r.after = change.wanted;
  r.reason = v;
  r.text = std::move(text);
  effects_.persist = true;
  if (change.origin == change_origin::proposal)
    effects_.verdict = proposal_verdict{.proposal_id = change.proposal_id, .accepted = std::nullopt, .refused = v};
  if (change.origin == change_origin::rollback) request_restore(wanted_restore::baseline, change.actor, change.reason);
}

void governor_turn::request_restore(wanted_restore restore, std::string actor, std::string reason) {
  if (restore < state_.restore) return;
  state_.restore = restore;
  state_.restore_actor = std::move(actor);
  state_.restore_reason = std::move(reason);
}

void governor_turn::begin_restore_if_due() {
  if (state_.pending) return;
  const bool audit_gone = holds(state_.safe_mode, safe_mode_reason::audit_unavailable);
  const bool actuator_gone = holds(state_.safe_mode, safe_mode_reason::actuator_failing);
  if (audit_gone || actuator_gone) return; // tried again when their cooldown ends
  pending_change change;
  change.actor = state_.restore_actor.empty() ? "homeostat" : state_.restore_actor;
  change.reason = state_.restore_reason;
  change.classification = change_class::rollback;
  const std::string evidence = std::exchange(state_.restore_reason, {});
  state_.restore_actor.clear();
  const wanted_restore restore = std::exchange(state_.restore, wanted_restore::none);
  // Values beyond the bounds were a person's doing, and only a person writes them (I1): then nothing is returned to.
  const bool may_return = !review_values(state_.base);
  if (restore == wanted_restore::baseline && state_.baseline) {
    if (state_.live_known && state_.live == state_.baseline->values && state_.base == state_.baseline->values) return;
    change.origin = change_origin::rollback;
    change.wanted = state_.baseline->values;
  } else if (!state_.live_known && may_return) {
    change.origin = change_origin::undo;
    change.actor = "homeostat";
    change.reason = "return to the last values known to be in force";
    change.wanted = state_.base;
  } else if (state_.live_known && may_return && state_.live != state_.base &&
             (restore == wanted_restore::base_point || is_frozen(state_.safe_mode) || state_.stopping)) {
    change.origin = change_origin::retreat;
    change.wanted = state_.base;
    if (change.reason.empty()) change.reason = "frozen while probing";
  } else {
    return;
  }
  const std::string source(name_of(change.origin));
  begin_change(std::move(change), source, evidence);
}

} // namespace homeostat
