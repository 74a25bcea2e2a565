#include "messages/control.pb.h"
#include "messages/json.hpp"
#include "runtime/cli/commands.hpp"
#include "runtime/config/config.hpp"

#include <spdlog/fmt/fmt.h>

#include <memory>

namespace homeostat {

namespace {

int validate(const std::vector<std::string>& files, bool json) {
  v1::ValidationReport report;
  for (const std::string& file : files) {
    auto* one = report.add_files();
    one->set_file(file);
    const auto config = load_config(file);
    one->set_ok(config.has_value());
    if (config) {
      one->set_loops(static_cast<std::uint32_t>(config->loops.size()));
      continue;
    }
    for (const config_problem& problem : config.error()) {
      auto* p = one->add_problems();
      p->set_line(static_cast<std::uint32_t>(problem.line));
      p->set_column(static_cast<std::uint32_t>(problem.column));
      p->set_path(problem.path);
      p->set_what(problem.what);
      p->set_expected(problem.expected);
      p->set_text(to_string(problem));
    }
  }
  bool ok = true;
  for (const auto& one : report.files()) ok = ok && one.ok();
  if (json) {
    fmt::print("{}\n", to_json(report));
  } else {
    for (const auto& one : report.files()) {
      for (const auto& problem : one.problems()) fmt::print(stderr, "{}\n", problem.text());
      if (one.ok()) fmt::print("{}: ok, {} loop{}\n", one.file(), one.loops(), one.loops() == 1 ? "" : "s");
    }
  }
  return ok ? exit_code::ok : exit_code::refused_or_failed;
}

} // namespace

void add_validate(CLI::App& app, common_options& common, int& result) {
  CLI::App* command =
      app.add_subcommand("validate", "check configuration files; says file:line, what is wrong and what is expected");
  auto files = std::make_shared<std::vector<std::string>>();
  command->add_option("FILE", *files, "configuration files")->required();
  add_output(*command, common);
  command->callback([files, &common, &result] { result = validate(*files, common.json); });
}

} // namespace homeostat
