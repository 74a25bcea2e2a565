#pragma once

#include "messages/control.pb.h"
#include "policies/safety/knob.hpp"
#include "runtime/store/store.hpp"

#include <expected>
#include <span>
#include <string>

namespace homeostat {

/// Counts a finished run from its audit trail, the only witness a summary may quote: applied, rejected by reason,
/// rollbacks, safe-mode entries, values out of bounds that were ever applied, records, and whether the chain holds.
[[nodiscard]] std::expected<void, std::string> count_audit(store& audit, std::span<const knob_spec> knobs,
                                                           v1::DemoSummary& summary);

/// @returns one record as a line for people: "12:01:07 committed update 2.1, 5, 12 (proposal)".
[[nodiscard]] std::string record_line(const stored_record& record);

} // namespace homeostat
