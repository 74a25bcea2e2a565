#include "policies/search/surrogate.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace homeostat {

namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

double matern(double r) { // r in correlation lengths
  const double s = std::sqrt(5.0) * r;
  return (1 + s + s * s / 3) * std::exp(-s);
}

constexpr double constant_deviation = 3;

double trend_covariance(const surrogate_shape& s, double linear, double squared) {
  const double products = 0.5 * (linear * linear - squared);
  return constant_deviation * constant_deviation +
         s.trend * s.trend * (linear + squared + s.cross * s.cross * products);
}

} // namespace

// Distances along one axis in edges of the frame: the chord of the circle where it closes, 1 between categories.
double surrogate::axis_distance(Index axis, double a, double b) const {
  const auto i = static_cast<std::size_t>(axis);
  if (!space_->is_ordered_axis(i)) return std::abs(a - b) > 1e-9 ? 1.0 : 0.0;
  const double way = 0.5 * std::abs(a - b);
  if (!space_->is_periodic(i)) return way;
  return std::abs(std::sin(std::numbers::pi * 2 * frame_.half * way)) / (std::numbers::pi * 2 * frame_.half);
}

// None on axes where a quadratic makes no sense.
double surrogate::trend_coordinate(Index axis, double place) const {
  const auto i = static_cast<std::size_t>(axis);
  return space_->is_ordered_axis(i) && !space_->is_periodic(i) ? place : 0.0;
}

void surrogate::set_data(std::span<const unit_point> points, std::span<const double> values,
                         std::span<const double> variance_factors, const surrogate_frame& frame) {
  frame_ = frame;
  const auto n = static_cast<Index>(points.size());
  const auto d = static_cast<Index>(space_->size());
  points_.resize(d, n);
  values_.resize(n);
  factors_ = VectorXd::Ones(n);
  for (Index k = 0; k < n; ++k) {
    const auto at = static_cast<std::size_t>(k);
    points_.col(k) = in_frame(points[at]);
    values_(k) = values[at];
    if (!variance_factors.empty()) factors_(k) = variance_factors[at];
  }
  centre_ = values_.mean();
  scale_ = std::sqrt((values_.array() - centre_).square().mean());
  if (!(scale_ > 1e-300)) scale_ = 1;
  values_ = (values_.array() - centre_) / scale_;
  MatrixXd z(d, n);
  for (Index k = 0; k < n; ++k)
    for (Index i = 0; i < d; ++i) z(i, k) = trend_coordinate(i, points_(i, k));
  linear_ = z.transpose() * z;
  const MatrixXd z2 = z.array().square().matrix();
  squared_ = z2.transpose() * z2;
  distance_.resize(n, n);
  const double diagonal = std::sqrt(static_cast<double>(d));
  for (Index a = 0; a < n; ++a)
    for (Index b = 0; b <= a; ++b) {
      double sum = 0;
      for (Index i = 0; i < d; ++i) {
        const double w = axis_distance(i, points_(i, a), points_(i, b));
        sum += w * w;
      }
      distance_(a, b) = distance_(b, a) = std::sqrt(sum) / diagonal;
    }
}

MatrixXd surrogate::covariance(const surrogate_shape& s) const {
  const Index n = points_.cols();
  MatrixXd k(n, n);
  for (Index a = 0; a < n; ++a)
    for (Index b = 0; b <= a; ++b) {
      double sum = trend_covariance(s, linear_(a, b), squared_(a, b)) +
                   s.ripple * s.ripple * matern(distance_(a, b) / s.length);
      if (s.additive > 0) {
        double parts = 0;
        for (Index i = 0; i < points_.rows(); ++i)
          parts += matern(axis_distance(i, points_(i, a), points_(i, b)) /
                          s.additive_length);
        sum += s.additive * s.additive * parts / static_cast<double>(points_.rows());
      }
      k(a, b) = sum;
    }
  k.diagonal() += (s.noise * s.noise * factors_.array() + 1e-10).matrix();
  return k;
}

// Log-normal priors: wide, and around what tuning problems look like; without them a handful of points fits anything.
double surrogate::prior(const surrogate_shape& s) const {
  const auto term = [](double value, double middle, double sd) {
    const double off = (std::log(value) - std::log(middle)) / sd;
    return -0.5 * off * off;
  };
  double sum = term(s.trend, 2.0, 1.0) + term(s.cross, 0.25, 1.2) + term(s.ripple, 0.5, 1.2) + term(s.length, 0.3, 0.7);
  if (s.additive > 0) sum += term(s.additive, 0.5, 1.2) + term(s.additive_length, 0.15, 0.7);
  return sum + term(std::max(s.noise, 1e-4), 0.1, 2.0);
}

