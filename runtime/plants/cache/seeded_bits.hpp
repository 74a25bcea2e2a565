#pragma once

#include "policies/bit_mix.hpp"

#include <cstdint>

namespace homeostat::cache {

/// Counter-based random bits: the same (seed, stream, counter) gives the same bits on every machine, in any order of
/// calls. The mixer is the finaliser of SplitMix64, applied once per argument.
/// @param seed     chosen by the user.  @param stream  which use of the bits, so that two uses never share them.
/// @param counter  which draw.
[[nodiscard]] constexpr std::uint64_t seeded_bits(std::uint64_t seed, std::uint64_t stream, std::uint64_t counter) {
  constexpr auto mix = [](std::uint64_t x) { return mixed_bits(x + golden_step); };
  return mix(mix(mix(seed) ^ stream) ^ counter);
}

/// @returns a number in [0, 1) from seeded_bits of the same arguments.
[[nodiscard]] constexpr double seeded_unit(std::uint64_t seed, std::uint64_t stream, std::uint64_t counter) {
  return static_cast<double>(seeded_bits(seed, stream, counter) >> 11U) * 0x1.0p-53;
}

} // namespace homeostat::cache
