#include "runtime/cli/commands.hpp"
#include "runtime/version.hpp"

#include <exception>

#include <cstdio>

int main(int argc, char** argv) {
  using namespace homeostat;
  CLI::App app{"Homeostat keeps the knobs of running systems at their best settings."};
  app.set_version_flag("--version", homeostat::version);
  app.require_subcommand(1);
  common_options common;
  int result = exit_code::usage;
  add_validate(app, common, result);
  add_status(app, common, result);
  add_loop_commands(app, common, result);
  add_authority(app, common, result);
  add_policy(app, common, result);
  add_audit(app, common, result);
  add_demo(app, common, result);
  add_solve(app, common, result);
  add_search(app, common, result);
  add_pools(app, common, result);
  add_experiments(app, common, result);
  add_transfer(app, common, result);
  add_token(app, common, result);
  add_completion(app, result);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? exit_code::ok : exit_code::usage;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "homeostat: %s\n", e.what());
    return exit_code::refused_or_failed;
  }
  return result;
}
