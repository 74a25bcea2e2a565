#pragma once

// Values with every field filled, for round trips through the codec.
//
// Each struct is taken apart by a structured binding, which stops compiling when a field is added. Whoever adds one
// lands here, and once the field is filled the round trip fails until the codec carries it too.

#include "messages/codec.hpp"

#include <concepts>
#include <functional>
#include <tuple>

namespace homeostat::testing {

// ---- the fields of every struct
// ----------------------------------------------------------------------------------------

// clang-format off
inline auto fields(violation& x) { auto& [code, knob, value, limit, retry] = x; return std::tie(code, knob, value, limit, retry); }
inline auto fields(proposal& x) { auto& [kind, cls, approved, id, generation, revision, epoch, values, gradient, source, evidence, approver, request, rehearsal] = x;
  return std::tie(kind, cls, approved, id, generation, revision, epoch, values, gradient, source, evidence, approver, request, rehearsal); }
inline auto fields(receipt& x) { auto& [generation, revision, at, values] = x; return std::tie(generation, revision, at, values); }
inline auto fields(proposal_verdict& x) { auto& [id, accepted, refused, findings] = x; return std::tie(id, accepted, refused, findings); }
inline auto fields(live_configuration& x) { auto& [generation, revision, at, values, base, frozen, baseline] = x;
  return std::tie(generation, revision, at, values, base, frozen, baseline); }
inline auto fields(actuation& x) { auto& [ticket, generation, values] = x; return std::tie(ticket, generation, values); }
inline auto fields(actuation_answer& x) { auto& [ticket, ok, read, text] = x; return std::tie(ticket, ok, read, text); }
inline auto fields(objective_window& x) { auto& [generation, begin, end, digests, samples, mean, variance, p99, throughput, errors, margin] = x;
  return std::tie(generation, begin, end, digests, samples, mean, variance, p99, throughput, errors, margin); }
inline auto fields(audit_answer& x) { auto& [ticket, status, text] = x; return std::tie(ticket, status, text); }
inline auto fields(audit_record& x) { auto& [time, kind, generation, revision, change, cls, source, actor, evidence, before, after, reason, text] = x;
  return std::tie(time, kind, generation, revision, change, cls, source, actor, evidence, before, after, reason, text); }
inline auto fields(audit_batch& x) { auto& [loop, records, state, durable, kept] = x; return std::tie(loop, records, state, durable, kept); }
inline auto fields(kept_state& x) { auto& [key, value] = x; return std::tie(key, value); }
inline auto fields(captured_drift& x) { auto& [revision, at, desired, found] = x; return std::tie(revision, at, desired, found); }
inline auto fields(authority_call& x) { auto& [verb, id, actor, automation, approve, version, body] = x; return std::tie(verb, id, actor, automation, approve, version, body); }
inline auto fields(authority_reply& x) { auto& [status, body, problem] = x; return std::tie(status, body, problem); }
inline auto fields(risk_term& x) { auto& [text, steps] = x; return std::tie(text, steps); }
inline auto fields(risk_assessment& x) { auto& [result, terms] = x; return std::tie(result, terms); }
inline auto fields(wanted_change& x) { auto& [loop, revision, before, values, steps, done] = x; return std::tie(loop, revision, before, values, steps, done); }
inline auto fields(config_proposal& x) {
  auto& [id, version, changes, source, author, rationale, evidence, confidence, gain, risk, created, acknowledged, decided, retry, by, decision, refusals, cls, state, itself, reminded, person, counted] = x;
  return std::tie(id, version, changes, source, author, rationale, evidence, confidence, gain, risk, created, acknowledged, decided, retry, by, decision, refusals, cls, state, itself, reminded, person, counted); }
inline auto fields(config_recommendation& x) {
  auto& [id, state, loop, source, author, revision, before, values, evidence, confidence, gain, first, last, seen, snoozed, by, decision] = x;
  return std::tie(id, state, loop, source, author, revision, before, values, evidence, confidence, gain, first, last, seen, snoozed, by, decision); }
inline auto fields(authority_ledger& x) { auto& [last, changes, rules, sources] = x; return std::tie(last, changes, rules, sources); }
inline auto fields(authority_index& x) { auto& [ledger, proposals, advice] = x; return std::tie(ledger, proposals, advice); }
inline auto fields(operator_command& x) { auto& [action, actor, text, values, bounds, revision] = x; return std::tie(action, actor, text, values, bounds, revision); }
inline auto fields(command_result& x) { auto& [ok, text, later] = x; return std::tie(ok, text, later); }
inline auto fields(knob_status& x) { auto& [name, unit, value, base, baseline, min, max] = x;
  return std::tie(name, unit, value, base, baseline, min, max); }
inline auto fields(loop_status& x) {
  auto& [name, pool, state, generation, revision, knobs, reasons, objective, applied, rejected, rollbacks, entries, windows, digests, faults, text, restarts, request, request_revision, in_flight, drifts] = x;
  return std::tie(name, pool, state, generation, revision, knobs, reasons, objective, applied, rejected, rollbacks, entries, windows, digests, faults, text, restarts, request, request_revision, in_flight, drifts); }
inline auto fields(sensor_status& x) { auto& [windows, digests, faults] = x; return std::tie(windows, digests, faults); }
inline auto fields(rate_window& x) { auto& [count, span, accepted] = x; return std::tie(count, span, accepted); }
inline auto fields(knob_movement::second_total& x) { auto& [second, distance] = x; return std::tie(second, distance); }
inline auto fields(knob_movement& x) { auto& [totals, flips, direction] = x; return std::tie(totals, flips, direction); }
inline auto fields(objective_stats& x) { auto& [windows, mean, squares] = x; return std::tie(windows, mean, squares); }
inline auto fields(regression_state& x) { auto& [current, reference, variance, dof, known, consecutive, since, calm, violated] = x;
  return std::tie(current, reference, variance, dof, known, consecutive, since, calm, violated); }
inline auto fields(safe_mode_state::hold& x) { auto& [reason, since, until] = x; return std::tie(reason, since, until); }
inline auto fields(safe_mode_state& x) { auto& [holds, objective, recovered, entries] = x; return std::tie(holds, objective, recovered, entries); }
inline auto fields(tested_baseline& x) { auto& [name, revision, values] = x; return std::tie(name, revision, values); }
inline auto fields(pending_change& x) { auto& [ticket, generation, phase, origin, kind, id, wanted, actor, reason, cls, request] = x;
  return std::tie(ticket, generation, phase, origin, kind, id, wanted, actor, reason, cls, request); }
inline auto fields(governor_state& x) {
  auto& [generation, last_generation, revision, last_ticket, live, base, live_known, unread, baseline, pending, restore, restore_actor, restore_reason,
         updates, probes, last_change, movement, regression, judged, rollbacks, hostile, cumulative, failures, recorded, unrecorded,
         stable, safe_mode, drifts, request, request_revision, last_reading, last_window, last_objective, last_now, origin, stopping] = x;
  return std::tie(generation, last_generation, revision, last_ticket, live, base, live_known, unread, baseline, pending, restore, restore_actor, restore_reason,
         updates, probes, last_change, movement, regression, judged, rollbacks, hostile, cumulative, failures, recorded, unrecorded,
         stable, safe_mode, drifts, request, request_revision, last_reading, last_window, last_objective, last_now, origin, stopping); }
inline auto fields(spsa_state& x) { auto& [phase, iteration, rng, direction, y_plus, accumulated, recorded, dimensions] = x;
  return std::tie(phase, iteration, rng, direction, y_plus, accumulated, recorded, dimensions); }
inline auto fields(online_step& x) { auto& [point, reason] = x; return std::tie(point, reason); }
inline auto fields(quadratic_filter& x) { auto& [dimensions, cross, moving, mean, covariance] = x; return std::tie(dimensions, cross, moving, mean, covariance); }
inline auto fields(bank_member& x) { auto& [filter, logarithmic, speed, turn, noise, record] = x;
  return std::tie(filter, logarithmic, speed, turn, noise, record); }
inline auto fields(model_bank& x) { auto& [members, best, scale] = x; return std::tie(members, best, scale); }
inline auto fields(evidence& x) { auto& [sum, fresh, weight, values] = x; return std::tie(sum, fresh, weight, values); }
inline auto fields(change_detector& x) { auto& [worse, better, since] = x; return std::tie(worse, better, since); }
inline auto fields(planned_look& x) { auto& [place, of] = x; return std::tie(place, of); }
inline auto fields(regime& x) { auto& [id, version, centre, model, used, useless, passed] = x;
  return std::tie(id, version, centre, model, used, useless, passed); }
inline auto fields(regime_memory& x) { auto& [regimes, written] = x; return std::tie(regimes, written); }
inline auto fields(switch_trial& x) { auto& [running, on, knob, position, value, pairs, sum, squares, turn, fruitless, waited] = x;
  return std::tie(running, on, knob, position, value, pairs, sum, squares, turn, fruitless, waited); }
inline auto fields(adaptive_state& x) {
  auto& [rng, step, first, bank, centre, quiet_centre, quiet_model, settled_centre, settled, still, detector, looks, taken, best, best_value,
         level, comparing, wins, useless, passed, since, interval, averaged, recent, default_level, boldness, retreating, memory, trial] = x;
  return std::tie(rng, step, first, bank, centre, quiet_centre, quiet_model, settled_centre, settled, still, detector, looks, taken, best, best_value,
         level, comparing, wins, useless, passed, since, interval, averaged, recent, default_level, boldness, retreating, memory, trial); }
inline auto fields(spsa_online_state& x) { auto& [spsa, base, size] = x; return std::tie(spsa, base, size); }
inline auto fields(online_state& x) { auto& [applied, asked, adaptive, spsa, recorded, refused, changes, recalls, returns] = x;
  return std::tie(applied, asked, adaptive, spsa, recorded, refused, changes, recalls, returns); }
inline auto fields(engine_state& x) {
  auto& [strategy, spsa, online, live, frozen, generation, revision, epoch, in_force, base, position, baseline, plus, minus, asked, asks, expects, held, again,
         error, size, gradient, movement, updates, held_back] = x;
  return std::tie(strategy, spsa, online, live, frozen, generation, revision, epoch, in_force, base, position, baseline, plus, minus, asked, asks, expects, held, again,
         error, size, gradient, movement, updates, held_back); }
inline auto fields(experiment_settings& x) {
  auto& [name, pool, control, treatment, split, rate, least, cells, most, longest, effect, guard, failures, p99, memory, row] = x;
  return std::tie(name, pool, control, treatment, split, rate, least, cells, most, longest, effect, guard, failures, p99, memory, row); }
inline auto fields(running_moments& x) { auto& [count, mean, squares] = x; return std::tie(count, mean, squares); }
inline auto fields(arm_record::cell& x) { auto& [count, sum] = x; return std::tie(count, sum); }
inline auto fields(arm_record& x) { auto& [failed, row, latency, memory, sketch, groups] = x; return std::tie(failed, row, latency, memory, sketch, groups); }
inline auto fields(experiment_state& x) {
  auto& [settings, phase, verdict, created, started, ended, control, treatment, least_p, reason, decided_by, proposal, refused] = x;
  return std::tie(settings, phase, verdict, created, started, ended, control, treatment, least_p, reason, decided_by, proposal, refused); }
// clang-format on

template <class T>
concept with_fields = requires(T& x) { fields(x); };

/// Equality for structs that have none of their own.
template <class T> [[nodiscard]] bool same(T a, T b) {
  if constexpr (std::equality_comparable<T>)
    return a == b;
  else
    return fields(a) == fields(b);
}

/// @returns a value with every field filled, none of them with its default or with what another has: a field that is
/// dropped or swapped shows. For the types that filled.cpp lists, as the next.
template <class T> [[nodiscard]] T distinct();

/// @returns a value of RapidCheck's choice, including extremes; no NaN, which equals nothing. For use inside a
/// property.
template <class T> [[nodiscard]] T anything();

/// Expects a RapidCheck property to hold. Compiled once, not for each type's lambda.
void expect_always(const std::function<void()>& property);

} // namespace homeostat::testing
