#include "tests/policies/search/online/drifting_plant.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace homeostat {

double test_normal(chacha8_rng& rng) {
  const double a = 1 - rng.uniform(), b = rng.uniform();
  return std::sqrt(-2 * std::log(a)) * std::cos(2 * std::numbers::pi * b);
}

online_settings unit_settings(std::size_t dimensions, std::uint64_t seed) {
  online_settings settings;
  settings.seed = seed;
  for (std::size_t i = 0; i < dimensions; ++i)
    settings.knobs.push_back({.name = "x" + std::to_string(i), .min = 0, .max = 1, .initial = 0.5});
  return settings;
}

drift_result run_on(const drifting_plant& plant, const online_settings& settings) {
  drift_result result{.state = fresh_online(settings)};
  chacha8_rng rng(settings.seed, 99);
  const online_point home = default_point(settings.knobs);
  double excess = 0, base = 0, late_excess = 0, late_base = 0;
  online_point last = home;
  for (int t = 0; t < plant.steps; ++t) {
    const online_step step = next_point(result.state, settings);
    const double cost = plant.cost(t, step.point), cost_home = plant.cost(t, home);
    result.largest_step = std::max(result.largest_step, distance_between(settings.knobs, last, step.point));
    last = step.point;
    (void)record(result.state, settings, cost + plant.noise * test_normal(rng)).value();
    excess += cost;
    base += cost_home;
    if (t < plant.steps - plant.steps / 10) continue;
    late_excess += cost;
    late_base += cost_home;
  }
  result.ratio = excess / base;
  result.late_ratio = late_excess / late_base;
  return result;
}

} // namespace homeostat
