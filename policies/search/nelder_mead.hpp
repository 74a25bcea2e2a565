#pragma once

#include "policies/search/probe.hpp"
#include "policies/search/search_program.hpp"

#include <cstdint>
#include <span>

namespace homeostat {

struct nelder_mead_settings {
  std::uint64_t seed{0};
  std::size_t probes{10};   ///< points looked at first, >= 1; the best is the first start
  double edge{0.15};        ///< of a first simplex, in cube edges, 0..0.5
  double last_edge{1e-7};   ///< a smaller simplex has converged, > 0
  std::size_t patience{12}; ///< iterations per dimension without a new best before the next start, >= 1
};

/// @returns the index of the candidate whose nearest point of `taken` is farthest away: the next seed of a multi-start.
/// @pre candidates is not empty.
[[nodiscard]] std::size_t farthest_from(const search_space& space, std::span<const unit_point> candidates,
                                        std::span<const unit_point> taken);

// Nelder-Mead from several starts: the best probe point first, then the probe points farthest from all starts so far,
// then new probe points. A start ends when its simplex has shrunk or stalls. On periodic axes the simplex works with
// coordinates unrolled round its first corner. Coefficients depend on the dimension.
// Sources: J. Nelder, R. Mead, Computer Journal 7, 1965; F. Gao, L. Han, "Implementing the Nelder-Mead simplex
// algorithm with adaptive parameters", Comput. Optim. Appl. 51, 2012.
class nelder_mead_search final : public search_strategy {
public:
  nelder_mead_search(const search_space& space, nelder_mead_settings settings);
  std::optional<candidate> propose(const search_history& /*history*/) override { return program_.propose(); }
  void learn(std::size_t ticket, double value, const search_history& /*history*/) override {
    program_.learn(ticket, value);
  }
  [[nodiscard]] std::uint64_t starts() const { return starts_; }

private:
  struct corner {
    unit_point point; ///< unrolled
    double value{0};
  };
  search_program run();
  [[nodiscard]] unit_point next_start(const std::vector<corner>& probes, std::vector<unit_point>& taken);
  [[nodiscard]] std::vector<unit_point> first_simplex(const unit_point& start) const;
  /// @returns centre + factor * (centre - worst), limited to the box on closed axes.
  [[nodiscard]] unit_point along(const std::vector<corner>& simplex, double factor) const;
  [[nodiscard]] unit_point wrapped(const unit_point& point) const;
  [[nodiscard]] static double size_of(const std::vector<corner>& simplex);

  const search_space* space_;
  nelder_mead_settings settings_;
  std::uint64_t starts_{0};
  std::uint64_t probes_used_{0};
  search_program program_;
};

} // namespace homeostat
