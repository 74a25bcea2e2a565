#pragma once

// What appears inside several messages. Internal to messages/.

#include "messages/change.pb.h"
#include "policies/safety/proposal.hpp"
#include "policies/safety/rate_limit.hpp"

namespace homeostat::v1 {
class RateWindow;
}

namespace homeostat::codec {

inline constexpr std::size_t change_classes = 5;

void put(v1::Violation* out, const violation& x);
void get(const v1::Violation& in, violation& x);
void put(v1::Proposal* out, const proposal& x);
void get(const v1::Proposal& in, proposal& x);
void put(v1::RateWindow* out, const rate_window& x);
void get(const v1::RateWindow& in, rate_window& x);

} // namespace homeostat::codec
