#include "messages/json.hpp"
#include "runtime/cli/commands.hpp"
#include "runtime/cli/interrupt.hpp"
#include "runtime/gateway/http_server.hpp"
#include "runtime/gateway/search_metrics.hpp"
#include "runtime/search/result_json.hpp"
#include "runtime/search/search_files.hpp"
#include "runtime/search/solve.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>

#include <unistd.h>

namespace homeostat {

namespace {

using clock = std::chrono::steady_clock;

struct solve_options {
  std::string config;
  std::string state;
  solve_settings solve;
  std::optional<std::uint16_t> metrics_port;
};

/// One line that is drawn over itself on a terminal; elsewhere, a line now and then.
class progress_line {
public:
  explicit progress_line(const search_run& run) : run_(run), begin_(clock::now()), told_before_(run.search().told()) {}

  void draw(const solve_counts& counts, bool last = false) {
    const auto now = clock::now();
    if (!last && now - drawn_ < (terminal_ ? std::chrono::milliseconds(100) : std::chrono::seconds(10))) return;
    drawn_ = now;
    fmt::print(stderr, "{}{}{}", terminal_ ? "\r\x1b[K" : "", text(counts, now), terminal_ && !last ? "" : "\n");
    std::fflush(stderr);
  }

private:
  [[nodiscard]] std::string text(const solve_counts& counts, clock::time_point now) const {
    const solver& s = run_.search();
    const auto budget = s.settings().budget;
    std::string out;
    if (budget && *budget > 0) {
      constexpr std::size_t width = 24;
      const double share = std::min(1.0, static_cast<double>(s.told()) / static_cast<double>(*budget));
      const auto filled = static_cast<std::size_t>(share * width);
      out =
          "[" + std::string(filled, '#') + std::string(width - filled, '.') + fmt::format("] {}/{}", s.told(), *budget);
    } else {
      out = fmt::format("{} results", s.told());
    }
    if (const auto best = s.best()) out += fmt::format("  best {:g}", *best->value);
    if (counts.failed > 0) out += fmt::format("  failed {}", counts.failed);
    const auto done = s.told() - told_before_;
    if (budget && done > 0 && s.told() < *budget) {
      const double each = std::chrono::duration<double>(now - begin_).count() / static_cast<double>(done);
      out += "  ETA " + eta(each * static_cast<double>(*budget - s.told()));
    }
    return out;
  }
  static std::string eta(double left) {
    const auto s = static_cast<long>(left + 0.5);
    return s < 60     ? fmt::format("{} s", s)
           : s < 3600 ? fmt::format("{} min {:02} s", s / 60, s % 60)
                      : fmt::format("{} h {:02} min", s / 3600, s / 60 % 60);
  }

  const search_run& run_;
  clock::time_point begin_;
  std::size_t told_before_;
  clock::time_point drawn_{};
  bool terminal_{isatty(STDERR_FILENO) != 0};
};

void print_result(const search_run& run, const solve_result& r, bool json) {
  v1::SearchReport report = report_of(run);
  report.set_failed(r.counts.failed);
  if (!r.problem.empty()) report.add_problems(r.problem);
  if (json) {
    fmt::print("{}\n", to_json(report));
    return;
  }
  const auto show = [](const char* what, const v1::SearchTrial& t) {
    fmt::print("{:<12} {:g}\n", what, t.value());
    for (const auto& [name, value] : plain_params(t.params())) fmt::print("  {} = {}\n", name, value);
  };
  if (report.has_best()) show("best", report.best());
  if (const auto point = run.search().recommend(); point && point->from_model)
    show("recommended", report.recommended());
  for (const auto& s : report.switches()) fmt::print("{} from result {} on: {}\n", s.to(), s.at_trial(), s.why());
  if (r.counts.failed > 0) fmt::print(stderr, "{} evaluations failed; the last: {}\n", r.counts.failed, r.problem);
}

int run_solve(const solve_options& o, bool json) {
  const auto fail = [](const std::string& why) {
    fmt::print(stderr, "{}\n", why);
    return exit_code::refused_or_failed;
  };
  catch_interrupts();
  auto config = read_text(o.config);
  if (!config) return fail(config.error());
  auto run = search_run::open(o.state, config_file{o.config, std::move(*config)});
  if (!run) return fail(run.error());
  if (run->resumed()) fmt::print(stderr, "going on with {}: {} results\n", o.state, run->search().told());

  search_gauges gauges;
  std::unique_ptr<http_server> server;
  if (o.metrics_port) {
    auto started = serve_search_metrics(*o.metrics_port, gauges);
    if (!started) return fail(started.error());
    server = std::move(*started);
    fmt::print(stderr, "metrics at http://127.0.0.1:{}/metrics\n", server->port());
  }

  progress_line line(*run);
  solve_counts last;
  const solve_result r = solve(
      *run, o.solve,
      [&](const solve_counts& counts) {
        gauges.take(counts, run->search().trials().size());
        line.draw(last = counts);
      },
      [](std::chrono::milliseconds patience) { return wait_for_interrupt(clock::now() + patience); });
  line.draw(r.counts, true);
  if (server) server->stop();
  print_result(*run, r, json);
  switch (r.end) {
  case solve_end::finished: return exit_code::ok;
  case solve_end::interrupted:
    fmt::print(stderr, "interrupted; the same command goes on with {}\n", o.state);
    return exit_code::refused_or_failed;
  case solve_end::failing:
    return fail("stopped: 5 evaluations in a row failed; mend the program and run the same command again");
  case solve_end::broken: return fail("stopped: " + r.problem);
  }
  return exit_code::refused_or_failed;
}

} // namespace

void add_solve(CLI::App& app, common_options& common, int& result) {
  CLI::App* c = app.add_subcommand(
      "solve", "find good parameters for a program: homeostat solve --config c.json -- ./evaluate.sh");
  auto o = std::make_shared<solve_options>();
  c->add_option("--config", o->config, "search configuration (JSON)")->required()->check(CLI::ExistingFile);
  c->add_option("--state", o->state,
                "file that keeps the search (default: the configuration's name with .state behind)");
  c->add_option("--jobs", o->solve.jobs, "evaluations at the same time")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  c->add_option("--retries", o->solve.evaluation.retries, "further attempts after a failed evaluation")
      ->check(CLI::Range(0, 100))
      ->capture_default_str();
  c->add_option("--failure-value", o->solve.failure_value,
                "record this value for an evaluation that fails (default: record nothing)")
      ->check([](const std::string& text) {
        double value = 0;
        const bool finite = CLI::detail::lexical_cast(text, value) && std::isfinite(value);
        return finite ? std::string() : "is '" + text + "', expected a finite number";
      });
  add_duration(
      *c, "--timeout", [o](auto length) { o->solve.evaluation.patience = length; },
      "longest time of one evaluation (default: 1h)");
  c->add_option("--metrics-port", o->metrics_port, "serve Prometheus metrics on loopback at this port (0: any)");
  c->add_option(
       "PROGRAM", o->solve.evaluation.argv,
       "program and arguments, after --; gets each parameter as an environment variable, prints the result last")
      ->required();
  add_output(*c, common);
  c->callback([o, &common, &result] {
    if (o->state.empty()) o->state = o->config + ".state";
    result = run_solve(*o, common.json);
  });
}

} // namespace homeostat
