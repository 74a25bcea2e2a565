#include "tests/policies/learning/transfer_world.hpp"

#include <cmath>
#include <numbers>

namespace homeostat {

double normal_draw(chacha8_rng& rng) {
  const double radius = std::sqrt(-2 * std::log(1 - rng.uniform()));
  return radius * std::cos(2 * std::numbers::pi * rng.uniform());
}

double transfer_world::expected_us(const transfer_characteristics& data, const system_conditions& now,
                                   transfer_method method) const {
  const auto bytes = static_cast<double>(data.data_size);
  const double encoding = data.type == data_type::dataframe ? 1.8 : data.type == data_type::tensor ? 0.8 : 1.0;
  const double grpc = 400 + bytes / 600 * encoding * (1 + now.cpu_load);
  const double zero_copy = 6000 * (1 + 0.5 * now.cpu_load) + bytes / 3000;
  return (same || method == transfer_method::grpc ? grpc : zero_copy) / speed;
}

transfer_method transfer_world::faster(const transfer_characteristics& data, const system_conditions& now) const {
  return expected_us(data, now, transfer_method::zero_copy) < expected_us(data, now, transfer_method::grpc)
             ? transfer_method::zero_copy
             : transfer_method::grpc;
}

transfer_metrics transfer_world::draw(chacha8_rng& rng, instant at, std::uint64_t id) const {
  transfer_metrics m{.transfer_id = id, .timestamp = at};
  m.data = {.data_size = static_cast<std::uint64_t>(std::exp2(smallest + (largest - smallest) * rng.uniform())),
            .type = static_cast<data_type>(rng.next() % 3),
            .format = data_format::raw,
            .compressed = false};
  m.conditions = {.cpu_load = rng.uniform() * 0.8,
                  .memory_used = 0.4,
                  .available_memory = std::uint64_t{8} << 30,
                  .in_flight = static_cast<std::uint32_t>(rng.next() % 4),
                  .hour = static_cast<double>(at.time_since_epoch().count() % 86'400'000'000) / 3.6e9,
                  .recent_slowdown = 1 + 0.02 * normal_draw(rng)};
  const bool large = static_cast<double>(m.data.data_size) >= threshold;
  m.method = large ? transfer_method::zero_copy : transfer_method::grpc;
  m.explored = rng.uniform() < exploration;
  if (m.explored) m.method = other(m.method);
  m.latency_us = expected_us(m.data, m.conditions, m.method) * std::exp(noise * normal_draw(rng));
  if (rng.uniform() < stalls) m.latency_us *= 3;
  return m;
}

std::vector<transfer_metrics> transfer_world::draw_many(std::size_t count, std::uint64_t seed) const {
  chacha8_rng rng(seed);
  std::vector<transfer_metrics> all;
  for (std::size_t i = 0; i < count; ++i)
    all.push_back(draw(rng, world_begin + static_cast<std::int64_t>(i) * spacing, i + 1));
  return all;
}

} // namespace homeostat
