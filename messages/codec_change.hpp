#pragma once

// What appears inside several messages. Internal to messages/.

#include "messages/change.pb.h"
#include "policies/authority/risk.hpp"
#include "policies/safety/governor.hpp"
#include "policies/safety/proposal.hpp"
#include "policies/safety/rate_limit.hpp"

#include <google/protobuf/repeated_field.h>

namespace homeostat::v1 {
class RateWindow;
}

namespace homeostat::codec {

inline constexpr std::size_t change_classes = 5;

void put(v1::CapturedDrift* out, const captured_drift& x);
void get(const v1::CapturedDrift& in, captured_drift& x);
void put_terms(google::protobuf::RepeatedPtrField<v1::RiskTerm>* out, const risk_assessment& risk);
void put(v1::Violation* out, const violation& x);
void get(const v1::Violation& in, violation& x);
void put(v1::Proposal* out, const proposal& x);
void get(const v1::Proposal& in, proposal& x);
void put(v1::RateWindow* out, const rate_window& x);
void get(const v1::RateWindow& in, rate_window& x);

} // namespace homeostat::codec
