// What the loops report: whether proposals still fit, whether rules ask, whether two loops fight.
#include "policies/authority/authority_turn.hpp"
#include "policies/number_text.hpp"

#include <algorithm>

namespace homeostat {

void authority_turn::on(const loop_observation& o) {
  const governed_loop* loop = loop_named(o.loop);
  if (!loop || o.base.size() != loop->knobs.size() || o.baseline.size() != loop->knobs.size()) return;
  loop_view& view = state_.loops[o.loop];
  view.baseline = o.baseline;
  if (o.request_in_flight) view.known = false;
  if (view.request || o.request_in_flight) return; // seen before our change or after it? The next one will tell
  const bool first = view.revision == 0;
  const bool moved = !first && view.revision != o.revision;
  const knob_values from = view.base;
  // "proposal/17/2" and "proposal/17/3" have one cause.
  const std::string cause =
      o.last_request == view.last_request ? "" : o.last_request.substr(0, o.last_request.rfind('/'));
  view.known = true;
  view.generation = o.generation;
  view.frozen = o.frozen;
  view.last_request = o.last_request;
  if (first || moved) on_revision_moved(*loop, view, o);
  view.revision = o.revision;
  view.base = o.base;
  if (moved) watch_axes(*loop, from, o.base, cause);
  watch_baseline(*loop, view);
  run_rules(*loop, view, o);
}

void authority_turn::on_revision_moved(const governed_loop& loop, loop_view& view, const loop_observation& o) {
  if (view.revision != 0)
    for (const governed_loop& other : config_.loops) {
      if (other.name == loop.name || other.pool != loop.pool) continue;
      loop_view& neighbour = state_.loops[other.name];
      neighbour.quiet_until = now_ + other.settle_after_neighbours;
      for (tuning_rule_state& rule : neighbour.rules) forget(rule);
    }
  for (tuning_rule_state& rule : view.rules) forget(rule); // measured under other values
  view.revision = o.revision, view.base = o.base;          // before anything is set back: who moved it decides
  for (auto& [id, p] : state_.proposals) {
    if (is_settled(p)) continue;
    for (std::size_t i = 0; i < p.changes.size() && !is_settled(p); ++i) {
      wanted_change& c = p.changes[i];
      if (c.loop != loop.name || c.base_revision == o.revision || c.done) continue;
      // Our own change whose receipt was lost, in a crash or a timeout, is not somebody else's; what came after it is.
      if (p.state == review_state::approved && o.last_request == request_name(p, c))
        take_step(p, i, o.last_request_revision);
      if (is_settled(p) || c.done || c.base_revision == o.revision || is_outcome_open(p)) continue;
      give_up(p, review_state::stale, "homeostat",
              "StaleRevision: loop " + loop.name + " moved to revision " + std::to_string(o.revision));
    }
  }
}

void authority_turn::watch_axes(const governed_loop& loop, const knob_values& from, const knob_values& to,
                                std::string_view cause) {
  if (from.size() != to.size()) return;
  for (std::size_t i = 0; i < loop.knobs.size(); ++i) {
    const knob_spec& knob = loop.knobs[i];
    const double way = displacement(knob, from[i], to[i]);
    if (way == 0 || knob.concern.empty()) continue;
    auto axis = std::ranges::find(state_.axes, knob.concern, &axis_history::axis);
    if (axis == state_.axes.end()) axis = state_.axes.insert(axis, {.axis = knob.concern, .moves = {}});
    const auto fight = observe(*axis, config_.contention, loop.name, way > 0, now_, cause);
    if (!fight) continue;
    const governed_loop* a = loop_named(fight->first);
    const governed_loop* b = loop_named(fight->second);
    const bool a_is_lower = a->priority < b->priority || (a->priority == b->priority && a > b);
    const governed_loop& frozen = a_is_lower ? *a : *b;
    const std::string text = "loops " + a->name + " and " + b->name + " push against each other on " + fight->axis +
                             ", " + std::to_string(fight->alternations) + " times in a row; " + frozen.name +
                             " is paused";
    record(audit_kind::contention, frozen.name, "homeostat").text += text;
    notice("contention", text);
    effects_.orders.push_back({.loop = frozen.name,
                               .command = {.action = operator_action::pause,
                                           .actor = "homeostat",
                                           .text = text,
                                           .values = {},
                                           .override_bounds = false}});
  }
}

void authority_turn::watch_baseline(const governed_loop& loop, loop_view& view) {
  if (view.base == view.baseline) return view.away_since.reset();
  if (!view.away_since) view.away_since = now_;
  if (!loop.return_to_baseline || view.frozen || now_ - *view.away_since < *loop.return_to_baseline) return;
  view.away_since = now_;
  effects_.orders.push_back({.loop = loop.name,
                             .command = {.action = operator_action::rollback,
                                         .actor = "homeostat",
                                         .text = "periodic return to the tested baseline",
                                         .values = {},
                                         .override_bounds = false}});
}

void authority_turn::run_rules(const governed_loop& loop, loop_view& view, const loop_observation& o) {
  if (o.metrics.size() != loop.rules.size() && !o.metrics.empty()) return;
  const bool quiet = view.quiet_until && now_ < *view.quiet_until;
  for (std::size_t i = 0; i < loop.rules.size(); ++i) {
    tuning_rule_state& s = view.rules[i];
    const tuning_rule& rule = loop.rules[i];
    if (quiet || view.frozen)
      forget(s);
    else
      observe(s, rule, o.metrics.empty() ? std::nullopt : o.metrics[i], now_);
    const bool seen = !o.metrics.empty() && o.metrics[i];
    if (seen && !quiet && !view.frozen && is_released(rule, *o.metrics[i])) withdraw_if_turned(loop, rule, s);
    if (loop.pattern == feedback_pattern::drift_capture || !is_due(s, rule, now_)) continue;
    if (const auto wanted = wanted_value(rule, loop.knobs[rule.knob], view.base[rule.knob]))
      run_rule(loop, view, i, *wanted);
  }
}

void authority_turn::run_rule(const governed_loop& loop, loop_view& view, std::size_t index, double wanted) {
  const tuning_rule& rule = loop.rules[index];
  tuning_rule_state& s = view.rules[index];
  const std::string source = "rule " + rule.name;
  const std::string evidence = evidence_of(s, rule, now_);
  wanted_change change{.loop = loop.name, .base_revision = view.revision, .before = view.base, .values = view.base};
  change.values[rule.knob] = wanted;
  for (const auto& [id, p] : state_.proposals) {
    if (is_settled(p)) continue;
    const bool here = std::ranges::find(p.changes, loop.name, &wanted_change::loop) != p.changes.end();
    // One thing at a time: a rule does not add to what is on its way, nor repeat what waits.
    if (here && (p.state == review_state::approved || p.source == source)) return;
  }
  s.last_fired = now_;
  state_.ledger.rule_fired[loop.name + "/" + rule.name] = now_;
  effects_.ledger = true;
  if (loop.pattern == feedback_pattern::recommend)
    return give_advice({.changes = {},
                        .source = source,
                        .author = "homeostat",
                        .by_automation = true,
                        .advice = true,
                        .rationale = {},
                        .evidence = evidence,
                        .confidence = 1,
                        .expected_gain = std::nullopt},
                       change);
  config_proposal p;
  p.changes.push_back(std::move(change));
  p.source = source;
  p.author = "homeostat";
  p.rationale = "declared by rule " + rule.name;
  p.evidence = evidence;
  p.confidence = 1;
  p.may_apply_itself = true;
  if (loop.pattern == feedback_pattern::auto_tune) p.classification = change_class::auto_tune;
  config_proposal& opened = open(std::move(p));
  // The bounds a person wrote are the approval; what lies beyond the total change cap they did not foresee.
  if (loop.pattern != feedback_pattern::auto_tune || !opened.may_apply_itself) return;
  settle(opened, review_state::approved, "homeostat", "auto-tune within the bounds of " + source, now_);
  note(audit_kind::proposal_decided, opened, "approved within the rule's bounds", "homeostat");
}

void authority_turn::withdraw_if_turned(const governed_loop& loop, const tuning_rule& rule,
                                        const tuning_rule_state& s) {
  for (auto& [id, p] : state_.proposals)
    if (is_open(p) && p.source == "rule " + rule.name && p.changes.front().loop == loop.name)
      give_up(p, review_state::withdrawn, "homeostat",
              "the evidence has turned: " + rule.metric + " is " + number_text(s.value));
}

} // namespace homeostat
