// The flat forest answers what XGBoost answers, row for row.
#include "runtime/learning/model_json.hpp"
#include "tests/policies/row_name.hpp"
#include "tests/runtime/learning/small_model.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace homeostat {
namespace {

struct model_row {
  std::string name;
  model_output output;
  std::size_t trees, depth, features;
  double learning_rate;
};
void PrintTo(const model_row& row, std::ostream* out) { *out << row.name; }

/// Half of the rows anywhere, half exactly on the cuts of the model, where left and right meet.
std::vector<float> probing_rows(const model_structure& model, std::size_t count, std::uint64_t seed) {
  chacha8_rng rng(seed);
  std::vector<std::vector<float>> cuts(model.feature_count);
  for (const tree_nodes& tree : model.trees)
    for (const tree_node& n : tree)
      if (n.left != -1) cuts[n.feature].push_back(n.value);
  std::vector<float> rows;
  for (std::size_t i = 0; i < count; ++i)
    for (const std::vector<float>& cut : cuts)
      rows.push_back(i % 2 == 0 || cut.empty() ? static_cast<float>(rng.uniform() * 5 - 2.5)
                                               : cut[rng.next() % cut.size()]);
  return rows;
}

void expect_equal(const std::string& json, std::size_t count) {
  const auto structure = read_xgboost_json(json);
  ASSERT_TRUE(structure) << structure.error();
  const auto f = forest::build(*structure);
  ASSERT_TRUE(f) << f.error();
  const std::vector<float> rows = probing_rows(*structure, count, 11);
  const auto library = library_predict(json, rows, structure->feature_count);
  ASSERT_TRUE(library) << library.error();
  std::vector<float> ours(count);
  f->predict(rows, ours);
  double largest = 0;
  std::size_t same = 0;
  for (std::size_t i = 0; i < count; ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(ours[i]) - (*library)[i]));
    same += ours[i] == (*library)[i] ? 1 : 0;
  }
  EXPECT_LE(largest, 1e-6);
  testing::Test::RecordProperty("bit_equal", static_cast<int>(same));
  EXPECT_EQ(same, count) << "of equal bits on the machine this was written on";
}

class LibraryEquality : public testing::TestWithParam<model_row> {};
TEST_P(LibraryEquality, OverTwentyThousandRows) {
  const model_row& r = GetParam();
  const auto json = grow_trees(
      r.output, made_up_rows(r.output, 4000, r.features, 3),
      {.trees = r.trees, .new_trees = 1, .depth = r.depth, .learning_rate = r.learning_rate, .least_child_weight = 1});
  ASSERT_TRUE(json) << json.error();
  expect_equal(*json, 20'000);
}
using enum model_output;
INSTANTIATE_TEST_SUITE_P(All, LibraryEquality,
                         testing::Values(model_row{"Regression", identity, 100, 6, 10, 0.2},
                                         model_row{"Logistic", logistic, 100, 6, 9, 0.2},
                                         model_row{"OneStump", identity, 1, 1, 3, 1},
                                         model_row{"OneLogisticStump", logistic, 1, 1, 3, 1},
                                         model_row{"SevenTrees", identity, 7, 4, 4, 0.3},
                                         model_row{"NineLogisticTrees", logistic, 9, 5, 4, 0.3},
                                         model_row{"DeepestTrees", identity, 60, 8, 10, 0.3},
                                         model_row{"DeepestLogisticTrees", logistic, 60, 8, 9, 0.3},
                                         model_row{"MostTrees", logistic, 500, 3, 9, 0.1}),
                         by_name);

TEST(LibraryEquality, HoldsForAContinuedModel) {
  for (const model_output output : {identity, logistic}) {
    const tree_settings settings{.trees = 40, .new_trees = 10, .depth = 5};
    const auto first = grow_trees(output, made_up_rows(output, 2000, 6, 4), settings);
    ASSERT_TRUE(first) << first.error();
    const auto second = grow_trees(output, made_up_rows(output, 2000, 6, 5), settings, *first);
    ASSERT_TRUE(second) << second.error();
    expect_equal(*second, 20'000);
  }
}

TEST(LibraryEquality, HoldsForLabelsThatAreAllAlike) {
  training_rows rows = made_up_rows(logistic, 500, 4, 6);
  std::ranges::fill(rows.labels, 1.0F);
  const auto json = grow_trees(logistic, rows, {.trees = 10, .new_trees = 1});
  ASSERT_TRUE(json) << json.error();
  expect_equal(*json, 1000);
}

} // namespace
} // namespace homeostat
