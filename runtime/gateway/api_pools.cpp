// Pools that decide on transfers.
#include "runtime/gateway/api_routes.hpp"
#include "runtime/gateway/transfer_message.hpp"
#include "runtime/node/pool_commands.hpp"
#include "runtime/transfer/metrics_export.hpp"

#include <charconv>

namespace homeostat {

namespace {

constexpr int most_outcomes = 400; // fit the limit of a body, whatever their numbers look like

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
  for (const auto& pool : n.transfers().all()) *list.add_pools() = message_of(*pool, n.transfers());
  return json_answer(list);
}

http_response show_pool(node& n, transfer_pool& pool, const api_request&) {
  return json_answer(message_of(pool, n.transfers()));
}

http_response decide_in(node& n, transfer_pool& pool, const api_request& request) {
  v1::TransferData body;
  if (auto ok = read_body(request, body); !ok) return ok.error();
  const auto data = characteristics_from(body);
  if (!data) return problem(400, "bad body", data.error());
  const transfer_decision decision = pool.decide(*data, body.session());
  v1::TransferDecision answer = message_of(decision, pool.explain(decision, *data));
  if (decision.place.experiment != 0)
    if (const auto running = n.transfers().experiments().running(pool.name());
        running && decision.place.experiment == running->number) {
      answer.set_experiment(running->name);
      answer.set_arm(std::string(name_of(decision.place.arm)));
    }
  return json_answer(answer);
}

http_response take_outcomes(node& n, transfer_pool& pool, const api_request& request) {
  v1::TransferOutcomes body;
  if (auto ok = read_body(request, body); !ok) return ok.error();
  if (body.outcomes_size() == 0 || body.outcomes_size() > most_outcomes)
    return problem(400, "bad body",
                   "outcomes has " + std::to_string(body.outcomes_size()) + " entries, expected 1 to " +
                       std::to_string(most_outcomes));
  std::vector<placed_outcome> all;
  v1::OutcomesTaken answer;
  const system_conditions now = pool.conditions();
  const auto running = n.transfers().experiments().running(pool.name());
  for (const auto& outcome : body.outcomes()) {
    const std::string which = "outcomes[" + std::to_string(all.size()) + "]: ";
    auto metrics = metrics_from(outcome, now, n.now());
    if (!metrics) return problem(400, "bad body", which + metrics.error());
    const auto place = place_from(outcome, pool, running);
    if (!place) return problem(400, "bad body", which + place.error());
    if (place->experiment == 0 && !outcome.experiment().empty()) answer.set_uncounted(answer.uncounted() + 1);
    all.push_back({*metrics, *place});
  }
  // All were sound: none is taken when one is not.
  for (const placed_outcome& one : all)
    pool.record(one.done, one.place) ? answer.set_taken(answer.taken() + 1) : answer.set_lost(answer.lost() + 1);
  return json_answer(answer);
}

http_response set_policy(node& n, transfer_pool& pool, const api_request& request) {
  v1::PoolChange body;
  if (auto ok = read_body(request, body); !ok) return ok.error();
  const auto actor = actor_of(request, body.actor());
  if (!actor) return actor.error();
  auto policy = policy_from(body.policy(), pool.policy());
  if (!policy) return problem(422, "cannot be", policy.error());
  if (const auto changed = change_policy(n, pool.name(), *policy, *actor, body.text()); !changed)
    return problem(changed.error().status, changed.error().status == 422 ? "cannot be" : "no answer",
                   changed.error().text);
  audit(n, *actor, pool.name(), "policy changed: " + body.policy().ShortDebugString() + " " + body.text());
  return json_answer(message_of(pool, n.transfers()));
}

http_response roll_back_to_rules(node& n, transfer_pool& pool, const api_request& request) {
  v1::PoolChange body;
  if (auto ok = read_body(request, body); !ok) return ok.error();
  if (body.has_policy()) return problem(400, "bad body", "expected the fields actor and text only");
  const auto actor = actor_of(request, body.actor());
  if (!actor) return actor.error();
  const auto done = back_to_rules(n, pool.name(), *actor, body.text());
  audit(n, *actor, pool.name(), "rollback to rules: learning off, thresholds as configured. " + body.text());
  if (!done) return problem(done.error().status, "not for good", done.error().text);
  return json_answer(message_of(pool, n.transfers()));
}

/// @returns a whole number of seconds in a query, or the default.
std::expected<std::int64_t, http_response> seconds_of(const api_request& request, const char* key,
                                                      std::int64_t otherwise) {
  const auto text = request.query_value(key);
  if (!text) return otherwise;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc{} || end != text->data() + text->size() || value < 1 || value > 7 * 24 * 3600)
    return std::unexpected(
        problem(400, "bad query", std::string(key) + " is '" + *text + "', expected seconds from 1 to 604800"));
  return value;
}

http_response show_metrics(node& n, transfer_pool& pool, const api_request& request) {
  const auto span = seconds_of(request, "last", 3600);
  if (!span) return span.error();
  const auto step = seconds_of(request, "step", 60);
  if (!step) return step.error();
  const instant now = n.now();
  metrics_query wanted{.from = now - std::chrono::seconds(*span), .to = now + 1s, .step = std::chrono::seconds(*step)};
  if (const auto name = request.query_value("method")) {
    const auto method = method_from(*name);
    if (!method) return problem(400, "bad query", method.error());
    wanted.method = *method;
  }
  const auto answer = n.transfers().metrics().query(pool.name(), wanted);
  if (!answer) return problem(400, "bad query", answer.error());
  return json_answer(message_of(*answer));
}

