#include "messages/text.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace homeostat::codec {

namespace {

/// @returns the length of the well-formed UTF-8 sequence at the front (Unicode, table 3-7), 0 if there is none.
std::size_t sequence_at(std::string_view bytes) {
  struct row {
    std::uint8_t first, last; // lead byte
    std::size_t length;
    std::uint8_t second_min, second_max;
  };
  constexpr std::array<row, 9> table{{{0x00, 0x7F, 1, 0, 0},
                                      {0xC2, 0xDF, 2, 0x80, 0xBF},
                                      {0xE0, 0xE0, 3, 0xA0, 0xBF},
                                      {0xE1, 0xEC, 3, 0x80, 0xBF},
                                      {0xED, 0xED, 3, 0x80, 0x9F},
                                      {0xEE, 0xEF, 3, 0x80, 0xBF},
                                      {0xF0, 0xF0, 4, 0x90, 0xBF},
                                      {0xF1, 0xF3, 4, 0x80, 0xBF},
                                      {0xF4, 0xF4, 4, 0x80, 0x8F}}};
  const auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(bytes[i]); };
  for (const row& r : table) {
    if (at(0) < r.first || at(0) > r.last) continue;
    if (bytes.size() < r.length) return 0;
    if (r.length > 1 && (at(1) < r.second_min || at(1) > r.second_max)) return 0;
    for (std::size_t i = 2; i < r.length; ++i)
      if (at(i) < 0x80 || at(i) > 0xBF) return 0;
    return r.length;
  }
  return 0;
}

} // namespace

std::string text(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    // Nearly all text is ASCII: it is copied in runs.
    const auto run = std::ranges::find_if(bytes, [](char c) { return (static_cast<unsigned char>(c) & 0x80U) != 0; });
    out.append(bytes.begin(), run);
    bytes.remove_prefix(static_cast<std::size_t>(run - bytes.begin()));
    if (bytes.empty()) break;
    const std::size_t length = sequence_at(bytes);
    out += length == 0 ? std::string_view("\uFFFD") : bytes.substr(0, length);
    bytes.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

} // namespace homeostat::codec
