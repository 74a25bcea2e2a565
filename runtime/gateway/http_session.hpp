#pragma once

#include "runtime/gateway/http_server.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>

#include <array>
#include <atomic>
#include <optional>
#include <type_traits>

namespace homeostat::http_detail {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;

constexpr std::size_t body_limit = 64 * 1024; // an honest request is a few hundred bytes
constexpr unsigned header_limit = 16 * 1024;
constexpr auto idle_timeout = std::chrono::seconds(15);
constexpr std::size_t handler_threads = 4;
constexpr std::size_t drain_limit = 1024 * 1024;

/// What the sessions of one server have in common.
struct shared_parts {
  http_handler handler;
  http_limits limits;
  std::optional<asio::ssl::context> tls;
  asio::thread_pool handlers{handler_threads};
  std::atomic<int> connections{0};
  std::atomic<std::size_t> waiting{0};
};

/// @returns the request, or the answer to one that no handler should see.
[[nodiscard]] std::expected<http_request, http_response> plain_request(const http::request<http::string_body>& message,
                                                                       std::string peer);
/// @returns the answer to what could not be read as a request; nothing where there is nobody to answer.
[[nodiscard]] std::optional<http_response> answer_to(beast::error_code error);
/// @returns what the handler says; 500 where it throws.
[[nodiscard]] http_response handled(const http_handler& handler, const http_request& request);
/// @returns the answer while too many requests wait.
[[nodiscard]] http_response too_busy();

/// One connection, kept alive by its own pending operations. @tparam Stream  beast::tcp_stream, or that under TLS.
template <class Stream> class session : public std::enable_shared_from_this<session<Stream>> {
  static constexpr bool secure = !std::is_same_v<Stream, beast::tcp_stream>;

public:
  session(tcp::socket socket, std::shared_ptr<shared_parts> parts)
    requires(!secure)
      : parts_(std::move(parts)), stream_(std::move(socket)) {
    ++parts_->connections;
  }
  session(tcp::socket socket, std::shared_ptr<shared_parts> parts)
    requires secure
      : parts_(std::move(parts)), stream_(std::move(socket), *parts_->tls) {
    ++parts_->connections;
  }
  ~session() {
    if (body_) body_->close();
    --parts_->connections;
  }
  session(const session&) = delete;
  session& operator=(const session&) = delete;

  void start() {
    boost::system::error_code unknown;
    const auto end = lowest().socket().remote_endpoint(unknown);
    if (!unknown) peer_ = end.address().to_string();
    if constexpr (secure) {
      lowest().expires_after(idle_timeout);
      stream_.async_handshake(asio::ssl::stream_base::server, [self = this->shared_from_this()](beast::error_code e) {
        if (!e) self->read();
      });
    } else {
      read();
    }
  }

private:
  auto& lowest() { return beast::get_lowest_layer(stream_); }

  void read() {
    parser_.emplace();
    parser_->body_limit(body_limit);
    parser_->header_limit(header_limit);
    lowest().expires_after(idle_timeout);
    http::async_read(stream_, buffer_, *parser_,
                     [self = this->shared_from_this()](beast::error_code e, std::size_t) { self->on_read(e); });
  }

  void on_read(beast::error_code error) {
    if (error) {
      auto answer = answer_to(error);
      unread_ = true;
      return answer ? respond(std::move(*answer), false) : close();
    }
    const bool keep_alive = parser_->get().keep_alive();
    chunked_ = parser_->get().version() >= 11;
    head_ = parser_->get().method() == http::verb::head;
    auto request = plain_request(parser_->get(), peer_);
    if (!request) return respond(std::move(request.error()), keep_alive);
    if (parts_->waiting.fetch_add(1) >= parts_->limits.waiting) {
      --parts_->waiting;
      return respond(too_busy(), keep_alive);
    }
    // The handler may ask the actor tree and wait: not on the thread that serves all the others.
    asio::post(parts_->handlers, [self = this->shared_from_this(), request = std::move(*request), keep_alive] {
      --self->parts_->waiting;
      auto response = handled(self->parts_->handler, request);
      asio::post(self->stream_.get_executor(), [self, response = std::move(response), keep_alive]() mutable {
        self->respond(std::move(response), keep_alive);
      });
    });
  }

  void respond(http_response response, bool keep_alive) {
    message_ = {};
    message_.version(11);
    message_.result(response.status);
    message_.set(http::field::content_type, response.content_type);
    message_.set(http::field::cache_control, "no-store");
    for (const auto& [name, value] : response.headers) message_.set(name, value);
    if (response.stream) return begin_stream(std::move(response.stream));
    message_.keep_alive(keep_alive);
    if (!head_) message_.body() = std::move(response.body);
    message_.prepare_payload();
    lowest().expires_after(idle_timeout);
    http::async_write(stream_, message_,
                      [self = this->shared_from_this(), keep_alive](beast::error_code e, std::size_t) {
                        if (e || !keep_alive)
                          self->close();
                        else
                          self->read();
                      });
  }

  // ---- a body that comes over time

  void begin_stream(std::shared_ptr<body_stream> body) {
    body_ = std::move(body);
    message_.keep_alive(false);
    if (chunked_) message_.chunked(true);
    serializer_.emplace(message_);
    writing_ = true;
    lowest().expires_after(idle_timeout);
    http::async_write_header(stream_, *serializer_,
                             [self = this->shared_from_this()](beast::error_code e, std::size_t) {
                               if (e) return self->close();
                               self->watch_reader();
                               self->writing_ = false;
                               self->body_->on_ready([weak = self->weak_from_this()] {
                                 auto alive = weak.lock();
                                 if (!alive) return;
                                 // Moved, not copied: the last reference must not end here, under whatever lock the
                                 // waker is called.
                                 const auto executor = alive->stream_.get_executor();
                                 asio::post(executor, [alive = std::move(alive)] { alive->pump(); });
                               });
                               self->pump();
                             });
  }

  /// The reader has nothing more to say: whatever comes from it, or its end, ends the stream.
  void watch_reader() {
    lowest().expires_never();
    stream_.async_read_some(asio::buffer(ignored_), [self = this->shared_from_this()](beast::error_code, std::size_t) {
      self->body_->close();
      self->close();
    });
  }

  void pump() {
    if (writing_ || closed_) return;
    piece_ = body_->take();
    const bool last = piece_.empty() && body_->ended();
    if (piece_.empty() && !last) return;
    writing_ = true;
    lowest().expires_after(idle_timeout);
    const auto sent = [self = this->shared_from_this(), last](beast::error_code e, std::size_t) {
      self->writing_ = false;
      if (e || last)
        self->close();
      else
        self->pump();
    };
    if (!chunked_)
      asio::async_write(stream_, asio::buffer(piece_), sent);
    else if (last)
      asio::async_write(stream_, http::make_chunk_last(), sent);
    else
      asio::async_write(stream_, http::make_chunk(asio::const_buffer(piece_.data(), piece_.size())), sent);
  }

  void close() {
    if (std::exchange(closed_, true)) return;
    if (body_) body_->close();
    beast::error_code ignored;
    if (unread_) {
      lowest().socket().shutdown(tcp::socket::shutdown_send, ignored);
      lowest().expires_after(std::chrono::seconds(2));
      return drain(drain_limit);
    }
    if constexpr (secure) {
      if (!body_) { // a reader that waits for the end is told so, unless an operation of the stream is still under way
        lowest().expires_after(std::chrono::seconds(2));
        return stream_.async_shutdown([self = this->shared_from_this()](beast::error_code) { self->lowest().close(); });
      }
      lowest().socket().shutdown(tcp::socket::shutdown_both, ignored);
    } else {
      lowest().socket().shutdown(tcp::socket::shutdown_both, ignored);
    }
  }

  /// Reads on for a moment what nobody wants: closing a socket with unread bytes resets it, and the reader may lose the
  /// answer that says why.
  void drain(std::size_t left) {
    lowest().async_read_some(asio::buffer(ignored_),
                             [self = this->shared_from_this(), left](beast::error_code e, std::size_t n) {
                               if (!e && n < left) self->drain(left - n);
                             });
  }

  std::shared_ptr<shared_parts> parts_; // before the stream: its TLS context outlives it
  Stream stream_;
  std::string peer_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  http::response<http::string_body> message_;
  std::optional<http::response_serializer<http::string_body>> serializer_;
  std::shared_ptr<body_stream> body_;
  std::string piece_;
  std::array<char, 4096> ignored_{};
  bool chunked_{true};
  bool head_{false};   ///< the request wants no body
  bool unread_{false}; ///< the rest of a request that was not read may still come
  bool writing_{false};
  bool closed_{false};
};

} // namespace homeostat::http_detail
