#pragma once

#include "policies/search/online/online_space.hpp"

#include <cstdint>
#include <optional>
#include <span>

namespace homeostat {

/// How knobs without distances (booleans, categories) are tried: no gradient leads there, so one alternative at a time
/// is compared with the present one in pairs, on and off in turn, and taken only on clear evidence.
struct trial_tuning {
  std::uint32_t first{40};    ///< steps without a change of the plant before a trial
  std::uint32_t interval{60}; ///< steps between trials at first; doubles after each fruitless round of alternatives
  std::uint32_t longest{2000};
  std::uint32_t least_pairs{3};
  std::uint32_t most_pairs{12}; ///< undecided after so many: the present one stays
  double gain{2.5};             ///< standard errors by which an alternative must be better
  double loss{1.0};             ///< ... or worse, to end the trial early
  double shock{4};              ///< noises by which one pair ends it at once
  friend bool operator==(const trial_tuning&, const trial_tuning&) = default;
};

struct switch_trial {
  bool running{false};
  bool on{false};      ///< the alternative is the one being measured
  std::size_t knob{0}; ///< of the trial in progress, or of the last one
  double position{0};  ///< of the alternative
  double value_on{0};  ///< measured, of the present pair
  std::uint32_t pairs{0};
  double sum{0}; ///< of on - off
  double squares{0};
  std::uint64_t turn{0}; ///< alternatives tried so far; chooses the next
  std::uint32_t fruitless{0};
  std::uint32_t waited{0};
  friend bool operator==(const switch_trial&, const switch_trial&) = default;
};

enum class trial_verdict : std::uint8_t { open, take, keep };

/// A step without a trial. @returns true if one was started; @param quiet  nothing speaks for a change of the plant.
bool start_if_due(switch_trial& trial, std::span<const knob_spec> knobs, const online_point& present, bool quiet,
                  const trial_tuning& tuning);

/// @returns the verdict after one more measurement of the side that is on. @param noise  standard deviation, >= 0.
trial_verdict judge(switch_trial& trial, double value, double noise, const trial_tuning& tuning);

/// The plant changed, or a step was refused: the trial says nothing. Alternatives become interesting again.
void call_off(switch_trial& trial, bool plant_changed);

} // namespace homeostat
