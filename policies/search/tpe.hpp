#pragma once

#include "policies/search/chacha8.hpp"
#include "policies/search/search_strategy.hpp"

#include <cstdint>

namespace homeostat {

struct tpe_settings {
  std::uint64_t seed{0};
  std::uint64_t probes{10};      ///< probe points before the first model, >= 1
  double good_share{0.15};       ///< of the results that count as good, 0..1
  std::size_t most_good{25};     ///< never more good ones, >= 1
  std::size_t candidates{32};    ///< drawn per ask, >= 1
  std::size_t model_points{512}; ///< most results in the model: the good ones and the latest others
};

// Tree-structured Parzen estimator, multivariate: the good results' kernel density proposes, and the candidate wins
// whose density among the good most exceeds that among the others. Every kernel spans all axes, so that what goes
// together stays together. Categories and booleans have kernels of their own. Pending candidates of a batch count as
// bad until they are told (constant liar), which keeps a batch apart.
// Sources: J. Bergstra et al., "Algorithms for Hyper-Parameter Optimization", NIPS 2011, section 4; S. Falkner et al.,
// "BOHB", ICML 2018, section 3.2 (multivariate kernels); D. Ginsbourger et al., 2010 (constant liar).
class tpe_search final : public search_strategy {
public:
  tpe_search(const search_space& space, tpe_settings settings);
  std::optional<candidate> propose(const search_history& history) override;
  void learn(std::size_t /*ticket*/, double /*value*/, const search_history& /*history*/) override {}

private:
  /// A mixture of one kernel per point and a uniform part.
  struct density {
    std::vector<const unit_point*> centres;
    std::vector<double> width; ///< per axis, in cube edges; of an unordered axis the chance to differ
  };
  [[nodiscard]] density density_of(std::vector<const unit_point*> centres) const;
  [[nodiscard]] unit_point draw(const density& d);
  [[nodiscard]] double log_density(const density& d, const unit_point& point) const;

  const search_space* space_;
  tpe_settings settings_;
  chacha8_rng rng_;
  std::uint64_t asked_{0};
};

} // namespace homeostat
