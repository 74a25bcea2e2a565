#pragma once

#include "policies/search/online/adaptive.hpp"

#include <expected>
#include <optional>
#include <string>

namespace homeostat {

// What befalls `adaptive` on a live loop and is none of its own steps.

/// Somebody else moved the base point (a rollback, an operator): the search goes on at that place. The curvature is
/// kept, level and gradient are uncertain. Where that place is the default, the search was not good enough: it goes on
/// shyly.
/// @param place  one position per knob, 0..1.
void relocate(adaptive_state& s, const adaptive_frame& frame, const online_point& place);

/// How far the centre may be from where the loop is.
struct live_bounds {
  online_point base;     ///< of the loop, positions
  online_point baseline; ///< tested one, positions
  double distance{1};    ///< largest from the baseline, fraction of range
};

/// The centre has just moved, and where it goes the base point cannot always follow at once. Without this limit it
/// would run down a slope that nobody measures any more. A centre that was farther before stays as far.
/// @param before  the centre before that move.
void keep_near(adaptive_state& s, const adaptive_frame& frame, const online_point& before, const live_bounds& bounds);

/// @returns true if no look, trial or retreat is under way: the centre is where the loop should be.
[[nodiscard]] bool follows_model(const adaptive_state& s);

/// @returns nothing, or one sentence on why this state cannot be one of these knobs (another set of knobs, damage).
[[nodiscard]] std::expected<void, std::string> fits(const adaptive_state& s, std::span<const knob_spec> knobs);

} // namespace homeostat
