#pragma once

#include "policies/learning/features.hpp"
#include "policies/learning/forest.hpp"

namespace homeostat {

/// What a model expects of one transfer.
struct transfer_prediction {
  std::array<double, transfer_method_count> latency_us{}; ///< by transfer_method; > 0, finite
  transfer_method choice{transfer_method::grpc};          ///< the one expected to be faster
  double confidence{0.5};                                 ///< probability that this choice is right, 0.5..1
  [[nodiscard]] double latency_of(transfer_method method) const noexcept {
    return latency_us[static_cast<std::size_t>(method)];
  }
};

/// What the latency model learns: the natural logarithm of microseconds per byte. Per byte, because trees answer in
/// steps: over ten octaves of size a hundred trees spend their steps on the slope that everybody knows, and what is
/// left of it inside a step is an error of several percent. @param latency_us  above 0.
[[nodiscard]] double log_slowness(std::uint64_t bytes, double latency_us) noexcept;

/// The two models of a pool that belong together: latency by method, and which method is the faster one. Immutable;
/// wait-free from any thread. Two models, because the goal differs: a regression that is right on average over all
/// latencies is not the best judge of which side of a crossing a transfer lies, and its error is no probability.
class transfer_model {
public:
  /// @param latency  regression on log_slowness over latency_features.
  /// @param choice   logistic, probability of zero-copy over choice_features.
  /// @returns the model, or which of the two does not fit and why.
  [[nodiscard]] static std::expected<transfer_model, std::string> create(forest latency, forest choice);

  [[nodiscard]] transfer_prediction predict(const transfer_characteristics& data,
                                            const system_conditions& now) const noexcept;
  /// @returns the expected latency by one method, us; > 0, finite.
  [[nodiscard]] double latency_us(const transfer_characteristics& data, const system_conditions& now,
                                  transfer_method method) const noexcept;

  [[nodiscard]] const forest& latency_forest() const noexcept { return latency_; }
  [[nodiscard]] const forest& choice_forest() const noexcept { return choice_; }

private:
  transfer_model(forest latency, forest choice) : latency_(std::move(latency)), choice_(std::move(choice)) {}
  forest latency_;
  forest choice_;
};

} // namespace homeostat
