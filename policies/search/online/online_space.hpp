#pragma once

#include "policies/safety/knob.hpp"

#include <optional>
#include <span>
#include <vector>

namespace homeostat {

/// A point of the unit cube: one position per knob (policies/safety/knob.hpp), in the loop's order.
using online_point = std::vector<double>;

/// @returns the position within 0..1: wrapped on a periodic scale, else limited.
[[nodiscard]] double confined(const knob_spec& knob, double position);

/// @returns the signed way between two positions; the shorter way round on a periodic scale.
[[nodiscard]] double way_between(const knob_spec& knob, double from, double to);

/// @returns the longest way of one knob between two points.
[[nodiscard]] double distance_between(std::span<const knob_spec> knobs, const online_point& a, const online_point& b);

/// @param from  a position the knob can take.  @param to  any position.  @param max_delta  largest step of an ordered
///              knob as a fraction of range; absent: no limit but the knob's own.
/// @returns the position nearest to `to` that the knob can take and reach in one step; knobs without distances switch
///          at once.
[[nodiscard]] double reachable(const knob_spec& knob, double from, double to, std::optional<double> max_delta);

/// @returns the positions of the knobs' initial values: the static default.
[[nodiscard]] online_point default_point(std::span<const knob_spec> knobs);

} // namespace homeostat
