#pragma once

#include "policies/safety/knob.hpp"

#include <span>

namespace homeostat {

/// The next stretch of a change that may be larger than one step of the guardrails: an approved change is walked, each
/// step a generation of its own, because a limit on steps that a signature sets aside would be no limit (I3).
/// @param from  the base point, one value per knob.  @param to  where the change ends; admissible values.
/// @returns the point on the straight way (in the knobs' scales) that is as far as every knob's step limit allows;
///          knobs without distances switch with the first step. `to` itself when that is near enough. A knob whose grid
///          is coarser than its limit goes one grid step, which the governor will then refuse by its name.
[[nodiscard]] knob_values next_step(std::span<const knob_spec> knobs, const knob_values& from, const knob_values& to,
                                    double max_delta_per_step);

/// @returns how many steps the whole way takes; 0 when there is nothing to change, `limit` if it is that many or more.
[[nodiscard]] std::uint32_t steps_between(std::span<const knob_spec> knobs, knob_values from, const knob_values& to,
                                          double max_delta_per_step, std::uint32_t limit = 1000);

/// @returns true if no knob's value would be more than `cap` times, or less than 1/cap of, what it is in the baseline.
///          Source: Feedback Loops, "Total change caps". Knobs without distances, periodic ones and values whose sign
///          differs from the baseline's have no ratio: the last are beyond any cap, the others within it. A baseline of
///          zero has none either; there the cap is half of the knob's range.
[[nodiscard]] bool within_total_change(std::span<const knob_spec> knobs, const knob_values& baseline,
                                       const knob_values& values, double cap);

} // namespace homeostat
