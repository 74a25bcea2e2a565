#pragma once

#include <cstddef>

namespace homeostat {

/// Bytes that one core takes from another at once: what different threads write is kept this far apart. A constant of
/// ours, because std::hardware_destructive_interference_size may change with compiler flags and would then change the
/// layout of public types.
inline constexpr std::size_t cache_line = 64;

} // namespace homeostat
