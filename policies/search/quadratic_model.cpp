#include "policies/search/quadratic_model.hpp"

#include <Eigen/Eigenvalues>
#include <Eigen/LU>

#include <algorithm>
#include <cmath>
#include <vector>

namespace homeostat {

namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

// The minimiser of g.d + d.H.d/2 with |d| <= radius.
VectorXd ball_step(const VectorXd& g, const MatrixXd& h, double radius) {
  const Eigen::SelfAdjointEigenSolver<MatrixXd> eigen(h);
  const VectorXd& lambda = eigen.eigenvalues();
  const VectorXd c = eigen.eigenvectors().transpose() * g;
  const double size = std::max({std::abs(lambda(0)), std::abs(lambda(lambda.size() - 1)), g.norm() / radius, 1e-300});
  const auto step_at = [&](double shift) -> VectorXd { return (-c.array() / (lambda.array() + shift)).matrix(); };
  if (lambda(0) > 1e-12 * size) {
    const VectorXd d = step_at(0);
    if (d.norm() <= radius) return eigen.eigenvectors() * d;
  }
  double low = std::max(0.0, -lambda(0));
  double high = low + g.norm() / radius + 1e-12 * size;
  const double tiny = low + 1e-10 * size;
  if (step_at(tiny).norm() < radius) { // the hard case: what is left of the radius goes along the lowest curvature
    VectorXd d = step_at(tiny);
    d(0) += (c(0) > 0 ? -1 : 1) * std::sqrt(std::max(0.0, radius * radius - d.squaredNorm()));
    return eigen.eigenvectors() * (d * std::min(1.0, radius / d.norm()));
  }
  for (int i = 0; i < 60 && high - low > 1e-10 * high; ++i) {
    const double middle = 0.5 * (low + high);
    (step_at(middle).norm() > radius ? low : high) = middle;
  }
  return eigen.eigenvectors() * step_at(high);
}

} // namespace

VectorXd trust_region_step(const VectorXd& gradient, const MatrixXd& hessian, const step_limits& limits) {
  const Index n = gradient.size();
  VectorXd step = VectorXd::Zero(n);
  std::vector<Index> free;
  for (Index i = 0; i < n; ++i) {
    const bool at_lower = limits.lower(i) >= 0 && gradient(i) >= 0;
    const bool at_upper = limits.upper(i) <= 0 && gradient(i) <= 0;
    if (!at_lower && !at_upper) free.push_back(i);
  }
  double radius_left = limits.radius;
  while (!free.empty() && radius_left > 1e-12 * limits.radius) {
    const auto count = static_cast<Index>(free.size());
    VectorXd g(count);
    MatrixXd h(count, count);
    const VectorXd slope = gradient + hessian * [&] {
      VectorXd fixed = step;
      for (Index i : free) fixed(i) = 0;
      return fixed;
    }();
    for (Index a = 0; a < count; ++a) {
      g(a) = slope(free[static_cast<std::size_t>(a)]);
      for (Index b = 0; b < count; ++b)
        h(a, b) = hessian(free[static_cast<std::size_t>(a)], free[static_cast<std::size_t>(b)]);
    }
    if (g.norm() == 0 && h.isZero()) break;
    const VectorXd d = ball_step(g, h, radius_left);
    double reach = 1; // how far along d the nearest bound lies
    Index hit = -1;
    for (Index a = 0; a < count; ++a) {
      const Index i = free[static_cast<std::size_t>(a)];
      const double bound = d(a) < 0 ? limits.lower(i) : limits.upper(i);
      if (std::abs(d(a)) > std::abs(bound) && std::abs(bound) <= reach * std::abs(d(a)))
        reach = std::abs(bound / d(a)), hit = a;
    }
    if (hit < 0) {
      for (Index a = 0; a < count; ++a) step(free[static_cast<std::size_t>(a)]) = d(a);
      break;
    }
    const Index i = free[static_cast<std::size_t>(hit)];
    step(i) = d(hit) < 0 ? limits.lower(i) : limits.upper(i);
    for (Index a = 0; a < count; ++a)
      if (a != hit) step(free[static_cast<std::size_t>(a)]) = reach * d(a);
    radius_left = std::sqrt(std::max(0.0, radius_left * radius_left - step(i) * step(i)));
    free.erase(free.begin() + hit);
  }
  const double change = gradient.dot(step) + 0.5 * step.dot(hessian * step);
  return change <= 0 ? step : VectorXd::Zero(n);
}

quadratic_model::quadratic_model(MatrixXd points, VectorXd values)
    : points_(std::move(points)), values_(std::move(values)), gradient_(VectorXd::Zero(points_.rows())),
      hessian_(MatrixXd::Zero(points_.rows(), points_.rows())) {
  values_.minCoeff(&best_);
}

