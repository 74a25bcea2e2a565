#pragma once

#include <Eigen/Core>

#include <optional>

namespace homeostat {

/// Limits of a step: the box [lower, upper] and a ball, all relative to where the step starts.
struct step_limits {
  Eigen::VectorXd lower; ///< <= 0 each
  Eigen::VectorXd upper; ///< >= 0 each
  double radius{0};      ///< > 0
};

/// Minimises g.d + d.H.d/2 inside the limits: the exact trust-region step for the free coordinates, with coordinates
/// fixed one after the other at the bounds they would cross. @param gradient size n.  @param hessian n x n, symmetric,
/// any definiteness.  @returns the step; never worse than zero.
/// Source: J. Moré, D. Sorensen, "Computing a trust region step", SIAM J. Sci. Stat. Comput. 4(3), 1983.
[[nodiscard]] Eigen::VectorXd trust_region_step(const Eigen::VectorXd& gradient, const Eigen::MatrixXd& hessian,
                                                const step_limits& limits);

// A quadratic through m points, n+2 <= m <= (n+1)(n+2)/2, whose Hessian changes as little as possible (Frobenius norm)
// from the last one: Powell's way to learn curvature from few evaluations. The system is solved anew each time; at the
// sizes of a tuning problem that costs microseconds and, unlike updates of its inverse, gathers no rounding errors.
// Source: M. J. D. Powell, "The BOBYQA algorithm for bound constrained optimization without derivatives", report DAMTP
// 2009/NA06, sections 2 and 3.
class quadratic_model {
public:
  /// @param points  n x m, one column a point.  @param values  m.  The model starts without curvature.
  quadratic_model(Eigen::MatrixXd points, Eigen::VectorXd values);

  [[nodiscard]] Eigen::Index dimensions() const { return points_.rows(); }
  [[nodiscard]] Eigen::Index size() const { return points_.cols(); }
  [[nodiscard]] Eigen::Index best() const { return best_; }
  [[nodiscard]] double best_value() const { return values_(best_); }
  [[nodiscard]] Eigen::VectorXd best_point() const { return points_.col(best_); }
  [[nodiscard]] Eigen::VectorXd point(Eigen::Index k) const { return points_.col(k); }
  [[nodiscard]] const Eigen::VectorXd& gradient() const { return gradient_; } ///< at the best point
  [[nodiscard]] const Eigen::MatrixXd& hessian() const { return hessian_; }

  /// Fits the model to the present points. @returns false if they lie too badly for that; the model is then as before.
  bool fit();
  /// Forgets the curvature before the next fit: the least Hessian is sought, not the least change.
  void forget_curvature() { hessian_.setZero(); }

  /// @returns the model's change from the best point to best point + step.
  [[nodiscard]] double change(const Eigen::VectorXd& step) const;
  /// @returns the values at best point + step of the m Lagrange polynomials.
  [[nodiscard]] Eigen::VectorXd lagrange(const Eigen::VectorXd& step) const;
  /// @returns the step from the best point inside the limits where the k-th Lagrange polynomial is largest in size.
  [[nodiscard]] Eigen::VectorXd geometry_step(Eigen::Index k, const step_limits& limits) const;

  /// @returns which point the new one at best + step should replace: far from the best and well replaced by it.
  /// @param keep_best  the new point is not better.  @param radius  of the trust region.
  [[nodiscard]] Eigen::Index replaced_by(const Eigen::VectorXd& step, double value, double radius) const;
  /// @returns the point farthest from the best, and its distance.
  [[nodiscard]] std::pair<Eigen::Index, double> farthest() const;
  void replace(Eigen::Index k, const Eigen::VectorXd& point, double value);
  void append(const Eigen::VectorXd& point, double value);

private:
  [[nodiscard]] Eigen::VectorXd right_side(const Eigen::VectorXd& step) const;

  Eigen::MatrixXd points_;
  Eigen::VectorXd values_;
  Eigen::Index best_{0};
  double scale_{1};              ///< of the last fit: steps are divided by it
  Eigen::MatrixXd displacement_; ///< (points - best) / scale of the last fit
  Eigen::MatrixXd inverse_;      ///< of the interpolation system, (m+n+1) square
  Eigen::VectorXd gradient_;
  Eigen::MatrixXd hessian_;
};

} // namespace homeostat
