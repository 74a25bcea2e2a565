// Experiments of a pool: two settings side by side on real transfers.
#include "messages/experiments.pb.h"
#include "runtime/cli/commands.hpp"
#include "runtime/cli/daemon_call.hpp"
#include "runtime/cli/words.hpp"

#include <spdlog/fmt/fmt.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

namespace homeostat {

namespace {

struct experiment_flags {
  std::string pool;
  std::string name;
  std::string text;
  std::vector<std::string> treatment;
  v1::ExperimentRules rules;
};

std::string list_path(const experiment_flags& flags) { return "/api/v1/pools/" + escaped(flags.pool) + "/experiments"; }
std::string path_of(const experiment_flags& flags, const char* verb = "") {
  return list_path(flags) + "/" + escaped(flags.name) + verb;
}

/// @returns the ratio in words: "12.3 % faster (10.1 to 14.4)".
std::string effect_words(const v1::ExperimentView& e) {
  if (!std::isfinite(e.ratio_high()) || e.ratio_low() <= 0) return "too few transfers to say";
  const bool faster = e.ratio() < 1;
  const double sign = faster ? -1 : 1;
  const double near = sign * (faster ? e.ratio_high() - 1 : e.ratio_low() - 1);
  const double far = sign * (faster ? e.ratio_low() - 1 : e.ratio_high() - 1);
  return fmt::format("{:.1f} % {} ({:.1f} to {:.1f})", 100 * std::abs(e.ratio() - 1), faster ? "faster" : "slower",
                     100 * near, 100 * far);
}

int list_experiments(const common_options& common, const experiment_flags& flags) {
  v1::ExperimentList list;
  if (const auto over = get_from(common, list_path(flags), list)) return *over;
  if (list.experiments_size() == 0) {
    fmt::print("pool {} has no experiments\n", flags.pool);
    return exit_code::ok;
  }
  fmt::print("{:<24} {:<17} {:<17} {:>7} {:>10} {:>10}  {}\n", "NAME", "PHASE", "VERDICT", "SPLIT", "CONTROL",
             "TREATMENT", "TREATMENT IS");
  for (const auto& e : list.experiments())
    fmt::print("{:<24} {:<17} {:<17} {:>6.1f}% {:>10} {:>10}  {}\n", e.name(), e.phase(), e.verdict(),
               100 * e.rules().traffic_split(), e.control_arm().delivered(), e.treatment_arm().delivered(),
               effect_words(e));
  return exit_code::ok;
}

void print_arm(const char* name, const v1::ExperimentArm& arm) {
  fmt::print("{:<10} {:>10} {:>8} {:>10} {:>10} {:>10} {:>12} {:>9}\n", name, arm.delivered(), arm.failed(),
             time_words(arm.mean_us()), time_words(arm.p50_us()), time_words(arm.p99_us()),
             size_text(static_cast<std::uint64_t>(arm.memory())), arm.cells());
}

void print(const v1::ExperimentView& e) {
  fmt::print("experiment {} of pool {}: {}{}\n", e.name(), e.pool(), e.phase(),
             e.reason().empty() ? "" : " (" + e.reason() + ")");
  if (!e.decided_by().empty()) fmt::print("decided by {}\n", e.decided_by());
  if (!e.proposal().empty()) fmt::print("proposal   {}: `homeostat proposals` shows what became of it\n", e.proposal());
  for (const auto& [key, value] : e.treatment()) {
    const auto was = e.control().find(key);
    fmt::print("tries      {}: {} instead of {}\n", key, value, was == e.control().end() ? "nothing" : was->second);
  }
  const auto& rules = e.rules();
  fmt::print("sessions   {:.1f} % on treatment; at least {} transfers of each arm\n", 100 * rules.traffic_split(),
             rules.min_samples());
  if (e.started_us() == 0) return;
  fmt::print("\n{:<10} {:>10} {:>8} {:>10} {:>10} {:>10} {:>12} {:>9}\n", "ARM", "DELIVERED", "FAILED", "MEAN", "P50",
             "P99", "MEMORY", "SESSIONS");
  print_arm("control", e.control_arm());
  print_arm("treatment", e.treatment_arm());
  fmt::print("\ntreatment is {}; always-valid p {:.3g}\n", effect_words(e), e.always_valid_p());
  if (e.verdict() != "none") fmt::print("verdict: {}\n", e.verdict());
  if (e.refused() > 0) fmt::print("{} outcomes came too late to count\n", e.refused());
  fmt::print(
      "MEAN is geometric; SESSIONS are groups of them, at most 256; the interval holds however often you look.\n");
}

int show(const common_options& common, const experiment_flags& flags) {
  v1::ExperimentView view;
  if (const auto over = get_from(common, path_of(flags), view)) return *over;
  print(view);
  return exit_code::ok;
}

int create(const common_options& common, const experiment_flags& flags) {
  v1::ExperimentDraft draft;
  draft.set_name(flags.name);
  draft.set_actor(actor_name(common));
  draft.set_text(flags.text);
  *draft.mutable_rules() = flags.rules;
  for (const std::string& one : flags.treatment) {
    const std::size_t at = one.find('=');
    if (at == std::string::npos || at == 0)
      return failed("--treatment is '" + one + "', expected KEY=VALUE, as in zero_copy_threshold=1MiB");
    (*draft.mutable_treatment())[one.substr(0, at)] = one.substr(at + 1);
  }
  v1::ExperimentView view;
  if (const auto over = answer_to(common, list_path(flags), draft, view)) return *over;
  fmt::print("{}: drafted; `homeostat experiments {} start {}` begins it\n", view.name(), flags.pool, view.name());
  return exit_code::ok;
}

int decide(const common_options& common, const experiment_flags& flags, const char* verb) {
  v1::ExperimentCommand body;
  body.set_actor(actor_name(common));
  body.set_text(flags.text);
  v1::ExperimentView view;
  if (const auto over = answer_to(common, path_of(flags, verb), body, view)) return *over;
  if (view.phase() == "promoted")
    fmt::print("{}: promoted as proposal {}, which somebody else has to approve\n", view.name(), view.proposal());
  else
    fmt::print("{}: {}\n", view.name(), view.phase());
  return exit_code::ok;
}

void add_rules(CLI::App& command, const std::shared_ptr<experiment_flags>& flags) {
  const auto number = [&](const char* name, auto set, const char* help) {
    command.add_option_function<double>(name, [flags, set](double v) { (flags->rules.*set)(v); }, help);
  };
  const auto count = [&](const char* name, auto set, const char* help) {
    command.add_option_function<std::uint32_t>(name, [flags, set](std::uint32_t v) { (flags->rules.*set)(v); }, help);
  };
  number("--split", &v1::ExperimentRules::set_traffic_split,
         "share of the sessions on treatment, at most 0.5 (default 0.1)");
  count("--min-samples", &v1::ExperimentRules::set_min_samples,
        "transfers of each arm before a difference is concluded (default 10000)");
  count("--min-cells", &v1::ExperimentRules::set_min_cells,
        "groups of sessions of each arm before that, 20 to 256 (default 30)");
  count("--max-samples", &v1::ExperimentRules::set_max_samples,
        "of the smaller arm; then there is no difference (default 10000000)");
  add_duration(
      command, "--max-duration", [flags](std::chrono::microseconds d) { flags->rules.set_max_duration_us(d.count()); },
      "then there is no difference (default 14d)");
  number("--false-positive-rate", &v1::ExperimentRules::set_false_positive_rate,
         "chance to find a difference where there is none (default 0.05)");
  number("--expected-effect", &v1::ExperimentRules::set_expected_effect,
         "share of latency worth finding; the test is sharpest there (default 0.05)");
  count("--guard-samples", &v1::ExperimentRules::set_guard_samples,
        "transfers on treatment before guards compare (default 500)");
  number("--guard-failure-rise", &v1::ExperimentRules::set_guard_failure_rise,
         "stop when the failed share is higher than control's by more (default 0.01)");
  number("--guard-p99", &v1::ExperimentRules::set_guard_p99_ratio,
         "stop when p99 of latency is more than this many times control's (default 1.2)");
  number("--guard-memory", &v1::ExperimentRules::set_guard_memory_ratio,
         "stop when mean memory is more than this many times control's (default 1.2)");
  count("--guard-failures-in-a-row", &v1::ExperimentRules::set_guard_failures_in_a_row,
        "stop after so many on treatment (default 20)");
}

} // namespace

void add_experiments(CLI::App& app, common_options& common, int& result) {
  auto flags = std::make_shared<experiment_flags>();
  CLI::App* all = app.add_subcommand("experiments", "compare two settings of a pool on real transfers");
  all->add_option("pool", flags->pool, "name of the pool")->required();
  all->require_subcommand(0, 1);
  add_api(*all, common);
  add_output(*all, common);
  all->callback([=, &common, &result] {
    if (all->get_subcommands().empty()) result = list_experiments(common, *flags);
  });
  const auto add = [&](const char* name, const char* help, auto run) {
    CLI::App* command = all->add_subcommand(name, help);
    add_api(*command, common);
    add_output(*command, common);
    command->callback([=, &common, &result] { result = run(common, *flags); });
    return command;
  };
  const auto named = [&](CLI::App* command) {
    command->add_option("name", flags->name, "name of the experiment")->required();
    return command;
  };
  const auto with_text = [&](CLI::App* command) {
    command->add_option("--text", flags->text, "why, for the audit");
    return command;
  };
  add("list", "every experiment of the pool", list_experiments);
  CLI::App* draft = with_text(named(add("create", "draft an experiment", create)));
  draft
      ->add_option("--treatment", flags->treatment,
                   "KEY=VALUE: a key of the pool's transfer section and the value to try; may be given several times")
      ->required();
  add_rules(*draft, flags);
  with_text(named(add("start", "compare from now on, with the pool's present policy as control",
                      [](const auto& c, const auto& f) { return decide(c, f, "/start"); })));
  named(add("show", "what both arms have shown, the ratio of their latencies with its interval", show));
  with_text(named(add("reject", "decide for control; ends an experiment that runs",
                      [](const auto& c, const auto& f) { return decide(c, f, "/reject"); })));
  with_text(named(add("promote", "propose a treatment that was found faster; somebody else approves it",
                      [](const auto& c, const auto& f) { return decide(c, f, "/promote"); })));
}

} // namespace homeostat
