// Commands that talk to a running daemon: status, pause, resume, rollback, safe-mode reset, baseline set.
#include "messages/control.pb.h"
#include "messages/json.hpp"
#include "policies/number_text.hpp"
#include "runtime/cli/commands.hpp"
#include "runtime/cli/daemon_call.hpp"

#include <spdlog/fmt/fmt.h>

#include <memory>

namespace homeostat {

namespace {

void print_loop(const v1::LoopStatus& loop) {
  std::string state = loop.state();
  for (const auto& reason : loop.safe_mode_reasons()) state += " " + reason;
  std::uint64_t refused = 0;
  for (const auto& [name, count] : loop.rejected()) refused += count;
  fmt::print("{}  (pool {})  {}\n", loop.name(), loop.pool(), state);
  if (!loop.text().empty()) fmt::print("  {}\n", loop.text());
  fmt::print("  generation {}  revision {}  applied {}  refused {}  rollbacks {}  windows {}\n", loop.generation(),
             loop.revision(), loop.applied(), refused, loop.rollbacks(), loop.windows());
  if (loop.has_objective()) fmt::print("  objective {}\n", number_text(loop.objective()));
  for (const auto& knob : loop.knobs())
    fmt::print("  {:<20} {:>12} {:<8} baseline {:>10}   bounds {} .. {}\n", knob.name(), number_text(knob.value()),
               knob.unit(), number_text(knob.baseline()), number_text(knob.min()), number_text(knob.max()));
  for (const auto& [name, count] : loop.rejected()) fmt::print("  refused {:<20} {}\n", name, count);
  for (const auto& [fault, count] : loop.digest_faults())
    fmt::print("  digests not counted: {:<18} {}\n", fault, count);
}

int show_status(const common_options& common) {
  v1::NodeStatus status;
  if (const auto shown = get_from(common, "/api/v1/status", status)) return *shown;
  fmt::print("node {}  homeostat {}  audit {}\n", status.name(), status.version(), status.audit());
  for (const auto& loop : status.loops()) print_loop(loop);
  return exit_code::ok;
}

int command_loop(const common_options& common, const std::string& loop, const std::string& action,
                 const std::string& text) {
  v1::CommandRequest command;
  command.set_actor(actor_name(common));
  command.set_text(text);
  const auto response = post_to(common, "/api/v1/loops/" + escaped(loop) + "/" + action, command);
  if (!response) return failed(response.error());
  v1::CommandResult result;
  if (!from_json(response->body, result)) return failed(problem_text(*response));
  if (common.json)
    fmt::print("{}\n", response->body);
  else
    fmt::print(result.ok() ? stdout : stderr, "{}: {}\n", loop, result.text());
  return result.ok() ? exit_code::ok : exit_code::refused_or_failed;
}

void add_one(CLI::App& parent, const char* name, const char* help, const char* action, const char* text_option,
             common_options& common, int& result) {
  struct words {
    std::string loop, text;
  };
  CLI::App* command = parent.add_subcommand(name, help);
  auto w = std::make_shared<words>();
  command->add_option("LOOP", w->loop, "name of the loop, as in its configuration")->required();
  command->add_option(text_option, w->text, "recorded in the audit");
  add_api(*command, common);
  add_output(*command, common);
  command->callback(
      [w, action = std::string(action), &common, &result] { result = command_loop(common, w->loop, action, w->text); });
}

} // namespace

void add_status(CLI::App& app, common_options& common, int& result) {
  CLI::App* command = app.add_subcommand("status", "loops, knobs, safe mode and counts of a running daemon");
  add_api(*command, common);
  add_output(*command, common);
  command->callback([&common, &result] { result = show_status(common); });
}

void add_loop_commands(CLI::App& app, common_options& common, int& result) {
  add_one(app, "pause", "freeze a loop: nothing but rollback and people changes it", "pause", "--reason", common,
          result);
  add_one(app, "resume", "end a pause", "resume", "--reason", common, result);
  add_one(app, "rollback", "return a loop to its baseline, also in safe mode", "rollback", "--reason", common, result);
  CLI::App* safe_mode = app.add_subcommand("safe-mode", "safe mode of a loop");
  safe_mode->require_subcommand(1);
  add_one(*safe_mode, "reset", "end every reason that holds a loop in safe mode", "safe-mode-reset", "--reason", common,
          result);
  CLI::App* baseline = app.add_subcommand("baseline", "what rollback returns to");
  baseline->require_subcommand(1);
  add_one(*baseline, "set", "make the present base point of a healthy loop its baseline", "baseline", "--name", common,
          result);
}

} // namespace homeostat
