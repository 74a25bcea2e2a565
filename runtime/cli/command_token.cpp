// Tokens of the HTTP API: made, listed and revoked in their file; a running daemon sees the change at the next request.
#include "messages/control.pb.h"
#include "messages/json.hpp"
#include "runtime/cli/commands.hpp"
#include "runtime/gateway/token_file.hpp"

#include <spdlog/fmt/fmt.h>

#include <memory>

namespace homeostat {

namespace {

struct token_options {
  std::string file{"homeostat.tokens"};
  std::string name;
  std::string role_name{"viewer"};
};

int create(const token_options& o, bool json) {
  const role acts_as = *role_from(o.role_name);
  const auto token = create_token(o.file, o.name, acts_as);
  if (!token) return failed(token.error());
  if (json) {
    v1::TokenList list;
    auto* one = list.add_tokens();
    one->set_name(o.name);
    one->set_role(o.role_name);
    one->set_token(*token);
    fmt::print("{}\n", to_json(list));
    return exit_code::ok;
  }
  fmt::print("{}\n", *token); // alone on standard output, so that it can be piped into a file
  fmt::print(stderr, "token '{}' with the role {} is in {}; its text above is not shown again\n", o.name, o.role_name,
             o.file);
  return exit_code::ok;
}

int list(const token_options& o, bool json) {
  const auto tokens = read_tokens(o.file);
  if (!tokens) return failed(tokens.error());
  v1::TokenList all;
  for (const api_token& token : *tokens) {
    auto* one = all.add_tokens();
    one->set_name(token.name);
    one->set_role(std::string(name_of(token.acts_as)));
    if (!json) fmt::print("{:<24} {}\n", token.name, name_of(token.acts_as));
  }
  if (json) fmt::print("{}\n", to_json(all));
  return exit_code::ok;
}

int revoke(const token_options& o, bool json) {
  if (const auto done = revoke_token(o.file, o.name); !done) return failed(done.error());
  if (json) {
    v1::TokenList list;
    list.add_tokens()->set_name(o.name);
    fmt::print("{}\n", to_json(list));
  } else {
    fmt::print("token '{}' is not valid any more\n", o.name);
  }
  return exit_code::ok;
}

} // namespace

void add_token(CLI::App& app, common_options& common, int& result) {
  CLI::App* token = app.add_subcommand("token", "who may use the HTTP API: the file that api.tokens_file names");
  token->require_subcommand(1);
  auto options = std::make_shared<token_options>();
  const auto add = [&](const char* name, const char* help, int (*run)(const token_options&, bool)) {
    CLI::App* command = token->add_subcommand(name, help);
    command->add_option("--file", options->file, "the file of the tokens")
        ->envname("HOMEOSTAT_TOKENS_FILE")
        ->capture_default_str();
    add_output(*command, common);
    command->callback([options, run, &common, &result] { result = run(*options, common.json); });
    return command;
  };
  std::vector<std::string> roles;
  for (const role r : all_roles) roles.emplace_back(name_of(r));
  CLI::App* create_command = add("create", "make a token and print it, once", create);
  create_command->add_option("NAME", options->name, "whom the audit names")->required();
  create_command->add_option("--role", options->role_name, "what it may do")->check(CLI::IsMember(roles))->required();
  add("list", "names and roles", list);
  add("revoke", "end a token", revoke)->add_option("NAME", options->name, "of the token")->required();
}

} // namespace homeostat
