#include "policies/search/online/online_space.hpp"

#include <algorithm>
#include <cmath>

namespace homeostat {

double confined(const knob_spec& knob, double position) {
  return knob.scale == knob_scale::periodic ? position - std::floor(position) : std::clamp(position, 0.0, 1.0);
}

double way_between(const knob_spec& knob, double from, double to) {
  const double way = to - from;
  return knob.scale == knob_scale::periodic ? way - std::round(way) : way;
}

double distance_between(std::span<const knob_spec> knobs, const online_point& a, const online_point& b) {
  double longest = 0;
  for (std::size_t i = 0; i < knobs.size(); ++i)
    longest = std::max(longest, std::abs(way_between(knobs[i], a[i], b[i])));
  return longest;
}

double reachable(const knob_spec& knob, double from, double to, std::optional<double> max_delta) {
  const auto snapped = [&](double position) { return position_of(knob, value_at(knob, position)); };
  if (!is_ordered(knob)) return snapped(to);
  const double start = value_at(knob, from);
  const double limit = step_limit_of(knob, start, value_at(knob, to), max_delta.value_or(1.0));
  const double way = way_between(knob, from, to);
  const double place = snapped(confined(knob, from + std::clamp(way, -limit, limit)));
  if (!exceeds(std::abs(displacement(knob, start, value_at(knob, place))), limit)) return place;
  const double grid = smallest_move(knob, start); // the grid rounded beyond the limit: one grid less
  const double less = snapped(confined(knob, place - std::copysign(grid, way)));
  return exceeds(std::abs(displacement(knob, start, value_at(knob, less))), limit) ? from : less;
}

online_point default_point(std::span<const knob_spec> knobs) {
  online_point point;
  for (const knob_spec& knob : knobs) point.push_back(position_of(knob, knob.initial));
  return point;
}

} // namespace homeostat
