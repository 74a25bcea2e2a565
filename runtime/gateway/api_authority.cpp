// Proposals, recommendations, drift, plans, and values set by hand.
#include "messages/authority_views.hpp"
#include "messages/control.pb.h"
#include "policies/find_named.hpp"
#include "runtime/gateway/api_routes.hpp"
#include "runtime/node/pool_proposals.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace homeostat {

namespace {

const char* title_of(std::uint32_t status) {
  switch (status) {
  case 400: return "bad body";
  case 403: return "not allowed";
  case 404: return "no such thing";
  case 409: return "conflict";
  case 412: return "looked at another version";
  case 422: return "cannot be";
  case 429: return "too many";
  default: return "no answer";
  }
}

/// Hands a call to the authority and its answer back. @tparam View  the message of a good answer.
template <class View>
http_response call_authority(node& n, authority_call call, const api_request& request, unsigned status = 200) {
  if (call.actor.empty()) {
    const auto actor = actor_of(request, "");
    if (!actor) return actor.error();
    call.actor = *actor;
  }
  call.automation = request.caller.acts_as == role::proposer;
  call.may_approve = permits(request.caller.acts_as, permission::approve);
  const authority_reply reply = n.ask_authority(call);
  if (reply.status >= 300) return problem(reply.status, title_of(reply.status), reply.problem);
  View view;
  if (!view.ParseFromString(reply.body))
    return problem(500, "internal error", "the authority's answer is not readable");
  http_response response = json_answer(view, status);
  if constexpr (std::is_same_v<View, v1::ProposalView>)
    response.headers.emplace_back("ETag", "\"" + std::to_string(view.version()) + "\"");
  return response;
}

/// Wishes that no pool could follow are refused before anybody has to look at them.
std::expected<void, std::string> check_pools(node& n, const v1::ProposalRequest& body) {
  if (n.transfers().all().empty()) return {};
  authority_config terms;
  for (const v1::ChangeRequest& change : body.changes())
    if (const loop_config* loop = find_named(n.config().loops, change.loop())) terms.loops.push_back(loop->authority);
  const auto wish = wish_of(terms, body);
  if (!wish) return {}; // the authority says it
  for (const wanted_values& change : wish->changes)
    if (auto ok = check_together(n, change.loop, {change.knobs.begin(), change.knobs.end()}); !ok)
      return std::unexpected("loop " + change.loop + ": " + ok.error());
  return {};
}

template <class View> http_response wish(node& n, const std::string& verb, const api_request& request) {
  v1::ProposalRequest body;
  if (auto ok = read_body(request, body); !ok) return ok.error();
  const auto actor = actor_of(request, body.actor());
  if (!actor) return actor.error();
  if (auto ok = check_pools(n, body); !ok) return problem(422, title_of(422), ok.error());
  return call_authority<View>(n, {.verb = verb, .id = {}, .actor = *actor, .body = body.SerializeAsString()}, request,
                              verb == "plan" ? 200 : 201);
}

template <class View> http_response decide_on(node& n, const std::string& verb, const api_request& request) {
  v1::DecisionRequest body;
  if (auto ok = read_body(request, body); !ok) return ok.error();
  const auto actor = actor_of(request, body.actor());
  if (!actor) return actor.error();
  authority_call call{.verb = verb, .id = request.path.at("id"), .actor = *actor, .body = body.SerializeAsString()};
  const std::string& tag = request.http.if_match;
  if constexpr (!std::is_same_v<View, v1::ProposalView>)
    if (body.version() != 0 || (!tag.empty() && tag != "*"))
      return problem(412, title_of(412), "only proposals have versions: leave If-Match and version out");
  if (body.version() != 0) call.version = body.version();
  if (!tag.empty() && tag != "*") {
    const bool quoted = tag.size() > 2 && tag.front() == '"' && tag.back() == '"';
    const std::string number = quoted ? tag.substr(1, tag.size() - 2) : tag;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), call.version);
    if (error != std::errc() || end != number.data() + number.size() || call.version == 0)
      return problem(412, title_of(412), "If-Match is " + tag + ", expected the version of the proposal in quotes");
  }
  return call_authority<View>(n, std::move(call), request);
}

// ---- drift --------------------------------------------------------------------------------------------------------

