// New wishes: who may make them, and what is wrong with them before anybody has to look.
#include "policies/authority/authority_turn.hpp"
#include "policies/authority/walk.hpp"
#include "policies/number_text.hpp"

#include <algorithm>
#include <cmath>

namespace homeostat {

namespace {

review_error wrong(review_refusal kind, std::string text) { return {kind, std::move(text)}; }

/// The same values for the same loops.
bool wants_the_same(const config_proposal& p, const std::vector<wanted_change>& changes) {
  return std::ranges::equal(p.changes, changes, [](const wanted_change& a, const wanted_change& b) {
    return a.loop == b.loop && a.values == b.values;
  });
}

} // namespace

std::expected<wanted_change, review_error> authority_turn::resolve(const wanted_values& wanted) const {
  const auto fail = [&](review_refusal kind, const std::string& text) {
    return std::unexpected(wrong(kind, "loop " + wanted.loop + ": " + text));
  };
  const governed_loop* loop = loop_named(wanted.loop);
  if (!loop) return std::unexpected(wrong(review_refusal::unknown, "no loop '" + wanted.loop + "' is configured here"));
  const loop_view& view = state_.loops.at(wanted.loop);
  if (!view.known) return fail(review_refusal::conflict, "does not report its values now; try again later");
  if (wanted.base_revision && *wanted.base_revision != view.revision)
    return fail(review_refusal::conflict, "StaleRevision: is at revision " + std::to_string(view.revision) +
                                              ", the proposal was made for " + std::to_string(*wanted.base_revision));
  wanted_change change{.loop = wanted.loop, .base_revision = view.revision, .before = view.base, .values = view.base};
  for (const auto& [name, value] : wanted.knobs) {
    const auto knob = std::ranges::find(loop->knobs, name, &knob_spec::name);
    if (knob == loop->knobs.end()) return fail(review_refusal::invalid, "UnknownKnob: has no knob '" + name + "'");
    if (!is_admissible(*knob, value))
      return fail(review_refusal::invalid,
                  std::string(std::isfinite(value) ? "OutOfBounds" : "NonFinite") + ": knob " + name + " cannot be " +
                      number_text(value) + ", expected a value between " + number_text(knob->min) + " and " +
                      number_text(knob->max) + (knob->step ? " on a grid of " + number_text(*knob->step) : "") +
                      (knob->type == knob_type::continuous ? "" : ", whole"));
    change.values[static_cast<std::size_t>(knob - loop->knobs.begin())] = value;
  }
  if (change.values == change.before) return fail(review_refusal::invalid, "has these values already");
  return change;
}

authority_turn::refusal authority_turn::check_author(const new_proposal& wish) const {
  if (wish.author.empty()) return wrong(review_refusal::forbidden, "nobody proposes without a name");
  if (wish.by_automation && wish.source.empty())
    return wrong(review_refusal::invalid, "source is missing, expected the name of a registered feedback source");
  if (!wish.source.empty() && !source_named(wish.source)) {
    std::string known;
    for (const feedback_source& s : config_.sources) known += (known.empty() ? "" : ", ") + s.name;
    return wrong(review_refusal::forbidden, "source '" + wish.source + "' is not registered; " +
                                                (known.empty() ? "none is" : "registered are " + known));
  }
  if (!(wish.confidence >= 0 && wish.confidence <= 1))
    return wrong(review_refusal::invalid,
                 "confidence is " + number_text(wish.confidence) + ", expected a number from 0 to 1");
  if (wish.expected_gain && !std::isfinite(*wish.expected_gain))
    return wrong(review_refusal::invalid, "expected_gain is not finite, expected a fraction of the objective");
  if (wish.changes.empty()) return wrong(review_refusal::invalid, "changes are missing, expected at least one loop");
  for (auto it = wish.changes.begin(); it != wish.changes.end(); ++it)
    if (std::ranges::find(std::next(it), wish.changes.end(), it->loop, &wanted_values::loop) != wish.changes.end())
      return wrong(review_refusal::invalid, "loop " + it->loop + " is named twice");
  return std::nullopt;
}

std::size_t authority_turn::waiting() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(state_.proposals, [](const auto& entry) { return !is_settled(entry.second); }));
}

review_error authority_turn::too_many() const {
  return wrong(review_refusal::too_many, std::to_string(waiting()) + " proposals wait already, expected fewer than " +
                                             std::to_string(config_.review.max_open));
}

authority_turn::refusal authority_turn::check_standing(const new_proposal& wish,
                                                       const std::vector<wanted_change>& changes) const {
  if (const feedback_source* source = source_named(wish.source))
    for (const wanted_change& change : changes) {
      const auto used = state_.ledger.source_used.find({source->name, change.loop});
      if (used != state_.ledger.source_used.end() && now_ - used->second < source->cooldown)
        return wrong(review_refusal::too_many,
                     "CooldownActive: source " + source->name + " may propose for loop " + change.loop + " again in " +
                         number_text(std::ceil(seconds_of(source->cooldown - (now_ - used->second)))) + " s");
    }
  for (const auto& [id, p] : state_.proposals) {
    if (is_settled(p)) continue;
    if (!wish.advice && p.source == wish.source && wants_the_same(p, changes))
      return wrong(review_refusal::conflict,
                   "proposal " + std::to_string(id) + " wants the same and is " + std::string(name_of(p.state)));
  }
  if (waiting() >= config_.review.max_open) return too_many();
  if (wish.advice) return std::nullopt;
  for (const wanted_change& change : changes)
    if (wish.by_automation && loop_named(change.loop)->pattern == feedback_pattern::recommend)
      return wrong(review_refusal::forbidden,
                   "loop " + change.loop + " takes recommendations from programs, not proposals (pattern: recommend)");
  return std::nullopt;
}

