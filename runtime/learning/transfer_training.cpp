#include "runtime/learning/transfer_training.hpp"

#include "runtime/learning/model_json.hpp"

#include <algorithm>
#include <cmath>

namespace homeostat {

namespace {

using failure = std::unexpected<std::string>;

/// Grows one model and reads it back the way a stored one is read: what is judged is what will be served.
std::expected<forest, std::string> grow(const char* name, model_output output, const training_rows& rows,
                                        const tree_settings& settings, std::string_view previous, std::string& json) {
  const std::string which = std::string(name) + " model: ";
  if (rows.labels.empty()) return failure(which + "nothing to learn from");
  auto grown = grow_trees(output, rows, settings, previous);
  if (!grown) return failure(which + grown.error());
  auto f = forest_from_json(*grown);
  if (!f) return failure(which + f.error());
  json = *std::move(grown);
  return f;
}

} // namespace

void winsorize(std::span<float> labels, std::span<const float> fitted, double largest) {
  if (labels.empty() || labels.size() != fitted.size()) return;
  std::vector<float> residuals(labels.size());
  for (std::size_t i = 0; i < labels.size(); ++i) residuals[i] = std::abs(labels[i] - fitted[i]);
  const auto middle = residuals.begin() + static_cast<std::ptrdiff_t>(residuals.size() / 2);
  std::ranges::nth_element(residuals, middle);
  const auto limit = static_cast<float>(largest * 1.4826 * *middle);
  for (std::size_t i = 0; i < labels.size(); ++i)
    labels[i] = std::clamp(labels[i], fitted[i] - limit, fitted[i] + limit);
}

training_rows latency_rows(std::span<const transfer_metrics> samples) {
  training_rows rows{.features = latency_feature_count, .values = {}, .labels = {}, .weights = {}};
  for (const transfer_metrics& m : samples) {
    if (m.failed || !(std::isfinite(m.latency_us) && m.latency_us > 0)) continue;
    const latency_row row = latency_features(m.data, m.conditions, m.method);
    rows.values.insert(rows.values.end(), row.begin(), row.end());
    rows.labels.push_back(static_cast<float>(log_slowness(m.data.data_size, m.latency_us)));
  }
  return rows;
}

training_rows choice_rows(std::span<const transfer_metrics> samples, const pairing_settings& pairing) {
  training_rows rows{.features = choice_feature_count, .values = {}, .labels = {}, .weights = {}};
  for (const method_label& label : label_methods(samples, pairing)) {
    if (!(label.weight > 0)) continue;
    const transfer_metrics& m = samples[label.sample];
    const choice_row row = choice_features(m.data, m.conditions);
    rows.values.insert(rows.values.end(), row.begin(), row.end());
    rows.labels.push_back(label.faster == transfer_method::zero_copy ? 1.0F : 0.0F);
    rows.weights.push_back(static_cast<float>(label.weight));
  }
  return rows;
}

std::expected<trained_model, std::string> train_transfer_model(const training_set::parts& samples,
                                                               const transfer_training_settings& settings,
                                                               const stored_model* previous, instant now) {
  const training_rows choices = choice_rows(samples.training, settings.pairing);
  std::string latency_json, choice_json;
  training_rows latencies = latency_rows(samples.training);
  const std::string_view before = previous ? previous->latency_json : std::string_view{};
  auto latency = grow("latency", model_output::identity, latencies, settings.latency, before, latency_json);
  if (!latency) return failure(std::move(latency.error()));
  std::vector<float> fitted(latencies.labels.size());
  latency->predict(latencies.values, fitted);
  winsorize(latencies.labels, fitted, settings.largest_residual);
  latency = grow("latency", model_output::identity, latencies, settings.latency, before, latency_json);
  if (!latency) return failure(std::move(latency.error()));
  auto choice = grow("choice", model_output::logistic, choices, settings.choice,
                     previous ? previous->choice_json : std::string_view{}, choice_json);
  if (!choice) return failure(std::move(choice.error()));
  auto model = transfer_model::create(*std::move(latency), *std::move(choice));
  if (!model) return failure(std::move(model.error()));
  model_judgement judgement = judge(*model, samples.held_out, settings.pairing);
  model_lineage lineage{.id = 0,
                        .parent = previous ? previous->lineage.id : 0,
                        .created = now,
                        .first_sample = samples.training.front().timestamp,
                        .last_sample = samples.training.back().timestamp,
                        .training_samples = samples.training.size(),
                        .held_out_samples = samples.held_out.size(),
                        .labels = choices.labels.size(),
                        .seed = settings.latency.seed,
                        .gate = pass_gate(judgement.choices, judgement.latencies, settings.gate)};
  return trained_model{.stored = {.lineage = std::move(lineage),
                                  .latency_json = std::move(latency_json),
                                  .choice_json = std::move(choice_json),
                                  .model = *std::move(model)},
                       .judgement = std::move(judgement)};
}

} // namespace homeostat
