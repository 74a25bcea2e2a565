#pragma once

#include "policies/safety/knob.hpp"
#include "sim/draw.hpp"

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace homeostat::sim {

/// What a simulated plant's objective looks like over its knobs.
///  - bowl: a quadratic, rotated, so that knobs interact;
///  - queue: latency of an M/M/c-like queue against the price of capacity, with a cliff where capacity runs out;
///  - cache: misses against memory, a U over the first knob;
///  - valley: a narrow curved valley over the first two knobs;
///  - plateau: flat around the optimum, so that most differences are noise.
enum class landscape_kind : std::uint8_t { bowl, queue, cache, valley, plateau };
inline constexpr std::size_t landscape_kind_count = 5;
[[nodiscard]] std::string_view name_of(landscape_kind kind);

/// How the optimum wanders: not at all, steadily, in sudden regime switches, or to and fro.
enum class drift_kind : std::uint8_t { none, ramp, regimes, periodic };

/// A noise-free objective over knob values and time, lower is better, always above 0.
struct landscape {
  landscape_kind kind{landscape_kind::bowl};
  std::vector<knob_spec> knobs;
  std::vector<double> optimum;               ///< places on the knobs' scales, 0..1
  std::vector<double> shift;                 ///< how far each optimum wanders
  std::vector<double> rotation;              ///< orthonormal, row by row
  std::vector<double> curvature;             ///< along the rotated axes
  std::vector<std::vector<double>> category; ///< what each value of an unordered knob costs; empty for ordered ones
  double floor{1};                           ///< the objective's unit
  drift_kind drift{drift_kind::none};
  double drift_period_s{600};   ///< of a regime, a wave, or the whole ramp
  std::optional<double> margin; ///< constraint: the first ordered knob's place may not go beyond this

  /// @returns the true objective; values outside the bounds count as the nearest bound.
  [[nodiscard]] double objective(const knob_values& values, double seconds) const;
  /// @returns how far the constraint is away (negative: violated), absent without one.
  [[nodiscard]] std::optional<double> constraint_margin(const knob_values& values) const;

private:
  [[nodiscard]] double wander(double seconds) const;
  [[nodiscard]] double place(std::size_t knob, double value) const;
};

/// Draws a landscape over given knobs. @param run_s  length of the run in seconds: what drift periods are measured by.
[[nodiscard]] landscape draw_landscape(draw& d, std::vector<knob_spec> knobs, double run_s);

} // namespace homeostat::sim
