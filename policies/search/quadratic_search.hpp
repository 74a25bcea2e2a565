#pragma once

#include "policies/search/search_program.hpp"

#include <Eigen/Core>

#include <cstdint>

namespace homeostat {

/// Where a local search begins and how fine it ends, in the unit cube.
struct quadratic_settings {
  unit_point start;
  double first_radius{0.25}; ///< of the trust region, 0..0.5; reaches over ripples much smaller than it
  double last_radius{1e-6};  ///< finished when the model is good and the steps are below it, > 0
};

// A trust-region method on quadratic interpolation models in box bounds: the strongest choice per evaluation on smooth
// objectives. It evaluates 2n+1 points of a star (in a batch, if wanted) and then one step of the model at a time; a
// step that disappoints first repairs the lie of the points, then shrinks the region. Periodic axes are unrolled.
// Source: M. J. D. Powell, "The BOBYQA algorithm", DAMTP 2009/NA06; the radii's rules are section 2's.
class quadratic_search final : public search_strategy {
public:
  quadratic_search(const search_space& space, quadratic_settings settings);

  std::optional<candidate> propose(const search_history& history) override;
  void learn(std::size_t ticket, double value, const search_history& history) override;
  bool finished() const override { return program_.finished(); }

  /// @returns the best point of this search, and its value; meaningless before the first result.
  [[nodiscard]] const unit_point& best_point() const { return best_point_; }
  [[nodiscard]] double best_value() const { return best_value_; }
  /// @returns the lower bound of the trust region's radius.
  [[nodiscard]] double radius() const { return rho_; }
  /// @returns true once the star is evaluated and steps are taken.
  [[nodiscard]] bool stepping() const { return stepping_; }
  /// @returns the smoothed size of the model's errors relative to the predicted changes: near 0 on a smooth objective
  ///          at this radius, about 1 or more where the model says nothing.
  [[nodiscard]] double model_error() const { return model_error_; }
  [[nodiscard]] std::uint64_t steps() const { return steps_; }

private:
  search_program run();
  [[nodiscard]] std::vector<unit_point> star() const;
  [[nodiscard]] unit_point wrapped(const Eigen::VectorXd& point) const;
  void note(const Eigen::VectorXd& point, double value);
  void note_error(double predicted, double actual);

  const search_space* space_;
  quadratic_settings settings_;
  Eigen::VectorXd lower_; ///< bounds; a turn beyond 0..1 on periodic axes
  Eigen::VectorXd upper_;
  double rho_{0};
  bool stepping_{false};
  double model_error_{0};
  std::uint64_t steps_{0};
  unit_point best_point_;
  double best_value_{0};
  search_program program_;
};

} // namespace homeostat
