#pragma once

#include "policies/learning/model_structure.hpp"

#include <span>

namespace homeostat {

/// Boosted trees laid out for prediction: every tree completed to the forest's depth, in heap order, its steps without
/// branches, eight trees walked side by side so that their loads overlap. Immutable: any number of threads may predict
/// at once, without a lock, a wait or an allocation.
///
/// The sum is taken in float, base first, then tree after tree, and compared with `<` in float, as XGBoost 1.7 does:
/// the output is the library's own, to the bit on the machines tested. Rows hold numbers only: a NaN goes right at
/// every split (never out of bounds), where XGBoost would take the split's default way; features.hpp makes no NaN.
class forest {
public:
  /// @returns the forest, or what check() found wrong with the structure.
  [[nodiscard]] static std::expected<forest, std::string> build(const model_structure& model);

  /// @param row  feature_count() numbers. @returns the model's output; NaN for a row of another length.
  [[nodiscard]] float predict(std::span<const float> row) const noexcept;

  /// Predicts many rows. @param rows  out.size() * feature_count() numbers, row after row; with another length every
  /// output is NaN.
  void predict(std::span<const float> rows, std::span<float> out) const noexcept;

  [[nodiscard]] std::size_t feature_count() const noexcept { return features_; }
  [[nodiscard]] std::size_t tree_count() const noexcept { return trees_; }
  [[nodiscard]] std::size_t depth() const noexcept { return depth_; }
  [[nodiscard]] model_output output() const noexcept { return output_; }

private:
  forest() = default;
  void complete(const tree_nodes& tree, std::size_t node, std::size_t place, std::size_t level, std::size_t number);
  template <std::size_t Depth> [[nodiscard]] float sum(const float* row) const noexcept;
  [[nodiscard]] float predict_one(const float* row) const noexcept;

  // Three arrays of 2^depth entries per tree: a model of 100 trees of depth 6 then fits a 64 KiB cache.
  std::vector<float> cuts_;             ///< heap order from 1 on
  std::vector<std::uint8_t> splits_on_; ///< feature of each cut
  std::vector<float> leaves_;
  std::size_t trees_{0};
  std::size_t padded_{0}; ///< trees_, rounded up to whole groups with trees of zeros
  std::size_t depth_{0};  ///< 1..max_tree_depth
  std::size_t features_{0};
  float base_{0};
  model_output output_{model_output::identity};
};

} // namespace homeostat
