#include "policies/safety/regression.hpp"

#include "policies/number_text.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace homeostat {

namespace {

// Below this the noise is a guess, and a guess must not roll anything back.
constexpr double least_dof = 2.5;
// More tells nothing: the limit is the normal distribution's by then, and an estimate must be able to follow the plant.
constexpr double most_dof = 1000;

// The factor that makes a limit for known noise one for estimated noise: Cornish-Fisher expansion of Student's quantile
// (Abramowitz and Stegun, 26.7.5), within 8 % for 3 degrees of freedom and 1 % from 6.
double student_factor(double z, double dof) {
  const double z2 = z * z;
  return 1 + (z2 + 1) / (4 * dof) + ((5 * z2 + 16) * z2 + 3) / (96 * dof * dof) +
         (((3 * z2 + 19) * z2 + 17) * z2 - 15) / (384 * dof * dof * dof);
}

struct noise_estimate {
  double variance;
  double dof;
};

/// The noise as known with the present windows counted in. @pre state.current.windows >= 2
noise_estimate learned_noise(const regression_state& state, const regression_settings& settings) {
  const objective_stats& current = state.current;
  const double kept_dof = settings.noise_memory * state.noise_dof;
  const double dof = kept_dof + current.windows - 1;
  return {.variance = (kept_dof * state.noise_variance + current.sum_squares) / dof, .dof = std::min(dof, most_dof)};
}

void learn(regression_state& state, const noise_estimate& noise) {
  state.noise_variance = noise.variance;
  state.noise_dof = noise.dof;
  state.noise_known = true;
}

/// Compares the present windows with the reference. A quiet past must not make loud windows look significant: where
/// their own spread alone decides, nothing is known yet.
comparison judge(const regression_state& state, const noise_estimate& noise, const regression_settings& settings) {
  const objective_stats& current = state.current;
  const double own = current.sum_squares / (current.windows - 1);
  const comparison by_past = compare(*state.reference, current, noise.variance, noise.dof, settings);
  const comparison by_own = compare(*state.reference, current, std::max(noise.variance, own), noise.dof, settings);
  return by_past == by_own ? by_past : comparison::unknown;
}

void count_regression(regression_state& state) {
  ++state.consecutive;
  ++state.since_improvement;
  state.calm = 0;
}

void count_comparison(regression_state& state, comparison result, const regression_settings& settings) {
  if (result == comparison::unknown) return;
  if (result == comparison::worse) return count_regression(state);
  // Cheaper but outside a constraint is not better, and not even calm.
  if (state.violated_windows >= settings.min_windows) return;
  state.consecutive = 0;
  if (++state.calm >= settings.calm_limit || result == comparison::better) state.since_improvement = 0;
}

} // namespace

std::expected<void, std::string> check(const regression_settings& s) {
  const auto wrong = [](const char* name, double value, const char* expected) {
    return std::unexpected(std::string(name) + " is " + number_text(value) + ", expected " + expected);
  };
  if (!(std::isfinite(s.z_limit) && s.z_limit > 0)) return wrong("z_limit", s.z_limit, "more than 0");
  if (!(std::isfinite(s.relative_floor) && s.relative_floor >= 0))
    return wrong("relative_floor", s.relative_floor, "0 or more");
  if (s.min_windows < 2 || s.min_windows > 1000) return wrong("min_windows", s.min_windows, "2 to 1000");
  if (!(s.noise_memory >= 0 && s.noise_memory < 1)) return wrong("noise_memory", s.noise_memory, "0 to below 1");
  if (s.calm_limit < 1) return wrong("calm_limit", s.calm_limit, "1 or more");
  return {};
}

void observe(regression_state& state, double objective) {
  objective_stats& s = state.current;
  ++s.windows;
  const double before = objective - s.mean;
  s.mean += before / s.windows;
  s.sum_squares += before * (objective - s.mean);
}

bool observe_constraint(regression_state& state, bool violated, const regression_settings& settings) {
  state.violated_windows = violated ? state.violated_windows + 1 : 0;
  if (!violated || state.violated_windows % settings.min_windows != 0) return false;
  count_regression(state);
  return true;
}

comparison compare(const objective_stats& before, const objective_stats& now, double noise_variance, double dof,
                   const regression_settings& settings) {
  if (before.windows < settings.min_windows || now.windows < settings.min_windows || dof < least_dof)
    return comparison::unknown;
  const double error = std::sqrt(noise_variance * (1.0 / before.windows + 1.0 / now.windows));
  const double significant = settings.z_limit * student_factor(settings.z_limit, dof) * error;
  const double limit = std::max(significant, settings.relative_floor * std::abs(before.mean));
  const double change = now.mean - before.mean;
  if (change > limit) return comparison::worse;
  if (change < -limit) return comparison::better;
  return comparison::same;
}

comparison close_base_point(regression_state& state, const regression_settings& settings) {
  if (state.current.windows < settings.min_windows) return comparison::unknown;
  const noise_estimate noise = learned_noise(state, settings);
  const comparison result = state.reference ? judge(state, noise, settings) : comparison::unknown;
  learn(state, noise);
  count_comparison(state, result, settings);
  state.reference = std::exchange(state.current, {});
  return result;
}

comparison judge_resting(regression_state& state, const regression_settings& settings) {
  if (!state.reference || state.current.windows < settings.min_windows) return comparison::unknown;
  const noise_estimate noise = learned_noise(state, settings);
  const comparison result = judge(state, noise, settings);
  if (result == comparison::unknown) return result;
  learn(state, noise);
  count_comparison(state, result, settings);
  if (result == comparison::worse) state.current = {};
  return result;
}

void restart_comparison(regression_state& state) {
  state.current = {};
  state.reference.reset();
  state.consecutive = 0;
  state.violated_windows = 0;
}

} // namespace homeostat
