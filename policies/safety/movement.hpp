#pragma once

#include "policies/safety/guardrails.hpp"
#include "policies/safety/knob.hpp"
#include "policies/safety/violation.hpp"

#include <span>
#include <vector>

namespace homeostat {

/// How the base point of each knob has moved lately: what thrashing and the cumulative cap are judged by.
///
/// Only moves of the base point count (updates, rollbacks, operator changes). A two-sided estimator goes up and down by
/// construction, so counting its probes would call every healthy search thrashing (design §7).
struct knob_movement {
  struct second_total {
    std::int64_t second; ///< since the epoch
    double distance;     ///< sum of |move| in that second
    friend bool operator==(const second_total&, const second_total&) = default;
  };
  std::vector<second_total> totals; ///< newest last; at most 62 entries
  std::vector<instant> flips;       ///< newest last; at most direction_flip_limit + 1 entries
  int direction{0};                 ///< of the last move beyond the deadband: -1, +1, 0 = none yet
  friend bool operator==(const knob_movement&, const knob_movement&) = default;
};

/// @returns the sum of |move| in the last minute. Whole seconds: a move counts until 60 s after the end of its second,
/// so the
///          cap is never wider than asked for.
[[nodiscard]] double cumulative_delta(const knob_movement& m, instant now);

/// @returns direction flips in the last minute.
[[nodiscard]] std::uint32_t flips_in_minute(const knob_movement& m, instant now);

/// Judges a base move against flips and cumulative cap, knob by knob. Changes nothing.
/// @param moves  signed displacement of each knob, fraction of range.
/// @returns the first violation in knob order, or nothing.
[[nodiscard]] std::optional<violation> judge_move(std::span<const knob_spec> knobs,
                                                  std::span<const knob_movement> movement,
                                                  std::span<const double> moves, const guardrails& g, instant now);

/// Records a base move that has happened, whoever caused it.
void record_move(std::span<knob_movement> movement, std::span<const double> moves, const guardrails& g, instant now);

} // namespace homeostat
