// Pools that decide on transfers.
#include "runtime/gateway/api_routes.hpp"
#include "runtime/gateway/transfer_message.hpp"

namespace homeostat {

namespace {

constexpr int most_outcomes = 1000;

using handler = http_response (*)(node&, transfer_pool&, const api_request&);

void audit(node& n, const std::string& actor, const std::string& pool, const std::string& what) {
  n.record({.time = n.now(),
            .kind = audit_kind::operator_command,
            .source = "pool " + pool,
            .actor = actor,
            .evidence = {},
            .before = {},
            .after = {},
            .reason = {},
            .text = what});
}

http_response list_pools(node& n, const api_request&) {
  v1::PoolList list;
  for (const auto& pool : n.transfers().all()) *list.add_pools() = message_of(*pool);
  return json_answer(list);
}

http_response show_pool(node&, transfer_pool& pool, const api_request&) { return json_answer(message_of(pool)); }

http_response decide_in(node&, transfer_pool& pool, const api_request& request) {
  v1::TransferData body;
  if (auto ok = read_body(request, body); !ok) return ok.error();
  const auto data = characteristics_from(body);
  if (!data) return problem(400, "bad body", data.error());
  const transfer_decision decision = pool.decide(*data);
  return json_answer(message_of(decision, pool.explain(decision, *data)));
}

http_response take_outcomes(node& n, transfer_pool& pool, const api_request& request) {
  v1::TransferOutcomes body;
  if (auto ok = read_body(request, body); !ok) return ok.error();
  if (body.outcomes_size() == 0 || body.outcomes_size() > most_outcomes)
    return problem(400, "bad body",
                   "outcomes has " + std::to_string(body.outcomes_size()) + " entries, expected 1 to " +
                       std::to_string(most_outcomes));
  std::vector<transfer_metrics> all;
  const system_conditions now = pool.conditions();
  for (const auto& outcome : body.outcomes()) {
    auto metrics = metrics_from(outcome, now, n.now());
    if (!metrics) return problem(400, "bad body", "outcomes[" + std::to_string(all.size()) + "]: " + metrics.error());
    all.push_back(*metrics);
  }
  v1::OutcomesTaken answer; // all were sound: none is taken when one is not
  for (const transfer_metrics& metrics : all)
    pool.record(metrics) ? answer.set_taken(answer.taken() + 1) : answer.set_lost(answer.lost() + 1);
  return json_answer(answer);
}

http_response change_policy(node& n, transfer_pool& pool, const api_request& request) {
  v1::PoolChange body;
  if (auto ok = read_body(request, body); !ok) return ok.error();
  const auto actor = actor_of(request, body.actor());
  if (!actor) return actor.error();
  auto policy = policy_from(body.policy(), pool.state().policy());
  if (!policy) return problem(422, "cannot be", policy.error());
  if (auto taken = pool.set_policy(std::move(*policy), n.now()); !taken)
    return problem(422, "cannot be", taken.error());
  audit(n, *actor, pool.name(), "policy changed: " + body.policy().ShortDebugString() + " " + body.text());
  return json_answer(message_of(pool));
}

http_response back_to_rules(node& n, transfer_pool& pool, const api_request& request) {
  v1::PoolChange body;
  if (auto ok = read_body(request, body); !ok) return ok.error();
  if (body.has_policy()) return problem(400, "bad body", "expected the fields actor and text only");
  const auto actor = actor_of(request, body.actor());
  if (!actor) return actor.error();
  transfer_policy policy = pool.state().policy();
  policy.learning_enabled = false;
  if (auto taken = pool.set_policy(std::move(policy), n.now()); !taken) return problem(422, "cannot be", taken.error());
  pool.reset(n.now(), "rollback to rules by " + *actor);
  audit(n, *actor, pool.name(), "rollback to rules: learning off, thresholds as configured. " + body.text());
  return json_answer(message_of(pool));
}

} // namespace

void add_pool_routes(router& r, node& n) {
  r.add({.method = "GET",
         .path = "/api/v1/pools",
         .text = "Every pool that decides on transfers: policy, thresholds with why they moved, counts.",
         .needs = permission::read,
         .answers = v1::PoolList::descriptor(),
         .handle = [&n](const api_request& request) { return list_pools(n, request); }});
  const auto add = [&](const char* method, const char* verb, const char* text, permission needs,
                       const google::protobuf::Descriptor* takes, const google::protobuf::Descriptor* answers,
                       std::vector<unsigned> problems, handler handle) {
    r.add({.method = method,
           .path = std::string("/api/v1/pools/{pool}") + verb,
           .text = text,
           .needs = needs,
           .takes = takes,
           .answers = answers,
           .problems = std::move(problems),
           .handle = [&n, handle](const api_request& request) {
             transfer_pool* pool = n.transfers().find(request.path.at("pool"));
             if (pool == nullptr)
               return problem(404, "no such pool",
                              "no pool '" + request.path.at("pool") + "' with a transfer section is configured here");
             return handle(n, *pool, request);
           }});
  };
  const auto* pool = v1::PoolView::descriptor();
  add("GET", "", "One pool that decides on transfers.", permission::read, nullptr, pool, {404}, show_pool);
  add("POST", "/decide", "Says which method a transfer should take, and why.", permission::read,
      v1::TransferData::descriptor(), v1::TransferDecision::descriptor(), {404}, decide_in);
  add("POST", "/outcomes", "Reports how transfers went, at most 1,000 at once; all or none are taken.",
      permission::propose, v1::TransferOutcomes::descriptor(), v1::OutcomesTaken::descriptor(), {404}, take_outcomes);
  add("POST", "/policy", "Changes a pool's policy until the daemon ends; what is left out stays.", permission::command,
      v1::PoolChange::descriptor(), pool, {404, 422}, change_policy);
  add("POST", "/rules", "Rollback to rules: forgets what was learned and stops learning.", permission::command,
      v1::PoolChange::descriptor(), pool, {404, 422}, back_to_rules);
}

} // namespace homeostat
