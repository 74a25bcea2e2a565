#include "policies/authority/walk.hpp"

#include <algorithm>
#include <cmath>

namespace homeostat {

namespace {

/// @returns the admissible value that a share of the way leads to, not further than the limit.
double value_on_way(const knob_spec& knob, double from, double to, double share, double limit) {
  const double way = displacement(knob, from, to);
  const double start = position_of(knob, from);
  double value = value_at(knob, start + share * way);
  // Rounding to the grid may have gone too far. On a logarithmic scale the grid is wider where the values are small.
  const double grid = std::max(smallest_move(knob, from), smallest_move(knob, value));
  for (const double back : {grid / 2, grid, 2 * grid})
    if (exceeds(std::abs(displacement(knob, from, value)), limit))
      value = value_at(knob, start + std::copysign(std::max(0.0, limit - back), way));
  if (value == from && grid > 0) value = value_at(knob, start + std::copysign(std::min(grid, std::abs(way)), way));
  return value;
}

} // namespace

knob_values next_step(std::span<const knob_spec> knobs, const knob_values& from, const knob_values& to,
                      double max_delta_per_step) {
  double share = 1;
  const auto limit_of = [&](std::size_t i) { return step_limit_of(knobs[i], from[i], to[i], max_delta_per_step); };
  for (std::size_t i = 0; i < knobs.size(); ++i) {
    const double way = std::abs(displacement(knobs[i], from[i], to[i]));
    if (is_ordered(knobs[i]) && exceeds(way, limit_of(i))) share = std::min(share, limit_of(i) / way);
  }
  if (share == 1) return to;
  knob_values next = to;
  for (std::size_t i = 0; i < knobs.size(); ++i)
    if (is_ordered(knobs[i]) && from[i] != to[i]) next[i] = value_on_way(knobs[i], from[i], to[i], share, limit_of(i));
  return next;
}

std::uint32_t steps_between(std::span<const knob_spec> knobs, knob_values from, const knob_values& to,
                            double max_delta_per_step, std::uint32_t limit) {
  std::uint32_t steps = 0;
  while (from != to && steps < limit) {
    from = next_step(knobs, from, to, max_delta_per_step);
    ++steps;
  }
  return steps;
}

bool within_total_change(std::span<const knob_spec> knobs, const knob_values& baseline, const knob_values& values,
                         double cap) {
  constexpr double half_the_range = 0.5;
  for (std::size_t i = 0; i < knobs.size(); ++i) {
    const knob_spec& knob = knobs[i];
    if (!is_ordered(knob) || knob.scale == knob_scale::periodic || values[i] == baseline[i]) continue;
    if (baseline[i] == 0) {
      if (exceeds(std::abs(displacement(knob, baseline[i], values[i])), half_the_range)) return false;
      continue;
    }
    const double ratio = values[i] / baseline[i];
    if (!(ratio > 0) || exceeds(std::max(ratio, 1 / ratio), cap)) return false;
  }
  return true;
}

} // namespace homeostat
