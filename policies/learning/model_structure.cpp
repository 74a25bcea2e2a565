#include "policies/learning/model_structure.hpp"

#include "policies/number_text.hpp"

#include <algorithm>
#include <cmath>

namespace homeostat {

namespace {

std::unexpected<std::string> wrong(std::string what, double value, const std::string& expected) {
  return std::unexpected(std::move(what) + " is " + number_text(value) + ", expected " + expected);
}

bool bounded(float value) { return std::isfinite(value) && std::abs(value) <= max_leaf; }

/// Looks at one tree from its root on: a child stands behind its parent, so one pass meets parents first.
class tree_check {
public:
  tree_check(const tree_nodes& tree, std::size_t number, std::size_t features)
      : tree_(tree), number_(number), features_(features), depth_(tree.size(), unreached) {}

  std::expected<void, std::string> run() {
    if (tree_.empty() || tree_.size() > max_tree_nodes)
      return wrong("tree " + std::to_string(number_) + ": number of nodes", static_cast<double>(tree_.size()),
                   "1 to " + std::to_string(max_tree_nodes));
    depth_.front() = 0;
    for (std::size_t i = 0; i < tree_.size(); ++i)
      if (auto ok = node(i); !ok) return ok;
    return {};
  }

private:
  static constexpr std::size_t unreached = ~std::size_t{0};

  [[nodiscard]] std::string at(std::size_t i) const {
    return "tree " + std::to_string(number_) + ", node " + std::to_string(i) + ": ";
  }

  std::expected<void, std::string> node(std::size_t i) {
    const tree_node& n = tree_[i];
    if (depth_[i] == unreached) return std::unexpected(at(i) + "no node has it for a child");
    if (n.left == -1 && n.right == -1) {
      if (!bounded(n.value)) return wrong(at(i) + "leaf", n.value, "a number within +-" + number_text(max_leaf));
      return {};
    }
    if (depth_[i] >= max_tree_depth)
      return std::unexpected(at(i) + "splits at depth " + std::to_string(depth_[i]) + ", expected at most " +
                             std::to_string(max_tree_depth) + " levels");
    if (n.feature >= features_) return wrong(at(i) + "feature", n.feature, "less than " + std::to_string(features_));
    if (!std::isfinite(n.value)) return wrong(at(i) + "cut", n.value, "a finite number");
    if (auto ok = child(i, "left child", n.left); !ok) return ok;
    return child(i, "right child", n.right);
  }

  std::expected<void, std::string> child(std::size_t parent, const char* side, std::int32_t index) {
    if (index <= static_cast<std::int32_t>(parent) || index >= static_cast<std::int32_t>(tree_.size()))
      return wrong(at(parent) + side, index,
                   std::to_string(parent + 1) + " to " + std::to_string(tree_.size() - 1) + " (behind its parent)");
    std::size_t& depth = depth_[static_cast<std::size_t>(index)];
    if (depth != unreached) return wrong(at(parent) + side, index, "a node without another parent");
    depth = depth_[parent] + 1;
    return {};
  }

  const tree_nodes& tree_;
  std::size_t number_;
  std::size_t features_;
  std::vector<std::size_t> depth_;
};

} // namespace

std::expected<void, std::string> check(const model_structure& model) {
  if (model.output != model_output::identity && model.output != model_output::logistic)
    return wrong("output", static_cast<double>(model.output), "0 (identity) or 1 (logistic)");
  if (!bounded(model.base)) return wrong("base", model.base, "a number within +-" + number_text(max_leaf));
  if (model.feature_count < 1 || model.feature_count > max_features)
    return wrong("number of features", static_cast<double>(model.feature_count),
                 "1 to " + std::to_string(max_features));
  if (model.trees.empty() || model.trees.size() > max_trees)
    return wrong("number of trees", static_cast<double>(model.trees.size()), "1 to " + std::to_string(max_trees));
  for (std::size_t t = 0; t < model.trees.size(); ++t)
    if (auto ok = tree_check(model.trees[t], t, model.feature_count).run(); !ok) return ok;
  return {};
}

std::size_t depth_of(const tree_nodes& tree) {
  std::vector<std::size_t> depth(tree.size(), 0);
  std::size_t deepest = 0;
  for (std::size_t i = 0; i < tree.size(); ++i) {
    deepest = std::max(deepest, depth[i]);
    if (tree[i].left == -1) continue;
    depth[static_cast<std::size_t>(tree[i].left)] = depth[i] + 1;
    depth[static_cast<std::size_t>(tree[i].right)] = depth[i] + 1;
  }
  return deepest;
}

} // namespace homeostat