bool surrogate::condition(const surrogate_shape& shape) {
  if (points_.cols() == 0) {
    shape_ = shape;
    return true;
  }
  Eigen::LLT<MatrixXd> factor(covariance(shape));
  if (factor.info() != Eigen::Success) return false;
  VectorXd alpha = factor.solve(values_);
  const double fit = -0.5 * values_.dot(alpha) - factor.matrixLLT().diagonal().array().log().sum();
  if (!std::isfinite(fit)) return false;
  shape_ = shape;
  evidence_ = fit + prior(shape);
  factor_ = std::move(factor);
  alpha_ = std::move(alpha);
  return true;
}

void surrogate::improve_shape(int trials, bool fit_noise) {
  constexpr std::array fields{&surrogate_shape::ripple, &surrogate_shape::length, &surrogate_shape::trend,
                              &surrogate_shape::noise,  &surrogate_shape::cross};
  constexpr int noise_field = 3;
  for (int t = 0; t < trials; ++t) {
    const auto field = static_cast<std::size_t>(next_move_++) % fields.size();
    if (field == noise_field && !fit_noise) continue;
    const surrogate_shape before = shape_;
    const double reached = evidence_;
    surrogate_shape tried = before;
    const double step = step_[field];
    tried.*fields[field] = std::clamp(tried.*fields[field] * std::exp(step), 1e-4, 20.0);
    if (condition(tried) && evidence_ > reached) {
      step_[field] = std::clamp(step * 1.3, -1.5, 1.5);
      continue;
    }
    if (evidence_ != reached || shape_.*fields[field] != before.*fields[field]) condition(before);
    step_[field] = std::abs(step) < 0.1 ? (step > 0 ? -0.5 : 0.5) : -0.6 * step; // the other way, shorter
  }
}

VectorXd surrogate::in_frame(const unit_point& point) const {
  VectorXd place(static_cast<Index>(point.size()));
  for (std::size_t i = 0; i < point.size(); ++i) {
    const double middle = frame_.centre.empty() ? 0.5 : frame_.centre[i];
    place(static_cast<Index>(i)) = space_->is_ordered_axis(i) ? space_->way(i, middle, point[i]) / frame_.half : point[i];
  }
  return place;
}

VectorXd surrogate::covariances(const VectorXd& place) const {
  const Index n = points_.cols();
  const Index d = points_.rows();
  const double diagonal = std::sqrt(static_cast<double>(d));
  VectorXd k(n);
  for (Index a = 0; a < n; ++a) {
    double linear = 0;
    double squared = 0;
    double sum = 0;
    double parts = 0;
    for (Index i = 0; i < d; ++i) {
      const double p = trend_coordinate(i, place(i)) * trend_coordinate(i, points_(i, a));
      linear += p;
      squared += p * p;
      const double w = axis_distance(i, place(i), points_(i, a));
      sum += w * w;
      if (shape_.additive > 0) parts += matern(w / shape_.additive_length);
    }
    k(a) = trend_covariance(shape_, linear, squared) +
           shape_.ripple * shape_.ripple * matern(std::sqrt(sum) / diagonal / shape_.length) +
           shape_.additive * shape_.additive * parts / static_cast<double>(d);
  }
  return k;
}

double surrogate::prior_variance(const VectorXd& place) const {
  double linear = 0;
  double squared = 0;
  for (Index i = 0; i < place.size(); ++i) {
    const double z = trend_coordinate(i, place(i));
    linear += z * z;
    squared += z * z * z * z;
  }
  return trend_covariance(shape_, linear, squared) + shape_.ripple * shape_.ripple + shape_.additive * shape_.additive;
}

double surrogate::mean_at(const unit_point& point) const {
  return centre_ + scale_ * covariances(in_frame(point)).dot(alpha_);
}

surrogate_prediction surrogate::predict(const unit_point& point) const {
  const VectorXd place = in_frame(point);
  const VectorXd k = covariances(place);
  const VectorXd v = factor_.matrixL().solve(k);
  const double variance = std::max(prior_variance(place) - v.squaredNorm(), 1e-12);
  return {centre_ + scale_ * k.dot(alpha_), scale_ * std::sqrt(variance)};
}

std::vector<double> surrogate::residuals() const {
  // K alpha = y, so what the noise took is its variance times alpha.
  const VectorXd r = (shape_.noise * shape_.noise * factors_.array() + 1e-10) * alpha_.array() * scale_;
  return {r.data(), r.data() + r.size()};
}

} // namespace homeostat
