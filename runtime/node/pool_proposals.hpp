#pragma once

#include <expected>
#include <map>
#include <optional>
#include <string>

namespace homeostat {

class node;

/// A change that somebody wants of a pool's policy.
struct policy_wish {
  std::string pool;
  /// Configuration key to value, as written there: {"zero_copy_threshold", "512 KiB"}; a size also as bytes.
  std::map<std::string, std::string> changes;
  std::string source; ///< a registered feedback source, or one of the node's own; empty: a person
  std::string rationale;
  std::string evidence;
  double confidence{0};                ///< 0..1
  std::optional<double> expected_gain; ///< share of the objective
};

/// The node's own feedback sources: what the pools find out themselves. Nothing they propose applies itself.
inline constexpr const char* experiment_source = "experiment";
inline constexpr const char* recommendation_source = "recommendation";

/// Why the authority does not take something up.
struct authority_problem {
  unsigned status{500}; ///< as HTTP means it
  std::string text;     ///< one sentence
};

/// Values of a loop over a pool's policy that are fine alone can contradict each other, or what the loop does not
/// govern; then no governor could bring them into force.
/// @param values  wanted, by knob; those of other loops are always fine.  @returns nothing, or one sentence.
[[nodiscard]] std::expected<void, std::string> check_together(node& n, const std::string& loop,
                                                              const std::map<std::string, double>& values);

/// Puts a change of a pool's policy before the authority. It waits there for a person's decision; once approved, the
/// loop over the pool's policy applies it.
/// @param actor  who is its author, and hence cannot approve it.
/// @returns the proposal's id.
/// @errors  404 no such pool; 422 a key that no loop governs, a value that cannot be, or values that contradict each
///          other; else what the authority says.
[[nodiscard]] std::expected<std::string, authority_problem> propose_policy(node& n, const policy_wish& wish,
                                                                           const std::string& actor);

} // namespace homeostat
