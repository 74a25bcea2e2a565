#pragma once

#include "policies/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace homeostat {

// Two loops that push against each other: one moves an axis up, the other down, and again. Each looks healthy alone;
// only who sees both can tell (design §8; source: Feedback Loops, risk 1).

struct contention_settings {
  std::uint32_t alternations{4}; ///< changes of hand with opposite direction that make a fight, >= 2
  duration span{1h};             ///< within this time
  friend bool operator==(const contention_settings&, const contention_settings&) = default;
};

struct axis_move {
  std::string loop;
  bool up{false};
  instant at{};
  std::string cause; ///< what asked for it; empty: unknown
  friend bool operator==(const axis_move&, const axis_move&) = default;
};

/// The latest moves on one axis, oldest first; at most alternations + 1.
struct axis_history {
  std::string axis; ///< the knobs' concern
  std::vector<axis_move> moves;
  friend bool operator==(const axis_history&, const axis_history&) = default;
};

struct contention {
  std::string axis;
  std::string first;  ///< a loop
  std::string second; ///< the other
  std::uint32_t alternations{0};
};

/// Takes a move of a base point. Two moves of one loop in the same direction in a row count as one, and so do
/// all moves of one cause: the steps of a change that is walked are one change.
/// @returns the fight, once, at the move that completes it; the history then starts over.
[[nodiscard]] std::optional<contention> observe(axis_history& history, const contention_settings& settings,
                                                std::string_view loop, bool up, instant now,
                                                std::string_view cause = {});

} // namespace homeostat
