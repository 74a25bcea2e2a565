#pragma once

#include "runtime/gateway/http_server.hpp"

#include <chrono>
#include <expected>
#include <string>

namespace homeostat {

/// A daemon, and what it wants to see of its callers.
struct http_peer {
  std::string address; ///< "127.0.0.1:8421", "http://[::1]:8421" or "https://node.example:8421"
  std::string token{}; ///< empty: none. Never sent in the clear to another machine.
  std::string ca{};    ///< PEM file of whoever signed the daemon's certificate; empty: the system's authorities

  http_peer(std::string where) : address(std::move(where)) {} // NOLINT(google-explicit-constructor): mostly just that
  http_peer(const char* where) : address(where) {}            // NOLINT(google-explicit-constructor)
};

/// Sends one request and waits for the answer. Over https the daemon's certificate and name are verified.
/// @param patience  for everything together.
/// @returns the answer whatever its status, or one sentence on why there is none.
[[nodiscard]] std::expected<http_response, std::string>
http_fetch(const http_peer& peer, const std::string& method, const std::string& target, const std::string& body = {},
           std::chrono::milliseconds patience = std::chrono::seconds(5));

} // namespace homeostat
