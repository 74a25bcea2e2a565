#pragma once

#include "runtime/config/config.hpp"

#include <expected>
#include <string>
#include <vector>

namespace homeostat {

/// What one metric did for a while; nothing: it was not sensed.
struct metric_stretch {
  duration span{};
  std::optional<double> value;
};

/// An example of what a rule should do: tests for the rules a person declares.
struct rule_case {
  std::string name;
  std::string loop;
  std::string rule;
  double from{0}; ///< the knob's value at the beginning
  std::vector<metric_stretch> metric;
  std::vector<double> expected; ///< the values the rule asks for, in order; each is in force at once
};

/// Reads cases: a mapping with `cases`, a list of {name, rule: LOOP/RULE, from, metric: [{for, value}], expect: [...]}.
/// @param node  whose rules they are about.
[[nodiscard]] std::expected<std::vector<rule_case>, std::vector<config_problem>>
read_rule_cases(const std::string& file, const std::string& text, const node_config& node);

/// Plays a case to its rule, one sample a second.
/// @returns the values it asked for.
[[nodiscard]] std::vector<double> play(const rule_case& c, const node_config& node);

} // namespace homeostat
