#pragma once

#include "runtime/learning/model_json.hpp"
#include "runtime/learning/transfer_training.hpp"
#include "tests/policies/learning/transfer_world.hpp"

#include <stdexcept>

namespace homeostat {

/// @returns rows of uniform numbers whose label is a known function of them, with a little noise; 0 or 1 for logistic.
inline training_rows made_up_rows(model_output output, std::size_t count, std::size_t features, std::uint64_t seed) {
  chacha8_rng rng(seed);
  training_rows rows{.features = features, .values = {}, .labels = {}, .weights = {}};
  for (std::size_t i = 0; i < count; ++i) {
    std::vector<double> x(features);
    for (double& v : x) v = rng.uniform() * 4 - 2;
    double y = 0.1 * normal_draw(rng);
    for (std::size_t j = 0; j + 1 < features; ++j) y += x[j] * x[j + 1] * (j % 2 == 0 ? 1 : -0.5);
    for (const double v : x) rows.values.push_back(static_cast<float>(v));
    rows.labels.push_back(output == model_output::identity ? static_cast<float>(y) : (y > 0 ? 1.0F : 0.0F));
  }
  return rows;
}

/// @returns a model of a few small trees that carries a passed gate: quick to write, read and damage.
inline stored_model small_model(std::size_t trees = 3) {
  const tree_settings settings{
      .trees = trees, .new_trees = 1, .depth = 2, .learning_rate = 0.2, .least_child_weight = 1};
  const auto latency = grow_trees(model_output::identity, made_up_rows(model_output::identity, 300, 10, 1), settings);
  const auto choice = grow_trees(model_output::logistic, made_up_rows(model_output::logistic, 300, 9, 2), settings);
  if (!latency || !choice) throw std::runtime_error("no small model");
  auto stored = [](const std::string& json) {
    auto f = forest_from_json(json);
    if (!f) throw std::runtime_error(f.error());
    return *f;
  };
  auto model = transfer_model::create(stored(*latency), stored(*choice));
  if (!model) throw std::runtime_error(model.error());
  return {.lineage = {.id = 1,
                      .parent = 0,
                      .created = world_begin,
                      .first_sample = world_begin - 1h,
                      .last_sample = world_begin,
                      .training_samples = 800,
                      .held_out_samples = 200,
                      .labels = 700,
                      .seed = 1,
                      .gate = {.passed = true,
                               .figures = {{.name = "accuracy",
                                            .value = 0.95,
                                            .limit = 0.9,
                                            .count = 150,
                                            .passed = true,
                                            .text = "95 %"}}}},
          .latency_json = *latency,
          .choice_json = *choice,
          .model = *std::move(model)};
}

} // namespace homeostat
