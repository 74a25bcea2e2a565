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

// Of distances in correlation lengths.
template <class distances> Eigen::ArrayXXd matern(const distances& r) {
  const Eigen::ArrayXXd s = std::sqrt(5.0) * r;
  return (1 + s + s.square() / 3) * (-s).exp();
}

constexpr double constant_deviation = 3;

template <class sums>
Eigen::ArrayXXd trend_covariance(const surrogate_shape& s, const sums& linear, const sums& squared) {
  return constant_deviation * constant_deviation +
         s.trend * s.trend * (linear + squared + 0.5 * s.cross * s.cross * (linear.square() - squared));
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
  norms_ = points_.colwise().squaredNorm().transpose();
  plain_ = true;
  for (std::size_t i = 0; i < space_->size(); ++i)
    plain_ = plain_ && space_->is_ordered_axis(i) && !space_->is_periodic(i);
  trend_.resize(d, n);
  distance_.resize(n, n);
  for (Index k = 0; k < n; ++k) {
    trend_.col(k) = trend_place(points_.col(k));
    distance_.col(k) = distances(points_.col(k));
    distance_(k, k) = 0;
  }
  linear_ = trend_.transpose() * trend_;
  trend_squares_ = trend_.cwiseAbs2();
  squared_ = trend_squares_.transpose() * trend_squares_;
  matern_length_ = 0;
}

// In edges of the frame times the root of the number of axes.
VectorXd surrogate::distances(const VectorXd& place) const {
  VectorXd squared(points_.cols());
  if (plain_) { // halves: the frame reaches from -1 to 1
    squared = 0.25 * (norms_.array() + place.squaredNorm() - 2 * (points_.transpose() * place).array()).max(0.0);
  } else {
    squared.setZero();
    for (Index a = 0; a < points_.cols(); ++a)
      for (Index i = 0; i < place.size(); ++i) squared(a) += std::pow(axis_distance(i, place(i), points_(i, a)), 2);
  }
  return (squared / static_cast<double>(place.size())).cwiseSqrt();
}

// Zero on axes where a quadratic makes no sense.
VectorXd surrogate::trend_place(const VectorXd& place) const {
  VectorXd trend = place;
  if (plain_) return trend;
  for (Index i = 0; i < place.size(); ++i) {
    const auto axis = static_cast<std::size_t>(i);
    if (!space_->is_ordered_axis(axis) || space_->is_periodic(axis)) trend(i) = 0;
  }
  return trend;
}

// The lower triangle only. The Matern part depends on the length alone, and its exponentials are most of the work.
MatrixXd surrogate::covariance(const surrogate_shape& s) {
  const Index n = points_.cols();
  if (matern_length_ != s.length) {
    matern_.resize(n, n);
    for (Index j = 0; j < n; ++j)
      matern_.col(j).tail(n - j) = matern(distance_.col(j).tail(n - j).array() / s.length).matrix();
    matern_length_ = s.length;
  }
  MatrixXd k(n, n);
  for (Index j = 0; j < n; ++j)
    k.col(j).tail(n - j) =
        (trend_covariance(s, linear_.col(j).tail(n - j).array(), squared_.col(j).tail(n - j).array()) +
         s.ripple * s.ripple * matern_.col(j).tail(n - j).array())
            .matrix();
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
  return sum + term(std::max(s.noise, 1e-4), 0.1, 2.0);
}

std::optional<surrogate::fitted> surrogate::fit(const surrogate_shape& shape) {
  fitted f{.shape = shape, .evidence = 0, .factor = Eigen::LLT<MatrixXd>(covariance(shape)), .alpha = {}};
  if (f.factor.info() != Eigen::Success) return std::nullopt;
  f.alpha = f.factor.solve(values_);
  const double likelihood = -0.5 * values_.dot(f.alpha) - f.factor.matrixLLT().diagonal().array().log().sum();
  if (!std::isfinite(likelihood)) return std::nullopt;
  f.evidence = likelihood + prior(shape);
  return f;
}

bool surrogate::condition(const surrogate_shape& shape) {
  if (points_.cols() == 0) {
    now_.shape = shape;
    return true;
  }
  auto f = fit(shape);
  if (f) now_ = std::move(*f);
  return f.has_value();
}

