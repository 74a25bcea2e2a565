#pragma once

#include "policies/learning/calibration.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace homeostat {

/// What a model must show on transfers it has not been trained on before anybody may use it (design §9).
struct gate_limits {
  double accuracy{0.90};          ///< share of right choices: must be above it
  double within_share{0.90};      ///< share of latencies within the tolerance: at least
  double latency_tolerance{0.15}; ///< of the actual latency
  double calibration_error{0.10}; ///< expected calibration error: at most. Rollout believes the confidence.
  std::uint64_t choices{100};     ///< judged choices needed: fewer say nothing about 90 %
  std::uint64_t latencies{200};   ///< held-out transfers needed: a fifth of the least training set
  friend bool operator==(const gate_limits&, const gate_limits&) = default;
};

/// One figure against its limit.
struct gate_figure {
  std::string name{};
  double value{0};
  double limit{0};
  std::uint64_t count{0}; ///< of judged cases behind it
  bool passed{false};
  std::string text{}; ///< the figure in words
  friend bool operator==(const gate_figure&, const gate_figure&) = default;
};

struct gate_result {
  bool passed{false};
  std::vector<gate_figure> figures{}; ///< accuracy, within_share, calibration_error, choices, latencies, in this order
  /// @returns all figures in one sentence each, those that failed first.
  [[nodiscard]] std::string text() const;
  friend bool operator==(const gate_result&, const gate_result&) = default;
};

/// Judges a model by what it said of held-out transfers.
/// @param choices    of cases where the answer matters: near ties are left out (method_pairs.hpp says why).
/// @param latencies  predicted for the method each transfer took.
/// @returns passed only if every figure keeps its limit; too little evidence is a refusal, not a pass.
[[nodiscard]] gate_result pass_gate(std::span<const judged_choice> choices, std::span<const judged_latency> latencies,
                                    const gate_limits& limits);

} // namespace homeostat
