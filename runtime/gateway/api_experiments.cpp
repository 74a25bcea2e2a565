// Experiments of the pools that decide on transfers.
#include "messages/codec_fields.hpp"
#include "messages/experiment_rules.hpp"
#include "runtime/gateway/api_routes.hpp"
#include "runtime/node/pool_proposals.hpp"

#include <cmath>

namespace homeostat {

namespace {

/// What a handler knows of a request that somebody is behind.
struct experiment_request {
  std::string pool;
  std::string name; ///< of the experiment, where the path has one
  std::string actor;
  std::string text;
};

using answer_of_service = experiment_result<experiment_state>;

void put(v1::ExperimentArm* out, const arm_record& arm, std::uint32_t cells) {
  out->set_delivered(arm.log_latency.count);
  out->set_failed(arm.failed);
  out->set_mean_us(arm.log_latency.count == 0 ? 0 : std::exp(arm.log_latency.mean));
  out->set_p50_us(arm.latency.quantile(0.5).value_or(0));
  out->set_p99_us(arm.latency.quantile(0.99).value_or(0));
  out->set_memory(arm.memory_bytes.mean);
  out->set_cells(cells);
}

v1::ExperimentView message_of(const experiment_state& e) {
  v1::ExperimentView view;
  const experiment_settings& s = e.settings;
  view.set_name(s.name);
  view.set_pool(s.pool);
  view.set_phase(std::string(name_of(e.phase)));
  view.set_verdict(std::string(name_of(e.verdict)));
  view.set_reason(e.reason);
  view.set_decided_by(e.decided_by);
  view.set_proposal(e.proposal);
  for (const auto& [key, value] : differences(s.treatment, s.control)) (*view.mutable_control())[key] = value;
  for (const auto& [key, value] : differences(s.control, s.treatment)) (*view.mutable_treatment())[key] = value;
  codec::put(view.mutable_rules(), s);
  view.set_created_us(codec::to_us(e.created));
  view.set_started_us(codec::to_us(e.started));
  view.set_ended_us(codec::to_us(e.ended));
  const experiment_estimate now_is = estimate(e);
  put(view.mutable_control_arm(), e.control, now_is.cells_control);
  put(view.mutable_treatment_arm(), e.treatment, now_is.cells_treatment);
  view.set_ratio(now_is.ratio);
  view.set_ratio_low(now_is.ratio_low);
  view.set_ratio_high(now_is.ratio_high);
  view.set_always_valid_p(now_is.always_valid_p);
  view.set_refused(e.refused);
  view.set_report(report_of(e));
  return view;
}

http_response answer(const answer_of_service& result) {
  if (result) return json_answer(message_of(*result));
  const authority_problem& why = result.error();
  return problem(why.status,
                 why.status == 404   ? "no such experiment"
                 : why.status == 409 ? "not now"
                                     : "cannot be",
                 why.text);
}

answer_of_service create(node& n, const experiment_request& by, const v1::ExperimentDraft& draft) {
  experiment_settings wanted;
  wanted.pool = by.pool;
  wanted.name = draft.name();
  wanted.treatment = {draft.treatment().begin(), draft.treatment().end()};
  try {
    codec::get(draft.rules(), wanted);
  } catch (const codec::malformed& e) {
    return std::unexpected(authority_problem{422, std::string("rules: ") + e.what()});
  }
  return n.transfers().experiments().create(std::move(wanted), by.actor, by.text, n.now());
}

answer_of_service start(node& n, const experiment_request& by, const v1::ExperimentCommand&) {
  return n.transfers().experiments().start(by.pool, by.name, by.actor, by.text, n.now());
}

answer_of_service reject(node& n, const experiment_request& by, const v1::ExperimentCommand&) {
  return n.transfers().experiments().reject(by.pool, by.name, by.actor, by.text, n.now());
}

answer_of_service promote(node& n, const experiment_request& by, const v1::ExperimentCommand&) {
  return n.transfers().experiments().promote(
      by.pool, by.name, by.actor, by.text, n.now(), [&](const experiment_promotion& p) {
        return propose_policy(n,
                              {.pool = p.pool,
                               .changes = p.changes,
                               .source = experiment_source,
                               .rationale = by.text.empty() ? "experiment " + by.name + " found it faster" : by.text,
                               .evidence = p.evidence,
                               .confidence = p.confidence,
                               .expected_gain = p.gain},
                              by.actor);
      });
}

/// Adds a route whose handler somebody is behind: the body says who, unless a token does.
template <class Body>
void add_post(router& r, node& n, const char* path, const char* text, permission needs, std::vector<unsigned> problems,
              answer_of_service (*handle)(node&, const experiment_request&, const Body&)) {
  r.add({.method = "POST",
         .path = std::string("/api/v1/pools/{pool}/experiments") + path,
         .text = text,
         .needs = needs,
         .takes = Body::descriptor(),
         .answers = v1::ExperimentView::descriptor(),
         .problems = std::move(problems),
         .handle = [&n, handle](const api_request& request) {
           Body body;
           if (auto ok = read_body(request, body); !ok) return ok.error();
           auto actor = actor_of(request, body.actor());
           if (!actor) return actor.error();
           const auto name = request.path.find("experiment");
           return answer(handle(n,
                                {.pool = request.path.at("pool"),
                                 .name = name == request.path.end() ? "" : name->second,
                                 .actor = std::move(*actor),
                                 .text = body.text()},
                                body));
         }});
}

} // namespace

void add_experiment_routes(router& r, node& n) {
  r.add({.method = "GET",
         .path = "/api/v1/pools/{pool}/experiments",
         .text = "A pool's experiments, the oldest first.",
         .needs = permission::read,
         .answers = v1::ExperimentList::descriptor(),
         .problems = {404},
         .handle = [&n](const api_request& request) {
           const std::string& pool = request.path.at("pool");
           if (n.transfers().find(pool) == nullptr)
             return problem(404, "no such pool", "no pool '" + pool + "' with a transfer section is configured here");
           v1::ExperimentList list;
           for (const experiment_state& e : n.transfers().experiments().list(pool))
             *list.add_experiments() = message_of(e);
           return json_answer(list);
         }});
  r.add({.method = "GET",
         .path = "/api/v1/pools/{pool}/experiments/{experiment}",
         .text = "What an experiment has shown: both arms, the ratio of their latencies with its interval.",
         .needs = permission::read,
         .answers = v1::ExperimentView::descriptor(),
         .problems = {404},
         .handle = [&n](const api_request& request) {
           return answer(n.transfers().experiments().find(request.path.at("pool"), request.path.at("experiment")));
         }});
  add_post<v1::ExperimentDraft>(r, n, "", "Drafts an experiment: which keys of the pool to try, on how many sessions.",
                                permission::propose, {404, 409, 422}, create);
  add_post<v1::ExperimentCommand>(r, n, "/{experiment}/start",
                                  "Compares from now on, with the pool's present policy as control.",
                                  permission::command, {404, 409, 422}, start);
  add_post<v1::ExperimentCommand>(r, n, "/{experiment}/reject", "Decides for control; ends an experiment that runs.",
                                  permission::command, {404, 409}, reject);
  add_post<v1::ExperimentCommand>(r, n, "/{experiment}/promote",
                                  "Puts a treatment that was found faster before the authority as a proposal.",
                                  permission::propose, {403, 404, 409, 422, 429, 503}, promote);
}

} // namespace homeostat
