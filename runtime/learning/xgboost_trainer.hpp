#pragma once

#include "policies/learning/model_structure.hpp"

#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace homeostat {

/// How trees are grown. The same settings, rows and previous model give the same bytes: histograms, no sampling of rows
/// or columns.
struct tree_settings {
  std::size_t trees{100};    ///< of a model, 1..max_trees; continued models keep this number
  std::size_t new_trees{40}; ///< grown when a model is continued, 1..trees
  std::size_t depth{6};      ///< 1..max_tree_depth
  /// 0..1. Continuing drops the oldest trees, which carry most of the answer: what the new ones leave of that is
  /// (1 - learning_rate)^new_trees, here 1.5 %.
  double learning_rate{0.1};
  double least_child_weight{10}; ///< rows' weight below which no leaf is split off; lower: learns single transfers
  int threads{1};                ///< 1..64
  std::uint32_t seed{1};
  friend bool operator==(const tree_settings&, const tree_settings&) = default;
};
[[nodiscard]] std::expected<void, std::string> check(const tree_settings& s);

/// What trees are grown on.
struct training_rows {
  std::size_t features{0};
  std::vector<float> values;  ///< row after row
  std::vector<float> labels;  ///< one per row; for logistic output 0 or 1
  std::vector<float> weights; ///< one per row, >= 0; empty: all alike
};

/// Grows boosted trees with XGBoost: squared error for identity output, log loss for logistic.
/// @param previous  empty: from scratch, the base is the labels' mean. Else a model in JSON of the same output and
///                  features: its oldest trees give way first, then new ones are grown on what is left, so that they
///                  learn what those had said as well as what is new. It is checked before XGBoost sees it.
/// @returns the model in XGBoost's JSON, or why there is none. Blocks for the training; throws nothing.
[[nodiscard]] std::expected<std::string, std::string> grow_trees(model_output output, const training_rows& rows,
                                                                 const tree_settings& settings,
                                                                 std::string_view previous = {});

/// @returns what XGBoost itself predicts: the yardstick of forest.hpp. @param model  passed read_xgboost_json().
[[nodiscard]] std::expected<std::vector<float>, std::string>
library_predict(std::string_view model, std::span<const float> rows, std::size_t features);

} // namespace homeostat
