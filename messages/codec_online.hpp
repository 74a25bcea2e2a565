#pragma once

// The state of an online strategy appears inside the engine's. Internal to messages/.

#include "messages/state.pb.h"
#include "policies/search/online/online_strategy.hpp"

namespace homeostat::codec {

void put(v1::SpsaState* out, const spsa_state& x);
void get(const v1::SpsaState& in, spsa_state& x);
void put(v1::OnlineState* out, const online_state& x);
/// Refuses what is larger than any state can be; whether its numbers belong together is for the policy to say.
void get(const v1::OnlineState& in, online_state& x);

} // namespace homeostat::codec
