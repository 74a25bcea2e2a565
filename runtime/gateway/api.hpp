#pragma once

#include "policies/authority/request_limit.hpp"
#include "runtime/gateway/http_server.hpp"
#include "runtime/gateway/router.hpp"
#include "runtime/gateway/token_file.hpp"
#include "runtime/node/node.hpp"

#include <memory>

namespace homeostat {

/// What a deployment may not, but a test may want otherwise.
struct api_limits {
  http_limits server;
  request_rate rate;
};

/// Starts the HTTP API of a node (design §11) where its configuration says: health, metrics, status, audit, events and
/// operator commands, as JSON of messages/*.proto. Errors are problem+json. Handlers block only on the node's own time
/// limits. On loopback without a tokens file everybody is admin; off loopback TLS and a tokens file are required.
/// The node must outlive the server.
[[nodiscard]] std::expected<std::unique_ptr<http_server>, std::string> serve_api(node& n,
                                                                                 const api_limits& limits = {});

/// The same without the network: what the server is given to answer requests with. Nothing happens once a second, so no
/// events are sent.
/// @param tokens  null: everybody is admin, as on loopback without a tokens file.
[[nodiscard]] http_handler api_handler(node& n, std::unique_ptr<token_store> tokens, request_rate rate = {});

} // namespace homeostat
