#include "policies/safety/regression.hpp"

#include <algorithm>
#include <cmath>

namespace homeostat {

void observe(regression_state& state, double objective) {
  objective_stats& s = state.current;
  ++s.windows;
  const double before = objective - s.mean;
  s.mean += before / s.windows;
  s.sum_squares += before * (objective - s.mean);
}

comparison compare(const objective_stats& before, const objective_stats& now, double noise_variance,
                   const regression_settings& settings) {
  if (before.windows < settings.min_windows || now.windows < settings.min_windows) return comparison::unknown;
  const double error = std::sqrt(noise_variance * (1.0 / before.windows + 1.0 / now.windows));
  const double limit = std::max(settings.z_limit * error, settings.relative_floor * std::abs(before.mean));
  const double change = now.mean - before.mean;
  if (change > limit) return comparison::worse;
  if (change < -limit) return comparison::better;
  return comparison::same;
}

void count_regression(regression_state& state) {
  ++state.consecutive;
  ++state.since_improvement;
}

comparison close_base_point(regression_state& state, const regression_settings& settings) {
  objective_stats& current = state.current;
  if (current.windows < settings.min_windows) return comparison::unknown;
  const double variance = current.sum_squares / (current.windows - 1);
  state.noise_variance = state.noise_known
                             ? settings.noise_memory * state.noise_variance + (1 - settings.noise_memory) * variance
                             : variance;
  state.noise_known = true;
  comparison result = comparison::unknown;
  if (state.reference) {
    // The spread of this very pair counts too: a quiet past must not make one loud window look significant.
    result = compare(*state.reference, current, std::max(state.noise_variance, variance), settings);
    if (result == comparison::worse) count_regression(state);
    else state.consecutive = 0;
    if (result == comparison::better) state.since_improvement = 0;
  }
  state.reference = current;
  current = {};
  return result;
}

void restart_comparison(regression_state& state) {
  state.current = {};
  state.reference.reset();
  state.consecutive = 0;
}

} // namespace homeostat
