#pragma once

#include <string>

namespace homeostat {

class node;

/// @returns the metrics of the node's pools in Prometheus' text format; nothing without such pools. A few KB are copied
/// per pool.
[[nodiscard]] std::string transfer_metrics_text(const node& n);

} // namespace homeostat
