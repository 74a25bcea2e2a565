#pragma once

#include "policies/search/online/online_step.hpp"
#include "policies/search/spsa.hpp"

#include <optional>
#include <span>

namespace homeostat {

/// SPSA (policies/search/spsa.hpp) behind the online interface, as the yardstick for `adaptive`. The gradient is taken
/// relative to the size of the objective; knobs without distances stay as they are.
struct spsa_online_state {
  spsa_state spsa;
  online_point base; ///< continuous positions, one per knob
  double size{0};    ///< running mean of |objective|
  friend bool operator==(const spsa_online_state&, const spsa_online_state&) = default;
};

[[nodiscard]] spsa_online_state fresh_spsa_online(std::span<const knob_spec> knobs, std::uint64_t seed);

/// @returns the plus or the minus side of the perturbation in progress, or a step on the way to it.
[[nodiscard]] online_step propose(spsa_online_state& s, std::span<const knob_spec> knobs, const spsa_settings& settings,
                                  std::optional<double> max_delta, const online_point& last);

online_event learn(spsa_online_state& s, std::span<const knob_spec> knobs, const spsa_settings& settings,
                   const online_step& at, double value);

} // namespace homeostat
