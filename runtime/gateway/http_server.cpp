#include "runtime/gateway/http_server.hpp"

#include "runtime/gateway/http_session.hpp"

#include <boost/asio/strand.hpp>

#include <thread>

namespace homeostat {

namespace http_detail {

namespace {

/// Problem answers of the server itself; those of the API are made in router.cpp.
http_response plain_problem(unsigned status, const std::string& title) {
  return {.status = status,
          .body = R"({"title":")" + title + R"(","status":)" + std::to_string(status) + "}",
          .content_type = "application/problem+json"};
}

} // namespace

std::expected<http_request, http_response> plain_request(const http::request<http::string_body>& message,
                                                         std::string peer) {
  // A header given twice has two readers: a proxy before us may have judged the other one.
  for (const char* once : {"Authorization", "If-Match", "Idempotency-Key", "Last-Event-ID", "Host"})
    if (message.count(once) > 1) return std::unexpected(plain_problem(400, std::string(once) + " is given twice"));
  const std::string target(message.target());
  if (!target.starts_with('/')) return std::unexpected(plain_problem(400, "the target is not a path"));
  const auto mark = target.find('?');
  return http_request{.method = std::string(message.method_string()),
                      .path = target.substr(0, mark),
                      .query = mark == std::string::npos ? "" : target.substr(mark + 1),
                      .body = message.body(),
                      .authorization = std::string(message[http::field::authorization]),
                      .if_match = std::string(message[http::field::if_match]),
                      .idempotency_key = std::string(message["Idempotency-Key"]),
                      .accept = std::string(message[http::field::accept]),
                      .last_event_id = std::string(message["Last-Event-ID"]),
                      .host = std::string(message[http::field::host]),
                      .origin = std::string(message[http::field::origin]),
                      .if_none_match = std::string(message[http::field::if_none_match]),
                      .peer = std::move(peer)};
}

std::optional<http_response> answer_to(beast::error_code error) {
  if (error == http::error::body_limit) return plain_problem(413, "request too large");
  if (error == http::error::header_limit) return plain_problem(431, "headers too large");
  // What the parser refuses has a reader; what the transport refuses has none.
  if (error.category() == make_error_code(http::error::bad_method).category() && error != http::error::end_of_stream &&
      error != http::error::partial_message)
    return plain_problem(400, "not an HTTP/1.1 request");
  return std::nullopt;
}

http_response handled(const http_handler& handler, const http_request& request) {
  try {
    return handler(request);
  } catch (const std::exception&) { return plain_problem(500, "internal error"); }
}

http_response too_busy() {
  http_response response = plain_problem(503, "too many requests are waiting");
  response.headers.emplace_back("Retry-After", "1");
  return response;
}

} // namespace http_detail

namespace {

using namespace http_detail;

asio::ssl::context tls_context(const tls_files& files) {
  asio::ssl::context context(asio::ssl::context::tls_server);
  context.set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 |
                      asio::ssl::context::no_tlsv1_1 | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  context.use_certificate_chain_file(files.certificate);
  context.use_private_key_file(files.key, asio::ssl::context::pem);
  if (SSL_CTX_check_private_key(context.native_handle()) != 1)
    throw std::runtime_error("the key " + files.key + " does not belong to the certificate " + files.certificate);
  return context;
}

class server final : public http_server {
public:
  server(tcp::endpoint endpoint, std::shared_ptr<shared_parts> parts) : acceptor_(context_), parts_(std::move(parts)) {
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
      if (!error && parts_->connections.load() < parts_->limits.connections) {
        if (parts_->tls)
          std::make_shared<session<beast::ssl_stream<beast::tcp_stream>>>(std::move(socket), parts_)->start();
        else
          std::make_shared<session<beast::tcp_stream>>(std::move(socket), parts_)->start();
      }
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
                                                                            http_handler handler,
                                                                            const std::optional<tls_files>& tls,
                                                                            const http_limits& limits) {
  const auto fail = [&](const std::string& why) {
    return std::unexpected("cannot listen on " + host + ":" + std::to_string(port) + ": " + why);
  };
  boost::system::error_code error;
  const auto address = asio::ip::make_address(host, error);
  if (error) return fail("'" + host + "' is not an IP address");
  if (!address.is_loopback() && !tls) return fail("not a loopback address; off loopback needs TLS and tokens");
  auto parts = std::make_shared<shared_parts>();
  parts->handler = std::move(handler);
  parts->limits = limits;
  try {
    if (tls) parts->tls.emplace(tls_context(*tls));
  } catch (const std::exception& e) {
    return fail("TLS with certificate " + tls->certificate + " and key " + tls->key + ": " + e.what());
  }
  try {
    return std::make_unique<server>(tcp::endpoint(address, port), std::move(parts));
  } catch (const boost::system::system_error& e) { return fail(e.code().message()); }
}

} // namespace homeostat
