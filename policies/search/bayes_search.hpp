#pragma once

#include "policies/search/chacha8.hpp"
#include "policies/search/search_strategy.hpp"
#include "policies/search/surrogate.hpp"

#include <cstdint>

namespace homeostat {

struct bayes_settings {
  std::uint64_t seed{0};
  std::uint64_t probes{0};      ///< probe points before the first model, where the history is empty
  std::size_t model_points{64}; ///< most results in the model, 10..400: the incumbent's neighbours and a sample
  double first_edge{0.8};       ///< of the trust region, in cube edges, 0..1
  double last_edge{0.005};      ///< below it the region starts anew, > 0
  bool noisy{false};            ///< the objective is known to be noisy
};

// Trust-region Bayesian optimisation: a Gaussian-process surrogate of the results near the incumbent proposes the point
// of most expected improvement inside a box that grows with success and halves with failure. Under noise the incumbent
// is the lowest posterior mean and points are asked at the lower confidence bound. Handles all kinds of axes; batches
// see pending points as measured at their mean.
// Source: D. Eriksson et al., "Scalable Global Optimization via Local Bayesian Optimization" (TuRBO), NeurIPS 2019; D.
// Ginsbourger et al., "Kriging is well-suited to parallelize optimization", 2010 (pending points).
class bayes_search final : public search_strategy {
public:
  bayes_search(const search_space& space, bayes_settings settings);

  std::optional<candidate> propose(const search_history& history) override;
  void learn(std::size_t ticket, double value, const search_history& history) override;
  bool sees_noise(const search_history& /*history*/) const override { return settings_.noisy; }

  void expect_noise() { settings_.noisy = true; }
  /// Opens the region again, around the incumbent.
  void reopen(double edge) { edge_ = edge, successes_ = failures_ = 0; }
  [[nodiscard]] double edge() const { return edge_; }

private:
  struct incumbent {
    unit_point point;
    double value;
  };
  incumbent fit(const search_history& history);
  [[nodiscard]] std::vector<std::size_t> chosen(const search_history& history) const;
  [[nodiscard]] surrogate_frame frame_of(std::span<const unit_point> points, const unit_point& centre) const;
  /// Takes over the best of `tried` into `best` if it scores above `top`; says whether it did.
  bool improve(std::span<const unit_point> tried, double incumbent_value, unit_point& best, double& top) const;
  [[nodiscard]] unit_point best_candidate(const search_history& history, const incumbent& centre);
  [[nodiscard]] unit_point random_near(const unit_point& centre, double edge, double share);

  const search_space* space_;
  bayes_settings settings_;
  chacha8_rng rng_;
  surrogate model_;
  double edge_;
  double caution_{1};
  std::uint64_t asked_{0};
  int successes_{0};
  int failures_{0};
  double target_{0}; ///< value an ask must beat to count as success
};

} // namespace homeostat
