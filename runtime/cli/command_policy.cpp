// homeostat policy test: the rules a person declares, against the examples they give.
#include "messages/control.pb.h"
#include "messages/json.hpp"
#include "policies/number_text.hpp"
#include "runtime/cli/commands.hpp"
#include "runtime/cli/daemon_call.hpp"
#include "runtime/config/rule_cases.hpp"
#include "runtime/search/search_files.hpp"

#include <spdlog/fmt/fmt.h>

#include <memory>

namespace homeostat {

namespace {

int complain(const std::vector<config_problem>& problems) {
  for (const config_problem& problem : problems) fmt::print(stderr, "{}\n", to_string(problem));
  return exit_code::refused_or_failed;
}

std::string listed(const std::vector<double>& values) {
  std::string text;
  for (const double value : values) text += (text.empty() ? "" : ", ") + number_text(value);
  return text.empty() ? "nothing" : text;
}

int test_policy(const std::string& config, const std::string& file, bool json) {
  const auto node = load_config(config);
  if (!node) return complain(node.error());
  const auto text = read_text(file);
  if (!text) return failed(file + ": " + text.error());
  const auto cases = read_rule_cases(file, *text, *node);
  if (!cases) return complain(cases.error());
  v1::PolicyTestReport report;
  for (const rule_case& c : *cases) {
    const std::vector<double> asked = play(c, *node);
    auto* one = report.add_cases();
    one->set_name(c.name);
    one->set_rule(c.loop + "/" + c.rule);
    one->set_ok(asked == c.expected);
    one->mutable_expected()->Assign(c.expected.begin(), c.expected.end());
    one->mutable_asked()->Assign(asked.begin(), asked.end());
    report.set_failed(report.failed() + (one->ok() ? 0 : 1));
    if (json) continue;
    if (one->ok())
      fmt::print("ok      {}: {} asks for {}\n", c.name, one->rule(), listed(asked));
    else
      fmt::print("FAILED  {}: {} asks for {}, expected {}\n", c.name, one->rule(), listed(asked), listed(c.expected));
  }
  if (json)
    fmt::print("{}\n", to_json(report));
  else
    fmt::print("{} of {} cases as expected\n", cases->size() - report.failed(), cases->size());
  return report.failed() == 0 ? exit_code::ok : exit_code::refused_or_failed;
}

} // namespace

void add_policy(CLI::App& app, common_options& common, int& result) {
  CLI::App* policy = app.add_subcommand("policy", "the rules that a configuration declares");
  policy->require_subcommand(1);
  struct words {
    std::string config, cases;
  };
  const auto w = std::make_shared<words>();
  CLI::App* command = policy->add_subcommand("test", "play examples to the rules and compare what they ask for");
  command->add_option("CONFIG", w->config, "configuration of the node")->required();
  command->add_option("CASES", w->cases, "the examples, as deploy/examples/gated-workers.cases.yaml")->required();
  add_output(*command, common);
  command->callback([w, &common, &result] { result = test_policy(w->config, w->cases, common.json); });
}

} // namespace homeostat
