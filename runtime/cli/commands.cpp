#include "runtime/cli/commands.hpp"

#include "runtime/config/scalar_text.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <vector>

namespace homeostat {

int failed(const std::string& text) {
  fmt::print(stderr, "{}\n", text);
  return exit_code::refused_or_failed;
}

void add_output(CLI::App& command, common_options& common) {
  command
      .add_option_function<std::string>(
          "--output", [&common](const std::string& form) { common.json = form == "json"; },
          "table for people, json for scripts")
      ->check(CLI::IsMember({"table", "json"}))
      ->default_str("table");
}

void add_api(CLI::App& command, common_options& common) {
  command.add_option("--api", common.api.address, "address of homeostatd, or https://HOST:PORT")
      ->envname("HOMEOSTAT_API")
      ->capture_default_str();
  command.add_option("--ca", common.api.ca, "PEM file of the authority that signed the daemon's certificate")
      ->envname("HOMEOSTAT_CA");
  // Not an option that takes the token itself: others see command lines.
  if (const char* token = std::getenv("HOMEOSTAT_TOKEN"); token != nullptr) common.api.token = token;
  command.add_option_function<std::string>(
      "--token-file",
      [&common](const std::string& file) {
        std::ifstream in(file);
        if (!(in >> common.api.token))
          throw CLI::ValidationError("--token-file", file + ": no token can be read there");
      },
      "file that holds the token; else the environment's HOMEOSTAT_TOKEN");
}

namespace {

std::string words_of(const CLI::App& app, bool options) {
  std::string words;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) words += sub->get_name() + " ";
  if (options)
    for (const CLI::Option* option : app.get_options())
      for (const std::string& name : option->get_lnames()) words += "--" + name + " ";
  return words;
}

/// One case per command path, so that completion knows what comes after `homeostat audit`.
void add_cases(const CLI::App& app, const std::string& path, std::string& out) {
  out += fmt::format("    '{}') words=\"{}\" ;;\n", path, words_of(app, true));
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; }))
    add_cases(*sub, path.empty() ? sub->get_name() : path + " " + sub->get_name(), out);
}

} // namespace

void add_completion(CLI::App& app, int& result) {
  CLI::App* command =
      app.add_subcommand("completion", "print the completion script for bash: source <(homeostat completion)");
  command->callback([&app, &result] {
    std::string cases;
    add_cases(app, "", cases);
    fmt::print("_homeostat() {{\n"
               "  local path=\"\" word words=\"\"\n"
               "  for word in \"${{COMP_WORDS[@]:1:COMP_CWORD-1}}\"; do case $word in -*) ;; *) path=\"${{path:+$path "
               "}}$word\" ;; esac; done\n"
               "  case $path in\n{}  esac\n"
               "  COMPREPLY=($(compgen -W \"$words\" -- \"${{COMP_WORDS[COMP_CWORD]}}\"))\n"
               "  [ ${{#COMPREPLY[@]}} -gt 0 ] || COMPREPLY=($(compgen -f -- \"${{COMP_WORDS[COMP_CWORD]}}\"))\n"
               "}}\ncomplete -F _homeostat homeostat\n",
               cases);
    result = exit_code::ok;
  });
}

CLI::Option* add_duration(CLI::App& command, const char* name, std::function<void(std::chrono::microseconds)> take,
                          const char* help) {
  const auto read = [name, take = std::move(take)](const std::string& text) {
    const auto value = yaml::parse_duration(text);
    if (!value || *value <= duration{0})
      throw CLI::ValidationError(name, "is '" + text + "', expected a duration above 0 like 60s");
    take(*value);
  };
  return command.add_option_function<std::string>(name, read, help)->type_name("DURATION");
}

} // namespace homeostat
