#include "runtime/cli/commands.hpp"
#include "runtime/cli/interrupt.hpp"
#include "runtime/cli/log.hpp"
#include "runtime/gateway/api.hpp"
#include "runtime/node/node.hpp"
#include "runtime/version.hpp"

#include <spdlog/spdlog.h>

#include <cstdio>

namespace homeostat {

namespace {

constexpr auto shutdown_limit = std::chrono::seconds(5);

int run(const std::string& file) {
  auto config = load_config(file);
  if (!config) {
    for (const config_problem& problem : config.error()) std::fprintf(stderr, "%s\n", to_string(problem).c_str());
    return exit_code::refused_or_failed;
  }
  set_up_log(config->log_format, config->log_level);
  auto n = node::start(std::move(*config), make_plant);
  if (!n) {
    spdlog::critical("cannot start: {}", n.error());
    return exit_code::refused_or_failed;
  }
  auto api = serve_api(**n);
  if (!api) {
    spdlog::critical("cannot start: {}", api.error());
    (*n)->stop();
    return exit_code::refused_or_failed;
  }
  spdlog::info("homeostat {} runs {} loops; API at {}://{}:{}", version, (*n)->config().loops.size(),
               (*n)->config().api_tls ? "https" : "http", (*n)->config().api_host, (*api)->port());
  while (!wait_for_interrupt(std::chrono::steady_clock::now() + std::chrono::hours(1))) {}
  // The promise to the operator is 5 s, whatever a plant or the disk does.
  end_process_after(shutdown_limit, exit_code::refused_or_failed);
  spdlog::info("stopping");
  (*api)->stop();
  const bool clean = (*n)->stop();
  if (clean)
    spdlog::info("stopped: every loop is at rest");
  else
    spdlog::error("stopped, but not every loop came to rest; the next start reads back what is in force");
  spdlog::shutdown();
  // Actors that do not answer cannot be waited for: leave without their farewell.
  if (!clean) std::_Exit(exit_code::refused_or_failed);
  n->reset();
  return exit_code::ok;
}

} // namespace

} // namespace homeostat

int main(int argc, char** argv) {
  using namespace homeostat;
  CLI::App app{"homeostatd runs the loops of one node until SIGTERM, which ends it within 5 s."};
  app.set_version_flag("--version", homeostat::version);
  std::string file;
  app.add_option("--config", file, "configuration, apiVersion homeostat/v1")->required();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) { return app.exit(e) == 0 ? exit_code::ok : exit_code::usage; }
  catch_interrupts();
  survive_size_limits();
  try {
    return run(file);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "homeostatd: %s\n", e.what());
    return exit_code::refused_or_failed;
  }
}
