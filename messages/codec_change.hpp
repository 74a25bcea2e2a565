#pragma once

// Violations and proposals appear inside several messages. Internal to messages/.

#include "messages/change.pb.h"
#include "policies/safety/proposal.hpp"

namespace homeostat::codec {

void put(v1::Violation* out, const violation& x);
void get(const v1::Violation& in, violation& x);
void put(v1::Proposal* out, const proposal& x);
void get(const v1::Proposal& in, proposal& x);

} // namespace homeostat::codec