http_response list_drifts(node& n) {
  const auto loops = n.status();
  if (!loops) return problem(503, "no answer", loops.error());
  v1::DriftPage page;
  for (const loop_status& loop : *loops) {
    const loop_config* config = find_named(n.config().loops, loop.name);
    for (const captured_drift& d : loop.drifts) {
      v1::DriftView* view = page.add_drifts();
      view->set_loop(loop.name);
      view->set_revision(d.revision);
      if (config) add_changes(view->mutable_knobs(), config->governor.knobs, d.desired, d.found);
      view->set_found_us(d.found_at.time_since_epoch().count());
      view->add_tags("break-glass");
      view->add_tags("requires-review");
    }
  }
  return json_answer(page);
}

http_response review_drift(node& n, operator_action action, const api_request& request) {
  v1::DecisionRequest body;
  if (auto ok = read_body(request, body); !ok) return ok.error();
  const auto actor = actor_of(request, body.actor());
  if (!actor) return actor.error();
  const std::string& text = request.path.at("revision");
  std::uint64_t revision = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), revision);
  if (error != std::errc() || end != text.data() + text.size())
    return problem(404, "no such drift", "'" + text + "' is not the number of a revision");
  return command_loop(n, request.path.at("loop"),
                      {.action = action,
                       .actor = *actor,
                       .text = body.text(),
                       .values = {},
                       .override_bounds = false,
                       .revision = revision});
}

// ---- values by hand -----------------------------------------------------------------------------------------------

http_response set_values(node& n, const api_request& request) {
  v1::OverrideRequest body;
  if (auto ok = read_body(request, body); !ok) return ok.error();
  const auto actor = actor_of(request, body.actor());
  if (!actor) return actor.error();
  const std::string& name = request.path.at("loop");
  const loop_config* loop = find_named(n.config().loops, name);
  if (!loop) return no_such_loop(name);
  if (body.knobs().empty()) return problem(422, "cannot be", "knobs are missing, expected at least one");
  authority_config terms;
  terms.loops.push_back(loop->authority);
  v1::ProposalRequest as_wish;
  as_wish.add_changes()->set_loop(name);
  *as_wish.mutable_changes(0)->mutable_knobs() = body.knobs();
  const auto wanted = wish_of(terms, as_wish);
  if (!wanted) return problem(422, "cannot be", wanted.error());
  const auto& knobs = wanted->changes.front().knobs;
  if (auto ok = check_together(n, name, {knobs.begin(), knobs.end()}); !ok)
    return problem(422, "cannot be", ok.error());
  const auto loops = n.status();
  if (!loops) return problem(503, "no answer", loops.error());
  const loop_status* status = find_named(*loops, name);
  if (!status || status->knobs.size() != loop->governor.knobs.size())
    return problem(503, "no answer", "loop " + name + " does not report its values");
  knob_values values;
  for (const knob_status& knob : status->knobs) values.push_back(knob.base);
  for (const auto& [knob, value] : wanted->changes.front().knobs) {
    const knob_spec* found = find_named(loop->governor.knobs, knob);
    if (!found) return problem(422, "cannot be", "loop " + name + " has no knob '" + knob + "'");
    values[static_cast<std::size_t>(found - loop->governor.knobs.data())] = value;
  }
  return command_loop(n, name,
                      {.action = operator_action::set_values,
                       .actor = *actor,
                       .text = body.text(),
                       .values = values,
                       .override_bounds = body.override_bounds()});
}

} // namespace

