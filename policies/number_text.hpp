#pragma once

#include <cmath>
#include <cstdio>
#include <string>

namespace homeostat {

/// @returns a number as people write it in messages: whole numbers in full, others with six significant digits, no
/// trailing
///          zeros.
[[nodiscard]] inline std::string number_text(double value) {
  char text[32];
  const bool whole = std::abs(value) < 1e15 && std::nearbyint(value) == value;
  std::snprintf(text, sizeof text, whole ? "%.0f" : "%g", value == 0 ? 0.0 : value); // no "-0"
  return text;
}

/// @returns a number with all its digits, for the rare message in which six do not tell two numbers apart.
[[nodiscard]] inline std::string exact_text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.17g", value);
  return text;
}

} // namespace homeostat
