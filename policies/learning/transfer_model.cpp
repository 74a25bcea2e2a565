#include "policies/learning/transfer_model.hpp"

#include <algorithm>
#include <cmath>

namespace homeostat {

namespace {

double log_bytes(std::uint64_t bytes) noexcept {
  return std::log(static_cast<double>(std::max<std::uint64_t>(bytes, 1)));
}

/// exp of 40 is beyond any latency (7,400 years in us) and far from overflow.
double microseconds(std::uint64_t bytes, float slowness) noexcept {
  return std::exp(std::clamp(slowness + log_bytes(bytes), -10.0, 40.0));
}

std::expected<void, std::string> fits(const char* name, const forest& f, model_output output, std::size_t features) {
  if (f.output() != output) return std::unexpected(std::string(name) + " model has the wrong kind of output");
  if (f.feature_count() != features)
    return std::unexpected(std::string(name) + " model has " + std::to_string(f.feature_count()) +
                           " features, expected " + std::to_string(features));
  return {};
}

} // namespace

double log_slowness(std::uint64_t bytes, double latency_us) noexcept { return std::log(latency_us) - log_bytes(bytes); }

std::expected<transfer_model, std::string> transfer_model::create(forest latency, forest choice) {
  if (auto ok = fits("latency", latency, model_output::identity, latency_feature_count); !ok)
    return std::unexpected(std::move(ok.error()));
  if (auto ok = fits("choice", choice, model_output::logistic, choice_feature_count); !ok)
    return std::unexpected(std::move(ok.error()));
  return transfer_model(std::move(latency), std::move(choice));
}

transfer_prediction transfer_model::predict(const transfer_characteristics& data,
                                            const system_conditions& now) const noexcept {
  const choice_row row = choice_features(data, now);
  const double zero_copy = choice_.predict(row);
  transfer_prediction p;
  for (const transfer_method method : transfer_methods)
    p.latency_us[static_cast<std::size_t>(method)] =
        microseconds(data.data_size, latency_.predict(latency_features(row, method)));
  p.choice = zero_copy > 0.5 ? transfer_method::zero_copy : transfer_method::grpc;
  p.confidence = std::max(zero_copy, 1 - zero_copy);
  return p;
}

double transfer_model::latency_us(const transfer_characteristics& data, const system_conditions& now,
                                  transfer_method method) const noexcept {
  return microseconds(data.data_size, latency_.predict(latency_features(data, now, method)));
}

} // namespace homeostat
