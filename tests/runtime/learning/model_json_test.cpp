// Models that somebody else wrote: what is wrong with them is said before XGBoost or a forest sees them.
#include "runtime/learning/model_json.hpp"
#include "tests/policies/row_name.hpp"
#include "tests/runtime/learning/small_model.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace homeostat {
namespace {

using testing::HasSubstr;

const std::string& sound_json() {
  static const std::string json = small_model().latency_json;
  return json;
}

struct replacement_row {
  std::string name;
  std::string after; ///< the first value behind this text is replaced
  std::string value; ///< what stands there instead of everything up to the next , ] or }
  std::string words;
};
void PrintTo(const replacement_row& row, std::ostream* out) { *out << row.name; }

std::string replaced(std::string json, const std::string& after, const std::string& value) {
  const std::size_t at = json.find(after);
  if (at == std::string::npos) throw std::runtime_error("no " + after);
  const std::size_t begin = at + after.size();
  return json.replace(begin, json.find_first_of(",]}", begin) - begin, value);
}

class EvilModel : public testing::TestWithParam<replacement_row> {};
TEST_P(EvilModel, IsRefusedWithTheReason) {
  const replacement_row& r = GetParam();
  const auto structure = read_xgboost_json(replaced(sound_json(), r.after, r.value));
  ASSERT_FALSE(structure);
  EXPECT_THAT(structure.error(), HasSubstr(r.words));
}
INSTANTIATE_TEST_SUITE_P(
    All, EvilModel,
    testing::Values(
        replacement_row{"ChildLoop", R"("left_children":[1,)", "0", "left child is 0"},
        replacement_row{"ChildItself", R"("left_children":[)", "0", "node 0: left child is 0"},
        replacement_row{"ChildOutOfRange", R"("left_children":[)", "1000000", "left child is 1000000"},
        replacement_row{"ChildTwice", R"("right_children":[)", "1", "without another parent"},
        replacement_row{"ChildNotWhole", R"("left_children":[)", "1.5", "not a model in JSON"},
        replacement_row{"Feature500", R"("split_indices":[)", "500", "node 0: feature is 500"},
        replacement_row{"FeatureNegative", R"("split_indices":[)", "-1", "not a model in JSON"},
        replacement_row{"CutNotANumber", R"("split_conditions":[)", "NaN", "not a model in JSON"},
        replacement_row{"CutNotANumberAsText", R"("split_conditions":[)", "\"NaN\"", "cut is nan"},
        replacement_row{"CutInfinite", R"("split_conditions":[)", "\"Infinity\"", "cut is inf"},
        replacement_row{"CutBeyondFloat", R"("split_conditions":[)", "1E300", "not a model in JSON"},
        replacement_row{"ParentWrong", R"("parents":[2147483647,)", "2", "parent of node 1 is 2"},
        replacement_row{"RootWithParent", R"("parents":[)", "1", "parent of node 0 is 1"},
        replacement_row{"ArrayTooLong", R"("base_weights":[)", "0,0", "length of base_weights is 8"},
        replacement_row{"NodeCountHuge", R"("num_nodes":)", "\"4000000000\"", "length of left_children is 7"},
        replacement_row{"Categorical", R"("split_type":[)", "1", "split_type is 1"},
        replacement_row{"CategoryEntries", R"("categories":[)", "1", "categorical entries is 1"},
        replacement_row{"DeletedNodes", R"("num_deleted":)", "\"1\"", "num_deleted is 1"},
        replacement_row{"TreeCount", R"("num_trees":)", "\"4\"", "num_trees is 4"},
        replacement_row{"TreeOfAnotherClass", R"("tree_info":[)", "3", "tree_info is 3"},
        replacement_row{"TreeId", R"("id":)", "9", "id of tree 0 is 9"},
        replacement_row{"OtherFeatureCount", R"("num_class":"0","num_feature":)", "\"3\"", "num_feature is 10"},
        replacement_row{"NoFeatures", R"("num_class":"0","num_feature":)", "\"0\"", "num_feature is 10"},
        replacement_row{"Classes", R"("num_class":)", "\"3\"", "num_class is 3"},
        replacement_row{"Objective", R"("objective":{"name":)", "\"rank:pairwise\"", "objective is 'rank:pairwise'"},
        replacement_row{"LogisticBase", R"("objective":{"name":)", "\"binary:logistic\"", "base_score is"},
        replacement_row{"BaseNotANumber", R"("base_score":)", "\"NaN\"", "base is nan"},
        replacement_row{"Booster", R"("name":)", "\"dart\"", "booster is 'dart'"},
        replacement_row{"Version", R"("version":[1,)", "9", "version"}),
    by_name);

TEST(ModelJson, ReadsWhatXgboostWrites) {
  const auto structure = read_xgboost_json(sound_json());
  ASSERT_TRUE(structure) << structure.error();
  EXPECT_EQ(structure->trees.size(), 3U);
  EXPECT_EQ(structure->feature_count, 10U);
  EXPECT_EQ(structure->output, model_output::identity);
}

TEST(ModelJson, RefusesWhatIsNoModel) {
  for (const std::string text :
       {"", "{}", "[]", "null", "7", "{\"learner\":{}}", "{\"learner\":7}", "hello", "\xff\xfe"})
    EXPECT_FALSE(read_xgboost_json(text)) << text;
  EXPECT_FALSE(read_xgboost_json(std::string(100'000, '['))) << "deep nesting";
  EXPECT_FALSE(read_xgboost_json(std::string(100, '\0')));
}

TEST(ModelJson, NoTruncationAndNoDamagedByteCrashes) {
  const std::string& json = sound_json();
  for (std::size_t length = 0; length < json.size(); length += 1 + length / 200)
    EXPECT_FALSE(read_xgboost_json(std::string_view(json).substr(0, length))) << length;
  // Without a checksum a changed digit may pass; then it is a sound model all the same, and both can predict.
  chacha8_rng rng(8);
  std::size_t passed = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string harmed = json;
    harmed[rng.next() % harmed.size()] = static_cast<char>(rng.next());
    const auto structure = read_xgboost_json(harmed);
    if (!structure) continue;
    ++passed;
    const auto f = forest::build(*structure);
    ASSERT_TRUE(f);
    const std::vector<float> row(structure->feature_count, 0.25F);
    EXPECT_FALSE(std::isnan(f->predict(row)));
    if (passed % 20 == 0) (void)library_predict(harmed, row, row.size()); // refuses or answers, but returns
  }
  EXPECT_GT(passed, 0U);
  EXPECT_LT(passed, 3000U);
}

// ---- the trainer's own refusals

TEST(GrowTrees, RefusesRowsAndSettingsThatMakeNoSense) {
  using enum model_output;
  const training_rows good = made_up_rows(logistic, 100, 3, 1);
  const auto error = [&](auto change, tree_settings settings = {.trees = 2, .new_trees = 1}) {
    training_rows rows = good;
    change(rows);
    const auto json = grow_trees(logistic, rows, settings);
    return json ? std::string("grown") : json.error();
  };
  const auto nothing = [](training_rows&) {};
  EXPECT_EQ(error(nothing), "grown");
  EXPECT_THAT(error([](auto& r) { r.labels.clear(); }), HasSubstr("do not make 0 rows"));
  EXPECT_THAT(error([](auto& r) { r.values.pop_back(); }), HasSubstr("299 values"));
  EXPECT_THAT(error([](auto& r) { r.features = 0; }), HasSubstr("features"));
  EXPECT_THAT(error([](auto& r) { r.values[7] = std::nanf(""); }), HasSubstr("not finite"));
  EXPECT_THAT(error([](auto& r) { r.labels[7] = 0.5F; }), HasSubstr("neither 0 nor 1"));
  EXPECT_THAT(error([](auto& r) { r.weights = {1}; }), HasSubstr("one weight per row"));
  EXPECT_THAT(error([](auto& r) { r.weights.assign(100, 0.0F); }), HasSubstr("weights"));
  EXPECT_THAT(error(nothing, {.trees = 501}), HasSubstr("trees is 501"));
  EXPECT_THAT(error(nothing, {.trees = 5, .new_trees = 6}), HasSubstr("new_trees is 6"));
  EXPECT_THAT(error(nothing, {.depth = 9}), HasSubstr("depth is 9"));
  EXPECT_THAT(error(nothing, {.learning_rate = 0}), HasSubstr("learning_rate"));
  EXPECT_THAT(error(nothing, {.threads = 0}), HasSubstr("threads"));
}

TEST(GrowTrees, SameRowsSameBytes) {
  using enum model_output;
  for (const model_output output : {identity, logistic}) {
    const training_rows rows = made_up_rows(output, 1000, 5, 1);
    const tree_settings settings{.trees = 20, .new_trees = 5};
    const auto a = grow_trees(output, rows, settings), b = grow_trees(output, rows, settings);
    ASSERT_TRUE(a && b);
    EXPECT_EQ(*a, *b);
    EXPECT_EQ(grow_trees(output, rows, settings, *a).value(), grow_trees(output, rows, settings, *b).value());
  }
}

TEST(GrowTrees, AContinuedModelKeepsItsNumberOfTrees) {
  const training_rows rows = made_up_rows(model_output::identity, 1000, 5, 1);
  const tree_settings settings{.trees = 20, .new_trees = 5};
  std::string json = *grow_trees(model_output::identity, rows, settings);
  for (int i = 0; i < 5; ++i) {
    const auto before = *read_xgboost_json(json);
    json = *grow_trees(model_output::identity, rows, settings, json);
    const auto after = *read_xgboost_json(json);
    ASSERT_EQ(after.trees.size(), 20U);
    for (std::size_t t = 0; t < 15; ++t) ASSERT_EQ(after.trees[t], before.trees[t + 5]) << "the oldest gave way";
  }
}

TEST(GrowTrees, DoesNotContinueWhatIsDamagedOrDoesNotFit) {
  using enum model_output;
  const training_rows rows = made_up_rows(identity, 200, 10, 1);
  const tree_settings settings{.trees = 3, .new_trees = 1, .depth = 2};
  const std::string loop = replaced(sound_json(), R"("left_children":[1,)", "0");
  EXPECT_THAT(grow_trees(identity, rows, settings, loop).error(), HasSubstr("cannot be continued"));
  EXPECT_THAT(grow_trees(identity, made_up_rows(identity, 200, 9, 1), settings, sound_json()).error(),
              HasSubstr("other features"));
  EXPECT_THAT(grow_trees(logistic, made_up_rows(logistic, 200, 10, 1), settings, sound_json()).error(),
              HasSubstr("another output"));
  EXPECT_TRUE(grow_trees(identity, rows, settings, sound_json()));
}

} // namespace
} // namespace homeostat
