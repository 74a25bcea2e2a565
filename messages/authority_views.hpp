#pragma once

#include "messages/authority.pb.h"
#include "policies/authority/authority.hpp"

#include <expected>
#include <string>

namespace homeostat {

// Between the authority's values and the messages its API speaks.

/// Reads a client's wish: knobs by name, categories by name, booleans as true and false.
/// @errors  one sentence naming loop, knob, value and expected form. Loops and knobs that are not known are left to the
///          authority.
[[nodiscard]] std::expected<new_proposal, std::string> wish_of(const authority_config& config,
                                                               const v1::ProposalRequest& request);

[[nodiscard]] v1::ProposalView view_of(const authority_config& config, const config_proposal& p);
[[nodiscard]] v1::RecommendationView view_of(const authority_config& config, const config_recommendation& r);

/// @param findings  what the governors' guards would say, one list per change.
[[nodiscard]] v1::PlanView view_of(const authority_config& config, const change_plan& plan,
                                   const std::vector<std::vector<violation>>& findings);

/// @returns a knob's value as people write it.
[[nodiscard]] std::string value_text(const knob_spec& knob, double value);

/// Adds the knobs that differ.
void add_changes(google::protobuf::RepeatedPtrField<v1::KnobChange>* out, std::span<const knob_spec> knobs,
                 const knob_values& before, const knob_values& after);

} // namespace homeostat
