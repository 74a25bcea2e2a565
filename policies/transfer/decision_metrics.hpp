#pragma once

#include "policies/transfer/transfer.hpp"

#include <functional>
#include <span>
#include <string>

namespace homeostat {

/// A metric that an operator's rules may ask about.
struct decision_metric {
  std::string name;
  std::function<double(const transfer_characteristics&, const system_conditions&)> value; ///< cheap, throws nothing
};

/// @returns all of them, in order of their names: data_size in bytes, shares 0..1, in_flight, hour of day in UTC, and
/// for each data type and format one that is 1 or 0.
[[nodiscard]] std::span<const decision_metric> decision_metrics();

} // namespace homeostat
