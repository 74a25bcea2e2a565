#pragma once

#include <cstdint>
#include <optional>

namespace homeostat {

/// How large a worsening must be before it counts. Judged against noise, never by one sample.
struct regression_settings {
  double z_limit{3.0};           ///< worsening in standard errors of the difference; 3 is one false alarm in 700
  double relative_floor{0.02};   ///< and at least this fraction of the reference: significance alone is not importance
  std::uint32_t min_windows{2};  ///< windows on each side before anything is concluded, >= 2
  double noise_memory{0.9};      ///< weight of the past in the noise estimate, 0..1
  friend bool operator==(const regression_settings&, const regression_settings&) = default;
};

/// Mean and spread of the objective's windows around one base point (Welford).
struct objective_stats {
  std::uint32_t windows{0};
  double mean{0};
  double sum_squares{0}; ///< of differences from the mean
  friend bool operator==(const objective_stats&, const objective_stats&) = default;
};

/// Compares each base point with the one before it. Windows of both probes around a base point count for that point: their
/// mean estimates its objective, and their spread, which includes the probes' own effect, errs on the careful side.
struct regression_state {
  objective_stats current;                  ///< windows since the base point last moved
  std::optional<objective_stats> reference; ///< windows of the base point before
  double noise_variance{0};                 ///< smoothed variance between windows of one base point
  bool noise_known{false};
  std::uint32_t consecutive{0};             ///< worse in a row: what a rollback is judged by
  std::uint32_t since_improvement{0};       ///< worse since the last better: what safe mode is judged by
  friend bool operator==(const regression_state&, const regression_state&) = default;
};

enum class comparison : std::uint8_t { unknown, better, same, worse };

/// Adds one window's mean objective (lower is better, finite).
void observe(regression_state& state, double objective);

/// Closes the present base point, because it is about to move: compares it with the one before and makes it the reference.
/// @returns what the comparison showed; unknown while either side has too few windows (the reference is then kept).
comparison close_base_point(regression_state& state, const regression_settings& settings);

/// Counts a regression seen without a comparison (a violated constraint in the telemetry itself).
void count_regression(regression_state& state);

/// Forgets both sides and the run of regressions, because the base point jumped (rollback, operator); keeps the noise estimate
/// and since_improvement.
void restart_comparison(regression_state& state);

/// @returns better/worse of `now` against `before`, judged as settings say.
[[nodiscard]] comparison compare(const objective_stats& before, const objective_stats& now, double noise_variance,
                                 const regression_settings& settings);

} // namespace homeostat
