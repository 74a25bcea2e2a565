#include "messages/json.hpp"
#include "policies/number_text.hpp"
#include "runtime/cli/commands.hpp"
#include "runtime/gateway/search_metrics.hpp"
#include "runtime/search/interactive.hpp"
#include "runtime/search/result_json.hpp"
#include "runtime/search/search_files.hpp"
#include "runtime/search/search_run.hpp"

#include <google/protobuf/struct.pb.h>
#include <spdlog/fmt/fmt.h>

#include <filesystem>
#include <iostream>
#include <memory>

namespace homeostat {

namespace {

struct search_options {
  std::string config;
  std::string state;
  std::string file{"-"};
  std::size_t count{0};
  bool seeds{false};
  std::optional<std::uint16_t> metrics_port;
};

int fail(const std::string& why) {
  fmt::print(stderr, "{}\n", why);
  return exit_code::refused_or_failed;
}

std::string line_of(const v1::SearchTrial& t) {
  std::string text;
  for (const auto& [name, value] : plain_params(t.params()))
    text += fmt::format("{}{}={}", text.empty() ? "" : "  ", name, value);
  if (t.has_value()) text += fmt::format("  ->  {:g}", t.value());
  return text;
}

int print(const v1::SearchReport& report, bool json) {
  if (json) {
    fmt::print("{}\n", to_json(report));
    return exit_code::ok;
  }
  for (const auto& t : report.params()) fmt::print("trial {:<5} {}\n", t.id(), line_of(t));
  fmt::print("{}: {} of {} asked, {} told, strategy {}\n", report.state(), report.asked(),
             report.has_budget() ? std::to_string(report.budget()) : "unlimited", report.told(), report.strategy());
  if (report.has_best()) fmt::print("best         {}\n", line_of(report.best()));
  if (report.has_recommended()) fmt::print("recommended  {}\n", line_of(report.recommended()));
  for (const auto& s : report.switches())
    fmt::print("strategy     {} from result {} on: {}\n", s.to(), s.at_trial(), s.why());
  for (const auto& p : report.problems()) fmt::print(stderr, "{}\n", p);
  return exit_code::ok;
}

/// Opens the run of these options, beginning one if a configuration is given.
std::expected<search_run, std::string> open_run(const search_options& o) {
  std::optional<config_file> config;
  if (!o.config.empty()) {
    auto text = read_text(o.config);
    if (!text) return std::unexpected(text.error());
    config = {o.config, std::move(*text)};
  }
  return search_run::open(o.state, config);
}

int ask(const search_options& o, bool json) {
  auto run = open_run(o);
  if (!run) return fail(run.error());
  auto asked = run->ask(o.count == 0 ? run->search().settings().batch_size : o.count);
  if (!asked) return fail(asked.error());
  v1::SearchReport report = report_of(*run);
  for (const trial& t : *asked) put(report.add_params(), run->search().space(), t);
  return print(report, json);
}

/// Records what can be, and reports each result that cannot.
int tell(const search_options& o, bool json) {
  auto text = read_text(o.file);
  if (!text) return fail(text.error());
  auto run = open_run(o);
  if (!run) return fail(run.error());
  auto results = read_results(*text, run->search().space());
  if (!results) return fail((o.file == "-" ? std::string("standard input") : o.file) + ": " + results.error());
  std::vector<std::string> problems;
  for (std::size_t i = 0; i < results->size(); ++i) {
    const auto& one = (*results)[i];
    const auto told = !one ? std::unexpected(one.error()) : o.seeds ? run->add_seed(*one) : run->tell(*one);
    if (!told) problems.push_back("result " + std::to_string(i + 1) + ": " + told.error());
  }
  v1::SearchReport report = report_of(*run);
  for (const auto& p : problems) report.add_problems(p);
  (void)print(report, json);
  return problems.empty() ? exit_code::ok : exit_code::refused_or_failed;
}

int export_run(const search_options& o) {
  auto run = open_run(o);
  if (!run) return fail(run.error());
  std::error_code none;
  if (o.file != "-" && std::filesystem::equivalent(o.file, o.state, none))
    return fail(o.file + ": is the search's state; export writes another file");
  if (auto done = write_text(o.file, to_json(run->document(), true)); !done) return fail(done.error());
  return exit_code::ok;
}

int import_run(const search_options& o, bool json) {
  auto text = read_text(o.file);
  if (!text) return fail(text.error());
  auto run = search_run::import(o.state, *text);
  if (!run) return fail(run.error());
  return print(report_of(*run), json);
}

/// Opening replays: every candidate of the journal has been derived again and compared by the time it is open.
int replay(const search_options& o, bool json) {
  auto run = open_run(o);
  if (!run) return fail(run.error());
  if (!json)
    fmt::print("replayed {} steps: every candidate is the recorded one, bit for bit\n", run->search().journal().size());
  return print(report_of(*run), json);
}

int interact(const search_options& o) {
  auto text = read_text(o.config);
  if (!text) return fail(text.error());
  search_gauges gauges;
  std::unique_ptr<http_server> server;
  if (o.metrics_port) {
    auto started = serve_search_metrics(*o.metrics_port, gauges);
    if (!started) return fail(started.error());
    server = std::move(*started);
    fmt::print(stderr, "metrics at http://127.0.0.1:{}/metrics\n", server->port());
  }
  const int code = run_interactive(o.config, *text, std::cin, std::cout, std::cerr,
                                   [&](const session_counts& counts) { gauges.take(counts); });
  if (server) server->stop();
  return code;
}

} // namespace

void add_search(CLI::App& app, common_options& common, int& result) {
  auto options = std::make_shared<search_options>();
  const auto command = [&](const char* name, const char* help) { return app.add_subcommand(name, help); };
  const auto with_state = [options](CLI::App* c) {
    c->add_option("--state", options->state,
                  "file that holds the search; every ask and tell is on disk before it is answered")
        ->required();
  };
  const auto with_config = [options](CLI::App* c) {
    c->add_option("--config", options->config, "search configuration (JSON); needed to begin, not to go on");
  };

  CLI::App* a = command("ask", "ask a search for candidates");
  with_state(a), with_config(a);
  a->add_option("--count", options->count, "candidates (default: the configuration's batch_size)")
      ->check(CLI::Range(1, 4096));
  add_output(*a, common);
  a->callback([options, &common, &result] { result = ask(*options, common.json); });

  CLI::App* t = command("tell", R"(tell a search results: [{"params": {"x": 1}, "value": 0.5, "cost": 1}])");
  with_state(t), with_config(t);
  t->add_option("FILE", options->file, "JSON file with the results, - for standard input")->capture_default_str();
  t->add_flag("--seed-results", options->seeds, "results nobody asked for: a warm start");
  add_output(*t, common);
  t->callback([options, &common, &result] { result = tell(*options, common.json); });

  CLI::App* e = command("export", "write a search as one JSON document");
  with_state(e);
  e->add_option("FILE", options->file, "where to, - for standard output")->capture_default_str();
  e->callback([options, &result] { result = export_run(*options); });

  CLI::App* i = command("import", "make a search's state from an exported document");
  with_state(i);
  i->add_option("FILE", options->file, "the document, - for standard input")->capture_default_str();
  add_output(*i, common);
  i->callback([options, &common, &result] { result = import_run(*options, common.json); });

  CLI::App* r = command("replay", "derive every candidate of a search again and compare it with the recorded one");
  with_state(r);
  add_output(*r, common);
  r->callback([options, &common, &result] { result = replay(*options, common.json); });

  CLI::App* s = command("interactive", "a search over JSON lines on standard input and output, for other programs");
  s->add_option("--config", options->config, "search configuration (JSON)")->required();
  s->add_option("--metrics-port", options->metrics_port, "serve Prometheus metrics on loopback at this port (0: any)");
  s->callback([options, &result] { result = interact(*options); });
}

} // namespace homeostat
