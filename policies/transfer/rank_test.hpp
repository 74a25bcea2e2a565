#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <vector>

namespace homeostat {

// Comparing two sets of windows without assuming how they are distributed: latencies have long tails, and one bad
// window must not decide.

/// What the windows of one time say against those of another.
struct rank_comparison {
  double p{1};         ///< chance of ranks at least this far towards "now is larger", were there no difference
  double shift{0};     ///< how much larger now is (Hodges-Lehmann: median of all pairwise differences)
  double shift_low{0}; ///< confidence interval of the shift
  double shift_high{0};
};

/// Mann-Whitney U, one-sided (now larger than before), with midranks for ties, the normal approximation with correction
/// for ties and continuity; exact where both sides are small and without ties. The shift is Hodges and Lehmann's, its
/// interval from the ranks of the ordered pairwise differences (Moses).
/// Source: Mann, Whitney 1947; Hodges, Lehmann 1963; Hollander, Wolfe, Chicken, "Nonparametric Statistical Methods",
/// 3rd edition, sections 4.1 to 4.3.
/// @param before, now  independent observations, all finite, at least one each; of more than 200 the last 200 count.
/// @param confidence  of the two-sided interval, above 0 and below 1.
/// @param inflation  what serial correlation adds to the variance, >= 1; see serial_inflation.
[[nodiscard]] rank_comparison compare_ranks(std::span<const double> before, std::span<const double> now,
                                            double confidence, double inflation = 1);

/// Neighbouring windows resemble each other where load comes and goes over minutes, and fewer of them are independent
/// than there are. @param in_order  observations by time.
/// @returns by how much the variance of a mean is larger than for independent ones: (1 + r) / (1 - r), with r the
/// correlation of neighbours, corrected for its bias (Marriott, Pope 1954) and taken as 0 to 0.95.
/// Source: Bayley, Hammersley, "The effective number of independent observations in an autocorrelated time series",
/// 1946.
[[nodiscard]] double serial_inflation(std::span<const double> in_order);

/// Controls the share of false findings among all findings of many tests at once.
/// Source: Benjamini, Hochberg, "Controlling the False Discovery Rate", JRSS B 57 (1995), section 3.1; the adjusted
/// value of a test is the least rate at which it would be a finding.
/// @returns the adjusted value of each p, in the same order.
[[nodiscard]] std::vector<double> adjust_for_many(std::span<const double> p);

/// @returns the standard normal distribution function.
[[nodiscard]] double normal_cdf(double z);
/// @returns its inverse, 0 < p < 1; by bisection, to 1e-12.
[[nodiscard]] double normal_quantile(double p);

} // namespace homeostat
