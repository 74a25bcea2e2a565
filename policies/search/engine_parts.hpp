#pragma once

#include "policies/search/adaptive_engine.hpp"

namespace homeostat {

// Shared by the engine and the strategies it runs; not for others.

namespace engine_parts {

/// A proposal for what is live now, with the next number.
[[nodiscard]] proposal draft(engine_state& s, proposal_kind kind, const knob_values& values);
[[nodiscard]] engine_decision ask(engine_state& s, proposal p);
[[nodiscard]] engine_decision hold(no_change_reason reason, std::optional<instant> look_again = std::nullopt);

/// @returns true if the governor would let knob i of the base point go to that value now.
[[nodiscard]] bool may_move(const engine_state& s, const engine_settings& settings, std::size_t i, double value,
                            instant now);

} // namespace engine_parts

// Each strategy behind the same five calls.

/// Two-sided differences (policies/search/spsa.hpp).
namespace spsa_engine {
/// The base point is there now.
void settle(engine_state& s, const engine_settings& settings, const knob_values& base);
/// What is in flight is given up.
void rest(engine_state& s);
void take(engine_state& s, const engine_settings& settings, const objective_window& w);
/// What was asked is in force, as far as the governor let it.
void accepted(engine_state& s, const knob_values& in_force);
[[nodiscard]] engine_decision next(engine_state& s, const engine_settings& settings, instant now);
} // namespace spsa_engine

/// Models of a drifting plant (policies/search/online/adaptive.hpp).
namespace online_engine {
void begin(engine_state& s, const engine_settings& settings, std::uint64_t seed);
void settle(engine_state& s, const engine_settings& settings, const knob_values& base);
void rest(engine_state& s, const engine_settings& settings);
void take(engine_state& s, const engine_settings& settings, const objective_window& w);
void accepted(engine_state& s, const engine_settings& settings, const knob_values& in_force);
[[nodiscard]] engine_decision next(engine_state& s, const engine_settings& settings, instant now);
} // namespace online_engine

} // namespace homeostat
