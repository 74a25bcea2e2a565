#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <vector>

namespace homeostat {

// What a model may be at most: beyond it prediction leaves its budget, and a file that asks for more is not one of
// ours.
inline constexpr std::size_t max_trees = 500;
inline constexpr std::size_t max_tree_depth = 8;                                      ///< edges from the root to a leaf
inline constexpr std::size_t max_tree_nodes = (std::size_t{2} << max_tree_depth) - 1; ///< of the complete tree
inline constexpr std::size_t max_features = 64;
inline constexpr float max_leaf = 1e6F; ///< magnitude of a leaf and of the base: keeps every sum finite

/// One node: it splits (x[feature] < value goes left) or it is a leaf of that value.
struct tree_node {
  std::int32_t left{-1};  ///< index in its tree; -1: a leaf
  std::int32_t right{-1}; ///< likewise
  std::uint32_t feature{0};
  float value{0}; ///< the cut, or the leaf's
  friend bool operator==(const tree_node&, const tree_node&) = default;
};

/// A tree; node 0 is its root.
using tree_nodes = std::vector<tree_node>;

/// What is done to the sum of the leaves.
enum class model_output : std::uint8_t {
  identity, ///< regression
  logistic, ///< probability, 1 / (1 + exp(-sum))
};

/// Boosted trees as somebody else describes them: nothing about it is believed before check() has looked.
struct model_structure {
  model_output output{model_output::identity};
  float base{0}; ///< what the sum starts from, before the output function
  std::size_t feature_count{0};
  std::vector<tree_nodes> trees;
  friend bool operator==(const model_structure&, const model_structure&) = default;
};

/// Checks that every tree is a tree: children inside it and behind their parent (so that no way down can loop), each
/// node but the root with one parent, depth, feature indices and counts within bounds, cuts and leaves finite.
/// @returns nothing, or one sentence that names the tree, the node, the value and what was expected.
[[nodiscard]] std::expected<void, std::string> check(const model_structure& model);

/// @returns edges from the root to the deepest leaf. @pre the tree passed check().
[[nodiscard]] std::size_t depth_of(const tree_nodes& tree);

} // namespace homeostat
