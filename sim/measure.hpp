#pragma once

#include "policies/safety/knob.hpp"

#include <algorithm>
#include <cmath>

namespace homeostat::sim {

/// The checkers' own measure of distance, written a second time on purpose: a mistake in the policies' measure must not
/// hide itself in the check of it. All results are NaN where a value has no place on the knob's scale, and every
/// comparison in the checkers is written so that NaN fails.
struct knob_range {
  knob_type type{knob_type::continuous};
  knob_scale scale{knob_scale::linear};
  double min{0};
  double max{1};
  std::optional<double> step;
  std::optional<unit_step_limit> step_limit;

  explicit knob_range(const knob_spec& k)
      : type(k.type), scale(k.scale), min(k.min), max(k.max), step(k.step), step_limit(k.step_limit) {}

  [[nodiscard]] bool ordered() const { return type == knob_type::continuous || type == knob_type::integer; }

  /// @returns true if the knob can take this value.
  [[nodiscard]] bool takes(double value) const {
    if (!(value >= min && value <= max)) return false;
    if (type != knob_type::continuous && value != std::floor(value)) return false;
    if (!step) return true;
    const double off = std::fmod(value - min, *step);
    return std::min(off, *step - off) <= 1e-5 * *step;
  }

  /// @returns the value the knob can take that is nearest to this one.
  [[nodiscard]] double nearest(double value) const {
    double v = type == knob_type::continuous ? value : std::round(value);
    if (step) v = min + std::round((v - min) / *step) * *step;
    return std::clamp(v, min, max);
  }

  /// @returns the signed way in the knob's unit, the shorter one round a periodic scale.
  [[nodiscard]] double way(double from, double to) const {
    double d = to - from;
    if (scale == knob_scale::periodic) {
      const double range = max - min;
      while (d > range / 2) d -= range;
      while (d < -range / 2) d += range;
    }
    return d;
  }

  /// @returns the signed way as a fraction of the range, in the knob's scale; a quarter for a switch.
  [[nodiscard]] double fraction(double from, double to) const {
    if (!ordered()) return from == to ? 0 : std::copysign(0.25, to - from);
    if (scale == knob_scale::log) return (std::log(to) - std::log(from)) / (std::log(max) - std::log(min));
    return way(from, to) / (max - min);
  }

  /// @returns true if one step may go this way.
  [[nodiscard]] bool step_allowed(double from, double to, double max_delta) const {
    if (!ordered()) return true;
    constexpr double rounding = 1 + 1e-6;
    if (!step_limit) return std::abs(fraction(from, to)) <= max_delta * rounding + 1e-9;
    const double d = way(from, to);
    return d >= 0 ? d <= step_limit->up * rounding + 1e-9 * (max - min)
                  : -d <= step_limit->down * rounding + 1e-9 * (max - min);
  }

  /// @returns true if two values are one and the same, but for what a plant's own number format does to them.
  [[nodiscard]] bool same(double a, double b) const {
    return a == b || (type == knob_type::continuous && std::abs(fraction(a, b)) <= 1.001e-4);
  }
};

} // namespace homeostat::sim
