#pragma once

#include "policies/safety/knob.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace homeostat {

/// One reason for a risk class. `steps` adds up over the terms: 0 LOW, 1 MEDIUM, 2 and more HIGH.
struct risk_term {
  std::string text;
  std::uint32_t steps{0};
  friend bool operator==(const risk_term&, const risk_term&) = default;
};

/// A risk class and how it came about, term by term.
struct risk_assessment {
  risk_class result{risk_class::low};
  std::vector<risk_term> terms;
  friend bool operator==(const risk_assessment&, const risk_assessment&) = default;
};

/// One knob that a change moves.
struct moved_knob {
  std::string_view loop;
  const knob_spec* knob{nullptr};
};

/// What is known of a change besides its knobs.
struct risk_context {
  std::size_t targets{1}; ///< loops it concerns
  bool production{false};
  bool deletion{false}; ///< something is taken away rather than set
};

/// Highest base risk of the knobs; +1 for two or more unrelated concerns; +1 for 2 to 5 targets, HIGH from 6 on; +1 in
/// production; HIGH for a deletion and for knobs relevant to security; never above HIGH. A knob without a concern is
/// related to the other knobs of its loop. Source: design §8; Feedback Loops, "Risk Taxonomy".
[[nodiscard]] risk_assessment assess_risk(std::span<const moved_knob> knobs, const risk_context& context);

/// @returns the class that this many steps amount to.
[[nodiscard]] constexpr risk_class risk_of_steps(std::uint32_t steps) {
  return steps == 0 ? risk_class::low : steps == 1 ? risk_class::medium : risk_class::high;
}

[[nodiscard]] constexpr std::string_view name_of(risk_class risk) {
  switch (risk) {
  case risk_class::low: return "LOW";
  case risk_class::medium: return "MEDIUM";
  case risk_class::high: return "HIGH";
  }
  return "?";
}
inline constexpr std::size_t risk_class_count = 3;

} // namespace homeostat
