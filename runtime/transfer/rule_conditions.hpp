#pragma once

#include "policies/transfer/transfer_policy.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace homeostat {

/// The conditions of a pool's rules: expressions over `data_size` [bytes], `compressed` [0 or 1], `type_<name>` and
/// `format_<name>` [0 or 1], `cpu_load`, `memory_used` [0..1], `available_memory` [bytes], `in_flight`, `hour` [0..24],
/// `recent_slowdown`. A condition holds when it is neither 0 nor impossible to calculate. Immutable; each thread that
/// asks compiles its own copies once.
class rule_conditions {
public:
  rule_conditions() = default;
  /// @throws std::invalid_argument naming the rule, and what is wrong with its expression.
  explicit rule_conditions(const std::vector<transfer_rule>& rules);

  /// @returns bit i: the condition of rule i holds.
  [[nodiscard]] std::uint32_t matching(const transfer_characteristics& data,
                                       const system_conditions& now) const noexcept;

private:
  std::vector<std::string> texts_;
  std::uint64_t id_{0}; ///< of these conditions: threads know by it whether they have them compiled
};

} // namespace homeostat
