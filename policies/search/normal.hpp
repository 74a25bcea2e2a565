#pragma once

#include "policies/search/chacha8.hpp"

#include <cmath>
#include <numbers>

namespace homeostat {

/// @returns a standard normal number (Box-Muller; two words of the generator each).
[[nodiscard]] inline double normal(chacha8_rng& rng) {
  const double u = 1 - rng.uniform(); // (0, 1]
  const double v = rng.uniform();
  return std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v);
}

} // namespace homeostat
