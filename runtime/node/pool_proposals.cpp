#include "runtime/node/pool_proposals.hpp"

#include "messages/authority.pb.h"
#include "policies/find_named.hpp"
#include "policies/transfer/policy_knobs.hpp"
#include "runtime/node/node.hpp"

namespace homeostat {

namespace {

std::unexpected<authority_problem> refused(unsigned status, std::string text) {
  return std::unexpected(authority_problem{status, std::move(text)});
}

} // namespace

std::expected<void, std::string> check_together(node& n, const std::string& loop,
                                                const std::map<std::string, double>& values) {
  for (const auto& pool : n.transfers().all()) {
    const loop_config* over = loop_over_pool(n.config(), pool->name());
    if (!over || over->name != loop) continue;
    const auto whole = with_knobs(pool->policy(), values);
    if (!whole) return {}; // the authority and the governor have better words for a single value
    return check(*whole);
  }
  return {};
}

std::expected<std::string, authority_problem> propose_policy(node& n, const policy_wish& wish,
                                                             const std::string& actor) {
  const loop_config* loop = loop_over_pool(n.config(), wish.pool);
  if (!loop) return refused(404, "no pool '" + wish.pool + "' with a transfer section is configured here");
  v1::ProposalRequest request;
  v1::ChangeRequest& change = *request.add_changes();
  change.set_loop(loop->name);
  const auto values = policy_knobs_from(wish.changes);
  if (!values) return refused(422, values.error());
  for (const auto& [key, value] : *values) {
    if (!find_named(loop->governor.knobs, key))
      return refused(422, "loop " + loop->name + " has no knob '" + key + "': its configuration leaves it out");
    (*change.mutable_knobs())[key].set_number_value(value);
  }
  if (const auto together = check_together(n, loop->name, *values); !together) return refused(422, together.error());
  request.set_source(wish.source);
  request.set_rationale(wish.rationale);
  request.set_evidence(wish.evidence);
  request.set_confidence(wish.confidence);
  if (wish.expected_gain) request.set_expected_gain(*wish.expected_gain);
  const authority_reply reply = n.ask_authority({.verb = "propose",
                                                 .id = {},
                                                 .actor = actor,
                                                 .automation = !wish.source.empty(),
                                                 .body = request.SerializeAsString()});
  if (reply.status >= 300) return refused(reply.status, reply.problem);
  v1::ProposalView view;
  if (!view.ParseFromString(reply.body)) return refused(500, "the authority's answer is not readable");
  return std::to_string(view.id());
}

} // namespace homeostat
