#include "runtime/gateway/http_server.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include <atomic>
#include <optional>
#include <thread>

namespace homeostat {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;

constexpr std::size_t body_limit = 64 * 1024; // an honest request is a few hundred bytes
constexpr unsigned header_limit = 16 * 1024;
constexpr auto idle_timeout = std::chrono::seconds(15);
constexpr int connection_limit = 256;
constexpr std::size_t handler_threads = 4;

struct shared_parts {
  http_handler handler;
  asio::thread_pool handlers{handler_threads};
  std::atomic<int> connections{0};
};

/// One connection, kept alive by its own pending operations.
class session : public std::enable_shared_from_this<session> {
public:
  session(tcp::socket socket, std::shared_ptr<shared_parts> parts)
      : stream_(std::move(socket)), parts_(std::move(parts)) {
    ++parts_->connections;
  }
  ~session() { --parts_->connections; }
  session(const session&) = delete;
  session& operator=(const session&) = delete;

  void read() {
    parser_.emplace();
    parser_->body_limit(body_limit);
    parser_->header_limit(header_limit);
    stream_.expires_after(idle_timeout);
    http::async_read(stream_, buffer_, *parser_,
                     [self = shared_from_this()](beast::error_code error, std::size_t) { self->on_read(error); });
  }

private:
  void on_read(beast::error_code error) {
    if (error == http::error::body_limit || error == http::error::header_limit)
      return write({.status = 413,
                    .body = R"({"title":"request too large","status":413})",
                    .content_type = "application/problem+json"},
                   false);
    if (error == http::error::end_of_stream || error == beast::error::timeout ||
        error == asio::error::operation_aborted)
      return close();
    if (error)
      return write({.status = 400,
                    .body = R"({"title":"not an HTTP/1.1 request","status":400})",
                    .content_type = "application/problem+json"},
                   false);
    const auto& message = parser_->get();
    const std::string target(message.target());
    const auto mark = target.find('?');
    http_request request{.method = std::string(message.method_string()),
                         .path = target.substr(0, mark),
                         .query = mark == std::string::npos ? "" : target.substr(mark + 1),
                         .body = message.body(),
                         .authorization = std::string(message[http::field::authorization]),
                         .if_match = std::string(message[http::field::if_match]),
                         .idempotency_key = std::string(message["Idempotency-Key"]),
                         .accept = std::string(message[http::field::accept]),
                         .last_event_id = std::string(message["Last-Event-ID"])};
    const bool keep_alive = message.keep_alive();
    // The handler may ask the actor tree and wait: not on the thread that serves all the others.
    asio::post(parts_->handlers, [self = shared_from_this(), request = std::move(request), keep_alive] {
      http_response response;
      try {
        response = self->parts_->handler(request);
      } catch (const std::exception& e) {
        response = {.status = 500,
                    .body = R"({"title":"internal error","status":500})",
                    .content_type = "application/problem+json"};
      }
      asio::post(self->stream_.get_executor(), [self, response = std::move(response), keep_alive]() mutable {
        self->write(std::move(response), keep_alive);
      });
    });
  }

  void write(http_response response, bool keep_alive) {
    message_ = {};
    message_.version(11);
    message_.result(response.status);
    message_.set(http::field::content_type, response.content_type);
    message_.set(http::field::cache_control, "no-store");
    for (const auto& [name, value] : response.headers) message_.set(name, value);
    message_.keep_alive(keep_alive);
    message_.body() = std::move(response.body);
    message_.prepare_payload();
    stream_.expires_after(idle_timeout);
    http::async_write(stream_, message_, [self = shared_from_this(), keep_alive](beast::error_code error, std::size_t) {
      if (error || !keep_alive)
        self->close();
      else
        self->read();
    });
  }

  void close() {
    beast::error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_both, ignored);
  }

  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  http::response<http::string_body> message_;
  std::shared_ptr<shared_parts> parts_;
};

class server final : public http_server {
public:
  server(tcp::endpoint endpoint, http_handler handler) : acceptor_(context_), parts_(std::make_shared<shared_parts>()) {
    parts_->handler = std::move(handler);
    acceptor_.open(endpoint.protocol());
    acceptor_.set_option(asio::socket_base::reuse_address(true));
    acceptor_.bind(endpoint);
    acceptor_.listen();
    accept();
    thread_ = std::thread([this] { context_.run(); });
  }
  ~server() override { stop(); }

  std::uint16_t port() const override { return acceptor_.local_endpoint().port(); }

  void stop() override {
    if (stopped_) return;
    stopped_ = true;
    context_.stop();
    if (thread_.joinable()) thread_.join();
    parts_->handlers.stop();
    parts_->handlers.join();
  }

private:
  void accept() {
    acceptor_.async_accept(asio::make_strand(context_), [this](beast::error_code error, tcp::socket socket) {
      if (error == asio::error::operation_aborted) return;
      // Beyond the limit the connection is closed unread: the daemon's own work goes first.
      if (!error && parts_->connections.load() < connection_limit)
        std::make_shared<session>(std::move(socket), parts_)->read();
      accept();
    });
  }

  asio::io_context context_{1};
  tcp::acceptor acceptor_;
  std::shared_ptr<shared_parts> parts_;
  std::thread thread_;
  bool stopped_{false};
};

} // namespace

std::expected<std::unique_ptr<http_server>, std::string> http_server::start(const std::string& host, std::uint16_t port,
                                                                            http_handler handler) {
  const auto fail = [&](const std::string& why) {
    return std::unexpected("cannot listen on " + host + ":" + std::to_string(port) + ": " + why);
  };
  boost::system::error_code error;
  const auto address = asio::ip::make_address(host, error);
  if (error) return fail("'" + host + "' is not an IP address");
  if (!address.is_loopback()) return fail("not a loopback address; off loopback needs TLS and a token");
  try {
    return std::make_unique<server>(tcp::endpoint(address, port), std::move(handler));
  } catch (const boost::system::system_error& e) { return fail(e.code().message()); }
}

} // namespace homeostat
