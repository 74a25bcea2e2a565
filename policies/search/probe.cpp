#include "policies/search/probe.hpp"

#include <cmath>
#include <numbers>
#include <vector>

namespace homeostat {

namespace {

// Streams of the one seed; the caller's stream is the low part.
constexpr std::uint64_t shift_stream = 0x5'0000'0000;
constexpr std::uint64_t uniform_stream = 0x6'0000'0000;

bool is_prime(std::uint32_t number) {
  for (std::uint32_t d = 2; d * d <= number; ++d)
    if (number % d == 0) return false;
  return true;
}

} // namespace

unit_point probe_point(const probe_settings& settings, std::uint64_t index, std::size_t dimensions) {
  unit_point point(dimensions);
  // Every 1/share-th point of the sequence, by index alone, so that shards agree on which those are.
  const double before = std::floor(static_cast<double>(index) * settings.uniform_share);
  const double after = std::floor(static_cast<double>(index + 1) * settings.uniform_share);
  if (after > before) {
    chacha8_rng rng(settings.seed, uniform_stream + settings.stream, index * dimensions);
    for (double& u : point) u = rng.uniform();
    return point;
  }
  chacha8_rng shift(settings.seed, shift_stream + settings.stream);
  std::uint32_t prime = 1;
  for (double& u : point) {
    do ++prime;
    while (!is_prime(prime));
    const double slope = std::sqrt(static_cast<double>(prime));
    const double place = shift.uniform() + static_cast<double>(index) * (slope - std::floor(slope));
    u = place - std::floor(place);
  }
  return point;
}

std::optional<candidate> probe_search::propose(const search_history& /*history*/) {
  const std::uint64_t index = next_++ * settings_.shards + settings_.shard;
  return candidate{probe_point(settings_, index, space_->size()), 0};
}

} // namespace homeostat
