#pragma once

#include "policies/learning/gate.hpp"
#include "policies/learning/method_pairs.hpp"
#include "policies/learning/transfer_model.hpp"

namespace homeostat {

/// What a model says of transfers whose end is known.
struct model_judgement {
  std::vector<judged_choice> choices;    ///< of transfers with a label that is no near tie
  std::vector<judged_latency> latencies; ///< by the method each took; failed transfers left out
  std::size_t near_ties{0};              ///< labelled, but either answer is right
  std::size_t unpaired{0};               ///< without neighbours of both methods: nobody knows
};

/// Judges a model by transfers it has not been trained on. Labels come from these transfers alone: with those of the
/// training set among the neighbours the model would be asked for what it was told.
[[nodiscard]] model_judgement judge(const transfer_model& model, std::span<const transfer_metrics> samples,
                                    const pairing_settings& pairing);

} // namespace homeostat
