#include "runtime/cli/commands.hpp"
#include "runtime/demo/cache_run.hpp"
#include "runtime/demo/pgbouncer_run.hpp"

#include <memory>

namespace homeostat {

void add_demo(CLI::App& app, common_options& common, int& result) {
  CLI::App* demo = app.add_subcommand("demo", "see it work on a live system");
  demo->require_subcommand(1);

  CLI::App* cache = demo->add_subcommand(
      "cache", "tune an embedded cache service beside an untuned twin on the same drifting traffic");
  auto options = std::make_shared<cache_run_options>();
  add_duration(
      *cache, "--for", [options](auto length) { options->length = length; },
      "end after this time (default: until Ctrl-C)");
  cache->add_option("--seed", options->seed, "of traffic and strategy");
  cache->add_option_function<std::string>(
      "--strategy",
      [options](const std::string& name) {
        options->strategy = online_kind_from(name);
        if (!options->strategy)
          throw CLI::ValidationError("--strategy", "is '" + name + "', expected adaptive or spsa");
      },
      "adaptive or spsa (default: the configuration's)");
  cache->add_option("--store", options->store, "keep the audit in this file");
  add_output(*cache, common);
  cache->callback([options, &common, &result] {
    options->json = common.json;
    result = run_cache_demo(*options);
  });

  CLI::App* pgbouncer = demo->add_subcommand("pgbouncer", "tune a real PgBouncer in front of PostgreSQL under pgbench");
  auto pg = std::make_shared<pgbouncer_run_options>();
  add_duration(
      *pgbouncer, "--phase", [pg](auto length) { pg->phase = length; }, "length of each workload's tuning phase");
  pgbouncer->add_option("--clients", pg->clients, "pgbench clients")->check(CLI::Range(1, 400))->capture_default_str();
  pgbouncer->add_option("--pairs", pg->pairs, "measured pairs of windows per workload")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  pgbouncer->add_option("--folder", pg->folder,
                        "keep servers' files and audit here (default: a scratch folder, removed at the end)");
  add_output(*pgbouncer, common);
  pgbouncer->callback([pg, &common, &result] {
    pg->json = common.json;
    result = run_pgbouncer_demo(*pg);
  });
}

} // namespace homeostat
