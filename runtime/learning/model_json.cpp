#include "runtime/learning/model_json.hpp"

#include "policies/number_text.hpp"
#include "runtime/learning/xgboost_model.pb.h"

#include <google/protobuf/util/json_util.h>

#include <cmath>
#include <limits>

namespace homeostat {

namespace {

using failure = std::unexpected<std::string>;

failure wrong(const std::string& what, double value, double expected) {
  return failure(what + " is " + number_text(value) + ", expected " + number_text(expected));
}

constexpr std::int32_t no_parent = std::numeric_limits<std::int32_t>::max();

/// Every array has one entry per node; categorical splits, leaf vectors and deleted nodes do not occur.
std::expected<void, std::string> check_arrays(const xgboost::tree& t, std::size_t features) {
  const std::uint32_t count = t.tree_param().num_nodes();
  const std::pair<const char*, int> lengths[] = {{"left_children", t.left_children_size()},
                                                 {"right_children", t.right_children_size()},
                                                 {"parents", t.parents_size()},
                                                 {"split_indices", t.split_indices_size()},
                                                 {"split_conditions", t.split_conditions_size()},
                                                 {"split_type", t.split_type_size()},
                                                 {"default_left", t.default_left_size()},
                                                 {"base_weights", t.base_weights_size()},
                                                 {"loss_changes", t.loss_changes_size()},
                                                 {"sum_hessian", t.sum_hessian_size()}};
  for (const auto& [name, length] : lengths)
    if (static_cast<std::uint32_t>(length) != count) return wrong(std::string("length of ") + name, length, count);
  const int categories =
      t.categories_size() + t.categories_nodes_size() + t.categories_segments_size() + t.categories_sizes_size();
  if (categories != 0) return wrong("number of categorical entries", categories, 0);
  for (const int type : t.split_type())
    if (type != 0) return wrong("split_type", type, 0);
  if (t.tree_param().num_deleted() != 0) return wrong("num_deleted", t.tree_param().num_deleted(), 0);
  if (t.tree_param().num_feature() != features)
    return wrong("num_feature", t.tree_param().num_feature(), static_cast<double>(features));
  if (t.tree_param().size_leaf_vector() > 1) return wrong("size_leaf_vector", t.tree_param().size_leaf_vector(), 0);
  return {};
}

/// XGBoost keeps the way up as well as the way down, and believes both.
std::expected<void, std::string> check_parents(const xgboost::tree& t) {
  if (t.parents_size() > 0 && t.parents(0) != no_parent) return wrong("parent of node 0", t.parents(0), no_parent);
  for (int i = 0; i < t.left_children_size(); ++i)
    for (const int child : {t.left_children(i), t.right_children(i)})
      if (child > 0 && child < t.parents_size() && t.parents(child) != i)
        return wrong("parent of node " + std::to_string(child), t.parents(child), i);
  return {};
}

std::expected<tree_nodes, std::string> read_tree(const xgboost::tree& t, std::size_t features) {
  if (auto ok = check_arrays(t, features); !ok) return failure(std::move(ok.error()));
  if (auto ok = check_parents(t); !ok) return failure(std::move(ok.error()));
  tree_nodes nodes;
  nodes.reserve(static_cast<std::size_t>(t.left_children_size()));
  for (int i = 0; i < t.left_children_size(); ++i)
    nodes.push_back({.left = t.left_children(i),
                     .right = t.right_children(i),
                     .feature = t.split_indices(i),
                     .value = t.split_conditions(i)});
  return nodes;
}

/// What the library makes of base_score before it sums (src/objective/regression_loss.h).
std::expected<void, std::string> read_objective(const xgboost::learner& learner, model_structure& model) {
  const float score = learner.learner_model_param().base_score();
  const std::string& name = learner.objective().name();
  if (name == "reg:squarederror") {
    model.output = model_output::identity;
    model.base = score;
    return {};
  }
  if (name != "binary:logistic")
    return failure("objective is '" + name + "', expected reg:squarederror or binary:logistic");
  if (!(score > 0 && score < 1))
    return failure("base_score is " + number_text(score) + ", expected more than 0, less than 1");
  model.output = model_output::logistic;
  model.base = -std::log(1.0F / score - 1.0F);
  return {};
}

std::expected<void, std::string> check_header(const xgboost::model& m) {
  if (m.version_size() != 3 || m.version(0) != 1 || m.version(1) != 7) return failure("version is not XGBoost 1.7's");
  const auto& booster = m.learner().gradient_booster();
  if (booster.name() != "gbtree") return failure("booster is '" + booster.name() + "', expected gbtree");
  const auto& param = m.learner().learner_model_param();
  if (param.num_class() > 1) return wrong("num_class", param.num_class(), 0);
  if (param.num_target() > 1) return wrong("num_target", param.num_target(), 1);
  const auto& trees = booster.model();
  if (trees.gbtree_model_param().num_trees() != static_cast<unsigned>(trees.trees_size()))
    return wrong("num_trees", trees.gbtree_model_param().num_trees(), trees.trees_size());
  if (trees.gbtree_model_param().num_parallel_tree() > 1)
    return wrong("num_parallel_tree", trees.gbtree_model_param().num_parallel_tree(), 1);
  if (trees.gbtree_model_param().size_leaf_vector() > 1)
    return wrong("size_leaf_vector", trees.gbtree_model_param().size_leaf_vector(), 0);
  if (trees.tree_info_size() != trees.trees_size())
    return wrong("length of tree_info", trees.tree_info_size(), trees.trees_size());
  for (const int group : trees.tree_info())
    if (group != 0) return wrong("tree_info", group, 0);
  return {};
}

} // namespace

std::expected<model_structure, std::string> read_xgboost_json(std::string_view json) {
  xgboost::model m;
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  const auto status = google::protobuf::util::JsonStringToMessage({json.data(), json.size()}, &m, options);
  if (!status.ok()) return failure("not a model in JSON: " + std::string(status.message()).substr(0, 200));
  if (auto ok = check_header(m); !ok) return failure(std::move(ok.error()));
  model_structure model;
  if (auto ok = read_objective(m.learner(), model); !ok) return failure(std::move(ok.error()));
  model.feature_count = m.learner().learner_model_param().num_feature();
  for (const xgboost::tree& t : m.learner().gradient_booster().model().trees()) {
    if (t.id() != static_cast<int>(model.trees.size()))
      return wrong("id of tree " + std::to_string(model.trees.size()), t.id(), static_cast<double>(model.trees.size()));
    auto nodes = read_tree(t, model.feature_count);
    if (!nodes) return failure("tree " + std::to_string(model.trees.size()) + ": " + nodes.error());
    model.trees.push_back(*std::move(nodes));
  }
  if (auto ok = check(model); !ok) return failure(std::move(ok.error()));
  return model;
}

std::expected<forest, std::string> forest_from_json(std::string_view json) {
  auto structure = read_xgboost_json(json);
  if (!structure) return failure(std::move(structure.error()));
  return forest::build(*structure);
}

} // namespace homeostat
