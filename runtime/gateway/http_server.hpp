#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace homeostat {

/// One HTTP request, as far as a handler needs it.
struct http_request {
  std::string method;
  std::string path;  ///< without the query
  std::string query; ///< after the '?', undecoded; empty if none
  std::string body;
  std::string authorization{}; ///< headers, each as sent; empty if absent
  std::string if_match{};
  std::string idempotency_key{};
  std::string accept{};
  std::string last_event_id{};
};

struct http_response {
  unsigned status{200};
  std::string body;
  std::string content_type{"application/json"};
  std::vector<std::pair<std::string, std::string>> headers{}; ///< others, such as ETag, Location or Retry-After
};

using http_handler = std::function<http_response(const http_request&)>;

/// A small HTTP/1.1 server on a loopback address. Connections are served asynchronously by one thread; handlers, which
/// may block, run on a pool of four. Requests have limits in size, time and number of connections.
class http_server {
public:
  /// @param host  a loopback address.  @param port  0: the system chooses.
  /// @returns the running server, or one sentence on why not.
  [[nodiscard]] static std::expected<std::unique_ptr<http_server>, std::string>
  start(const std::string& host, std::uint16_t port, http_handler handler);
  virtual ~http_server() = default;
  /// @returns the port it listens on.
  [[nodiscard]] virtual std::uint16_t port() const = 0;
  /// Closes every connection and ends the threads. Idempotent.
  virtual void stop() = 0;
};

} // namespace homeostat
