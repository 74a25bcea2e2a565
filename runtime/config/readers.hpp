#pragma once

#include "runtime/config/config.hpp"
#include "runtime/config/yaml_reader.hpp"

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace homeostat::yaml {

// One reader per part of the configuration. Each reports its problems and goes on with the default, so that one run
// finds them all; what it returns is only used when there were none.

// ---- what is known: the source of the unknown-key errors and of the test against the JSON Schema
// ---------------------

[[nodiscard]] const key_table& document_keys();
[[nodiscard]] const key_table& metadata_keys();
[[nodiscard]] const key_table& node_keys();
[[nodiscard]] const key_table& store_keys();
[[nodiscard]] const key_table& api_keys();
[[nodiscard]] const key_table& tls_keys();
[[nodiscard]] const key_table& log_keys();
[[nodiscard]] const key_table& supervision_keys();
[[nodiscard]] const key_table& pool_keys();
[[nodiscard]] const key_table& policy_keys();
[[nodiscard]] const key_table& guardrails_keys();
[[nodiscard]] const key_table& loop_guardrails_keys();
[[nodiscard]] const key_table& rollback_keys();
[[nodiscard]] const key_table& safe_mode_keys();
[[nodiscard]] const key_table& regression_keys();
[[nodiscard]] const key_table& source_keys();
[[nodiscard]] const key_table& command_keys();
[[nodiscard]] const key_table& pgbouncer_keys();
[[nodiscard]] const key_table& cache_demo_keys();
[[nodiscard]] const key_table& transfer_pool_keys();
[[nodiscard]] const key_table& loop_keys();
[[nodiscard]] const key_table& objective_keys();
[[nodiscard]] const key_table& knob_keys();
[[nodiscard]] const key_table& step_limit_keys();
[[nodiscard]] const key_table& strategy_keys();
[[nodiscard]] const key_table& window_keys();
[[nodiscard]] const key_table& authority_keys();
[[nodiscard]] const key_table& review_keys();
[[nodiscard]] const key_table& contention_keys();
[[nodiscard]] const key_table& feedback_source_keys();
[[nodiscard]] const key_table& loop_authority_keys();
[[nodiscard]] const key_table& rule_keys();
[[nodiscard]] const key_table& transfer_keys();
[[nodiscard]] const key_table& threshold_override_keys();
[[nodiscard]] const key_table& transfer_rule_keys();

/// @returns every table above.
[[nodiscard]] std::vector<const key_table*> all_key_tables();

/// A closed set of words. `name` is its entry under $defs in the JSON Schema.
struct word_set {
  std::string_view name;
  std::span<const std::string_view> words;
};
[[nodiscard]] const word_set& kind_words();
[[nodiscard]] const word_set& preset_words();
[[nodiscard]] const word_set& log_format_words();
[[nodiscard]] const word_set& log_level_words();
[[nodiscard]] const word_set& supervision_strategy_words();
[[nodiscard]] const word_set& knob_type_words();
[[nodiscard]] const word_set& knob_scale_words();
[[nodiscard]] const word_set& strategy_words();
[[nodiscard]] const word_set& audit_words();
[[nodiscard]] const word_set& on_exit_words();
[[nodiscard]] const word_set& environment_words();
[[nodiscard]] const word_set& pattern_words();
[[nodiscard]] const word_set& source_type_words();
[[nodiscard]] const word_set& trust_words();
[[nodiscard]] const word_set& risk_words();
[[nodiscard]] const word_set& transfer_goal_words();
[[nodiscard]] const word_set& transfer_method_words();

/// @returns every set above.
[[nodiscard]] std::vector<const word_set*> all_word_sets();

// ---- names --------------------------------------------------------------------------------------------------------

/// A name of 1 to 63 characters [a-z0-9_-], the first a letter.
[[nodiscard]] std::optional<std::string> name_of(const value& v);

/// A reference to a document of another kind. @param kind  "Source".  @param names  those that exist.
[[nodiscard]] std::optional<std::string> reference_of(const value& v, std::string_view kind,
                                                      const std::vector<std::string>& names);

// ---- parts --------------------------------------------------------------------------------------------------------

/// What a Policy sets, and what a loop may set over it.
struct policy_settings {
  guardrails limits;
  rollback_policy rollback;
  safe_mode_settings safe_mode;
  regression_settings regression;
  bool deadband_given{false}; ///< else it shrinks along with max_delta_per_step
  bool sound{true};           ///< nothing in it was refused, so that conclusions from it make sense
};

/// Reads guardrails, rollback, safe_mode and regression where they are present, over `settings`.
/// @param spec  of a Policy or a Loop.  @param guardrails_table  which keys its guardrails may have.
[[nodiscard]] policy_settings read_policy(const mapping& spec, policy_settings settings,
                                          const key_table& guardrails_table);

/// Reads `supervision` where it is present.
/// @returns the transfer section of a pool; nothing where there is none.
[[nodiscard]] std::optional<transfer_policy> read_transfer(const mapping& spec);
[[nodiscard]] supervision_settings read_supervision(const mapping& spec);

/// Reads the spec of a Node into everything of it but the name, pools, sources and loops.
void read_node(const mapping& spec, node_config& node);

/// Reads the spec of a Source. @param pools  all of the node.
[[nodiscard]] source_config read_source(const mapping& spec, std::string name, const std::vector<pool_config>& pools);

/// Reads knobs and the max_delta of the guardrails. @returns nothing when one of them is not usable.
[[nodiscard]] std::optional<std::vector<knob_spec>> read_knobs(const mapping& spec);

/// Reads `objective`; every formula in it has been compiled.
[[nodiscard]] objective_config read_objective(const mapping& spec);

/// Reads `authority` of a Node where it is present.
void read_node_authority(const mapping& spec, authority_config& authority);

/// Reads `pattern` and `authority` of a Loop, whose knobs and guardrails have been read.
void read_loop_authority(const mapping& spec, loop_config& loop);

/// What a loop may refer to.
struct known_documents {
  const std::vector<pool_config>& pools;
  const std::vector<source_config>& sources;
  const std::map<std::string, policy_settings>& policies;
  const std::map<std::string, std::string>& pool_policies; ///< by pool, where it names one; "" after a complaint
  const std::set<std::string>& broken_sources;             ///< declared, with problems that have been reported
  std::uint64_t node_seed{0};
};

/// Reads the spec of a Loop and checks that its parts agree.
[[nodiscard]] loop_config read_loop(const mapping& spec, std::string name, const known_documents& known);

/// What check_loop may draw conclusions from; the rest has been complained about already.
struct sound_parts {
  const source_config* source{nullptr};        ///< nothing when it is unknown or broken
  const transfer_policy* pool_policy{nullptr}; ///< of the source's pool, if it has one
  bool policy{true};                           ///< guardrails, rollback, safe mode, and the window
};

/// Reports settings that are fine alone and wrong together.
void check_loop(const mapping& spec, const loop_config& loop, const sound_parts& sound);

} // namespace homeostat::yaml