void add_authority_routes(router& r, node& n) {
  const auto* asks = v1::ProposalRequest::descriptor();
  const auto* decides = v1::DecisionRequest::descriptor();
  r.add({.method = "GET",
         .path = "/api/v1/proposals",
         .text = "Proposals that wait or are being applied, and the newest 200 of the others, the newest first.",
         .needs = permission::read,
         .answers = v1::ProposalPage::descriptor(),
         .query = {{.name = "state", .text = "open: only those that wait or are being applied"}},
         .problems = {400},
         .handle = [&n](const api_request& q) {
           const auto state = q.query_value("state");
           if (state && *state != "open")
             return problem(400, "bad query", "state is '" + *state + "', expected open or nothing");
           return call_authority<v1::ProposalPage>(
               n, {.verb = "proposals", .id = state.value_or(""), .actor = "-", .body = {}}, q);
         }});
  r.add({.method = "GET",
         .path = "/api/v1/proposals/{id}",
         .text = "One proposal.",
         .needs = permission::read,
         .answers = v1::ProposalView::descriptor(),
         .problems = {404},
         .handle = [&n](const api_request& q) {
           return call_authority<v1::ProposalView>(
               n, {.verb = "proposal", .id = q.path.at("id"), .actor = "-", .body = {}}, q);
         }});
  r.add({.method = "POST",
         .path = "/api/v1/proposals",
         .text = "Proposes changes, which are decided together.",
         .needs = permission::propose,
         .takes = asks,
         .answers = v1::ProposalView::descriptor(),
         .success = 201,
         .problems = {400, 403, 404, 409, 422, 429},
         .handle = [&n](const api_request& q) { return wish<v1::ProposalView>(n, "propose", q); }});
  r.add({.method = "POST",
         .path = "/api/v1/plan",
         .text = "Says what would be applied and what each guard would say.",
         .needs = permission::propose,
         .takes = asks,
         .answers = v1::PlanView::descriptor(),
         .problems = {400, 403, 404, 409, 422, 429},
         .handle = [&n](const api_request& q) { return wish<v1::PlanView>(n, "plan", q); }});
  struct verb {
    const char* name;
    const char* text;
    permission needs;
  };
  for (const verb& v : {verb{"ack", "Lets a proposal of MEDIUM risk go on.", permission::command},
                        verb{"approve", "Approves a proposal: it is applied now.", permission::approve},
                        verb{"reject", "Rejects a proposal.", permission::approve},
                        verb{"withdraw", "Takes one's own proposal back.", permission::propose}})
    r.add({.method = "POST",
           .path = std::string("/api/v1/proposals/{id}/") + v.name,
           .text = v.text,
           .needs = v.needs,
           .takes = decides,
           .answers = v1::ProposalView::descriptor(),
           .problems = {400, 403, 404, 409, 412},
           .handle = [&n, name = std::string(v.name)](const api_request& q) {
             return decide_on<v1::ProposalView>(n, name, q);
           }});
  r.add({.method = "GET",
         .path = "/api/v1/recommendations",
         .text = "All recommendations.",
         .needs = permission::read,
         .answers = v1::RecommendationPage::descriptor(),
         .handle = [&n](const api_request& q) {
           return call_authority<v1::RecommendationPage>(
               n, {.verb = "recommendations", .id = {}, .actor = "-", .body = {}}, q);
         }});
  r.add({.method = "POST",
         .path = "/api/v1/recommendations",
         .text = "Recommends a change of one loop: advice, never applied by itself.",
         .needs = permission::propose,
         .takes = asks,
         .answers = v1::RecommendationView::descriptor(),
         .success = 201,
         .problems = {400, 403, 404, 409, 422, 429},
         .handle = [&n](const api_request& q) { return wish<v1::RecommendationView>(n, "recommend", q); }});
  for (const verb& v : {verb{"accept", "Makes it a proposal, approved if the caller may approve.", permission::command},
                        verb{"dismiss", "Does not want it, also when it is seen again.", permission::command},
                        verb{"snooze", "Puts it aside for snooze_seconds.", permission::command}})
    r.add({.method = "POST",
           .path = std::string("/api/v1/recommendations/{id}/") + v.name,
           .text = v.text,
           .needs = v.needs,
           .takes = decides,
           .answers = v1::RecommendationDecision::descriptor(),
           .problems = {400, 404, 409, 412, 422},
           .handle = [&n, name = std::string(v.name)](const api_request& q) {
             return decide_on<v1::RecommendationDecision>(n, name, q);
           }});
  r.add({.method = "GET",
         .path = "/api/v1/drift",
         .text = "Values that were changed outside and wait for a review.",
         .needs = permission::read,
         .answers = v1::DriftPage::descriptor(),
         .handle = [&n](const api_request&) { return list_drifts(n); }});
  struct review {
    const char* name;
    const char* text;
    operator_action action;
  };
  for (const review& v : {review{"accept", "The values found are the desired ones.", operator_action::accept_drift},
                          review{"revert", "Sets the values back to what was desired.", operator_action::revert_drift}})
    r.add({.method = "POST",
           .path = std::string("/api/v1/drift/{loop}/{revision}/") + v.name,
           .text = v.text,
           .needs = permission::command,
           .takes = decides,
           .answers = v1::CommandResult::descriptor(),
           .problems = {400, 404},
           .handle = [&n, action = v.action](const api_request& q) { return review_drift(n, action, q); }});
  r.add({.method = "POST",
         .path = "/api/v1/loops/{loop}/values",
         .text = "Sets values by hand, at once; a human override where they are out of bounds.",
         .needs = permission::override_values,
         .takes = v1::OverrideRequest::descriptor(),
         .answers = v1::CommandResult::descriptor(),
         .problems = {400, 404, 422},
         .handle = [&n](const api_request& q) { return set_values(n, q); }});
}

} // namespace homeostat
