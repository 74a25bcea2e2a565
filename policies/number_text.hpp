#pragma once

#include <cstdio>
#include <string>

namespace homeostat {

/// @returns a number as people write it in messages: six significant digits, no trailing zeros.
[[nodiscard]] inline std::string number_text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  return text;
}

} // namespace homeostat
