#pragma once

#include <array>
#include <cstddef>
#include <span>

namespace homeostat {

/// One judged method choice: how sure the model was, and whether it was right.
struct judged_choice {
  double confidence{0.5}; ///< probability the model gave its own choice, 0.5..1
  bool right{false};
  friend bool operator==(const judged_choice&, const judged_choice&) = default;
};

/// One judged latency.
struct judged_latency {
  double predicted_us{0};
  double actual_us{0};
  friend bool operator==(const judged_latency&, const judged_latency&) = default;
};

/// Choices of about one confidence.
struct confidence_bin {
  std::size_t count{0};
  double confidence{0}; ///< their mean
  double accuracy{0};   ///< share that was right
};
inline constexpr std::size_t confidence_bins = 10; ///< of equal width over 0.5..1

/// @returns the reliability diagram: for each bin how sure the model was and how often it was right.
[[nodiscard]] std::array<confidence_bin, confidence_bins> reliability(std::span<const judged_choice> choices);

/// The expected calibration error: the mean gap between confidence and accuracy over the bins, weighted by their
/// counts. 0 for a model whose 0.9 is right nine times in ten. Few choices make it larger than it is: 0.02 (at worst
/// 0.09) at 100, so its bound must not be tight. @returns 0..1; 0 without choices. Source: M. Naeini, G. Cooper, M.
/// Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian Binning", AAAI 2015; C. Guo et al., "On
/// Calibration of Modern Neural Networks", ICML 2017, section 2.
[[nodiscard]] double expected_calibration_error(std::span<const judged_choice> choices);

/// @returns the share that was right, 0..1; 0 without choices.
[[nodiscard]] double accuracy_of(std::span<const judged_choice> choices);

/// @returns true if |predicted - actual| <= tolerance * actual; false for a latency that is not above 0.
[[nodiscard]] bool is_within(const judged_latency& l, double tolerance);
/// @returns the share of latencies within the tolerance, 0..1; 0 without any.
[[nodiscard]] double within_share(std::span<const judged_latency> latencies, double tolerance);

} // namespace homeostat
