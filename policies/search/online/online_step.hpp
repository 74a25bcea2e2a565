#pragma once

#include "policies/search/online/online_space.hpp"

#include <cstdint>
#include <string_view>

namespace homeostat {

/// Why a step is wanted.
enum class online_reason : std::uint8_t {
  start,               ///< measures the default
  exploit,             ///< the incumbent, or so near that it makes no difference
  explore,             ///< beside the incumbent, to learn
  stir,                ///< moves a knob that stood still too long to know its slope
  return_to_incumbent, ///< the last trial was much worse than expected
  travel,              ///< on the way to a look, under the step limit
  look_at_regime,      ///< a remembered regime, after a change
  look_at_default,     ///< the static default, after a change or to make sure of being better
  trial_on,            ///< an alternative of a knob without distances
  trial_off,           ///< the present setting, for comparison
  perturb_plus,        ///< spsa
  perturb_minus,       ///< spsa
};
[[nodiscard]] std::string_view name_of(online_reason reason);

/// What a measurement led to.
enum class online_event : std::uint8_t {
  none,
  incumbent_moved,
  change_detected,     ///< the plant is another one; the present place is remembered as a regime
  regime_recalled,     ///< a remembered regime is back: its point and model are in force again
  look_taken_over,     ///< a looked-at place is better than the present one: the search goes on there
  returned_to_default, ///< the default is better than what the search found
  switched,            ///< a boolean or categorical knob takes the alternative
};
[[nodiscard]] std::string_view name_of(online_event event);

/// A step to apply: positions that the knobs can take and reach.
struct online_step {
  online_point point; ///< one position per knob, 0..1
  online_reason reason{online_reason::start};
  friend bool operator==(const online_step&, const online_step&) = default;
};

} // namespace homeostat
