#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstdio>
#include <string>

namespace homeostat {

/// Sizes of transfers in quarter octaves: those of one class differ by less than 19 %, so that a median over a class is
/// not moved by a change of the mix of sizes within it. Class 0 holds nothing but 0 bytes.
using size_class = std::uint16_t;
inline constexpr size_class size_class_count = 1 + 64 * 4;

namespace size_class_detail {
/// 2^63 times 2^(k/4), rounded up: where the quarters of an octave begin, once its leading one stands at bit 63.
inline constexpr std::array<std::uint64_t, 4> quarters{0x8000000000000000U, 0x9837f0518db8a970U, 0xb504f333f9de6485U,
                                                       0xd744fccad69d6af5U};
} // namespace size_class_detail

/// @returns the class of a size in bytes; whole numbers only, the same on every machine.
[[nodiscard]] constexpr size_class size_class_of(std::uint64_t bytes) noexcept {
  if (bytes == 0) return 0;
  const auto octave = static_cast<unsigned>(std::bit_width(bytes)) - 1;
  const std::uint64_t aligned = bytes << (63 - octave);
  unsigned quarter = 0;
  while (quarter < 3 && aligned >= size_class_detail::quarters[quarter + 1]) ++quarter;
  return static_cast<size_class>(1 + octave * 4 + quarter);
}

/// @returns the least size of a class in bytes. Some classes below 8 bytes hold no size at all; theirs is the least
/// size beyond. @pre c < size_class_count
[[nodiscard]] constexpr std::uint64_t least_size(size_class c) noexcept {
  if (c == 0) return 0;
  const unsigned octave = (c - 1U) / 4, quarter = (c - 1U) % 4;
  const unsigned shift = 63 - octave;
  const std::uint64_t exact = size_class_detail::quarters[quarter];
  return (exact >> shift) + ((exact & ((std::uint64_t{1} << shift) - 1)) != 0 ? 1 : 0);
}

/// @returns a size as people write it: "9.51 MiB".
[[nodiscard]] inline std::string size_text(std::uint64_t bytes) {
  constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  const unsigned unit = bytes == 0 ? 0 : (static_cast<unsigned>(std::bit_width(bytes)) - 1) / 10;
  char text[32];
  std::snprintf(text, sizeof text, "%.3g %s", static_cast<double>(bytes) / static_cast<double>(1ULL << (10 * unit)),
                units[std::min<std::size_t>(unit, units.size() - 1)]);
  return text;
}

} // namespace homeostat
