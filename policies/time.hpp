#pragma once

#include <chrono>
#include <cstdint>

namespace homeostat {

/// A point in time as every policy sees it: microseconds since the Unix epoch. It is always an argument, never read
/// here. The runtime supplies it from a steady clock anchored once to the wall clock, so that it does not jump while a
/// process lives and still means something after a restart.
using instant = std::chrono::sys_time<std::chrono::microseconds>;

/// A length of time in microseconds, the resolution of every policy.
using duration = std::chrono::microseconds;

using namespace std::chrono_literals;

/// @returns the number of seconds in d, as a real number.
[[nodiscard]] constexpr double seconds_of(duration d) { return std::chrono::duration<double>(d).count(); }

} // namespace homeostat
