#pragma once

#include "runtime/gateway/http_server.hpp"
#include "runtime/gateway/router.hpp"
#include "runtime/node/node.hpp"

#include <memory>

namespace homeostat {

/// @returns the table of everything the API does. The node must outlive it.
[[nodiscard]] router make_routes(node& n);

/// The node's HTTP API (design §11): health, metrics, status, audit and operator commands, as JSON of
/// messages/control.proto. Errors are problem+json. Handlers block only on the node's own time limits.
[[nodiscard]] http_handler make_api(node& n);

/// Starts the API of a node on its configured loopback address. The node must outlive the server.
[[nodiscard]] std::expected<std::unique_ptr<http_server>, std::string> serve_api(node& n);

} // namespace homeostat
