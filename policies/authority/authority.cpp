#include "policies/authority/authority.hpp"

#include "policies/authority/authority_turn.hpp"
#include "policies/authority/walk.hpp"
#include "policies/find_named.hpp"

#include <algorithm>
#include <utility>

namespace homeostat {

authority_state start_authority(const authority_config& config, authority_memory memory, instant now) {
  authority_state s;
  s.ledger = std::move(memory.ledger);
  s.ledger.changes.count = config.changes_per_hour;
  s.ledger.changes.span = 1h;
  for (const governed_loop& loop : config.loops) {
    loop_view& view = s.loops[loop.name];
    view.rules.resize(loop.rules.size());
    for (std::size_t i = 0; i < loop.rules.size(); ++i)
      if (const auto fired = s.ledger.rule_fired.find(loop.name + "/" + loop.rules[i].name);
          fired != s.ledger.rule_fired.end())
        view.rules[i].last_fired = fired->second;
  }
  const auto fits = [&](const std::string& name, const knob_values& values) {
    const auto loop = std::ranges::find(config.loops, name, &governed_loop::name);
    return loop != config.loops.end() && loop->knobs.size() == values.size();
  };
  for (config_proposal& p : memory.proposals) {
    if (p.changes.empty()) continue;
    const bool whole = std::ranges::all_of(p.changes, [&](const wanted_change& c) { return fits(c.loop, c.values); });
    if (p.state == review_state::approved && !p.decided) p.decided = now;
    if (!is_settled(p) && !whole)
      settle(p, review_state::stale, "homeostat", "the configuration of its loops has changed", now);
    s.ledger.last_id = std::max(s.ledger.last_id, p.id);
    s.proposals.emplace(p.id, std::move(p));
  }
  for (config_recommendation& r : memory.advice) {
    if (!fits(r.loop, r.values)) continue;
    std::string id = r.id;
    s.advice.emplace(std::move(id), std::move(r));
  }
  return s;
}

authority_effects decide(const authority_config& config, authority_state& state, const authority_input& input,
                         instant now) {
  authority_turn turn(config, state, now);
  std::visit([&](const auto& value) { turn.on(value); }, input);
  return std::move(turn).finish();
}

std::expected<change_plan, review_error> plan(const authority_config& config, authority_state& state,
                                              const new_proposal& wish, instant now) {
  const authority_turn turn(config, state, now);
  auto draft = turn.draft(wish);
  if (!draft) return std::unexpected(draft.error());
  change_plan result{.draft = std::move(*draft), .first_steps = {}, .steps = {}};
  for (const wanted_change& change : result.draft.changes) {
    const auto loop = std::ranges::find(config.loops, change.loop, &governed_loop::name);
    result.first_steps.push_back({.loop = change.loop, .wanted = turn.step_of(result.draft, change)});
    result.first_steps.back().wanted.rehearsal = true;
    result.steps.push_back(steps_between(loop->knobs, change.before, change.values, loop->max_delta_per_step));
  }
  return result;
}

std::string request_name(const config_proposal& p, const wanted_change& change) {
  return "proposal/" + std::to_string(p.id) + "/" + std::to_string(change.steps_taken + 1);
}

authority_turn::authority_turn(const authority_config& config, authority_state& state, instant now)
    : config_(config), state_(state), now_(std::max(now, state.last_now)) {
  state_.last_now = now_;
}

const governed_loop* authority_turn::loop_named(std::string_view name) const { return find_named(config_.loops, name); }

const feedback_source* authority_turn::source_named(std::string_view name) const {
  const auto found = std::ranges::find(config_.sources, name, &feedback_source::name);
  return found == config_.sources.end() ? nullptr : &*found;
}

void authority_turn::answer(review_refusal kind, std::string text) {
  effects_.answer = std::unexpected(review_error{kind, std::move(text)});
}

audit_record& authority_turn::record(audit_kind kind, const std::string& loop, std::string actor) {
  audit_record& r = effects_.records.emplace_back();
  r.time = now_;
  r.kind = kind;
  r.source = "authority";
  r.actor = std::move(actor);
  if (const auto view = state_.loops.find(loop); view != state_.loops.end())
    r.generation = view->second.generation, r.revision = view->second.revision;
  r.text = loop.empty() ? "" : "loop " + loop + ": ";
  return r;
}

void authority_turn::note(audit_kind kind, const config_proposal& p, std::string_view what, const std::string& actor) {
  const wanted_change& first = p.changes.front();
  audit_record& r = record(kind, first.loop, actor);
  r.classification = p.classification;
  if (r.revision == 0) r.revision = first.base_revision; // not seen since a restart: as last known
  if (!p.source.empty()) r.source = p.source;
  r.evidence = p.evidence;
  r.before = first.before;
  r.after = first.values;
  r.text += "proposal " + std::to_string(p.id) + ", " + std::string(name_of(p.risk.result)) + ", " + std::string(what);
  for (std::size_t i = 1; i < p.changes.size(); ++i) r.text += (i == 1 ? "; with loop " : ", ") + p.changes[i].loop;
  touch(p);
}

void authority_turn::notice(std::string kind, std::string text) {
  effects_.notices.push_back({std::move(kind), std::move(text)});
}

// ---- people --------------------------------------------------------------------------------------------------------

void authority_turn::on(const proposal_decision& d) {
  const auto found = state_.proposals.find(d.id);
  if (found == state_.proposals.end())
    return answer(review_refusal::unknown, "there is no proposal " + std::to_string(d.id));
  config_proposal& p = found->second;
  if (auto ok = review(p, d.decision, now_); !ok) return answer(ok.error().kind, ok.error().text);
  note(audit_kind::proposal_decided, p,
       std::string(name_of(p.state)) + (d.decision.text.empty() ? "" : ": " + d.decision.text), d.decision.actor);
  effects_.answered_proposal = p.id;
}

void authority_turn::on(const advice_decision& d) {
  const auto found = state_.advice.find(d.id);
  if (found == state_.advice.end()) return answer(review_refusal::unknown, "there is no recommendation " + d.id);
  config_recommendation& r = found->second;
  const loop_view& view = state_.loops[r.loop];
  if (d.verb == advice_verb::accept && (!view.known || view.base == r.values))
    return answer(review_refusal::conflict, view.known ? "loop " + r.loop + " has these values already"
                                                       : "loop " + r.loop + " does not report its values now");
  if (d.verb == advice_verb::accept && waiting() >= config_.review.max_open) {
    const review_error full = too_many();
    return answer(full.kind, full.text);
  }
  const auto until = d.snooze ? std::optional(now_ + *d.snooze) : std::nullopt;
  if (auto ok = decide_advice(r, d.verb, d.actor, d.text, until, now_); !ok)
    return answer(review_refusal::conflict, ok.error());
  effects_.advice.insert(r.id);
  effects_.answered_advice = r.id;
  audit_record& entry = record(audit_kind::advice, r.loop, d.actor);
  entry.evidence = r.evidence;
  entry.after = r.values;
  entry.text += "recommendation " + r.id + " " + std::string(name_of(r.state)) + (d.text.empty() ? "" : ": " + d.text);
  if (d.verb != advice_verb::accept) return;
  // From now on it is a proposal like any other. What the source recommended, a person now wants; who recommended it
  // himself has to find somebody else to approve it (I11).
  const bool approved = d.may_approve && d.actor != r.author;
  config_proposal p;
  p.changes.push_back({.loop = r.loop, .base_revision = view.revision, .before = view.base, .values = view.base});
  for (std::size_t i = 0; i < r.values.size(); ++i)
    if (r.values[i] != r.before[i]) p.changes.front().values[i] = r.values[i];
  p.source = r.source;
  p.author = approved ? r.author : d.actor;
  p.rationale = "recommendation " + r.id;
  p.evidence = r.evidence;
  p.confidence = r.confidence;
  p.expected_gain = r.expected_gain;
  config_proposal& opened = open(std::move(p));
  if (approved) {
    settle(opened, review_state::approved, d.actor, d.text, now_);
    opened.by_person = true;
    note(audit_kind::proposal_decided, opened, "approved", d.actor);
  }
  effects_.answered_proposal = opened.id;
}

// ---- the end of every turn -----------------------------------------------------------------------------------------

void authority_turn::forget_old() {
  std::erase_if(state_.proposals, [&](const auto& entry) {
    const config_proposal& p = entry.second;
    const bool old = is_settled(p) && p.decided && now_ - *p.decided > config_.review.keep_decided;
    if (old) effects_.proposals.insert(p.id);
    return old;
  });
  // Bounded whatever the clients do: the longest settled go first.
  const std::size_t cap = 4 * static_cast<std::size_t>(config_.review.max_open);
  for (auto it = state_.proposals.begin(); state_.proposals.size() > cap && it != state_.proposals.end();)
    if (is_settled(it->second)) {
      effects_.proposals.insert(it->first);
      it = state_.proposals.erase(it);
    } else {
      ++it;
    }
  std::erase_if(state_.advice, [&](const auto& entry) {
    const config_recommendation& r = entry.second;
    const bool old = r.state != advice_state::open && r.state != advice_state::snoozed &&
                     now_ - r.last_seen > config_.review.keep_decided;
    if (old) effects_.advice.insert(r.id);
    return old;
  });
}

std::optional<instant> authority_turn::next_look() const {
  std::optional<instant> look;
  const auto consider = [&](std::optional<instant> at) {
    if (at && (!look || *at < *look)) look = at;
  };
  for (const auto& [id, p] : state_.proposals) {
    consider(next_review(p, config_.review).at);
    if (p.state == review_state::approved) {
      // What is due already waits for its loop: the loop's next observation comes back to it, time does not.
      for (const std::optional<instant> at : {p.retry_at, std::optional(*p.decided + config_.review.expire_after),
                                              std::optional(*p.decided + 2 * config_.review.expire_after)})
        if (at > now_) consider(at);
    }
  }
  for (const auto& [id, r] : state_.advice) consider(next_advice(r, config_.advice_expires));
  return look;
}

authority_effects authority_turn::finish() && {
  follow_timers();
  ask_governors();
  forget_old();
  effects_.look_again = next_look();
  return std::move(effects_);
}

} // namespace homeostat
