#pragma once

#include "policies/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace homeostat {

/// Why the governor refused a change (design §7). The names printed are the design's.
enum class violation_code : std::uint8_t {
  delta_too_large,
  rate_limit_exceeded,
  out_of_bounds,
  unknown_knob,
  non_finite,
  direction_flip,
  cumulative_delta,
  baseline_distance,
  in_safe_mode,
  audit_queue_full,
  no_baseline,
  stale_generation,
  stale_revision,
  stale_epoch,
  not_approved,
  cooldown_active,
  actuator_failed,
};
inline constexpr std::size_t violation_code_count = 17;

/// A refusal: what was wrong, where, and against which limit.
struct violation {
  violation_code code{};
  std::string knob{};                ///< the knob concerned; empty when it is the change as a whole
  double value{0};                   ///< what was measured, in the limit's unit
  double limit{0};                   ///< what was allowed
  std::optional<instant> retry_at{}; ///< when the same change may pass, if time alone can cure it
  friend bool operator==(const violation&, const violation&) = default;
};

/// @returns the name in the design's spelling, for example "DeltaTooLarge".
[[nodiscard]] std::string_view name_of(violation_code code);

/// @returns one sentence for people: "DeltaTooLarge: knob pool_size: 0.32, limit 0.1 of its range in one step".
[[nodiscard]] std::string describe(const violation& v);

/// @returns true for refusals that no well-meant proposer causes: many of them freeze the loop (RepeatedViolations).
[[nodiscard]] bool is_hostile(violation_code code);

} // namespace homeostat
