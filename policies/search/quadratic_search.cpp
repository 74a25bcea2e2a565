#include "policies/search/quadratic_search.hpp"

#include "policies/search/quadratic_model.hpp"

#include <algorithm>
#include <cmath>

namespace homeostat {

namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

VectorXd vector_of(const unit_point& p) { return Eigen::Map<const VectorXd>(p.data(), static_cast<Index>(p.size())); }
unit_point point_of(const VectorXd& v) { return {v.data(), v.data() + v.size()}; }

} // namespace

quadratic_search::quadratic_search(const search_space& space, quadratic_settings settings)
    : space_(&space), settings_(std::move(settings)), rho_(settings_.first_radius) {
  const auto n = static_cast<Index>(space.size());
  lower_ = VectorXd::Zero(n);
  upper_ = VectorXd::Ones(n);
  for (Index i = 0; i < n; ++i)
    if (space.is_periodic(static_cast<std::size_t>(i))) lower_(i) = -2, upper_(i) = 3;
  program_ = run();
}

std::optional<candidate> quadratic_search::propose(const search_history& /*history*/) { return program_.propose(); }

void quadratic_search::learn(std::size_t ticket, double value, const search_history& /*history*/) {
  program_.learn(ticket, value);
}

unit_point quadratic_search::wrapped(const VectorXd& point) const {
  unit_point p = point_of(point);
  for (std::size_t i = 0; i < p.size(); ++i) p[i] = space_->inside(i, p[i]);
  return p;
}

void quadratic_search::note(const VectorXd& point, double value) {
  if (!best_point_.empty() && value >= best_value_) return;
  best_point_ = wrapped(point);
  best_value_ = value;
}

// The centre, then +radius and -radius along each axis; two steps to the same side where a bound is near.
std::vector<unit_point> quadratic_search::star() const {
  VectorXd centre = vector_of(settings_.start).cwiseMax(lower_).cwiseMin(upper_);
  const double r = rho_;
  for (Index i = 0; i < centre.size(); ++i) { // near a bound, not on it: the star needs room
    if (centre(i) - lower_(i) < r && centre(i) > lower_(i) + 0.5 * r) centre(i) = std::min(lower_(i) + r, upper_(i));
    if (upper_(i) - centre(i) < r && centre(i) < upper_(i) - 0.5 * r) centre(i) = std::max(upper_(i) - r, lower_(i));
    if (centre(i) <= lower_(i) + 0.5 * r) centre(i) = lower_(i);
    if (centre(i) >= upper_(i) - 0.5 * r) centre(i) = upper_(i);
  }
  std::vector<unit_point> points{point_of(centre)};
  for (const bool forward : {true, false})
    for (Index i = 0; i < centre.size(); ++i) {
      double step = forward ? r : -r;
      if (forward && centre(i) + r > upper_(i)) step = -r;
      if (!forward && centre(i) - r < lower_(i)) step = 2 * r;
      if (!forward && centre(i) + r > upper_(i)) step = -2 * r;
      VectorXd p = centre;
      p(i) = std::clamp(p(i) + step, lower_(i), upper_(i));
      points.push_back(point_of(p));
    }
  return points;
}

void quadratic_search::note_error(double predicted, double actual) {
  const double error = std::abs(actual - predicted) / std::max({std::abs(predicted), std::abs(actual), 1e-300});
  model_error_ = steps_ == 0 ? error : 0.7 * model_error_ + 0.3 * error;
  ++steps_;
}

search_program quadratic_search::run() {
  const std::vector<unit_point> start = star();
  const auto n = static_cast<Index>(space_->size());
  const auto m = static_cast<Index>(start.size());
  const std::vector<double> first = co_await evaluate_group(start);
  MatrixXd points(n, m);
  VectorXd values(m);
  for (Index k = 0; k < m; ++k) {
    points.col(k) = vector_of(start[static_cast<std::size_t>(k)]);
    values(k) = first[static_cast<std::size_t>(k)];
    note(points.col(k), values(k));
  }
  quadratic_model model(points, values);
  double delta = rho_;
  std::vector<double> small_errors; // of the steps since rho last changed
  stepping_ = true;
  while (true) {
    if (!model.fit()) co_return;
    const VectorXd best = model.best_point();
    step_limits limits{lower_ - best, upper_ - best, delta};
    VectorXd step = trust_region_step(model.gradient(), model.hessian(), limits);
    const double length = std::min(delta, step.norm());
    bool repair = false;
    bool shrink = false;
    double repair_beyond = 0;
    if (length < 0.5 * rho_) { // the step is too short to say anything new
      repair = true;
      repair_beyond = std::max(0.5 * delta, 2 * rho_);
      delta = std::max(0.1 * delta, rho_);
      if (delta <= 1.5 * rho_) delta = rho_;
      shrink = true;
      // A model that predicted well lately is trusted at this radius without repairing far points.
      if (small_errors.size() >= 3) {
        const double curvature = 0.125 * rho_ * rho_ * std::max(0.0, model.hessian().diagonal().minCoeff());
        if (*std::max_element(small_errors.end() - 3, small_errors.end()) <= curvature) repair = false;
      }
    } else {
      const double predicted = model.change(step);
      const VectorXd place = (best + step).cwiseMax(lower_).cwiseMin(upper_);
      const unit_point asked = wrapped(place);
      const double value = co_await evaluate_point(asked);
      note(place, value);
      const double actual = value - model.best_value();
      note_error(predicted, actual);
      small_errors.push_back(std::abs(actual - predicted));
      const double ratio = predicted < 0 ? actual / predicted : -1;
      if (ratio <= 0.1)
        delta = std::min(0.5 * delta, length);
      else if (ratio <= 0.7)
        delta = std::max(0.5 * delta, length);
      else
        delta = std::max(0.5 * delta, 2 * length);
      if (delta <= 1.5 * rho_) delta = rho_;
      model.replace(model.replaced_by(step, value, delta), place, value);
      if (ratio > 0.1) continue;
      repair = true;
      repair_beyond = 2 * delta;
      shrink = actual >= 0 && std::max(delta, length) <= rho_;
    }
    const auto [far, distance] = model.farthest();
    if (repair && distance > repair_beyond) {
      if (!model.fit()) co_return;
      const VectorXd centre = model.best_point();
      step_limits room{lower_ - centre, upper_ - centre, std::max(std::min(0.1 * distance, 0.5 * delta), rho_)};
      const VectorXd move = model.geometry_step(far, room);
      const double predicted = model.change(move);
      const VectorXd place = (centre + move).cwiseMax(lower_).cwiseMin(upper_);
      const unit_point asked = wrapped(place);
      const double value = co_await evaluate_point(asked);
      note(place, value);
      small_errors.push_back(std::abs(value - model.best_value() - predicted));
      model.replace(far, place, value);
      continue;
    }
    if (!shrink) continue;
    if (rho_ <= settings_.last_radius) co_return;
    delta = 0.5 * rho_;
    const double ratio = rho_ / settings_.last_radius;
    rho_ = ratio <= 16 ? settings_.last_radius : (ratio <= 250 ? std::sqrt(ratio) * settings_.last_radius : 0.1 * rho_);
    delta = std::max(delta, rho_);
    small_errors.clear();
  }
}

} // namespace homeostat
