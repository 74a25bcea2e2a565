#pragma once

#include "policies/transfer/cost_table.hpp"
#include "policies/transfer/experiment_place.hpp"
#include "policies/transfer/thresholds.hpp"
#include "policies/transfer/transfer_policy.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

/// The decision: which method one transfer takes, and why.
///
/// In this order: quick path by size; the operator's rules; the pool's threshold; what both methods were measured to
/// cost, where there is evidence, with the simpler method when the gain is marginal; the model, where its confidence
/// suffices; and now and then the other method, to learn. Everything that takes time is prepared in a view, an
/// immutable value that the learner makes anew; a decision only looks up.
namespace homeostat {

/// What decided.
enum class decision_reason : std::uint8_t {
  below_minimum, ///< quick path
  above_maximum, ///< quick path
  rule,          ///< an operator's
  rule_conflict, ///< rules of equal priority disagree: the simpler method
  threshold,     ///< no evidence for both methods yet
  cost_benefit,  ///< measured costs
  marginal,      ///< measured costs; the better one's gain is not worth it
  model,         ///< the model's prediction
  exploration,   ///< to learn
  fallback,      ///< what was decided failed, or nothing could decide: the safe default, grpc
};
inline constexpr std::size_t decision_reason_count = 10;
[[nodiscard]] std::string_view name_of(decision_reason reason) noexcept;

/// A decision with its rationale, in numbers; explain() says it in words.
struct transfer_decision {
  transfer_method method{transfer_method::grpc};
  decision_reason reason{decision_reason::fallback};
  pressure under{pressure::none};
  bool has_estimates{false};
  std::int8_t rule{-1};      ///< index in the policy
  float confidence{0};       ///< that the method is the better one, 0.5..1; 0 where nothing speaks for either
  float model_confidence{0}; ///< 0 without a model
  double grpc_us{0};         ///< expected latencies; 0 without an estimate
  double zero_copy_us{0};
  std::uint64_t threshold{0};  ///< bytes, of the data's type
  std::uint64_t generation{0}; ///< of policy and model
  experiment_place place;      ///< in the pool's experiment, where the transfer's session is part of one

  /// @returns the expected latency of the chosen method; 0 where nothing is expected.
  [[nodiscard]] double predicted_us() const noexcept {
    return method == transfer_method::grpc ? grpc_us : zero_copy_us;
  }
};

/// @returns what is kept of a decision with the transfer's outcome.
[[nodiscard]] decision_basis basis_of(const transfer_decision& decision) noexcept;

/// What a model says of one transfer.
struct model_prediction {
  transfer_method method{transfer_method::grpc};
  float confidence{0};       ///< 0.5..1
  float least_confidence{1}; ///< what the rollout asks for at its present stage
  double grpc_us{0};         ///< predicted latencies; 0 unknown
  double zero_copy_us{0};
};

/// Everything a decision looks up.
struct transfer_view {
  struct entry {
    float grpc_ratio{1}; ///< expected latency over the prior's
    float zero_copy_ratio{1};
    float gain{0};        ///< log score of grpc less that of zero_copy: above 0, zero_copy is better
    float confidence{0};  ///< that the sign of the gain is right
    float explore{0};     ///< chance of trying the method that is not chosen
    bool evidence{false}; ///< for both methods
  };
  std::uint64_t generation{0};
  pressure under{pressure::none};
  std::uint64_t minimum{0};
  std::uint64_t maximum{0};
  float marginal_benefit{0};
  std::array<std::uint64_t, data_type_count> thresholds{};
  std::array<std::array<entry, cost_class_count>, data_type_count> entries{}; ///< under the present pressure
  struct rule {
    std::int8_t index;
    int priority;
    transfer_method method;
  };
  std::vector<rule> rules; ///< highest priority first
};

/// @returns whether the quick path decides on a size.
[[nodiscard]] constexpr bool quick(const transfer_view& view, std::uint64_t size) noexcept {
  return size < view.minimum || size >= view.maximum;
}

/// Decides.
/// @param matching  bit i: the condition of the policy's rule i holds.  @param model  what a model says, or nullptr.
/// @param chance  uniform in [0, 1): decides on exploration.
[[nodiscard]] transfer_decision decide(const transfer_view& view, const transfer_characteristics& data,
                                       std::uint32_t matching, const model_prediction* model, double chance) noexcept;

/// @returns the rationale in words: what decided, the figures it rests on, and what would have decided otherwise.
[[nodiscard]] std::string explain(const transfer_decision& decision, const transfer_characteristics& data,
                                  const transfer_policy& policy);

} // namespace homeostat
