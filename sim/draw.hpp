#pragma once

#include "policies/search/chacha8.hpp"
#include "policies/time.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>

namespace homeostat::sim {

/// Random draws from one stream of a seed. Each concern of a simulation has a stream of its own, so that one more draw
/// for messages does not change the plant. The mappings are ours, because the standard library's differ between
/// machines.
class draw {
public:
  draw() = default;
  draw(std::uint64_t seed, std::uint64_t stream) : rng_(seed, stream) {}

  /// @returns a number in [0, 1).
  double uniform() { return rng_.uniform(); }
  double uniform(double low, double high) { return low + (high - low) * rng_.uniform(); }
  bool chance(double probability) { return rng_.uniform() < probability; }
  /// @returns 0..count-1. @pre count > 0
  std::size_t below(std::size_t count) { return static_cast<std::size_t>(rng_.uniform() * static_cast<double>(count)); }
  /// @returns low..high, both included.
  std::uint32_t whole(std::uint32_t low, std::uint32_t high) {
    return low + static_cast<std::uint32_t>(below(static_cast<std::size_t>(high - low) + 1));
  }
  /// @returns a number between low and high whose logarithm is uniform. @pre 0 < low <= high
  double log_uniform(double low, double high) { return low * std::pow(high / low, rng_.uniform()); }
  /// @returns a standard normal number (Box-Muller; its twin is thrown away so that a draw costs two words, always).
  double normal() {
    const double radius = std::sqrt(-2 * std::log(1 - rng_.uniform()));
    return radius * std::cos(2 * std::numbers::pi * rng_.uniform());
  }
  duration span(duration low, duration high) {
    return low + duration(static_cast<std::int64_t>(rng_.uniform() * static_cast<double>((high - low).count())));
  }
  duration exponential(duration mean) {
    return duration(static_cast<std::int64_t>(-std::log(1 - rng_.uniform()) * static_cast<double>(mean.count())));
  }
  std::uint64_t word() { return rng_.next(); }

private:
  chacha8_rng rng_;
};

/// @returns a length of time scaled by a factor.
[[nodiscard]] inline duration scaled(duration d, double factor) {
  return duration(static_cast<std::int64_t>(static_cast<double>(d.count()) * factor));
}

} // namespace homeostat::sim
