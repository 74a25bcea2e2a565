#pragma once

#include <cstdint>
#include <string_view>

namespace homeostat {

/// FNV-1a, 64 bits (Fowler, Noll, Vo): tells texts apart, the same on every machine; guards nothing.
/// @param hash  of what came before, to go on from.
[[nodiscard]] constexpr std::uint64_t fnv1a(std::string_view bytes, std::uint64_t hash = 0xcbf29ce484222325U) {
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return hash;
}

} // namespace homeostat
