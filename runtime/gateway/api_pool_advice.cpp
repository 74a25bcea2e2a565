// Advice on the pools that decide on transfers: what to change, and what came of it.
#include "messages/authority.pb.h"
#include "runtime/gateway/api_routes.hpp"
#include "runtime/node/advice_message.hpp"
#include "runtime/node/pool_proposals.hpp"

#include <cmath>

namespace homeostat {

namespace {

http_response no_such_pool(const std::string& name) {
  return problem(404, "no such pool", "no pool '" + name + "' with a transfer section is configured here");
}

http_response list_advice(node& n, const api_request& request) {
  const std::string& pool = request.path.at("pool");
  if (n.transfers().find(pool) == nullptr) return no_such_pool(pool);
  return json_answer(message_of(n.advisor().advice(pool)));
}

/// Accepted advice goes before the authority, which decides.
http_response propose(node& n, const transfer_recommendation& r, const std::string& actor, const std::string& text) {
  const auto proposal = propose_policy(n,
                                       {.pool = r.pool,
                                        .changes = {{r.key, r.value}},
                                        .source = recommendation_source,
                                        .rationale = text.empty() ? "recommendation " + r.id + " was accepted" : text,
                                        .evidence = r.evidence,
                                        .confidence = r.gain ? advice_settings{}.confidence : 0.5,
                                        .expected_gain = r.gain ? std::optional(r.gain->share) : std::nullopt},
                                       actor);
  if (proposal) return json_answer(message_of(n.advisor().proposed(r.pool, r.id, *proposal)));
  n.advisor().not_proposed(r.pool, r.id, "no proposal came of it: " + proposal.error().text);
  return problem(proposal.error().status, "not proposed", proposal.error().text);
}

http_response decide_on_advice(node& n, advice_verb verb, const char* did, const api_request& request) {
  v1::DecisionRequest body;
  if (auto ok = read_body(request, body); !ok) return ok.error();
  if (body.version() != 0) return problem(400, "bad body", "only proposals have versions: leave version out");
  if (verb != advice_verb::snooze && body.has_snooze_seconds())
    return problem(400, "bad body", "snooze_seconds is for snooze only");
  const auto actor = actor_of(request, body.actor());
  if (!actor) return actor.error();
  const std::string &pool = request.path.at("pool"), &id = request.path.at("id");
  if (n.transfers().find(pool) == nullptr) return no_such_pool(pool);
  std::optional<instant> until;
  constexpr double longest = 366.0 * 86400;
  if (const double s = body.snooze_seconds(); std::isfinite(s) && s > 0 && s <= longest)
    until = n.now() + std::chrono::duration_cast<duration>(std::chrono::duration<double>(s));
  audit_record record{.time = n.now(),
                      .kind = audit_kind::operator_command,
                      .source = "pool " + pool,
                      .actor = *actor,
                      .evidence = {},
                      .before = {},
                      .after = {},
                      .reason = {},
                      .text = "recommendation " + id + " " + did + ". " + body.text()};
  const auto decided = n.advisor().decide(pool, id, verb, std::move(record), body.text(), until);
  if (!decided)
    return problem(decided.error().status, decided.error().status == 404 ? "no such recommendation" : "not decided",
                   decided.error().text);
  return verb == advice_verb::accept ? propose(n, *decided, *actor, body.text()) : json_answer(message_of(*decided));
}

} // namespace

void add_pool_advice_routes(router& r, node& n) {
  const std::string base = "/api/v1/pools/{pool}/recommendations";
  r.add({.method = "GET",
         .path = base,
         .text =
             "What to change in the pool's configuration, by impact over effort; what was decided on it, and what it "
             "brought.",
         .needs = permission::read,
         .answers = v1::TransferAdviceList::descriptor(),
         .problems = {404},
         .handle = [&n](const api_request& request) { return list_advice(n, request); }});
  struct verb {
    const char* name;
    const char* did;
    const char* text;
    advice_verb verb;
    std::vector<unsigned> problems;
  };
  for (const verb& v :
       {verb{"accept",
             "accepted",
             "Makes it a proposal before the authority.",
             advice_verb::accept,
             {400, 403, 404, 409, 422, 429, 503}},
        verb{"dismiss",
             "dismissed",
             "Does not want it, also when it is seen again.",
             advice_verb::dismiss,
             {400, 404, 409, 503}},
        verb{"snooze", "snoozed", "Puts it aside for snooze_seconds.", advice_verb::snooze, {400, 404, 409, 422, 503}}})
    r.add({.method = "POST",
           .path = base + "/{id}/" + v.name,
           .text = v.text,
           .needs = permission::command,
           .takes = v1::DecisionRequest::descriptor(),
           .answers = v1::TransferAdvice::descriptor(),
           .problems = v.problems,
           .handle = [&n, verb = v.verb, did = v.did](const api_request& request) {
             return decide_on_advice(n, verb, did, request);
           }});
}

} // namespace homeostat
