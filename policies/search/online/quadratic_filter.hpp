#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace homeostat {

/// A local quadratic of the objective whose coefficients drift: a Kalman filter over
///   f(v) = a + b.v + v'Hv/2,   v = offset from a movable centre, in fractions of range.
/// The optimum of a plant moves more than its shape does, so the gradient b may be told to drift fast while the
/// curvature H is kept: after a change d + 1 numbers have to be learned again, not all of them. Forgetting everything
/// at one rate, the usual recipe, loses the shape each time. Source: R. E. Kalman, "A New Approach to Linear Filtering
/// and Prediction Problems", J. Basic Eng. 82, 1960.
struct quadratic_filter {
  std::size_t dimensions{0};      ///< d >= 0
  bool cross{false};              ///< H has off-diagonal terms
  bool moving{false};             ///< the gradient has a velocity (a plant that moves steadily)
  std::vector<double> mean;       ///< a, b, diagonal of H, off-diagonal of H by rows, velocity of b
  std::vector<double> covariance; ///< size() x size(), symmetric, row by row
  friend bool operator==(const quadratic_filter&, const quadratic_filter&) = default;

  [[nodiscard]] std::size_t size() const { return mean.size(); }
  [[nodiscard]] std::size_t gradient(std::size_t i) const { return 1 + i; }
  [[nodiscard]] std::size_t curvature(std::size_t i) const { return 1 + dimensions + i; }
  /// @pre cross, i != j
  [[nodiscard]] std::size_t coupling(std::size_t i, std::size_t j) const;
  /// @pre moving
  [[nodiscard]] std::size_t velocity(std::size_t i) const { return size() - dimensions + i; }
  [[nodiscard]] double& variance(std::size_t k) { return covariance[k * size() + k]; }
  [[nodiscard]] double variance(std::size_t k) const { return covariance[k * size() + k]; }
};

[[nodiscard]] quadratic_filter fresh_filter(std::size_t dimensions, bool cross, bool moving);

/// What the filter expects at an offset.
struct filter_forecast {
  double value{0};
  double variance{0};       ///< of the noise-free value
  std::vector<double> gain; ///< covariance times features, for absorb()
};
[[nodiscard]] filter_forecast forecast(const quadratic_filter& f, std::span<const double> offset);

/// Takes in one measurement. @param surprise  measured - forecast.value.  @param spread  forecast.variance + noise
/// variance, > 0.
void absorb(quadratic_filter& f, const filter_forecast& at, double surprise, double spread);

/// One step of time: the gradient moves on by its velocity.
void advance(quadratic_filter& f);

/// Moves the centre; the function described stays the same.
void move_centre(quadratic_filter& f, std::span<const double> by);

/// Forgets level (a) completely and puts a new one.
void reset_level(quadratic_filter& f, double level, double variance);

/// @returns the mean curvature over the axes, negative ones counted as 0.
[[nodiscard]] double mean_curvature(const quadratic_filter& f);

/// @returns H of a coefficient vector of this filter, d x d, row by row.
[[nodiscard]] std::vector<double> hessian(const quadratic_filter& f, std::span<const double> coefficients);

/// Minimises g.v + v'Hv/2 over a box that holds 0, by coordinate descent (H may be indefinite).
/// @returns the offset.
[[nodiscard]] std::vector<double> box_minimum(std::span<const double> g, std::span<const double> h,
                                              std::span<const double> low, std::span<const double> high);

} // namespace homeostat
