#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>

namespace homeostat {

/// How large a worsening must be before it counts. Judged against noise, never by one sample.
struct regression_settings {
  /// Worsening in standard errors of the difference, as if the noise were known exactly; 3 is one false alarm in 700.
  /// While the noise is known from few windows only, the limit widens as Student's distribution says.
  double z_limit{3.0};
  double relative_floor{0.02};  ///< and at least this fraction of the reference: significance alone is not importance
  std::uint32_t min_windows{2}; ///< windows on each side before anything is concluded, >= 2
  double noise_memory{0.95};    ///< weight of the past in the noise estimate, per base point, 0 to below 1
  /// Base points in a row without a worsening after which earlier ones are forgotten. Without it the false alarms of
  /// weeks would add up to a frozen loop.
  std::uint32_t calm_limit{8};
  friend bool operator==(const regression_settings&, const regression_settings&) = default;
};

/// @returns nothing, or one sentence naming the setting, its value and the expected form.
[[nodiscard]] std::expected<void, std::string> check(const regression_settings& s);

/// Mean and spread of the objective's windows around one base point (Welford).
struct objective_stats {
  std::uint32_t windows{0};
  double mean{0};
  double sum_squares{0}; ///< of differences from the mean
  friend bool operator==(const objective_stats&, const objective_stats&) = default;
};

/// Compares each base point with the one before it. Windows of both probes around a base point count for that point:
/// their mean estimates its objective, and their spread, which includes the probes' own effect, errs on the careful
/// side. A base point that moved before it had enough windows is judged together with the next one.
struct regression_state {
  objective_stats current;                  ///< windows since the base point last moved
  std::optional<objective_stats> reference; ///< windows of the base point before
  double noise_variance{0};                 ///< smoothed variance between windows of one base point
  double noise_dof{0};                      ///< degrees of freedom behind it
  bool noise_known{false};                  ///< noise_dof > 0
  std::uint32_t consecutive{0};             ///< worse in a row: what a rollback is judged by
  std::uint32_t since_improvement{0};       ///< worse since the last better: what safe mode is judged by
  std::uint32_t calm{0};                    ///< base points in a row that were not worse
  std::uint32_t violated_windows{0};        ///< windows in a row with a violated constraint
  friend bool operator==(const regression_state&, const regression_state&) = default;
};

enum class comparison : std::uint8_t { unknown, better, same, worse };

/// Adds one window's mean objective (lower is better, finite, below 1e150 in size: its square is a number).
void observe(regression_state& state, double objective);

/// Adds what one window says about the constraints. Every `min_windows` violated windows in a row count as a
/// regression, and while they last no comparison counts as an improvement.
/// @returns true if a regression was counted.
bool observe_constraint(regression_state& state, bool violated, const regression_settings& settings);

/// Closes the present base point, because it is about to move: compares it with the one before and makes it the
/// reference.
/// @returns what the comparison showed; unknown while either side has too few windows (both are then kept), the noise
/// is not
///          known well enough yet, or the present windows are so much louder than before that they say nothing.
comparison close_base_point(regression_state& state, const regression_settings& settings);

/// Compares the present base point while it rests: judging waits for no further move, or a bad last move would stay
/// unseen.
/// @returns worse: counted, and the next windows are a fresh trial against the same reference; better or same: the base
///          point is judged and goes on collecting; unknown: more windows are needed.
comparison judge_resting(regression_state& state, const regression_settings& settings);

/// Forgets both sides and the run of regressions, because the base point jumped (rollback, operator); keeps the noise
/// estimate and since_improvement.
void restart_comparison(regression_state& state);

/// @param noise_variance  variance between windows of one base point.  @param dof  degrees of freedom behind it, > 0.
/// @returns better/worse of `now` against `before`, judged as settings say.
[[nodiscard]] comparison compare(const objective_stats& before, const objective_stats& now, double noise_variance,
                                 double dof, const regression_settings& settings);

} // namespace homeostat
