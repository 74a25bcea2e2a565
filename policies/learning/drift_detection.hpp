#pragma once

#include "policies/time.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace homeostat {

/// Has the model become wrong? Page's cumulative sum test in both directions, which the literature on data streams
/// calls the Page-Hinkley test: the first errors set the reference, later ones are counted in its deviations. Source:
/// E. S. Page, "Continuous Inspection Schemes", Biometrika 41, 1954; J. Gama et al., "A Survey on Concept Drift
/// Adaptation", ACM Computing Surveys 46, 2014, section 3.2.
struct page_hinkley_settings {
  std::uint32_t reference{500}; ///< errors that set mean and deviation, >= 2; fewer: false alarms by a bad reference
  double slack{0.5};            ///< deviations per error taken for noise; half the shift to be found soonest
  double limit{15};             ///< sum of deviations that is drift; lower: false alarms, higher: late ones
  double largest{4};            ///< deviations one error may count for: a stall is no drift
  friend bool operator==(const page_hinkley_settings&, const page_hinkley_settings&) = default;
};
struct page_hinkley_state {
  std::uint64_t count{0}; ///< errors taken in since the reference began
  double mean{0};
  double squares{0}; ///< sum of squared distances from the mean (Welford)
  double above{0};
  double below{0};
  friend bool operator==(const page_hinkley_state&, const page_hinkley_state&) = default;
};

/// What a test found.
struct drift_finding {
  double statistic{0};
  double limit{0};
  std::string text{};
};

/// Takes in one error; one that is not finite is left out. @returns drift, once it is certain; the test then starts
/// afresh with a new reference.
std::optional<drift_finding> observe(page_hinkley_state& state, const page_hinkley_settings& settings, double error);

/// @returns Kolmogorov-Smirnov's distance of two samples, 0..1: the largest gap between their distribution functions. 0
/// if one is empty. @param a, b  sorted ascending.
[[nodiscard]] double kolmogorov_smirnov_distance(std::span<const double> a, std::span<const double> b);

/// @returns the distance that two samples of one distribution exceed with probability alpha at most (asymptotic).
/// Source: N. Smirnov, "Table for Estimating the Goodness of Fit of Empirical Distributions", Ann. Math. Stat. 19,
/// 1948.
[[nodiscard]] double kolmogorov_smirnov_limit(std::size_t a, std::size_t b, double alpha);

/// Do other transfers come than those the model knows? The two-sample Kolmogorov-Smirnov test on log2 of the sizes,
/// block by block against a reference. Two blocks in a row must speak for it: one burst of a batch job is no other
/// workload.
struct size_shift_settings {
  std::size_t reference{1024}; ///< sizes of the reference, >= 2: large, since every block is held against it
  std::size_t block{256};      ///< sizes of a block, >= 2
  double alpha{0.001};         ///< false alarm rate of one block, 0..1
  std::uint32_t in_a_row{2};   ///< blocks that must differ one after the other, >= 1
  friend bool operator==(const size_shift_settings&, const size_shift_settings&) = default;
};
struct size_shift_state {
  std::vector<double> reference{}; ///< sorted once it is full
  std::vector<double> block{};
  std::uint32_t differing{0}; ///< blocks in a row
  friend bool operator==(const size_shift_state&, const size_shift_state&) = default;
};

/// Takes in one size. The first ones fill the reference. @returns drift, once it is certain; the test then starts
/// afresh.
std::optional<drift_finding> observe(size_shift_state& state, const size_shift_settings& settings, std::uint64_t bytes);

/// Both tests of a pool.
struct drift_settings {
  page_hinkley_settings errors{};
  size_shift_settings sizes{};
};
struct drift_state {
  page_hinkley_state errors{};
  size_shift_state sizes{};
  friend bool operator==(const drift_state&, const drift_state&) = default;
};
/// Takes in one finished transfer. The error is log(actual / predicted): symmetric, and on the model's own scale.
/// @param predicted_us  0: nothing was predicted; the sizes are looked at all the same.
std::optional<drift_finding> observe(drift_state& state, const drift_settings& settings, std::uint64_t bytes,
                                     double predicted_us, double actual_us);

} // namespace homeostat
