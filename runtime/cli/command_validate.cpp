#include "messages/control.pb.h"
#include "messages/json.hpp"
#include "runtime/cli/commands.hpp"
#include "runtime/config/config.hpp"
#include "runtime/search/search_config.hpp"
#include "runtime/search/search_files.hpp"

#include <spdlog/fmt/fmt.h>

#include <memory>

namespace homeostat {

namespace {

void put(v1::ValidationReport::File* one, const std::vector<config_problem>& problems) {
  for (const config_problem& problem : problems) {
    auto* p = one->add_problems();
    p->set_line(static_cast<std::uint32_t>(problem.line));
    p->set_column(static_cast<std::uint32_t>(problem.column));
    p->set_path(problem.path);
    p->set_what(problem.what);
    p->set_expected(problem.expected);
    p->set_text(to_string(problem));
  }
}

void validate_one(v1::ValidationReport::File* one) {
  // The node's reader says why a file cannot be read, and takes what is no text for its own.
  if (const auto text = read_text(one->file()); text && looks_like_search_config(*text)) {
    const auto search = read_search_config(one->file(), *text);
    one->set_kind("search");
    one->set_ok(search.has_value());
    if (!search) return put(one, search.error());
    one->set_parameters(static_cast<std::uint32_t>(search->space.size()));
    one->set_strategy(search->strategy);
    return;
  }
  const auto node = load_config(one->file());
  one->set_kind("node");
  one->set_ok(node.has_value());
  if (!node) return put(one, node.error());
  one->set_loops(static_cast<std::uint32_t>(node->loops.size()));
}

std::string count_of(std::uint32_t n, const char* what) { return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s"); }

int validate(const std::vector<std::string>& files, bool json) {
  v1::ValidationReport report;
  bool ok = true;
  for (const std::string& file : files) {
    auto* one = report.add_files();
    one->set_file(file);
    validate_one(one);
    ok = ok && one->ok();
  }
  if (json) {
    fmt::print("{}\n", to_json(report));
  } else {
    for (const auto& one : report.files()) {
      for (const auto& problem : one.problems()) fmt::print(stderr, "{}\n", problem.text());
      if (!one.ok()) continue;
      if (one.kind() == "search")
        fmt::print("{}: ok, a search of {}, strategy {}\n", one.file(), count_of(one.parameters(), "parameter"),
                   one.strategy());
      else
        fmt::print("{}: ok, {}\n", one.file(), count_of(one.loops(), "loop"));
    }
  }
  return ok ? exit_code::ok : exit_code::refused_or_failed;
}

} // namespace

void add_validate(CLI::App& app, common_options& common, int& result) {
  CLI::App* command = app.add_subcommand("validate", "check configuration files, of a node (YAML) or a search (JSON); "
                                                     "says file:line, what is wrong and what is expected");
  auto files = std::make_shared<std::vector<std::string>>();
  command->add_option("FILE", *files, "configuration files")->required();
  add_output(*command, common);
  command->callback([files, &common, &result] { result = validate(*files, common.json); });
}

} // namespace homeostat
