#pragma once

#include "policies/search/online/online_strategy.hpp"

#include <functional>
#include <string>

namespace homeostat {

/// A noisy plant in the unit cube whose optimum moves: f(step, point), and the noise added to it.
struct drifting_plant {
  std::string name;
  std::size_t dimensions{2};
  std::function<double(int, const online_point&)> cost; ///< excess over the optimum of that step, >= 0
  double noise{0.3};                                    ///< standard deviation
  int steps{2000};
};

struct drift_result {
  double ratio{0};        ///< cumulative excess relative to the static default, the centre
  double late_ratio{0};   ///< the same over the last tenth
  online_state state;     ///< at the end
  double largest_step{0}; ///< of one knob, fraction of range
};

/// @returns settings over `dimensions` continuous knobs from 0 to 1 with the default in the middle.
[[nodiscard]] online_settings unit_settings(std::size_t dimensions, std::uint64_t seed);

/// Runs a strategy on a plant, every step applied.
[[nodiscard]] drift_result run_on(const drifting_plant& plant, const online_settings& settings);

/// @returns a standard normal number.
[[nodiscard]] double test_normal(chacha8_rng& rng);

} // namespace homeostat