void surrogate::improve_shape(int trials, bool fit_noise) {
  constexpr std::array fields{&surrogate_shape::ripple, &surrogate_shape::length, &surrogate_shape::trend,
                              &surrogate_shape::noise, &surrogate_shape::cross};
  constexpr int noise_field = 3;
  for (int t = 0; t < trials; ++t) {
    const auto field = static_cast<std::size_t>(next_move_++) % fields.size();
    if (field == noise_field && !fit_noise) continue;
    double& step = step_[field];
    surrogate_shape tried = now_.shape;
    tried.*fields[field] = std::clamp(tried.*fields[field] * std::exp(step), 1e-4, 20.0);
    auto f = fit(tried);
    if (f && f->evidence > now_.evidence) {
      now_ = std::move(*f);
      step = std::clamp(step * 1.3, -1.5, 1.5);
    } else {
      step = std::abs(step) < 0.1 ? (step > 0 ? -0.5 : 0.5) : -0.6 * step; // the other way, shorter
    }
  }
}

VectorXd surrogate::in_frame(const unit_point& point) const {
  VectorXd place(static_cast<Index>(point.size()));
  for (std::size_t i = 0; i < point.size(); ++i) {
    const double middle = frame_.centre.empty() ? 0.5 : frame_.centre[i];
    place(static_cast<Index>(i)) =
        space_->is_ordered_axis(i) ? space_->way(i, middle, point[i]) / frame_.half : point[i];
  }
  return place;
}

// One column per place.
MatrixXd surrogate::covariances(const MatrixXd& places) const {
  MatrixXd z(places.rows(), places.cols()), r(points_.cols(), places.cols());
  for (Index j = 0; j < places.cols(); ++j) z.col(j) = trend_place(places.col(j));
  if (plain_) { // halves: the frame reaches from -1 to 1
    r.noalias() = -2 * (points_.transpose() * places);
    r.colwise() += norms_;
    r.rowwise() += places.colwise().squaredNorm();
    r = (0.25 / static_cast<double>(places.rows()) * r.array().max(0.0)).sqrt().matrix();
  } else {
    for (Index j = 0; j < places.cols(); ++j) r.col(j) = distances(places.col(j));
  }
  const MatrixXd linear = trend_.transpose() * z;
  const MatrixXd squared = trend_squares_.transpose() * z.cwiseAbs2();
  return (trend_covariance(now_.shape, linear.array(), squared.array()) +
          now_.shape.ripple * now_.shape.ripple * matern(r.array() / now_.shape.length))
      .matrix();
}

double surrogate::prior_variance(const VectorXd& place) const {
  const VectorXd z = trend_place(place);
  const double linear = z.squaredNorm();
  const double squared = z.cwiseAbs2().squaredNorm();
  return constant_deviation * constant_deviation + now_.shape.ripple * now_.shape.ripple +
         now_.shape.trend * now_.shape.trend *
             (linear + squared + 0.5 * now_.shape.cross * now_.shape.cross * (linear * linear - squared));
}

double surrogate::mean_at(const unit_point& point) const {
  return centre_ + scale_ * covariances(in_frame(point)).col(0).dot(now_.alpha);
}

std::vector<surrogate_prediction> surrogate::predict(std::span<const unit_point> points) const {
  MatrixXd places(static_cast<Index>(space_->size()), static_cast<Index>(points.size()));
  VectorXd before(places.cols());
  for (Index j = 0; j < places.cols(); ++j) {
    places.col(j) = in_frame(points[static_cast<std::size_t>(j)]);
    before(j) = prior_variance(places.col(j));
  }
  MatrixXd k = covariances(places);
  const VectorXd means = k.transpose() * now_.alpha;
  now_.factor.matrixL().solveInPlace(k);
  std::vector<surrogate_prediction> predictions;
  for (Index j = 0; j < k.cols(); ++j) {
    const double variance = std::max(before(j) - k.col(j).squaredNorm(), 1e-12);
    predictions.push_back({centre_ + scale_ * means(j), scale_ * std::sqrt(variance)});
  }
  return predictions;
}

std::vector<double> surrogate::residuals() const {
  // K alpha = y, so what the noise took is its variance times alpha.
  const VectorXd r = (now_.shape.noise * now_.shape.noise * factors_.array() + 1e-10) * now_.alpha.array() * scale_;
  return {r.data(), r.data() + r.size()};
}

} // namespace homeostat
