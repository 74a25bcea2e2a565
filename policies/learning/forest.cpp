#include "policies/learning/forest.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

namespace homeostat {

namespace {

/// Trees walked side by side: enough to hide the loads' latency, few enough for the registers.
constexpr std::size_t group = 8;

/// XGBoost's own, with its guards (src/common/math.h): the same operations in the same order.
float sigmoid(float x) noexcept {
  constexpr float least = 1e-16F;
  const float denominator = std::exp(std::min(-x, 88.7F)) + 1.0F + least;
  return 1.0F / denominator;
}

} // namespace

std::expected<forest, std::string> forest::build(const model_structure& model) {
  if (auto ok = check(model); !ok) return std::unexpected(std::move(ok.error()));
  forest f;
  f.trees_ = model.trees.size();
  f.padded_ = (f.trees_ + group - 1) / group * group;
  f.features_ = model.feature_count;
  f.base_ = model.base;
  f.output_ = model.output;
  f.depth_ = 1;
  for (const tree_nodes& tree : model.trees) f.depth_ = std::max(f.depth_, depth_of(tree));
  f.cuts_.resize(f.padded_ << f.depth_);
  f.splits_on_.resize(f.padded_ << f.depth_);
  f.leaves_.resize(f.padded_ << f.depth_);
  for (std::size_t t = 0; t < f.trees_; ++t) f.complete(model.trees[t], 0, 1, 0, t);
  return f;
}

void forest::complete(const tree_nodes& tree, std::size_t node, std::size_t place, std::size_t level,
                      std::size_t number) {
  const std::size_t first = number << depth_;
  const tree_node& n = tree[node];
  if (level == depth_) {
    leaves_[first + place - (std::size_t{1} << depth_)] = n.value;
    return;
  }
  // Below a leaf that lies higher up every way leads to that leaf's value again.
  const bool leaf = n.left == -1;
  cuts_[first + place] = leaf ? 0 : n.value;
  splits_on_[first + place] = leaf ? std::uint8_t{0} : static_cast<std::uint8_t>(n.feature);
  complete(tree, leaf ? node : static_cast<std::size_t>(n.left), 2 * place, level + 1, number);
  complete(tree, leaf ? node : static_cast<std::size_t>(n.right), 2 * place + 1, level + 1, number);
}

template <std::size_t Depth> float forest::sum(const float* row) const noexcept {
  constexpr std::size_t stride = std::size_t{1} << Depth;
  const float* cuts = cuts_.data();
  const std::uint8_t* splits_on = splits_on_.data();
  const float* leaves = leaves_.data();
  float total = base_;
  // The trees of a group are spelled out: their places stay in registers, which a loop over them does not get from
  // every compiler.
  const auto walk = [&]<std::size_t... Tree>(std::index_sequence<Tree...>) {
    std::array<std::uint32_t, group> place{((void)Tree, 1U)...};
    const auto step = [&](std::size_t tree) {
      const std::size_t at = tree * stride + place[tree];
      place[tree] = 2 * place[tree] + static_cast<std::uint32_t>(!(row[splits_on[at]] < cuts[at]));
    };
    for (std::size_t level = 0; level < Depth; ++level) (step(Tree), ...);
    ((total += leaves[Tree * stride + place[Tree] - stride]), ...);
  };
  for (std::size_t t = 0; t < padded_; t += group) {
    walk(std::make_index_sequence<group>{});
    cuts += group * stride;
    splits_on += group * stride;
    leaves += group * stride;
  }
  return total;
}

float forest::predict_one(const float* row) const noexcept {
  float total = 0;
  switch (depth_) {
  case 1: total = sum<1>(row); break;
  case 2: total = sum<2>(row); break;
  case 3: total = sum<3>(row); break;
  case 4: total = sum<4>(row); break;
  case 5: total = sum<5>(row); break;
  case 6: total = sum<6>(row); break;
  case 7: total = sum<7>(row); break;
  default: total = sum<max_tree_depth>(row); break;
  }
  return output_ == model_output::logistic ? sigmoid(total) : total;
}

float forest::predict(std::span<const float> row) const noexcept {
  if (row.size() != features_) return std::numeric_limits<float>::quiet_NaN();
  return predict_one(row.data());
}

void forest::predict(std::span<const float> rows, std::span<float> out) const noexcept {
  if (rows.size() != out.size() * features_) {
    std::ranges::fill(out, std::numeric_limits<float>::quiet_NaN());
    return;
  }
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = predict_one(rows.data() + i * features_);
}

} // namespace homeostat
