// Pools that decide on transfers: pools, thresholds, decide.
#include "messages/authority.pb.h"
#include "messages/pools.pb.h"
#include "runtime/cli/commands.hpp"
#include "runtime/cli/daemon_call.hpp"
#include "runtime/cli/words.hpp"

#include <spdlog/fmt/chrono.h>
#include <spdlog/fmt/fmt.h>

#include <chrono>
#include <memory>
#include <vector>

namespace homeostat {

namespace {

struct pool_flags {
  std::string pool;
  std::string text;
  v1::TransferPolicy policy;
  v1::TransferData data;
  std::vector<std::string> overrides;
  bool explain{false};
};

std::string path_of(const std::string& pool, const char* verb = "") { return "/api/v1/pools/" + escaped(pool) + verb; }

double share(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

int list_pools(const common_options& common) {
  v1::PoolList list;
  if (const auto over = get_from(common, "/api/v1/pools", list)) return *over;
  if (list.pools_size() == 0) {
    fmt::print("no pool decides on transfers: none has a `transfer` section\n");
    return exit_code::ok;
  }
  fmt::print("{:<16} {:<20} {:<9} {:<15} {:>10} {:>10} {:>7} {:>9} {:>9} {:>9}\n", "POOL", "GOAL", "LEARNING",
             "PRESSURE", "DECISIONS", "TRANSFERS", "GRPC", "ZERO_COPY", "EXPLORED", "AS SAID");
  for (const auto& p : list.pools())
    fmt::print("{:<16} {:<20} {:<9} {:<15} {:>10} {:>10} {:>6.1f}% {:>8.1f}% {:>8.1f}% {:>8.1f}%\n", p.name(),
               p.policy().goal(), p.policy().learning_enabled() ? "on" : "off", p.pressure(), p.decisions(),
               p.transfers(), share(p.grpc(), p.transfers()), share(p.zero_copy(), p.transfers()),
               share(p.explored(), p.transfers()), 100 * p.within_15());
  fmt::print("\nAS SAID: share of the predicted latencies that were within 15 % of what was measured.\n");
  return exit_code::ok;
}

int show_thresholds(const common_options& common, const std::string& pool) {
  v1::PoolView view;
  if (const auto over = get_from(common, path_of(pool), view)) return *over;
  fmt::print("{:<10} {:>12} {:>12} {:>12}\n", "TYPE", "BASE", "THRESHOLD", "PERFORMANCE");
  for (const auto& t : view.thresholds())
    fmt::print("{:<10} {:>12} {:>12} {:>11.3g}x\n", t.type(), size_text(t.base()), size_text(t.threshold()),
               t.performance_factor());
  if (view.changes_size() > 0) fmt::print("\nChanges, latest last:\n");
  for (const auto& c : view.changes()) {
    const std::chrono::sys_time<std::chrono::microseconds> at{std::chrono::microseconds(c.time_us())};
    fmt::print(
        "{:%F %T}Z  {:<10} {} -> {}  {}\n",
        fmt::gmtime(std::chrono::system_clock::to_time_t(std::chrono::time_point_cast<std::chrono::seconds>(at))),
        c.type(), size_text(c.from()), size_text(c.to()), c.rationale());
  }
  return exit_code::ok;
}

int show_pool(const common_options& common, const std::string& pool) {
  v1::PoolView view;
  if (const auto over = get_from(common, path_of(pool), view)) return *over;
  const auto& model = view.model();
  fmt::print("pool       {}\ngoal       {}\nlearning   {}\npressure   {} (cpu {:.0f} %, memory {:.0f} %)\n",
             view.name(), view.policy().goal(), view.policy().learning_enabled() ? "on" : "off", view.pressure(),
             100 * view.cpu_load(), 100 * view.memory_used());
  fmt::print("transfers  {} ({} by grpc, {} by zero_copy, {} tried to learn, {} failed)\n", view.transfers(),
             view.grpc(), view.zero_copy(), view.explored(), view.failed());
  fmt::print("model      {}\n",
             model.model() == 0 && model.step().empty()
                 ? std::string("none: thresholds, rules and measured costs decide")
                 : fmt::format("{} ({}), continues {}", model.model(), model.step(), model.parent()));
  fmt::print("training   {} transfers held, {} drifts seen{}\n", model.samples(), model.drifts(),
             model.training() ? ", one under way" : "");
  if (!model.gate().empty()) fmt::print("gate       {}\n", model.gate());
  if (!model.failure().empty()) fmt::print("trouble    {}\n", model.failure());
  if (!view.metrics_error().empty())
    fmt::print("metrics    not written: {}; {} rows wait, {} transfers lost to the file\n", view.metrics_error(),
               view.metrics_waiting(), view.metrics_refused());
  return exit_code::ok;
}

std::string share_words(double share, double low, double high) {
  return fmt::format("{:.1f} % of transfer time ({:.1f} to {:.1f})", 100 * share, 100 * low, 100 * high);
}

void print_advice(const v1::TransferAdvice& one) {
  fmt::print("  {} [{}] {}: {} -> {}. {}{}\n", one.id(), one.state(), one.key(), one.before(), one.value(),
             one.evidence(),
             one.has_gain() ? " Expected: " + share_words(one.gain(), one.gain_low(), one.gain_high()) + "." : "");
  if (!one.decided_by().empty() || !one.decision().empty())
    fmt::print("    decided by {}: {}{}\n", one.decided_by(), one.decision().empty() ? "-" : one.decision(),
               one.proposal().empty() ? "" : "; proposal " + one.proposal());
  if (one.has_outcome())
    fmt::print("    since it was applied: {}{}: {}\n", one.outcome().verdict(), one.outcome().final() ? "" : " so far",
               one.outcome().text());
  if (one.state() == "open") fmt::print("{}\n", one.snippet());
}

int list_advice(const common_options& common, const std::string& pool) {
  v1::TransferAdviceList list;
  if (const auto over = get_from(common, path_of(pool, "/recommendations"), list)) return *over;
  if (list.advice_size() == 0) fmt::print("nothing is worth changing, as far as the records tell\n");
  for (const auto& one : list.advice()) print_advice(one);
  return exit_code::ok;
}

struct advice_flags {
  std::string verb;
  std::string id;
  std::string text;
  double snooze_seconds{0};
};

int decide_on_advice(const common_options& common, const std::string& pool, const advice_flags& flags) {
  if (flags.verb.empty()) return list_advice(common, pool);
  if (flags.id.empty())
    return failed(flags.verb + " needs the ID of a recommendation, as `homeostat pools advice " + pool + "` shows it");
  v1::DecisionRequest body;
  body.set_actor(actor_name(common));
  body.set_text(flags.text);
  if (flags.snooze_seconds > 0) body.set_snooze_seconds(flags.snooze_seconds);
  v1::TransferAdvice answer;
  if (const auto over =
          answer_to(common, path_of(pool, "/recommendations/") + escaped(flags.id) + "/" + flags.verb, body, answer))
    return *over;
  fmt::print("recommendation {} is {}{}\n", answer.id(), answer.state(),
             answer.proposal().empty() ? "" : "; proposal " + answer.proposal() + " waits, see `homeostat proposals`");
  return exit_code::ok;
}

int report(const common_options& common, const std::string& pool) {
  v1::TransferSeries series;
  v1::RegressionReport regressions;
  v1::TransferAdviceList advice;
  if (common.json) return *get_from(common, path_of(pool, "/regressions"), regressions);
  if (const auto over = get_from(common, path_of(pool, "/metrics?last=3600&step=3600"), series)) return *over;
  if (const auto over = get_from(common, path_of(pool, "/regressions"), regressions)) return *over;
  if (const auto over = get_from(common, path_of(pool, "/recommendations"), advice)) return *over;
  const auto& t = series.total();
  fmt::print("last hour: {} delivered, {} failed; p50 {}, p95 {}, p99 {}, p99.9 {}; {:.4g} Mbit/s\n", t.delivered(),
             t.failed(), time_words(t.p50_us()), time_words(t.p95_us()), time_words(t.p99_us()),
             time_words(t.p999_us()), t.goodput_mbps());
  fmt::print("\nregressions: {} ({} series judged, {} with too little evidence yet)\n", regressions.findings_size(),
             regressions.tests(), regressions.unjudged());
  for (const auto& finding : regressions.findings()) fmt::print("  {}\n", finding.text());
  fmt::print("\nrecommendations: {}\n", advice.advice_size());
  for (const auto& one : advice.advice()) print_advice(one);
  return exit_code::ok;
}

int export_samples(const common_options& common, const std::string& pool, const std::string& format) {
  const auto answer = http_fetch(common.api, "GET", path_of(pool, "/export") + "?format=" + format);
  if (!answer) return failed(answer.error());
  if (answer->status != 200) return failed(problem_text(*answer));
  fmt::print("{}", answer->body);
  return exit_code::ok;
}

int decide(const common_options& common, const pool_flags& flags) {
  v1::TransferDecision answer;
  if (const auto over = answer_to(common, path_of(flags.pool, "/decide"), flags.data, answer)) return *over;
  fmt::print("{}\n", flags.explain ? answer.rationale() : answer.method());
  return exit_code::ok;
}

int change(const common_options& common, const pool_flags& flags, const char* verb, bool with_policy) {
  v1::PoolChange body;
  body.set_actor(actor_name(common));
  body.set_text(flags.text);
  if (with_policy) {
    *body.mutable_policy() = flags.policy;
    for (const std::string& one : flags.overrides) {
      const std::size_t at = one.find('=');
      if (at == std::string::npos) return failed("--override is '" + one + "', expected TYPE=SIZE, as in tensor=5MiB");
      std::string size = one.substr(at + 1);
      if (const std::string wrong = CLI::AsSizeValue(false)(size); !wrong.empty())
        return failed("--override " + one.substr(0, at) + ": " + wrong);
      (*body.mutable_policy()->mutable_threshold_overrides())[one.substr(0, at)] = std::stoull(size);
    }
  }
  v1::PoolView view;
  if (const auto over = answer_to(common, path_of(flags.pool, verb), body, view)) return *over;
  if (with_policy)
    fmt::print("{}: policy changed; it holds until the pool's section in the configuration changes\n", flags.pool);
  else if (std::string_view(verb) == "/baseline")
    fmt::print("{}: what was measured lately is the baseline now\n", flags.pool);
  else
    fmt::print("{}: thresholds and rules decide; what was learned is forgotten and learning is off\n", flags.pool);
  return exit_code::ok;
}

template <class Set> void add_number(CLI::App& command, const char* name, Set set, const char* help) {
  command.add_option_function<double>(name, set, help)->check(CLI::Range(0.0, 1.0));
}
template <class Set> void add_size(CLI::App& command, const char* name, Set set, const char* help) {
  command.add_option_function<std::uint64_t>(name, set, help)->transform(CLI::AsSizeValue(false));
}

} // namespace

void add_pools(CLI::App& app, common_options& common, int& result) {
  auto flags = std::make_shared<pool_flags>();
  CLI::App* pools = app.add_subcommand("pools", "pools that decide between gRPC and shared memory for transfers");
  pools->require_subcommand(0, 1);
  add_api(*pools, common);
  add_output(*pools, common);
  pools->callback([pools, &common, &result] {
    if (pools->get_subcommands().empty()) result = list_pools(common);
  });

  CLI::App* set = pools->add_subcommand("set", "change a pool's policy without a restart");
  set->add_option("pool", flags->pool, "name of the pool")->required();
  set->add_option_function<std::string>(
      "--goal", [flags](const std::string& v) { flags->policy.set_goal(v); },
      "balanced, minimize_latency, maximize_throughput, minimize_memory");
  add_size(
      *set, "--threshold", [flags](std::uint64_t v) { flags->policy.set_zero_copy_threshold(v); },
      "base threshold, bytes or 10MiB");
  add_size(
      *set, "--minimum", [flags](std::uint64_t v) { flags->policy.set_minimum_threshold(v); },
      "smaller goes by gRPC at once");
  add_size(
      *set, "--maximum", [flags](std::uint64_t v) { flags->policy.set_maximum_threshold(v); },
      "from here by shared memory at once");
  set->add_option("--override", flags->overrides, "TYPE=SIZE: base threshold of one data type");
  set->add_option_function<bool>(
      "--learning", [flags](bool v) { flags->policy.set_learning_enabled(v); }, "true or false");
  add_number(*set, "--exploration-rate", [flags](double v) { flags->policy.set_exploration_rate(v); }, "0 to 0.5");
  add_number(*set, "--exploration-budget", [flags](double v) { flags->policy.set_exploration_budget(v); }, "0 to 0.5");
  add_number(*set, "--marginal-benefit", [flags](double v) { flags->policy.set_marginal_benefit(v); }, "0 to 1");
  set->add_option("--text", flags->text, "why, for the audit");
  add_api(*set, common);
  add_output(*set, common);
  set->callback([=, &common, &result] { result = change(common, *flags, "/policy", true); });

  const auto with_pool = [&](CLI::App* command, auto run) {
    command->add_option("pool", flags->pool, "name of the pool")->required();
    add_api(*command, common);
    add_output(*command, common);
    command->callback([=, &common, &result] { result = run(common, flags->pool); });
  };
  with_pool(pools->add_subcommand("show", "one pool: what it learned, its model, its trouble"), show_pool);
  with_pool(pools->add_subcommand("report", "the last hour, regressions with likely causes, recommendations"), report);
  CLI::App* advice = pools->add_subcommand(
      "advice", "what to change in a pool's configuration, what was decided on it, and what it brought");
  auto decision = std::make_shared<advice_flags>();
  advice->add_option("pool", flags->pool, "name of the pool")->required();
  advice
      ->add_option("verb", decision->verb, "accept (becomes a proposal), dismiss (for good) or snooze; none: the list")
      ->check(CLI::IsMember({"accept", "dismiss", "snooze"}));
  advice->add_option("id", decision->id, "of the recommendation");
  advice->add_option("--text", decision->text, "why, for the audit");
  add_duration(
      *advice, "--for",
      [decision](std::chrono::microseconds v) { decision->snooze_seconds = std::chrono::duration<double>(v).count(); },
      "snooze only: for how long");
  add_api(*advice, common);
  add_output(*advice, common);
  advice->callback([=, &common, &result] { result = decide_on_advice(common, flags->pool, *decision); });

  CLI::App* take =
      pools->add_subcommand("export", "every transfer still held and why it went its way, for a post-mortem");
  auto format = std::make_shared<std::string>("csv");
  take->add_option("pool", flags->pool, "name of the pool")->required();
  take->add_option("--format", *format, "csv or json (one object a line)")
      ->check(CLI::IsMember({"csv", "json"}))
      ->capture_default_str();
  add_api(*take, common);
  take->callback([=, &common, &result] { result = export_samples(common, flags->pool, *format); });
  CLI::App* normal =
      pools->add_subcommand("baseline", "what was measured lately is normal: regressions are told from it");
  normal->add_option("pool", flags->pool, "name of the pool")->required();
  normal->add_option("--text", flags->text, "why, for the audit");
  add_api(*normal, common);
  add_output(*normal, common);
  normal->callback([=, &common, &result] { result = change(common, *flags, "/baseline", false); });

  CLI::App* rules = pools->add_subcommand("rules", "rollback to rules: forget what was learned and stop learning");
  rules->add_option("pool", flags->pool, "name of the pool")->required();
  rules->add_option("--text", flags->text, "why, for the audit");
  add_api(*rules, common);
  add_output(*rules, common);
  rules->callback([=, &common, &result] { result = change(common, *flags, "/rules", false); });

  CLI::App* thresholds = app.add_subcommand("thresholds", "a pool's thresholds by data type, and why they moved");
  thresholds->add_option("pool", flags->pool, "name of the pool")->required();
  add_api(*thresholds, common);
  add_output(*thresholds, common);
  thresholds->callback([=, &common, &result] { result = show_thresholds(common, flags->pool); });

  CLI::App* ask = app.add_subcommand("decide", "ask a pool which method a transfer should take");
  ask->add_option("pool", flags->pool, "name of the pool")->required();
  ask->add_option_function<std::uint64_t>(
         "--size", [flags](std::uint64_t v) { flags->data.set_size(v); }, "bytes, or 4MiB")
      ->required()
      ->transform(CLI::AsSizeValue(false));
  ask->add_option_function<std::string>(
      "--type", [flags](const std::string& v) { flags->data.set_type(v); }, "binary, tensor, dataframe, text, other");
  ask->add_option_function<std::string>(
      "--format", [flags](const std::string& v) { flags->data.set_format(v); }, "raw, arrow, numpy, protobuf, other");
  ask->add_option_function<std::string>(
      "--session", [flags](const std::string& v) { flags->data.set_session(v); },
      "whom the transfer is for: an experiment may decide for it");
  ask->add_flag_callback("--compressed", [flags] { flags->data.set_compressed(true); }, "the bytes are compressed");
  ask->add_flag("--explain", flags->explain, "say why, with the figures");
  add_api(*ask, common);
  add_output(*ask, common);
  ask->callback([=, &common, &result] { result = decide(common, *flags); });
}

} // namespace homeostat
