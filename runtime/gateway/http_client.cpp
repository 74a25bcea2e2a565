#include "runtime/gateway/http_client.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

namespace homeostat {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;

constexpr std::size_t answer_limit = 32 * 1024 * 1024; // an audit tail of 10,000 records

/// Asynchronous inside, because a synchronous Beast call ignores its time limit.
struct exchange {
  asio::io_context context;
  beast::tcp_stream stream{context};
  beast::flat_buffer buffer;
  http::request<http::string_body> request;
  http::response_parser<http::string_body> parser;
  beast::error_code error{asio::error::timed_out};

  void run(const tcp::endpoint& endpoint, std::chrono::milliseconds patience) {
    parser.body_limit(answer_limit);
    stream.expires_after(patience);
    stream.async_connect(endpoint, [this](beast::error_code e) {
      if (e) return void(error = e);
      http::async_write(stream, request, [this](beast::error_code sent, std::size_t) {
        if (sent) return void(error = sent);
        http::async_read(stream, buffer, parser, [this](beast::error_code received, std::size_t) { error = received; });
      });
    });
    context.run();
  }
};

} // namespace

std::expected<http_response, std::string> http_fetch(const std::string& address, const std::string& method,
                                                     const std::string& target, const std::string& body,
                                                     std::chrono::milliseconds patience) {
  const auto colon = address.rfind(':');
  boost::system::error_code bad;
  const auto ip = asio::ip::make_address(address.substr(0, colon), bad);
  int port = 0;
  if (colon != std::string::npos) port = std::atoi(address.c_str() + colon + 1);
  if (bad || port < 1 || port > 65535)
    return std::unexpected("'" + address + "' is not an address like 127.0.0.1:8421");
  exchange e;
  e.request.version(11);
  e.request.method_string(method);
  e.request.target(target);
  e.request.set(http::field::host, address);
  e.request.set(http::field::connection, "close");
  if (!body.empty()) e.request.set(http::field::content_type, "application/json");
  e.request.body() = body;
  e.request.prepare_payload();
  e.run(tcp::endpoint(ip, static_cast<std::uint16_t>(port)), patience);
  if (e.error)
    return std::unexpected("no answer from " + address + ": " + e.error.message() + " (is homeostatd running there?)");
  const auto& answer = e.parser.get();
  return http_response{.status = answer.result_int(),
                       .body = answer.body(),
                       .content_type = std::string(answer[http::field::content_type])};
}

} // namespace homeostat
