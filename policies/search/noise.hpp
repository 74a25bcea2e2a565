#pragma once

#include "policies/search/search_strategy.hpp"
#include "policies/search/surrogate.hpp"

#include <optional>

namespace homeostat {

/// @returns the standard deviation of the objective at one point, pooled over repeated points; nothing if no point was
///          measured twice, 0 if all repeats agree exactly.
[[nodiscard]] std::optional<double> repeat_noise(const search_history& history);

/// Fits the surrogate to noisy values whose spread may grow with the value, may have heavy tails and spikes: fits,
/// looks at the residuals, and gives each value the noise variance that its level and its own residual suggest.
/// @param passes  of reweighting, >= 1.  @param trials  hyperparameter changes tried in each pass.
/// Source: P. Huber, E. Ronchetti, "Robust Statistics", 2009, chapter 7 (iterated reweighting).
void fit_robustly(surrogate& model, std::span<const unit_point> points, std::span<const double> values, int passes,
                  int trials);

/// @returns the point (measured or between measured ones) where a robust model of all results promises the lowest mean
///          plus one standard deviation, and its mean; nothing before the first result.
[[nodiscard]] std::optional<observation> lowest_posterior_mean(const search_space& space,
                                                               const search_history& history);

} // namespace homeostat
