#include "policies/learning/features.hpp"

#include <algorithm>
#include <cmath>

namespace homeostat {

namespace {

float within(double value, double most, double unknown) noexcept {
  return static_cast<float>(std::isfinite(value) ? std::clamp(value, 0.0, most) : unknown);
}

float log2_of(std::uint64_t bytes) noexcept {
  return bytes == 0 ? 0.0F : static_cast<float>(std::log2(static_cast<double>(bytes)));
}

} // namespace

std::string_view name_of(feature f) noexcept {
  constexpr std::array<std::string_view, latency_feature_count> names{
      "size", "type", "format", "compressed", "cpu_load", "memory", "hour", "in_flight", "recent_slowdown", "method"};
  const auto i = static_cast<std::size_t>(f);
  return i < names.size() ? names[i] : "?";
}

choice_row choice_features(const transfer_characteristics& data, const system_conditions& now) noexcept {
  return {log2_of(data.data_size),       static_cast<float>(data.type),   static_cast<float>(data.format),
          data.compressed ? 1.0F : 0.0F, within(now.cpu_load, 1, 0),      log2_of(now.available_memory),
          within(now.hour, 24, 0),       within(now.in_flight, 65536, 0), within(now.recent_slowdown, 1000, 1)};
}

latency_row latency_features(const choice_row& row, transfer_method method) noexcept {
  latency_row all{};
  std::ranges::copy(row, all.begin());
  all.back() = method == transfer_method::zero_copy ? 1.0F : 0.0F;
  return all;
}

latency_row latency_features(const transfer_characteristics& data, const system_conditions& now,
                             transfer_method method) noexcept {
  return latency_features(choice_features(data, now), method);
}

} // namespace homeostat
