#pragma once

#include "runtime/gateway/http_server.hpp"

#include <chrono>
#include <expected>
#include <string>

namespace homeostat {

/// Sends one request and waits for the answer.
/// @param address  "127.0.0.1:8421".  @param patience  for everything together.
/// @returns the answer whatever its status, or one sentence on why there is none.
[[nodiscard]] std::expected<http_response, std::string>
http_fetch(const std::string& address, const std::string& method, const std::string& target,
           const std::string& body = {}, std::chrono::milliseconds patience = std::chrono::seconds(5));

} // namespace homeostat