bool quadratic_model::fit() {
  const Index n = dimensions();
  const Index m = size();
  const MatrixXd shift = points_.colwise() - points_.col(best_);
  const double scale = std::sqrt(shift.colwise().squaredNorm().maxCoeff());
  if (!(scale > 0)) return false;
  MatrixXd d = shift / scale;
  MatrixXd system = MatrixXd::Zero(m + n + 1, m + n + 1);
  system.topLeftCorner(m, m) = 0.5 * (d.transpose() * d).array().square().matrix();
  system.block(0, m, m, 1).setOnes();
  system.block(0, m + 1, m, n) = d.transpose();
  system.block(m, 0, n + 1, m) = system.block(0, m, m, n + 1).transpose();
  const Eigen::PartialPivLU<MatrixXd> lu(system);
  const VectorXd pivots = lu.matrixLU().diagonal().cwiseAbs();
  if (!(pivots.minCoeff() > 1e-14 * pivots.maxCoeff())) return false;
  VectorXd right = VectorXd::Zero(m + n + 1);
  for (Index i = 0; i < m; ++i)
    right(i) = values_(i) - values_(best_) - 0.5 * shift.col(i).dot(hessian_ * shift.col(i));
  MatrixXd inverse = lu.inverse();
  const VectorXd solved = lu.solve(right);
  if (!solved.allFinite() || !inverse.allFinite()) return false;
  scale_ = scale;
  displacement_ = std::move(d);
  inverse_ = std::move(inverse);
  gradient_ = solved.tail(n) / scale;
  hessian_ += displacement_ * solved.head(m).asDiagonal() * displacement_.transpose() / (scale * scale);
  return true;
}

double quadratic_model::change(const VectorXd& step) const {
  return gradient_.dot(step) + 0.5 * step.dot(hessian_ * step);
}

VectorXd quadratic_model::right_side(const VectorXd& step) const {
  const VectorXd d = step / scale_;
  VectorXd side(size() + dimensions() + 1);
  side.head(size()) = 0.5 * (displacement_.transpose() * d).array().square().matrix();
  side(size()) = 1;
  side.tail(dimensions()) = d;
  return side;
}

VectorXd quadratic_model::lagrange(const VectorXd& step) const { return inverse_.topRows(size()) * right_side(step); }

VectorXd quadratic_model::geometry_step(Index k, const step_limits& limits) const {
  const VectorXd column = inverse_.col(k);
  VectorXd g = column.tail(dimensions()) / scale_;
  MatrixXd h = displacement_ * column.head(size()).asDiagonal() * displacement_.transpose() / (scale_ * scale_);
  const auto size_of = [&](const VectorXd& d) { return std::abs(column(size()) + g.dot(d) + 0.5 * d.dot(h * d)); };
  const VectorXd down = trust_region_step(g, h, limits);
  const VectorXd up = trust_region_step(-g, -h, limits);
  return size_of(down) >= size_of(up) ? down : up;
}

Index quadratic_model::replaced_by(const VectorXd& step, double value, double radius) const {
  const VectorXd side = right_side(step);
  const VectorXd l = inverse_ * side;
  const double d4 = std::pow(step.squaredNorm() / (scale_ * scale_), 2);
  const double beta = 0.5 * d4 - side.dot(l);
  const bool better = value < values_(best_);
  const VectorXd centre = better ? VectorXd(points_.col(best_) + step) : VectorXd(points_.col(best_));
  Index chosen = -1;
  double most = 0;
  for (Index k = 0; k < size(); ++k) {
    if (k == best_ && !better) continue;
    const double denominator = std::abs(inverse_(k, k) * beta + l(k) * l(k));
    const double far = (points_.col(k) - centre).norm() / radius;
    const double score = denominator * std::max(1.0, far * far * far * far);
    if (chosen < 0 || score > most) chosen = k, most = score;
  }
  return chosen;
}

std::pair<Index, double> quadratic_model::farthest() const {
  Index k = 0;
  const double squared = (points_.colwise() - points_.col(best_)).colwise().squaredNorm().maxCoeff(&k);
  return {k, std::sqrt(squared)};
}

void quadratic_model::replace(Index k, const VectorXd& point, double value) {
  const VectorXd old_best = points_.col(best_);
  points_.col(k) = point;
  values_(k) = value;
  Index best = 0;
  values_.minCoeff(&best);
  // The gradient belongs to the best point; the next fit starts from this one's curvature only.
  gradient_ += hessian_ * (points_.col(best) - old_best);
  best_ = best;
}

void quadratic_model::append(const VectorXd& point, double value) {
  points_.conservativeResize(Eigen::NoChange, size() + 1);
  values_.conservativeResize(values_.size() + 1);
  points_.rightCols(1) = point;
  values_(values_.size() - 1) = value;
  values_.minCoeff(&best_);
}

} // namespace homeostat
