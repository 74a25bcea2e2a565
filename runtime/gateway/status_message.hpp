#pragma once

#include "messages/control.pb.h"
#include "runtime/node/node.hpp"

#include <expected>
#include <string>

namespace homeostat {

/// @returns what /api/v1/status answers; one sentence if the node does not.
[[nodiscard]] std::expected<v1::NodeStatus, std::string> status_message(node& n);

} // namespace homeostat