std::expected<config_proposal, review_error> authority_turn::draft(const new_proposal& wish) const {
  if (auto no = check_author(wish)) return std::unexpected(*no);
  config_proposal p;
  for (const wanted_values& wanted : wish.changes) {
    auto change = resolve(wanted);
    if (!change) return std::unexpected(change.error());
    p.changes.push_back(std::move(*change));
  }
  if (wish.advice && p.changes.size() != 1)
    return std::unexpected(wrong(review_refusal::invalid, "a recommendation is about one loop, this one is about " +
                                                              std::to_string(p.changes.size())));
  if (auto no = check_standing(wish, p.changes)) return std::unexpected(*no);
  p.source = wish.source;
  p.author = wish.author;
  p.rationale = wish.rationale;
  p.evidence = wish.evidence;
  p.confidence = wish.confidence;
  p.expected_gain = wish.expected_gain;
  const feedback_source* source = source_named(wish.source);
  p.may_apply_itself = !source || may_auto_apply(*source);
  p.created = now_;
  complete(p);
  return p;
}

void authority_turn::on(const new_proposal& wish) {
  auto p = draft(wish);
  if (!p) return answer(p.error().kind, p.error().text);
  if (!wish.source.empty()) {
    for (const wanted_change& change : p->changes) state_.ledger.source_used[{wish.source, change.loop}] = now_;
    effects_.ledger = true;
  }
  if (wish.advice) return give_advice(wish, p->changes.front());
  effects_.answered_proposal = open(std::move(*p)).id;
}

void authority_turn::complete(config_proposal& p) const {
  std::vector<moved_knob> moved;
  for (const wanted_change& change : p.changes) {
    const governed_loop& loop = *loop_named(change.loop);
    for (std::size_t i = 0; i < loop.knobs.size(); ++i)
      if (change.values[i] != change.before[i]) moved.push_back({.loop = loop.name, .knob = &loop.knobs[i]});
  }
  p.risk = assess_risk(moved, {.targets = p.changes.size(), .production = config_.production, .deletion = false});
  if (!is_within_caps(p)) {
    p.risk.terms.push_back({.text = "beyond the total change cap: a person decides", .steps = 0});
    p.may_apply_itself = false;
  }
}

bool authority_turn::is_within_caps(const config_proposal& p) const {
  return std::ranges::all_of(p.changes, [&](const wanted_change& change) {
    const governed_loop& loop = *loop_named(change.loop);
    const loop_view& view = state_.loops.at(change.loop);
    // Not seen since a restart: what was within the caps before still counts as within, until it is asked for.
    return view.baseline.empty() ||
           within_total_change(loop.knobs, view.baseline, change.values, loop.total_change_cap);
  });
}

config_proposal& authority_turn::open(config_proposal p) {
  p.id = ++state_.ledger.last_id;
  p.created = now_;
  complete(p);
  effects_.ledger = true;
  config_proposal& kept = state_.proposals[p.id] = std::move(p);
  note(audit_kind::proposal_opened, kept, "opened", kept.author);
  return kept;
}

void authority_turn::give_advice(const new_proposal& wish, const wanted_change& change) {
  config_recommendation r{.id = {},
                          .loop = change.loop,
                          .source = wish.source.empty() ? wish.author : wish.source,
                          .author = wish.author,
                          .base_revision = change.base_revision,
                          .before = change.before,
                          .values = change.values,
                          .evidence = wish.evidence,
                          .confidence = wish.confidence,
                          .expected_gain = wish.expected_gain,
                          .first_seen = now_,
                          .last_seen = now_,
                          .snoozed_until = std::nullopt,
                          .decided_by = {},
                          .decision = {}};
  r.id = id_of(r);
  effects_.advice.insert(r.id);
  effects_.answered_advice = r.id;
  if (const auto known = state_.advice.find(r.id); known != state_.advice.end())
    return see_again(known->second, r, now_);
  if (state_.advice.size() >= config_.max_advice) {
    effects_.advice.erase(r.id);
    effects_.answered_advice.reset();
    return answer(review_refusal::too_many, std::to_string(state_.advice.size()) + " recommendations are kept already");
  }
  audit_record& entry = record(audit_kind::advice, r.loop, wish.author);
  entry.source = r.source;
  entry.evidence = r.evidence;
  entry.before = r.before;
  entry.after = r.values;
  entry.text += "recommendation " + r.id + " given";
  state_.advice.emplace(r.id, std::move(r));
  effects_.ledger = true;
}

} // namespace homeostat
