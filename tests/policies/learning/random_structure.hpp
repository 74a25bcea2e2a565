#pragma once

#include "policies/learning/model_structure.hpp"
#include "policies/search/chacha8.hpp"

#include <span>

namespace homeostat {

/// @returns a sound model of trees of random shapes.
inline model_structure random_structure(chacha8_rng& rng, std::size_t trees, std::size_t depth, std::size_t features) {
  model_structure model{.output = rng.uniform() < 0.5 ? model_output::identity : model_output::logistic,
                        .base = static_cast<float>(rng.uniform()),
                        .feature_count = features,
                        .trees = {}};
  for (std::size_t t = 0; t < trees; ++t) {
    tree_nodes tree(1);
    std::vector<std::size_t> level{0};
    for (std::size_t i = 0; i < tree.size(); ++i) {
      tree[i].value = static_cast<float>(rng.uniform() - 0.5);
      if (level[i] >= depth || (i > 0 && rng.uniform() < 0.2)) continue;
      tree[i].left = static_cast<std::int32_t>(tree.size());
      tree[i].right = tree[i].left + 1;
      tree[i].feature = static_cast<std::uint32_t>(rng.next() % features);
      tree.resize(tree.size() + 2);
      level.resize(tree.size(), level[i] + 1);
    }
    model.trees.push_back(std::move(tree));
  }
  return model;
}

/// The naive twin of a forest: walks from node to node. @returns the sum before the output function.
inline float walked_sum(const model_structure& model, std::span<const float> row) {
  float sum = model.base;
  for (const tree_nodes& tree : model.trees) {
    std::size_t at = 0;
    while (tree[at].left != -1)
      at = static_cast<std::size_t>(row[tree[at].feature] < tree[at].value ? tree[at].left : tree[at].right);
    sum += tree[at].value;
  }
  return sum;
}

} // namespace homeostat
