#pragma once

#include "policies/search/search_strategy.hpp"

#include <Eigen/Cholesky>
#include <Eigen/Core>

#include <optional>
#include <span>
#include <vector>

namespace homeostat {

/// Hyperparameters of the surrogate. Standard deviations are in standard deviations of the values fitted.
struct surrogate_shape {
  double trend{2.0};  ///< sd of the weights of linear and squared terms over the frame scaled to -1..1
  double cross{0.25}; ///< sd of the product terms' weights, as a multiple of trend
  double ripple{0.5}; ///< sd of the Matern part over all axes
  double length{0.4}; ///< its correlation length, in edges of the frame times sqrt(dimensions)
  double noise{1e-4}; ///< sd of the measurement noise
};

struct surrogate_prediction {
  double mean{0};
  double deviation{0}; ///< of the objective without its noise
};

/// The part of the cube a surrogate is about: its trend is a quadratic there and its lengths are measured in it.
struct surrogate_frame {
  unit_point centre; ///< empty: the middle of the cube
  double half{0.5};  ///< half the edge, > 0
};

// A Gaussian process over the unit cube whose mean is a Bayesian quadratic: prior weights on linear, squared and
// product terms, and a Matern 5/2 part for what a quadratic cannot say. The quadratic carries far (a bowl is known from
// few points, noise averages out over all of them, and under ripples it is the valley); the Matern part carries the
// detail. Refused: a plain stationary process, which forgets the bowl between its points and needs many more of them in
// 5 to 20 dimensions. Source: C. Rasmussen, C. Williams, "Gaussian Processes for Machine Learning", 2006,
// sections 2.2, 2.7, 5.4.1.
class surrogate {
public:
  explicit surrogate(const search_space& space) : space_(&space) {}

  /// Takes the data. Values are centred and scaled here.
  /// @param variance_factors  noise variance of each value relative to the common one, > 0; empty = all 1.
  void set_data(std::span<const unit_point> points, std::span<const double> values,
                std::span<const double> variance_factors = {}, const surrogate_frame& frame = {});
  /// Factors the covariance under a shape. @returns false if it is not positive definite; nothing has changed then.
  /// Without data it is remembered as the shape to begin with.
  bool condition(const surrogate_shape& shape);
  /// Tries `trials` changes of one hyperparameter at a time, in turn, and keeps what raises the evidence.
  /// @param fit_noise  the noise is a hyperparameter too (else it stays).
  void improve_shape(int trials, bool fit_noise);

  [[nodiscard]] const surrogate_shape& shape() const { return now_.shape; }
  [[nodiscard]] double evidence() const { return now_.evidence; } ///< log marginal likelihood plus log prior
  [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(points_.cols()); }
  [[nodiscard]] double noise_deviation() const { return now_.shape.noise * scale_; } ///< in the values' unit
  [[nodiscard]] double scale() const { return scale_; }

  [[nodiscard]] double mean_at(const unit_point& point) const;
  [[nodiscard]] surrogate_prediction predict(const unit_point& point) const { return predict(std::span(&point, 1))[0]; }
  /// Many at once: the triangular systems are solved together, which is several times faster.
  [[nodiscard]] std::vector<surrogate_prediction> predict(std::span<const unit_point> points) const;
  /// @returns the residual value - mean of each data point, in the values' unit.
  [[nodiscard]] std::vector<double> residuals() const;

private:
  /// The model under one shape.
  struct fitted {
    surrogate_shape shape;
    double evidence{0};
    Eigen::LLT<Eigen::MatrixXd> factor;
    Eigen::VectorXd alpha;
  };
  [[nodiscard]] std::optional<fitted> fit(const surrogate_shape& shape);
  [[nodiscard]] Eigen::VectorXd in_frame(const unit_point& point) const;
  [[nodiscard]] double axis_distance(Eigen::Index axis, double a, double b) const;
  [[nodiscard]] Eigen::MatrixXd covariances(const Eigen::MatrixXd& places) const;
  [[nodiscard]] double prior_variance(const Eigen::VectorXd& place) const;
  [[nodiscard]] double prior(const surrogate_shape& shape) const;
  [[nodiscard]] Eigen::MatrixXd covariance(const surrogate_shape& shape);
  [[nodiscard]] Eigen::VectorXd trend_place(const Eigen::VectorXd& place) const;
  [[nodiscard]] Eigen::VectorXd distances(const Eigen::VectorXd& place) const;

  const search_space* space_;
  surrogate_frame frame_;
  Eigen::MatrixXd points_; ///< d x n, in the frame: -1..1 inside it
  Eigen::MatrixXd trend_;  ///< d x n, coordinates of the trend
  Eigen::MatrixXd trend_squares_;
  Eigen::MatrixXd linear_; ///< n x n sums of products of scaled coordinates
  Eigen::MatrixXd squared_;
  Eigen::MatrixXd distance_;
  Eigen::MatrixXd matern_; ///< lower triangle, at matern_length_
  double matern_length_{0};
  Eigen::VectorXd norms_;  ///< squared lengths of the columns of points_
  bool plain_{true};       ///< no periodic and no unordered axis: distances are Euclidean
  Eigen::VectorXd values_; ///< standardised
  Eigen::VectorXd factors_;
  double centre_{0};
  double scale_{1};
  int next_move_{0};
  std::vector<double> step_ = std::vector<double>(5, 0.7); ///< log step of each hyperparameter
  fitted now_;
};

} // namespace homeostat