http_response show_regressions(node& n, transfer_pool& pool, const api_request&) {
  return json_answer(message_of(n.transfers().metrics().regressions(pool.name(), n.now())));
}

http_response export_samples_of(node& n, transfer_pool& pool, const api_request& request) {
  const std::string form = request.query_value("format").value_or("csv");
  if (form != "csv" && form != "json")
    return problem(400, "bad query", "format is '" + form + "', expected csv or json");
  const bool csv = form == "csv";
  std::string body = csv ? csv_header() + "\n" : "";
  for (const transfer_metrics& one : n.transfers().metrics().samples(pool.name()))
    body += export_line(pool.name(), one, csv ? export_format::csv : export_format::json_lines) + "\n";
  return {.status = 200, .body = std::move(body), .content_type = csv ? "text/csv" : "application/x-ndjson"};
}

http_response accept_normal(node& n, transfer_pool& pool, const api_request& request) {
  v1::PoolChange body;
  if (auto ok = read_body(request, body); !ok) return ok.error();
  if (body.has_policy()) return problem(400, "bad body", "expected the fields actor and text only");
  const auto actor = actor_of(request, body.actor());
  if (!actor) return actor.error();
  const auto moved = n.transfers().metrics().accept(pool.name(), *actor, n.now());
  if (!moved) return problem(422, "cannot be", moved.error());
  audit(n, *actor, pool.name(),
        "what is measured now is normal, for " + std::to_string(*moved) + " series. " + body.text());
  return json_answer(message_of(pool, n.transfers()));
}

} // namespace

void add_pool_routes(router& r, node& n) {
  r.add({.method = "GET",
         .path = "/api/v1/pools",
         .text = "Every pool that decides on transfers: policy, thresholds with why they moved, counts.",
         .needs = permission::read,
         .answers = v1::PoolList::descriptor(),
         .handle = [&n](const api_request& request) { return list_pools(n, request); }});
  const auto in_pool = [&n](const api_request& request, handler handle) {
    const std::string& name = request.path.at("pool");
    transfer_pool* pool = n.transfers().find(name);
    if (pool == nullptr)
      return problem(404, "no such pool", "no pool '" + name + "' with a transfer section is configured here");
    return handle(n, *pool, request);
  };
  const auto add = [&](const char* method, const char* verb, const char* text, permission needs,
                       const google::protobuf::Descriptor* takes, const google::protobuf::Descriptor* answers,
                       std::vector<unsigned> problems, handler handle, std::vector<query_key> query = {}) {
    r.add({.method = method,
           .path = std::string("/api/v1/pools/{pool}") + verb,
           .text = text,
           .needs = needs,
           .takes = takes,
           .answers = answers,
           .query = std::move(query),
           .problems = std::move(problems),
           .handle = [in_pool, handle](const api_request& request) { return in_pool(request, handle); }});
  };
  const auto* pool = v1::PoolView::descriptor();
  add("GET", "", "One pool that decides on transfers.", permission::read, nullptr, pool, {404}, show_pool);
  add("POST", "/decide", "Says which method a transfer should take, and why.", permission::read,
      v1::TransferData::descriptor(), v1::TransferDecision::descriptor(), {404}, decide_in);
  add("POST", "/outcomes", "Reports how transfers went, at most 400 at once; all or none are taken.",
      permission::propose, v1::TransferOutcomes::descriptor(), v1::OutcomesTaken::descriptor(), {404}, take_outcomes);
  add("POST", "/policy", "Changes a pool's policy at once and for good; what is left out stays.", permission::command,
      v1::PoolChange::descriptor(), pool, {404, 422}, set_policy);
  add("GET", "/metrics", "What transfers cost over time: percentiles, throughput, processor time, memory.",
      permission::read, nullptr, v1::TransferSeries::descriptor(), {400, 404}, show_metrics,
      {{.name = "last", .text = "seconds back from now, default 3600, at most a week"},
       {.name = "step",
        .text = "seconds of one point, default 60: 1 to 30 from single transfers, whole minutes to 3600"},
       {.name = "method", .text = "grpc or zero_copy: only transfers by it"}});
  add("GET", "/regressions",
      "What became more than 20 % slower than its baseline, how sure that is, and the likely cause.", permission::read,
      nullptr, v1::RegressionReport::descriptor(), {404}, show_regressions);
  r.add({.method = "GET",
         .path = "/api/v1/pools/{pool}/export",
         .text = "The single transfers still held, as CSV or JSON lines, for a post-mortem.",
         .needs = permission::read,
         .content_type = "*/*",
         .query = {{.name = "format", .text = "csv (default) or json"}},
         .problems = {400, 404},
         .handle = [in_pool](const api_request& request) { return in_pool(request, export_samples_of); }});
  add("POST", "/baseline", "Makes what was measured lately the normal that regressions are told from.",
      permission::command, v1::PoolChange::descriptor(), pool, {404, 422}, accept_normal);
  add("POST", "/rules", "Rollback to rules: forgets what was learned and stops learning.", permission::command,
      v1::PoolChange::descriptor(), pool, {404, 422}, roll_back_to_rules);
}

} // namespace homeostat
