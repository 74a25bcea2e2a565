#pragma once

#include <cstdint>

namespace homeostat {

/// @returns the bits of a number spread over all 64: any two inputs differ in about half of them. A bijection; 0 stays
/// 0. Source: SplitMix64's finaliser (G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators",
/// OOPSLA 2014; constants of variant 13 by D. Stafford).
[[nodiscard]] constexpr std::uint64_t mixed_bits(std::uint64_t x) noexcept {
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31U);
}

/// The golden ratio's share of 2^64: what SplitMix64 counts in. Multiples of it never fall together.
inline constexpr std::uint64_t golden_step = 0x9e3779b97f4a7c15U;

} // namespace homeostat
