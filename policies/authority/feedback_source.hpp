#pragma once

#include "policies/time.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace homeostat {

/// How evidence arrives: fetched by us, or sent to us.
enum class source_type : std::uint8_t { pull, push };
enum class trust_level : std::uint8_t { very_low, low, medium, high };

/// Somebody who may give evidence for a change. Unregistered ones are refused, because a change nobody can trace to
/// its source cannot be judged (design §8; source: Feedback Loops, "Feedback Sources").
struct feedback_source {
  std::string name;
  source_type type{source_type::push};
  trust_level trust{trust_level::medium};
  duration cooldown{30min};     ///< least time between two proposals of this source for one loop, >= 0
  bool requires_proposal{true}; ///< its proposals always wait for a person
  friend bool operator==(const feedback_source&, const feedback_source&) = default;
};

/// @returns true if a LOW risk proposal of this source may be applied without a person.
[[nodiscard]] constexpr bool may_auto_apply(const feedback_source& source) {
  return source.trust >= trust_level::medium && !source.requires_proposal;
}

[[nodiscard]] constexpr std::string_view name_of(trust_level trust) {
  switch (trust) {
  case trust_level::very_low: return "very-low";
  case trust_level::low: return "low";
  case trust_level::medium: return "medium";
  case trust_level::high: return "high";
  }
  return "?";
}
inline constexpr std::size_t trust_level_count = 4;

[[nodiscard]] constexpr std::string_view name_of(source_type type) {
  return type == source_type::pull ? "pull" : "push";
}

} // namespace homeostat
