#include "policies/transfer/advice_life.hpp"

#include <algorithm>

namespace homeostat {

namespace {

/// Accepted advice without a proposal after this time lost it to a crash between the two.
constexpr duration proposing_takes = 60s;

} // namespace

std::expected<void, std::string> take_decision(transfer_recommendation& r, advice_verb verb, const std::string& actor,
                                               const std::string& text, std::optional<instant> until, instant now) {
  auto taken = decide_advice(r, verb, actor, text, until, now);
  if (taken) r.decided = now;
  return taken;
}

void reopen_advice(transfer_recommendation& r, const std::string& why) {
  r.state = advice_state::open;
  r.decision = why;
  r.proposal.clear();
  r.applied.reset();
  r.outcome.reset();
  r.measured = false;
  r.snoozed_until.reset();
}

bool awaits_proposal(const transfer_recommendation& r) { return r.state == advice_state::accepted && !r.applied; }

bool follow_proposal(transfer_recommendation& r, const proposal_fate& fate, std::string_view in_force, instant now) {
  if (!awaits_proposal(r)) return false;
  if (r.proposal.empty()) {
    if (r.decided && now - *r.decided < proposing_takes) return false;
    reopen_advice(r, "it was accepted, but no proposal came of it");
    return true;
  }
  const std::string said = "proposal " + r.proposal + (fate.state.empty() ? " is unknown" : " " + fate.state) +
                           (fate.decision.empty() ? "" : ": " + fate.decision);
  if (fate.state == "applied" || (fate.state.empty() && in_force == r.value)) {
    r.applied = now;
    return true;
  }
  if (fate.state == "rejected") {
    r.state = advice_state::dismissed;
    r.decision = said;
    return true;
  }
  if (fate.state.empty() || fate.state == "expired" || fate.state == "stale" || fate.state == "withdrawn") {
    reopen_advice(r, said);
    return true;
  }
  return false;
}

bool end_if_taken_back(transfer_recommendation& r, std::string_view in_force) {
  if (!r.applied || r.measured || in_force.empty() || is_same_value(r, in_force, r.value)) return false;
  r.measured = true;
  r.decision = r.key + " was changed to " + std::string(in_force) + " before the time of measuring was over";
  if (!r.outcome) r.outcome.emplace().text = "nothing was measured before that";
  return true;
}

std::optional<measuring_span> span_of(const transfer_recommendation& r, const std::vector<transfer_recommendation>& all,
                                      instant now) {
  if (!r.applied || r.measured) return std::nullopt;
  const auto minute = [](instant t) -> instant { return std::chrono::floor<std::chrono::minutes>(t); };
  const instant begun = minute(*r.applied);
  measuring_span s{.before_from = begun - measured_for,
                   .before_to = begun,
                   .after_from = begun + 1min,
                   .after_to = begun + 1min + measured_for};
  for (const transfer_recommendation& other : all) {
    if (!other.applied || other.id == r.id) continue;
    const instant then = minute(*other.applied);
    if (then <= begun) s.before_from = std::max(s.before_from, std::min(begun, then + 1min));
    if (then >= begun) s.after_to = std::min(s.after_to, std::max(s.after_from, then));
  }
  s.over = now >= s.after_to;
  s.after_to = std::min(s.after_to, minute(now));
  return s;
}

} // namespace homeostat
