#pragma once

#include "policies/authority/authority.hpp"
#include "policies/safety/governor.hpp"
#include "policies/search/adaptive_engine.hpp"
#include "policies/supervision/restart.hpp"
#include "policies/telemetry/window.hpp"
#include "policies/time.hpp"
#include "policies/transfer/transfer_policy.hpp"

#include <cstdint>
#include <expected>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace homeostat {

// The configuration of one node: YAML documents of apiVersion homeostat/v1 and the kinds Node, Pool, Policy, Source,
// Loop (design §11). Reading is strict, because a key that is silently ignored is a guardrail that is silently absent:
// unknown and repeated keys, wrong types and units, missing names and settings that contradict each other are all
// errors, and all of them are reported at once. deploy/schema/homeostat-v1.json says the same to editors.

/// When the audit record of a change counts as written (I2). Only a loop over in-process knobs may take `queued`.
enum class audit_mode : std::uint8_t { durable, queued };
/// What happens to the plant's values when the node ends in good order: they stay, or go back to the baseline.
enum class exit_mode : std::uint8_t { keep, revert };

/// A plant reached by running programs, each an argument list that no shell sees. See runtime/plants/command.
struct command_source {
  std::vector<std::string> sense;     ///< prints the metrics of the last interval
  std::vector<std::string> apply;     ///< sets the knobs
  std::vector<std::string> read_back; ///< prints the knobs in force
  friend bool operator==(const command_source&, const command_source&) = default;
};

/// A live PgBouncer, reached over its admin console. See runtime/plants/pgbouncer.
struct pgbouncer_source {
  std::string host{"127.0.0.1"};
  std::uint16_t port{6432};
  std::string user;                                ///< one of PgBouncer's admin_users
  std::string database;                            ///< as named under [databases]
  std::optional<std::string> password_file;        ///< libpq password file
  std::optional<std::string> client_progress_file; ///< log of a `pgbench -P`, for the client_... metrics
  friend bool operator==(const pgbouncer_source&, const pgbouncer_source&) = default;
};

/// The embedded demo service. See runtime/plants/cache.
struct cache_demo_source {
  double rate_scale{1};  ///< factor on every arrival rate, > 0, at most 1000
  duration cycle{24s};   ///< length of quiet, peak and flash together, > 0
  std::uint64_t seed{1}; ///< of the request sequence
  friend bool operator==(const cache_demo_source&, const cache_demo_source&) = default;
};

/// The policy of a pool of this node that decides on transfers. See runtime/node/pool_plant.
struct transfer_pool_source {
  std::string pool; ///< has a transfer section, and no other source
  friend bool operator==(const transfer_pool_source&, const transfer_pool_source&) = default;
};

/// Where digests come from and changes go to.
struct source_config {
  std::string name;
  std::variant<command_source, pgbouncer_source, cache_demo_source, transfer_pool_source> what;
  duration interval{1s}; ///< between two digests, > 0
  duration patience{2s}; ///< how long one read or one change may take, > 0
  friend bool operator==(const source_config&, const source_config&) = default;
};

/// One condition that must hold, beside the objective.
struct constraint_config {
  std::string formula; ///< the margin: the constraint holds while it is >= 0
  std::string text;    ///< as written: "error_rate <= 0.01"
  friend bool operator==(const constraint_config&, const constraint_config&) = default;
};

/// What a loop optimises: a formula over metric names. See objective.hpp.
struct objective_config {
  std::string formula;
  bool maximize{false};
  std::vector<constraint_config> constraints;
  friend bool operator==(const objective_config&, const objective_config&) = default;
};

/// @returns the pool whose policy a source changes; null for every other plant.
[[nodiscard]] inline const std::string* pool_of(const source_config& source) {
  const auto* what = std::get_if<transfer_pool_source>(&source.what);
  return what ? &what->pool : nullptr;
}

/// One control loop. `governor.loop`, `governor.knobs` and `engine.knobs`, `engine.limits` are filled in and agree.
struct loop_config {
  std::string name;
  std::string pool;
  std::string source;
  objective_config objective;
  governor_config governor;
  engine_settings engine;
  bool searches{true}; ///< false: no strategy, values only change by proposals, rules and people
  governed_loop authority;
  window_settings window;
  std::uint64_t seed{0}; ///< of the strategy; unless given: mixed from the node's seed and the loop's name
  audit_mode audit{audit_mode::durable};
  exit_mode on_exit{exit_mode::keep};
};

/// A named group of loops.
struct pool_config {
  std::string name;
  supervision_settings supervision;
  std::optional<transfer_policy> transfer; ///< of pools that decide on transfers
};

/// TLS of the API: PEM files.
struct tls_config {
  std::string certificate; ///< with the chain behind it
  std::string key;
  friend bool operator==(const tls_config&, const tls_config&) = default;
};

/// Everything one node runs. Every name that a loop refers to exists.
struct node_config {
  std::string name{"homeostat"};
  std::string store_path{"homeostat.db"};
  std::string api_host{"127.0.0.1"}; ///< IP address, IPv6 without brackets; off loopback with TLS and tokens only
  std::uint16_t api_port{8421};      ///< 0: the system chooses
  std::optional<std::string> api_tokens_file; ///< see runtime/gateway/token_file.hpp; nothing: everybody is admin
  std::optional<tls_config> api_tls;
  std::string log_format{"text"}; ///< text or json
  std::string log_level{"info"};  ///< trace, debug, info, warn or error
  supervision_settings supervision;
  std::uint64_t seed{42};
  authority_config authority;     ///< without its loops, which say it each for themselves
  std::vector<pool_config> pools; ///< in file order; "default" is added when a loop names no pool
  std::vector<source_config> sources;
  std::vector<loop_config> loops; ///< with one over the policy of each pool that decides on transfers
};

/// @returns the loop over a pool's policy; null if the pool does not decide on transfers.
[[nodiscard]] inline const loop_config* loop_over_pool(const node_config& node, const std::string& pool) {
  for (const source_config& source : node.sources)
    if (pool_of(source) && *pool_of(source) == pool)
      for (const loop_config& loop : node.loops)
        if (loop.source == source.name) return &loop;
  return nullptr;
}

/// Something wrong with a configuration: where, what, and what was expected.
struct config_problem {
  std::string file;
  int line{0};          ///< from 1; 0 when the file as a whole is concerned
  int column{0};        ///< from 1; 0 likewise
  std::string path;     ///< "Loop cache: spec.knobs[0].max"
  std::string what;     ///< "is 'abc'"
  std::string expected; ///< "a number"; empty when `what` says it all
  friend bool operator==(const config_problem&, const config_problem&) = default;
};

/// @returns one line for people: "demo.yaml:12: Loop cache: spec.knobs[0].max: is 'abc', expected a number".
[[nodiscard]] std::string to_string(const config_problem& problem);

/// Reads a configuration file.
/// @param file  at most 1 MiB of YAML (or JSON, which is YAML). Paths inside it are left as written, and a relative one
/// is
///              relative to the working directory of the node.
/// @returns the configuration, or every problem in it, sorted by line.
[[nodiscard]] std::expected<node_config, std::vector<config_problem>> load_config(const std::filesystem::path& file);

/// The same for a text that has been read already. @param name  stands for the file in problems.
[[nodiscard]] std::expected<node_config, std::vector<config_problem>> load_config_text(const std::string& name,
                                                                                       const std::string& text);

} // namespace homeostat
