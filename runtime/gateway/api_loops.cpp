#include "messages/control.pb.h"
#include "policies/find_named.hpp"
#include "runtime/gateway/api_routes.hpp"

#include <array>

namespace homeostat {

namespace {

struct verb {
  const char* name;
  const char* text;
  operator_action action;
};

constexpr std::array verbs{
    verb{"pause", "Freezes the loop: nothing but rollback and people changes it.", operator_action::pause},
    verb{"resume", "Ends a pause.", operator_action::resume},
    verb{"rollback", "Returns the loop to its baseline, also in safe mode.", operator_action::rollback},
    verb{"safe-mode-reset", "Ends every reason that holds the loop in safe mode.", operator_action::reset_safe_mode},
    verb{"baseline", "Makes the present base point of a healthy loop its baseline.", operator_action::set_baseline},
};

http_response post_command(node& n, operator_action action, const api_request& request) {
  v1::CommandRequest body;
  if (auto ok = read_body(request, body); !ok) return ok.error();
  const auto actor = actor_of(request, body.actor());
  if (!actor) return actor.error();
  return command_loop(n, request.path.at("loop"),
                      {.action = action, .actor = *actor, .text = body.text(), .values = {}, .override_bounds = false});
}

} // namespace

http_response no_such_loop(const std::string& name) {
  return problem(404, "no such loop", "no loop '" + name + "' is configured here");
}

http_response command_loop(node& n, const std::string& loop, const operator_command& command) {
  if (!find_named(n.config().loops, loop)) return no_such_loop(loop);
  const auto result = n.command(loop, command);
  if (!result) {
    http_response later = problem(503, "no answer", result.error());
    later.headers.emplace_back("Retry-After", "5");
    return later;
  }
  v1::CommandResult answer;
  answer.set_ok(result->ok);
  answer.set_text(result->text);
  return json_answer(answer, result->ok ? 200 : 409);
}

void add_loop_routes(router& r, node& n) {
  for (const verb& v : verbs)
    r.add({.method = "POST",
           .path = std::string("/api/v1/loops/{loop}/") + v.name,
           .text = v.text,
           .needs = permission::command,
           .takes = v1::CommandRequest::descriptor(),
           .answers = v1::CommandResult::descriptor(),
           .problems = {404},
           .refusals = {409},
           .handle = [&n, action = v.action](const api_request& request) { return post_command(n, action, request); }});
}

} // namespace homeostat
