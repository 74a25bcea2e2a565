// The flat forest against a walk from node to node, and what it refuses.
#include "policies/learning/forest.hpp"
#include "policies/learning/transfer_model.hpp"
#include "tests/policies/learning/random_structure.hpp"
#include "tests/policies/row_name.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

namespace homeostat {
namespace {

using testing::HasSubstr;

TEST(Forest, EqualsAWalkFromNodeToNode) {
  chacha8_rng rng(1);
  for (std::size_t depth = 0; depth <= max_tree_depth; ++depth)
    for (const std::size_t trees : {1U, 2U, 7U, 8U, 9U, 16U, 100U}) {
      model_structure model = random_structure(rng, trees, depth, 1 + rng.next() % 12);
      const auto f = forest::build(model);
      ASSERT_TRUE(f) << f.error();
      EXPECT_EQ(f->tree_count(), trees);
      for (int i = 0; i < 100; ++i) {
        std::vector<float> row(model.feature_count);
        for (float& x : row) x = static_cast<float>(rng.uniform() * 2 - 1);
        const float sum = walked_sum(model, row);
        if (model.output == model_output::identity) {
          ASSERT_EQ(f->predict(row), sum);
        } else {
          ASSERT_NEAR(f->predict(row), 1 / (1 + std::exp(-static_cast<double>(sum))), 1e-6);
        }
      }
    }
}

TEST(Forest, AValueOnTheCutGoesRight) {
  const model_structure model{.feature_count = 1, .trees = {{{1, 2, 0, 0.5F}, {-1, -1, 0, 1}, {-1, -1, 0, 2}}}};
  const auto f = forest::build(model);
  ASSERT_TRUE(f);
  for (const auto& [x, expected] : {std::pair{std::nextafter(0.5F, 0.0F), 1.0F}, {0.5F, 2.0F}, {0.6F, 2.0F}})
    EXPECT_EQ(f->predict(std::array{x}), expected) << x;
}

TEST(Forest, ManyRowsGiveWhatEachGives) {
  chacha8_rng rng(2);
  const auto f = forest::build(random_structure(rng, 40, 6, 5));
  ASSERT_TRUE(f);
  std::vector<float> rows(5 * 77), out(77);
  for (float& x : rows) x = static_cast<float>(rng.uniform());
  f->predict(rows, out);
  for (std::size_t i = 0; i < out.size(); ++i) EXPECT_EQ(out[i], f->predict(std::span(rows).subspan(5 * i, 5)));
}

TEST(Forest, ARowOfAnotherLengthIsNotANumberAndNothingIsReadBeyondIt) {
  chacha8_rng rng(3);
  const auto f = forest::build(random_structure(rng, 10, 4, 5));
  ASSERT_TRUE(f);
  std::vector<float> rows(16, 0.0F), out(3, 0.0F);
  EXPECT_TRUE(std::isnan(f->predict({})));
  EXPECT_TRUE(std::isnan(f->predict(std::span(rows).first(4))));
  EXPECT_TRUE(std::isnan(f->predict(std::span(rows).first(6))));
  f->predict(rows, out);
  for (const float x : out) EXPECT_TRUE(std::isnan(x));
}

TEST(Forest, WhatIsNoNumberStillEndsInALeaf) {
  chacha8_rng rng(4);
  model_structure model = random_structure(rng, 50, 8, 3);
  const auto f = forest::build(model);
  ASSERT_TRUE(f);
  const float inf = std::numeric_limits<float>::infinity();
  for (const float x : {std::numeric_limits<float>::quiet_NaN(), inf, -inf})
    EXPECT_TRUE(std::isfinite(f->predict(std::array{x, x, x}))) << x;
}

// ---- what is refused

struct evil_row {
  std::string name;
  std::function<void(model_structure&)> harm;
  std::string words; ///< of the error
};
void PrintTo(const evil_row& row, std::ostream* out) { *out << row.name; }

/// Two trees: a single leaf, and a root with two leaves.
model_structure sound() {
  return {.output = model_output::identity,
          .base = 0.5F,
          .feature_count = 4,
          .trees = {{{-1, -1, 0, 1.0F}}, {{1, 2, 3, 0.5F}, {-1, -1, 0, 1.0F}, {-1, -1, 0, 2.0F}}}};
}
tree_nodes chain(std::size_t splits) {
  tree_nodes tree;
  for (std::size_t i = 0; i < splits; ++i) {
    const auto at = static_cast<std::int32_t>(2 * i);
    tree.push_back({at + 2, at + 1, 0, 0.5F}); // the left child continues
    tree.push_back({-1, -1, 0, 1.0F});
  }
  tree.push_back({-1, -1, 0, 2.0F});
  return tree;
}

constexpr float nan_value = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

class EvilStructure : public testing::TestWithParam<evil_row> {};
TEST_P(EvilStructure, IsRefusedWithItsPlace) {
  model_structure model = sound();
  ASSERT_TRUE(check(model));
  GetParam().harm(model);
  const auto verdict = check(model);
  ASSERT_FALSE(verdict);
  EXPECT_THAT(verdict.error(), HasSubstr(GetParam().words));
  const auto f = forest::build(model);
  ASSERT_FALSE(f);
  EXPECT_EQ(f.error(), verdict.error());
}
INSTANTIATE_TEST_SUITE_P(
    All, EvilStructure,
    testing::Values(
        evil_row{"NoTrees", [](auto& m) { m.trees.clear(); }, "number of trees is 0"},
        evil_row{"TooManyTrees", [](auto& m) { m.trees.resize(501, m.trees[0]); }, "number of trees is 501"},
        evil_row{"EmptyTree", [](auto& m) { m.trees[1].clear(); }, "tree 1: number of nodes is 0"},
        evil_row{"TooManyNodes", [](auto& m) { m.trees[1].resize(512); }, "tree 1: number of nodes is 512"},
        evil_row{"NoFeatures", [](auto& m) { m.feature_count = 0; }, "number of features is 0"},
        evil_row{"TooManyFeatures", [](auto& m) { m.feature_count = 65; }, "number of features is 65"},
        evil_row{"FeatureJustBeyond", [](auto& m) { m.trees[1][0].feature = 4; }, "tree 1, node 0: feature is 4"},
        evil_row{"Feature500", [](auto& m) { m.trees[1][0].feature = 500; }, "tree 1, node 0: feature is 500"},
        evil_row{"ChildIsItself", [](auto& m) { m.trees[1][0].left = 0; }, "node 0: left child is 0"},
        evil_row{"ChildIsAbove", [](auto& m) { m.trees[1][1] = {0, 2, 0, 0}; }, "node 1: left child is 0"},
        evil_row{"ChildJustBeyond", [](auto& m) { m.trees[1][0].right = 3; }, "node 0: right child is 3"},
        evil_row{"ChildFarBeyond", [](auto& m) { m.trees[1][0].left = 2'000'000'000; }, "left child is 2000000000"},
        evil_row{"ChildNegative", [](auto& m) { m.trees[1][0].left = -2; }, "left child is -2"},
        evil_row{"OneChildOnly", [](auto& m) { m.trees[1][0].right = -1; }, "right child is -1"},
        evil_row{"TwiceTheSameChild", [](auto& m) { m.trees[1][0].right = 1; },
                 "expected a node without another parent"},
        evil_row{"NodeNobodyHas", [](auto& m) { m.trees[1].push_back({-1, -1, 0, 0}); }, "node 3: no node has it"},
        evil_row{"CutNotANumber", [](auto& m) { m.trees[1][0].value = nan_value; }, "node 0: cut is nan"},
        evil_row{"CutInfinite", [](auto& m) { m.trees[1][0].value = infinity; }, "node 0: cut is inf"},
        evil_row{"LeafNotANumber", [](auto& m) { m.trees[0][0].value = nan_value; }, "tree 0, node 0: leaf is nan"},
        evil_row{"LeafInfinite", [](auto& m) { m.trees[1][2].value = -infinity; }, "tree 1, node 2: leaf is -inf"},
        evil_row{"LeafHuge", [](auto& m) { m.trees[1][2].value = 2e6F; }, "node 2: leaf is 2000000"},
        evil_row{"BaseNotANumber", [](auto& m) { m.base = nan_value; }, "base is nan"},
        evil_row{"TooDeep", [](auto& m) { m.trees[1] = chain(9); }, "splits at depth 8"},
        evil_row{"UnknownOutput", [](auto& m) { m.output = static_cast<model_output>(2); }, "output is 2"}),
    by_name);

TEST(ModelStructure, LimitsThemselvesAreAllowed) {
  model_structure model = sound();
  model.trees[1] = chain(8);
  model.trees.resize(500, model.trees[1]);
  model.feature_count = 64;
  EXPECT_EQ(depth_of(model.trees[1]), 8U);
  EXPECT_TRUE(check(model));
  EXPECT_TRUE(forest::build(model));
}

// ---- the two models of a pool

TEST(TransferModel, RefusesForestsThatDoNotFit) {
  chacha8_rng rng(5);
  const auto make = [&](model_output output, std::size_t features) {
    model_structure m = random_structure(rng, 3, 2, features);
    m.output = output;
    return *forest::build(m);
  };
  using enum model_output;
  EXPECT_TRUE(transfer_model::create(make(identity, 10), make(logistic, 9)));
  EXPECT_THAT(transfer_model::create(make(identity, 9), make(logistic, 9)).error(), HasSubstr("latency model has 9"));
  EXPECT_THAT(transfer_model::create(make(identity, 10), make(logistic, 10)).error(), HasSubstr("choice model has 10"));
  EXPECT_THAT(transfer_model::create(make(logistic, 10), make(logistic, 9)).error(), HasSubstr("latency model"));
  EXPECT_THAT(transfer_model::create(make(identity, 10), make(identity, 9)).error(), HasSubstr("choice model"));
}

TEST(TransferModel, PredictsFiniteNumbersForAnythingAndNamesTheLikelierMethod) {
  // Zero-copy with probability 1/(1+e^-2) from 8 MiB on; the latency is e^80 us, beyond what is a latency.
  const model_structure latency{.base = 80, .feature_count = 10, .trees = {{{-1, -1, 0, 0}}}};
  const model_structure choice{.output = model_output::logistic,
                               .feature_count = 9,
                               .trees = {{{1, 2, 0, 23}, {-1, -1, 0, -2}, {-1, -1, 0, 2}}}};
  const auto model = transfer_model::create(*forest::build(latency), *forest::build(choice));
  ASSERT_TRUE(model);
  for (const auto& [bytes, method] : {std::pair{(std::uint64_t{8} << 20) - 1000, transfer_method::grpc},
                                      {std::uint64_t{8} << 20, transfer_method::zero_copy}}) {
    const transfer_prediction p = model->predict({.data_size = bytes}, {.cpu_load = nan_value});
    EXPECT_EQ(p.choice, method);
    EXPECT_NEAR(p.confidence, 0.8808, 1e-4);
    for (const transfer_method m : transfer_methods) {
      EXPECT_TRUE(std::isfinite(p.latency_of(m)));
      EXPECT_EQ(p.latency_of(m), model->latency_us({.data_size = bytes}, {}, m));
    }
  }
}

} // namespace
} // namespace homeostat
