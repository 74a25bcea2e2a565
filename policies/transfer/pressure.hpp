#pragma once

#include "policies/transfer/transfer_policy.hpp"

#include <cstddef>
#include <cstdint>

namespace homeostat {

/// Which resources are short. What transfers cost is learned for each combination apart: a machine without memory to
/// spare is another machine.
enum class pressure : std::uint8_t { none = 0, memory = 1, cpu = 2, both = 3 };
inline constexpr std::size_t pressure_count = 4;

[[nodiscard]] constexpr std::string_view name_of(pressure p) noexcept {
  constexpr std::array<std::string_view, pressure_count> names{"none", "memory", "cpu", "memory and cpu"};
  return names[static_cast<std::size_t>(p) % pressure_count];
}

/// Pressure begins above the policy's threshold and ends this much below it.
inline constexpr double pressure_hysteresis = 0.05;

/// @param before  what it was: pressure ends later than it began.
[[nodiscard]] constexpr pressure pressure_after(pressure before, const system_conditions& now,
                                                const transfer_policy& policy) noexcept {
  const auto bits = static_cast<unsigned>(before);
  const auto above = [](double value, double threshold, bool was) {
    return value > threshold - (was ? pressure_hysteresis : 0);
  };
  const unsigned memory = above(now.memory_used, policy.memory_pressure_threshold, (bits & 1U) != 0) ? 1U : 0U;
  const unsigned cpu = above(now.cpu_load, policy.cpu_pressure_threshold, (bits & 2U) != 0) ? 2U : 0U;
  return static_cast<pressure>(memory | cpu);
}

/// How much pressure raises (memory: shared segments stay allocated) or lowers (cpu: serialising computes) the size
/// from which zero-copy pays, before there is evidence of the pressed machine itself: 1 without pressure, up to 5 and
/// down to 1/5 at full use. Source: the performance source's resource factor.
[[nodiscard]] constexpr double resource_factor(pressure p, const system_conditions& now,
                                               const transfer_policy& policy) noexcept {
  const auto excess = [](double value, double threshold) {
    const double share = (value - threshold) / (1 - threshold);
    return 1 + 4 * (share < 0 ? 0 : share > 1 ? 1 : share);
  };
  double factor = 1;
  if ((static_cast<unsigned>(p) & 1U) != 0) factor *= excess(now.memory_used, policy.memory_pressure_threshold);
  if ((static_cast<unsigned>(p) & 2U) != 0) factor /= excess(now.cpu_load, policy.cpu_pressure_threshold);
  return factor;
}

} // namespace homeostat
