#include "policies/authority/config_proposal.hpp"

#include <utility>

namespace homeostat {

namespace {

std::unexpected<review_error> refusal(review_refusal kind, std::string text) {
  return std::unexpected(review_error{kind, std::move(text)});
}

} // namespace

bool is_open(const config_proposal& p) {
  return p.state == review_state::pending || p.state == review_state::acknowledged;
}

bool is_settled(const config_proposal& p) { return !is_open(p) && p.state != review_state::approved; }

void settle(config_proposal& p, review_state state, std::string by, std::string why, instant now) {
  p.state = state;
  p.decided_by = std::move(by);
  p.decision = std::move(why);
  p.decided = now;
  p.retry_at.reset();
  ++p.version;
}

std::expected<void, review_error> review(config_proposal& p, const review_decision& d, instant now) {
  const std::string number = "proposal " + std::to_string(p.id);
  if (d.actor.empty()) return refusal(review_refusal::forbidden, number + ": nobody decides without a name");
  if (!is_open(p))
    return refusal(review_refusal::conflict, number + " is " + std::string(name_of(p.state)) + " already" +
                                                 (p.decided_by.empty() ? "" : ", by " + p.decided_by) +
                                                 ", expected pending or acknowledged");
  if (d.version && *d.version != p.version)
    return refusal(review_refusal::conflict, number + " is at version " + std::to_string(p.version) + " now, version " +
                                                 std::to_string(*d.version) + " was looked at");
  const bool own = d.actor == p.author;
  switch (d.verb) {
  case review_verb::acknowledge:
    if (own)
      return refusal(review_refusal::forbidden, number + " is " + d.actor + "'s own: somebody else has to see it");
    if (p.state == review_state::acknowledged)
      return refusal(review_refusal::conflict, number + " is acknowledged already");
    p.state = review_state::acknowledged;
    p.acknowledged = now;
    p.decided_by = d.actor;
    p.decision = d.text;
    ++p.version;
    return {};
  case review_verb::approve:
    if (own) return refusal(review_refusal::forbidden, number + " is " + d.actor + "'s own: somebody else approves it");
    settle(p, review_state::approved, d.actor, d.text, now);
    p.by_person = true;
    return {};
  case review_verb::reject: settle(p, review_state::rejected, d.actor, d.text, now); return {};
  case review_verb::withdraw:
    if (!own)
      return refusal(review_refusal::forbidden, number + " is " + p.author + "'s: only the author withdraws it");
    settle(p, review_state::withdrawn, d.actor, d.text, now);
    return {};
  }
  return {};
}

review_outlook next_review(const config_proposal& p, const review_settings& settings) {
  if (!is_open(p)) return {};
  review_outlook next{.at = p.created + settings.expire_after, .event = review_event::expiry};
  const auto consider = [&](instant at, review_event event) {
    if (at < *next.at) next = {.at = at, .event = event};
  };
  if (p.risk.result == risk_class::low && p.may_apply_itself)
    consider(p.created + settings.auto_apply_after, review_event::approval);
  if (p.risk.result == risk_class::medium && p.state == review_state::acknowledged && p.may_apply_itself)
    consider(*p.acknowledged + settings.auto_apply_after, review_event::approval);
  if (p.risk.result == risk_class::medium && p.state == review_state::pending) {
    if (p.reminded)
      consider(p.created + settings.escalate_after, review_event::escalation);
    else
      consider(p.created + settings.acknowledge_within, review_event::reminder);
  }
  return next;
}

review_event expire_review(config_proposal& p, const review_settings& settings, instant now) {
  const review_outlook next = next_review(p, settings);
  if (!next.at || now < *next.at) return review_event::none;
  switch (next.event) {
  case review_event::none: break;
  case review_event::expiry: settle(p, review_state::expired, "homeostat", "nobody decided", now); break;
  case review_event::approval: settle(p, review_state::approved, "homeostat", "nobody objected", now); break;
  case review_event::reminder: p.reminded = true, ++p.version; break;
  case review_event::escalation:
    p.risk.terms.push_back({.text = "nobody acknowledged it in time", .steps = 1});
    p.risk.result = risk_class::high;
    ++p.version;
    break;
  }
  return next.event;
}

} // namespace homeostat
