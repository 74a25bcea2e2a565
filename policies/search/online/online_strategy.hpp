#pragma once

#include "policies/search/online/adaptive.hpp"
#include "policies/search/online/spsa_online.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace homeostat {

// Online search on a live plant: every point asked for is applied, and costs what it costs. One loop is
//   step = next_point(state, settings);  apply step->point;  measure;  record(state, settings, value)
// or, where the point was refused, abandon(state). The state is a plain value: copied, compared, stored, and gone on
// with bit for bit (I7). Smaller values are better.

enum class online_kind : std::uint8_t { adaptive, spsa };
[[nodiscard]] std::string_view name_of(online_kind kind);
[[nodiscard]] std::optional<online_kind> online_kind_from(std::string_view name);

struct online_settings {
  std::vector<knob_spec> knobs; ///< 1..max_knobs; the initial values are the static default, where it starts
  online_kind kind{online_kind::adaptive};
  std::uint64_t seed{0};
  std::optional<double> max_delta_per_step; ///< of the guardrails, fraction of range, 0..1; absent: unlimited
  std::optional<double> noise_floor;        ///< standard deviation known beforehand, >= 0; absent: estimated
  adaptive_tuning adaptive;
  spsa_settings spsa;
  friend bool operator==(const online_settings&, const online_settings&) = default;
};

struct online_state {
  online_point applied;             ///< what is in force, as far as the strategy knows
  std::optional<online_step> asked; ///< given out and not answered yet
  adaptive_state adaptive;          ///< of this kind only
  spsa_online_state spsa;           ///< of this kind only
  std::uint64_t recorded{0};
  std::uint64_t refused{0};
  std::uint64_t changes{0}; ///< of the plant, detected
  std::uint64_t recalls{0}; ///< of remembered regimes
  std::uint64_t returns{0}; ///< to the default, because it was better
  friend bool operator==(const online_state&, const online_state&) = default;
};

/// @returns nothing, or one sentence naming the setting, its value and the expected form.
[[nodiscard]] std::expected<void, std::string> check(const online_settings& settings);

/// @pre check(settings)
[[nodiscard]] online_state fresh_online(const online_settings& settings);

/// @returns the step to apply now; the same one again until it is recorded or abandoned.
[[nodiscard]] online_step next_point(online_state& state, const online_settings& settings);

/// @returns the values of a step's knobs, in their units.
[[nodiscard]] knob_values values_of(const online_step& step, const online_settings& settings);

/// The asked step was applied and measured.
/// @param value  the objective, finite; smaller is better.  @param error  its standard error, if known, finite, >= 0.
/// @returns what it meant. @errors one sentence; the state is then unchanged: nothing was asked, or a number is bad.
[[nodiscard]] std::expected<online_event, std::string> record(online_state& state, const online_settings& settings,
                                                              double value, std::optional<double> error = {});

/// The asked step was refused or failed: it is forgotten, and what needed it is given up.
/// @param in_force  what is applied instead, one position per knob; absent: what was applied before.
void abandon(online_state& state, const online_settings& settings, std::optional<online_point> in_force = {});

/// @returns the point believed to be best now: what to leave applied when the search stops.
[[nodiscard]] online_step incumbent(const online_state& state, const online_settings& settings);

} // namespace homeostat
