#pragma once

#include "runtime/gateway/http_client.hpp"

#include <CLI/CLI.hpp>

#include <chrono>
#include <functional>
#include <string>

namespace homeostat {

/// Exit codes of every command.
namespace exit_code {
inline constexpr int ok = 0;
inline constexpr int refused_or_failed = 1;
inline constexpr int usage = 2;
} // namespace exit_code

/// What all commands share.
struct common_options {
  http_peer api{"127.0.0.1:8421"}; ///< the daemon
  bool json{false};
};

/// Prints why to standard error. @returns the exit code.
int failed(const std::string& text);

/// Adds `--output table|json`.
void add_output(CLI::App& command, common_options& common);
/// Adds `--api ADDRESS`, `--token-file FILE` (or the token itself in HOMEOSTAT_TOKEN) and `--ca FILE`.
void add_api(CLI::App& command, common_options& common);

/// Adds an option that takes a duration above 0, written and explained as in the configuration.
CLI::Option* add_duration(CLI::App& command, const char* name, std::function<void(std::chrono::microseconds)> take,
                          const char* help);

// Each adds its commands to the program; a chosen command sets `result`.
void add_validate(CLI::App& app, common_options& common, int& result);
void add_status(CLI::App& app, common_options& common, int& result);
void add_loop_commands(CLI::App& app, common_options& common, int& result);
void add_authority(CLI::App& app, common_options& common, int& result);
void add_policy(CLI::App& app, common_options& common, int& result);
void add_audit(CLI::App& app, common_options& common, int& result);
void add_demo(CLI::App& app, common_options& common, int& result);
void add_search(CLI::App& app, common_options& common, int& result);
void add_solve(CLI::App& app, common_options& common, int& result);
void add_token(CLI::App& app, common_options& common, int& result);
void add_pools(CLI::App& app, common_options& common, int& result);
void add_experiments(CLI::App& app, common_options& common, int& result);
void add_transfer(CLI::App& app, common_options& common, int& result);
void add_completion(CLI::App& app, int& result);

} // namespace homeostat
