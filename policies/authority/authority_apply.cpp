// From approval to receipt: timers, and requests to the governors.
#include "policies/authority/authority_turn.hpp"
#include "policies/authority/walk.hpp"

#include <algorithm>

namespace homeostat {

namespace {

// After a refusal that time may cure but that names no time, and after an answer that did not come.
constexpr duration retry_pause = 5s;

bool time_may_cure(violation_code code) {
  switch (code) {
  case violation_code::rate_limit_exceeded:
  case violation_code::cooldown_active:
  case violation_code::cumulative_delta:
  case violation_code::in_safe_mode:
  case violation_code::audit_queue_full:
  case violation_code::stale_generation: // a probe came between
  case violation_code::stale_revision:   // the next observation tells whether it was our own change
  case violation_code::actuator_failed:  // the governor has undone it
    return true;
  default: return false;
  }
}

} // namespace

void authority_turn::follow_timers() {
  // What was approved and cannot be applied for so long was approved for another world (I12).
  for (auto& [id, p] : state_.proposals)
    if (p.state == review_state::approved &&
        now_ - *p.decided >= (is_outcome_open(p) ? 2 : 1) * config_.review.expire_after)
      give_up(p, review_state::expired, "homeostat", "approved, but could not be applied in time: " + p.decision);
  for (auto& [id, p] : state_.proposals)
    for (review_event e = expire_review(p, config_.review, now_); e != review_event::none;
         e = expire_review(p, config_.review, now_)) {
      const std::string text = "proposal " + std::to_string(id) + " for loop " + p.changes.front().loop;
      switch (e) {
      case review_event::none: break;
      case review_event::reminder: notice("reminder", text + " waits for an acknowledgement"), touch(p); break;
      case review_event::escalation:
        note(audit_kind::proposal_decided, p, "escalated to HIGH: nobody acknowledged it in time", "homeostat");
        notice("escalation", text + " is HIGH now: it needs an approval");
        break;
      case review_event::approval:
        note(audit_kind::proposal_decided, p, "approved: nobody objected", "homeostat");
        break;
      case review_event::expiry:
        note(audit_kind::proposal_decided, p, "expired: nobody decided", "homeostat");
        notice("expiry", text + " has expired");
        break;
      }
    }
  for (auto& [id, r] : state_.advice)
    if (expire_advice(r, config_.advice_expires, now_)) effects_.advice.insert(id);
}

void authority_turn::ask_governors() {
  for (auto& [id, p] : state_.proposals)
    if (p.state == review_state::approved && (!p.retry_at || now_ >= *p.retry_at)) ask_governor(p);
}

bool authority_turn::spend_budget(config_proposal& p) {
  if (p.by_person || p.counted) return true;
  if (auto at = next_allowed(state_.ledger.changes, now_)) {
    p.retry_at = at;
    p.decision = "waits: the hour's changes without a person are used up";
    touch(p);
    return false;
  }
  accept(state_.ledger.changes, now_);
  p.counted = true; // once, however often the governor has to be asked
  touch(p);
  effects_.ledger = true;
  return true;
}

proposal authority_turn::step_of(const config_proposal& p, const wanted_change& change) const {
  const governed_loop& loop = *loop_named(change.loop);
  const loop_view& view = state_.loops.at(change.loop);
  const std::uint32_t left = steps_between(loop.knobs, view.base, change.values, loop.max_delta_per_step);
  proposal wanted;
  wanted.kind = proposal_kind::update;
  wanted.classification = p.classification;
  wanted.id = p.id;
  wanted.base_generation = view.generation;
  wanted.base_revision = change.base_revision;
  wanted.values = next_step(loop.knobs, view.base, change.values, loop.max_delta_per_step);
  wanted.source = p.source.empty() ? p.author : p.source;
  wanted.evidence = "proposal " + std::to_string(p.id) + ", step " + std::to_string(change.steps_taken + 1) + " of " +
                    std::to_string(change.steps_taken + left) + (p.evidence.empty() ? "" : ": " + p.evidence);
  wanted.approver = p.by_person ? p.decided_by : "";
  wanted.request = request_name(p, change);
  return wanted;
}

void authority_turn::ask_governor(config_proposal& p) {
  const auto next = std::ranges::find(p.changes, false, &wanted_change::done);
  if (next == p.changes.end()) return;
  const governed_loop& loop = *loop_named(next->loop);
  loop_view& view = state_.loops.at(next->loop);
  if (view.request || !view.known) return;   // one at a time; the loop's next observation comes back here
  for (const wanted_change& c : p.changes) { // decided together: nothing is begun that cannot be ended
    const loop_view& seen = state_.loops.at(c.loop);
    if (!c.done && seen.known && seen.revision != c.base_revision)
      return give_up(p, review_state::stale, "homeostat",
                     "loop " + c.loop + " is at revision " + std::to_string(seen.revision) + ", the proposal at " +
                         std::to_string(c.base_revision));
  }
  if (!p.by_person && !is_within_caps(p))
    return give_up(p, review_state::rejected, "homeostat",
                   "beyond the total change cap by now: only a person could have decided it");
  if (view.frozen) {
    p.retry_at = now_ + retry_pause; // I4; a person's own command goes another way
    return;
  }
  if (!spend_budget(p)) return;
  const auto index = static_cast<std::size_t>(next - p.changes.begin());
  proposal wanted = step_of(p, *next);
  view.request = open_request{.proposal = p.id, .change = index, .values = wanted.values};
  p.retry_at.reset();
  effects_.requests.push_back({.loop = loop.name, .wanted = std::move(wanted)});
}

bool authority_turn::is_outcome_open(const config_proposal& p) const {
  if (p.state != review_state::approved) return false;
  const auto next = std::ranges::find(p.changes, false, &wanted_change::done);
  if (next == p.changes.end()) return false;
  const loop_view& view = state_.loops.at(next->loop);
  return view.request ? view.request->proposal == p.id : !view.known;
}

void authority_turn::take_step(config_proposal& p, std::size_t change, std::uint64_t revision) {
  wanted_change& c = p.changes[change];
  const governed_loop& loop = *loop_named(c.loop);
  ++c.steps_taken;
  c.base_revision = revision;
  // Where the walk is now, whatever has happened to the loop since.
  c.done = steps_between(loop.knobs, c.before, c.values, loop.max_delta_per_step, c.steps_taken + 1) <= c.steps_taken;
  ++p.version;
  touch(p);
  if (std::ranges::all_of(p.changes, &wanted_change::done)) {
    const std::string by = p.decided_by;
    settle(p, review_state::applied, by, p.decision, now_);
    note(audit_kind::proposal_decided, p, "applied", by);
  }
}

void authority_turn::give_up(config_proposal& p, review_state state, std::string by, const std::string& why) {
  // Decided together, so not left half done: what is still as we left it goes back.
  if (p.state == review_state::approved)
    for (const wanted_change& c : p.changes) {
      const loop_view& view = state_.loops.at(c.loop);
      if (c.steps_taken == 0 || !view.known || view.revision != c.base_revision) continue;
      effects_.orders.push_back({.loop = c.loop,
                                 .command = {.action = operator_action::set_values,
                                             .actor = p.by_person ? p.decided_by : "homeostat",
                                             .text = "undo of proposal " + std::to_string(p.id) + ": " + why,
                                             .values = c.before,
                                             .override_bounds = false,
                                             .revision = c.base_revision}});
    }
  notice(std::string(name_of(state)), "proposal " + std::to_string(p.id) + ": " + why);
  settle(p, state, std::move(by), why, now_);
  note(audit_kind::proposal_decided, p, std::string(name_of(state)) + ": " + why, p.decided_by);
}

void authority_turn::refused(config_proposal& p, std::size_t change, const violation& v) {
  const std::string text = "loop " + p.changes[change].loop + ": " + describe(v);
  ++p.refusals;
  if (!time_may_cure(v.code) || p.refusals >= config_.review.max_refusals)
    return give_up(p, review_state::rejected, "governor", text);
  p.retry_at = std::max(v.retry_at.value_or(now_ + retry_pause), now_ + 10ms);
  p.decision = "waits: " + text;
  touch(p);
}

void authority_turn::on(const request_answer& a) {
  loop_view& view = state_.loops[a.loop];
  if (!view.request) return;
  const open_request asked = *std::exchange(view.request, std::nullopt);
  const auto found = state_.proposals.find(asked.proposal);
  if (a.verdict && a.verdict->accepted && found != state_.proposals.end()) {
    // A receipt is as good as a look at the loop.
    return on(loop_observation{.loop = a.loop,
                               .generation = a.verdict->accepted->generation,
                               .revision = a.verdict->accepted->revision,
                               .base = asked.values,
                               .baseline = view.baseline,
                               .frozen = view.frozen,
                               .last_request = request_name(found->second, found->second.changes[asked.change]),
                               .last_request_revision = a.verdict->accepted->revision,
                               .request_in_flight = false,
                               .metrics = {}});
  }
  // What is live now has to be seen first.
  view.known = false;
  if (found == state_.proposals.end()) return;
  if (a.verdict && a.verdict->refused) return refused(found->second, asked.change, *a.verdict->refused);
  found->second.retry_at = now_ + retry_pause;
}

} // namespace homeostat
