#pragma once

#include "policies/learning/evaluation.hpp"
#include "policies/learning/training_set.hpp"
#include "runtime/learning/model_store.hpp"
#include "runtime/learning/xgboost_trainer.hpp"

namespace homeostat {

/// How a pool's model is trained and judged.
struct transfer_training_settings {
  tree_settings latency{};
  tree_settings choice{.least_child_weight = 2}; ///< of log loss's weights, a quarter of a row's at most
  /// Robust deviations from a first fit to which a latency is drawn in before the second one: a stall says nothing
  /// about the next transfer, and in a leaf of ten one that took three times as long would raise all by a tenth. >= 1.
  double largest_residual{4};
  pairing_settings pairing{};
  gate_limits gate{};
};

/// A finished training. The gate's verdict stands in its lineage: only one that passed may be stored and served.
struct trained_model {
  stored_model stored;
  model_judgement judgement; ///< of the held-out transfers
};

/// Draws labels in to a fit. @param fitted  what the fit says of each.  @param largest  in robust standard deviations
/// (1.4826 median absolute residuals), >= 1. Source: P. Huber, E. Ronchetti, "Robust Statistics", 2009, section 7.8
/// (winsorized residuals).
void winsorize(std::span<float> labels, std::span<const float> fitted, double largest);

/// Trains both models of a pool on the training part and judges them by the held-out part.
/// @param previous  the model to continue; null: from scratch.  @param now  becomes the model's creation time.
/// @returns the model with its lineage (id 0: the store gives one), passed or not; or why there is none: nothing to
/// learn
///          the choice from (no transfers alike by both methods), or XGBoost's own words. Blocks; throws nothing.
[[nodiscard]] std::expected<trained_model, std::string> train_transfer_model(const training_set::parts& samples,
                                                                             const transfer_training_settings& settings,
                                                                             const stored_model* previous, instant now);

/// @returns rows and labels of the latency model (log_slowness). Failed transfers are left out.
[[nodiscard]] training_rows latency_rows(std::span<const transfer_metrics> samples);
/// @returns rows, labels (1: zero-copy) and weights of the choice model, for transfers that have a label.
[[nodiscard]] training_rows choice_rows(std::span<const transfer_metrics> samples, const pairing_settings& pairing);

} // namespace homeostat
