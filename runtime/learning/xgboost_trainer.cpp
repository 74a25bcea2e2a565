#include "runtime/learning/xgboost_trainer.hpp"

#include "policies/number_text.hpp"
#include "runtime/learning/model_json.hpp"

#include <xgboost/c_api.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <type_traits>

namespace homeostat {

namespace {

using failure = std::unexpected<std::string>;
using done = std::expected<void, std::string>;

struct free_booster {
  void operator()(void* handle) const { XGBoosterFree(handle); }
};
struct free_matrix {
  void operator()(void* handle) const { XGDMatrixFree(handle); }
};
using booster = std::unique_ptr<std::remove_pointer_t<BoosterHandle>, free_booster>;
using matrix = std::unique_ptr<std::remove_pointer_t<DMatrixHandle>, free_matrix>;

/// XGBoost answers 0, or leaves its words in the thread's own error slot. Only the first line: a stack follows it.
done asked(int code, const char* what) {
  if (code == 0) return {};
  std::string text = XGBGetLastError();
  return failure(std::string("XGBoost cannot ") + what + ": " + text.substr(0, text.find('\n')));
}

std::string array_text(std::span<const float> values, std::size_t rows, std::size_t columns) {
  return R"({"data":[)" + std::to_string(reinterpret_cast<std::uintptr_t>(values.data())) + R"(,true],"shape":[)" +
         std::to_string(rows) + "," + std::to_string(columns) + R"(],"typestr":"<f4","version":3})";
}

std::expected<matrix, std::string> make_matrix(std::span<const float> values, std::size_t features, int threads) {
  DMatrixHandle handle = nullptr;
  const std::string config = R"({"missing":NaN,"nthread":)" + std::to_string(threads) + "}";
  const std::string array = array_text(values, values.size() / features, features);
  if (auto ok = asked(XGDMatrixCreateFromDense(array.c_str(), config.c_str(), &handle), "take the rows"); !ok)
    return failure(std::move(ok.error()));
  return matrix(handle);
}

std::expected<booster, std::string> load(std::string_view model) {
  BoosterHandle handle = nullptr;
  if (auto ok = asked(XGBoosterCreate(nullptr, 0, &handle), "make a model"); !ok) return failure(std::move(ok.error()));
  booster b(handle);
  if (auto ok = asked(XGBoosterLoadModelFromBuffer(b.get(), model.data(), model.size()), "load the model"); !ok)
    return failure(std::move(ok.error()));
  return b;
}

done configure(BoosterHandle b, const tree_settings& s) {
  const std::pair<const char*, std::string> parameters[] = {{"verbosity", "0"},
                                                            {"booster", "gbtree"},
                                                            {"tree_method", "hist"},
                                                            {"nthread", std::to_string(s.threads)},
                                                            {"seed", std::to_string(s.seed)},
                                                            {"max_depth", std::to_string(s.depth)},
                                                            {"eta", exact_text(s.learning_rate)},
                                                            {"min_child_weight", exact_text(s.least_child_weight)}};
  for (const auto& [name, value] : parameters)
    if (auto ok = asked(XGBoosterSetParam(b, name, value.c_str()), "take a parameter"); !ok) return ok;
  return {};
}

double weighted_mean(const training_rows& rows) {
  if (rows.weights.empty())
    return std::accumulate(rows.labels.begin(), rows.labels.end(), 0.0) / static_cast<double>(rows.labels.size());
  const double weight = std::accumulate(rows.weights.begin(), rows.weights.end(), 0.0);
  return std::inner_product(rows.labels.begin(), rows.labels.end(), rows.weights.begin(), 0.0) / weight;
}

std::expected<booster, std::string> fresh_booster(DMatrixHandle data, model_output output, const training_rows& rows) {
  BoosterHandle handle = nullptr;
  if (auto ok = asked(XGBoosterCreate(&data, 1, &handle), "make a model"); !ok) return failure(std::move(ok.error()));
  booster b(handle);
  const bool logistic = output == model_output::logistic;
  const double mean = weighted_mean(rows);
  const std::string base = exact_text(logistic ? std::clamp(mean, 0.01, 0.99) : mean);
  const std::pair<const char*, std::string> parameters[] = {
      {"objective", logistic ? "binary:logistic" : "reg:squarederror"}, {"base_score", base}};
  for (const auto& [name, value] : parameters)
    if (auto ok = asked(XGBoosterSetParam(b.get(), name, value.c_str()), "take a parameter"); !ok)
      return failure(std::move(ok.error()));
  return b;
}

/// @returns the previous model without its oldest trees, ready for new ones.
std::expected<booster, std::string> continued_booster(std::string_view previous, model_output output,
                                                      const training_rows& rows, const tree_settings& s) {
  const auto structure = read_xgboost_json(previous);
  if (!structure) return failure("the previous model cannot be continued: " + structure.error());
  if (structure->output != output || structure->feature_count != rows.features)
    return failure("the previous model cannot be continued: it is of another output or other features");
  auto whole = load(previous);
  const std::size_t keep = s.trees - s.new_trees;
  if (!whole || structure->trees.size() <= keep) return whole;
  if (keep == 0) return failure("the previous model cannot be continued: all trees would be new");
  BoosterHandle handle = nullptr;
  const auto end = static_cast<int>(structure->trees.size());
  const int begin = end - static_cast<int>(keep);
  if (auto ok = asked(XGBoosterSlice(whole->get(), begin, end, 1, &handle), "drop the oldest trees"); !ok)
    return failure(std::move(ok.error()));
  return booster(handle);
}

done check_rows(model_output output, const training_rows& rows) {
  const std::size_t count = rows.labels.size();
  if (rows.features < 1 || rows.features > max_features) return failure("rows have no or too many features");
  if (count == 0 || rows.values.size() != count * rows.features)
    return failure(std::to_string(rows.values.size()) + " values do not make " + std::to_string(count) + " rows of " +
                   std::to_string(rows.features));
  if (!rows.weights.empty() && rows.weights.size() != count) return failure("there is not one weight per row");
  const auto finite = [](float x) { return std::isfinite(x); };
  if (!std::ranges::all_of(rows.values, finite) || !std::ranges::all_of(rows.labels, finite))
    return failure("a row or a label is not finite");
  if (!std::ranges::all_of(rows.weights, [](float w) { return std::isfinite(w) && w >= 0; }) ||
      (!rows.weights.empty() && !(std::ranges::max(rows.weights) > 0)))
    return failure("the weights are not numbers of 0 or more, one of them more");
  if (output == model_output::logistic && !std::ranges::all_of(rows.labels, [](float y) { return y == 0 || y == 1; }))
    return failure("a label of a choice is neither 0 nor 1");
  return {};
}

std::expected<std::string, std::string> saved(BoosterHandle b) {
  bst_ulong length = 0;
  const char* bytes = nullptr;
  if (auto ok = asked(XGBoosterSaveModelToBuffer(b, R"({"format":"json"})", &length, &bytes), "save the model"); !ok)
    return failure(std::move(ok.error()));
  return std::string(bytes, length);
}

done label(DMatrixHandle data, const training_rows& rows) {
  auto ok = asked(XGDMatrixSetFloatInfo(data, "label", rows.labels.data(), rows.labels.size()), "take the labels");
  if (!ok || rows.weights.empty()) return ok;
  return asked(XGDMatrixSetFloatInfo(data, "weight", rows.weights.data(), rows.weights.size()), "take the weights");
}

} // namespace

done check(const tree_settings& s) {
  const auto wrong = [](const char* name, double value, const std::string& expected) {
    return failure(std::string(name) + " is " + number_text(value) + ", expected " + expected);
  };
  if (s.trees < 1 || s.trees > max_trees)
    return wrong("trees", static_cast<double>(s.trees), "1 to " + std::to_string(max_trees));
  if (s.new_trees < 1 || s.new_trees > s.trees)
    return wrong("new_trees", static_cast<double>(s.new_trees), "1 to the number of trees");
  if (s.depth < 1 || s.depth > max_tree_depth)
    return wrong("depth", static_cast<double>(s.depth), "1 to " + std::to_string(max_tree_depth));
  if (!(s.learning_rate > 0 && s.learning_rate <= 1))
    return wrong("learning_rate", s.learning_rate, "more than 0, at most 1");
  if (!(std::isfinite(s.least_child_weight) && s.least_child_weight >= 0))
    return wrong("least_child_weight", s.least_child_weight, "0 or more");
  if (s.threads < 1 || s.threads > 64) return wrong("threads", s.threads, "1 to 64");
  return {};
}

std::expected<std::string, std::string> grow_trees(model_output output, const training_rows& rows,
                                                   const tree_settings& settings, std::string_view previous) {
  if (auto ok = check(settings); !ok) return failure(std::move(ok.error()));
  if (auto ok = check_rows(output, rows); !ok) return failure(std::move(ok.error()));
  auto data = make_matrix(rows.values, rows.features, settings.threads);
  if (!data) return failure(std::move(data.error()));
  if (auto ok = label(data->get(), rows); !ok) return failure(std::move(ok.error()));
  auto b =
      previous.empty() ? fresh_booster(data->get(), output, rows) : continued_booster(previous, output, rows, settings);
  if (!b) return failure(std::move(b.error()));
  if (auto ok = configure(b->get(), settings); !ok) return failure(std::move(ok.error()));
  const std::size_t rounds = previous.empty() ? settings.trees : settings.new_trees;
  for (std::size_t i = 0; i < rounds; ++i)
    if (auto ok = asked(XGBoosterUpdateOneIter(b->get(), static_cast<int>(i), data->get()), "grow a tree"); !ok)
      return failure(std::move(ok.error()));
  return saved(b->get());
}

std::expected<std::vector<float>, std::string> library_predict(std::string_view model, std::span<const float> rows,
                                                               std::size_t features) {
  if (features == 0 || rows.empty() || rows.size() % features != 0) return failure("no whole rows");
  auto b = load(model);
  if (!b) return failure(std::move(b.error()));
  if (auto ok = asked(XGBoosterSetParam(b->get(), "nthread", "1"), "take a parameter"); !ok)
    return failure(std::move(ok.error()));
  auto data = make_matrix(rows, features, 1);
  if (!data) return failure(std::move(data.error()));
  const bst_ulong* shape = nullptr;
  bst_ulong dimensions = 0;
  const float* values = nullptr;
  const char* config = R"({"type":0,"training":false,"iteration_begin":0,"iteration_end":0,"strict_shape":false})";
  if (auto ok =
          asked(XGBoosterPredictFromDMatrix(b->get(), data->get(), config, &shape, &dimensions, &values), "predict");
      !ok)
    return failure(std::move(ok.error()));
  return std::vector<float>(values, values + rows.size() / features);
}

} // namespace homeostat
