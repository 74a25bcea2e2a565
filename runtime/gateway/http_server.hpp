#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
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
  std::string host{};
  std::string origin{}; ///< of the page whose script asks; only browsers send it
  std::string if_none_match{};
  std::string peer{}; ///< address of whoever sent it
};

/// A body that comes over time, such as server-sent events. Called on the server's thread; nothing here blocks.
class body_stream {
public:
  virtual ~body_stream() = default;
  /// @returns what is to be sent now; empty: nothing until the waker was called.
  [[nodiscard]] virtual std::string take() = 0;
  /// @returns whether nothing comes after what take has returned.
  [[nodiscard]] virtual bool ended() const = 0;
  /// Sets who is told, from any thread, that there is more or that it has ended.
  virtual void on_ready(std::function<void()> wake) = 0;
  /// The reader is gone: wakes nobody any more.
  virtual void close() = 0;
};

struct http_response {
  unsigned status{200};
  std::string body{};
  std::string content_type{"application/json"};
  std::vector<std::pair<std::string, std::string>> headers{}; ///< others, such as ETag, Location or Retry-After
  std::shared_ptr<body_stream> stream{};                      ///< if set: the body, instead of `body`
};

using http_handler = std::function<http_response(const http_request&)>;

/// PEM files of a TLS server: its certificate with the chain behind it, and the key.
struct tls_files {
  std::string certificate;
  std::string key;
  friend bool operator==(const tls_files&, const tls_files&) = default;
};

/// What a server takes at most. Each keeps a flood from taking the daemon's memory or its descriptors.
struct http_limits {
  int connections{512};     ///< open at once; beyond them a connection is closed unread
  std::size_t waiting{256}; ///< requests that wait for a handler; beyond them the answer is 503 with Retry-After
};

/// A small HTTP/1.1 server, with TLS 1.2 or later where it is given a certificate. Connections are served
/// asynchronously by one thread; handlers, which may block, run on a pool of four. Requests have limits in size, time
/// and number.
class http_server {
public:
  /// @param host  an IP address; off loopback only with TLS.  @param port  0: the system chooses.
  /// @returns the running server, or one sentence on why not.
  [[nodiscard]] static std::expected<std::unique_ptr<http_server>, std::string>
  start(const std::string& host, std::uint16_t port, http_handler handler, const std::optional<tls_files>& tls = {},
        const http_limits& limits = {});
  virtual ~http_server() = default;
  /// @returns the port it listens on.
  [[nodiscard]] virtual std::uint16_t port() const = 0;
  /// Closes every connection and ends the threads. Idempotent.
  virtual void stop() = 0;
};

} // namespace homeostat
