#pragma once

#include "policies/search/chacha8.hpp"
#include "policies/search/search_program.hpp"

#include <Eigen/Core>

#include <cstdint>

namespace homeostat {

struct cma_settings {
  std::uint64_t seed{0};
  unit_point start;            ///< mean of the first run
  double deviation{0.25};      ///< first step size, in cube edges, 0..1
  double last_deviation{1e-7}; ///< a smaller step size has converged, > 0
  std::size_t largest_population{256};
};

// Evolution strategy with covariance matrix adaptation; restarts from a random point with twice the population when a
// run has converged or stagnates. Bounds by reflection; periodic axes unrolled. A generation may be evaluated side by
// side. Sources: N. Hansen, "The CMA Evolution Strategy: A Tutorial", arXiv 1604.00772, table 1; A. Auger, N. Hansen,
// "A restart CMA evolution strategy with increasing population size", CEC 2005.
class cma_search final : public search_strategy {
public:
  cma_search(const search_space& space, cma_settings settings);
  std::optional<candidate> propose(const search_history& /*history*/) override { return program_.propose(); }
  void learn(std::size_t ticket, double value, const search_history& /*history*/) override {
    program_.learn(ticket, value);
  }
  [[nodiscard]] std::uint64_t restarts() const { return restarts_; }

private:
  /// One run's distribution and the rates that follow from its population.
  struct run_state {
    std::size_t population{0};
    Eigen::VectorXd weights;
    double effective{0}, c_sigma{0}, d_sigma{0}, c_c{0}, c_1{0}, c_mu{0}, expected_norm{0};
    Eigen::VectorXd mean, path_sigma, path_c, axes_length;
    Eigen::MatrixXd covariance, axes;
    double sigma{0};
    std::uint64_t generation{0};
  };
  search_program run();
  [[nodiscard]] run_state fresh(std::size_t population, const Eigen::VectorXd& mean) const;
  void draw(const run_state& s, std::vector<Eigen::VectorXd>& steps, std::vector<unit_point>& points);
  static void adapt(run_state& s, const std::vector<Eigen::VectorXd>& steps, const std::vector<double>& values);

  const search_space* space_;
  cma_settings settings_;
  chacha8_rng rng_;
  std::uint64_t restarts_{0};
  search_program program_;
};

} // namespace homeostat
