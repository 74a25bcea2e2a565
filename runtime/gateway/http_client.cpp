#include "runtime/gateway/http_client.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>

#include <charconv>

namespace homeostat {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;

constexpr std::size_t answer_limit = 32 * 1024 * 1024; // an audit tail of 10,000 records

struct place {
  bool secure{false};
  std::string host; ///< without brackets
  std::string port;
  std::string authority; ///< as in the Host header
};

std::optional<place> place_of(std::string address) {
  place p;
  if (address.starts_with("https://")) {
    p.secure = true;
    address.erase(0, 8);
  } else if (address.starts_with("http://")) {
    address.erase(0, 7);
  }
  if (address.ends_with('/')) address.pop_back();
  const auto colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0) return std::nullopt;
  p.authority = address;
  p.host = address.substr(0, colon);
  p.port = address.substr(colon + 1);
  if (p.host.starts_with('[')) {
    if (!p.host.ends_with(']')) return std::nullopt;
    p.host = p.host.substr(1, p.host.size() - 2);
  }
  unsigned number = 0;
  const auto [end, error] = std::from_chars(p.port.data(), p.port.data() + p.port.size(), number);
  if (error != std::errc() || end != p.port.data() + p.port.size() || number < 1 || number > 65535 || p.host.empty() ||
      p.host.find_first_of("/?#@ ") != std::string::npos)
    return std::nullopt;
  return p;
}

bool is_loopback(const std::string& host) {
  boost::system::error_code error;
  const auto address = asio::ip::make_address(host, error);
  return host == "localhost" || (!error && address.is_loopback());
}

/// Asynchronous inside, because a synchronous Beast call ignores its time limit.
/// @tparam Stream  beast::tcp_stream, or that under TLS.
template <class Stream> struct exchange {
  asio::io_context& context;
  Stream& stream;
  http::request<http::string_body>& request;
  tcp::resolver resolver{context};
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  beast::error_code error{asio::error::timed_out};

  exchange(asio::io_context& c, Stream& s, http::request<http::string_body>& r) : context(c), stream(s), request(r) {}
  bool good(beast::error_code e) {
    if (e) error = e;
    return !e;
  }
  void run(const place& p, std::chrono::milliseconds patience) {
    parser.body_limit(answer_limit);
    beast::get_lowest_layer(stream).expires_after(patience);
    resolver.async_resolve(p.host, p.port, [this](beast::error_code e, const tcp::resolver::results_type& found) {
      if (!good(e)) return;
      beast::get_lowest_layer(stream).async_connect(found, [this](beast::error_code connected, const tcp::endpoint&) {
        if (good(connected)) greet();
      });
    });
    context.run_for(patience); // a name that nobody resolves ends here
  }
  void greet() {
    if constexpr (std::is_same_v<Stream, beast::tcp_stream>)
      send();
    else
      stream.async_handshake(asio::ssl::stream_base::client, [this](beast::error_code e) {
        if (good(e)) send();
      });
  }
  void send() {
    http::async_write(stream, request, [this](beast::error_code e, std::size_t) {
      if (good(e)) http::async_read(stream, buffer, parser, [this](beast::error_code r, std::size_t) { error = r; });
    });
  }
  [[nodiscard]] std::expected<http_response, std::string> result(const std::string& address) const {
    if (error)
      return std::unexpected("no answer from " + address + ": " + error.message() + " (is homeostatd running there?)");
    const auto& answer = parser.get();
    return http_response{.status = answer.result_int(),
                         .body = answer.body(),
                         .content_type = std::string(answer[http::field::content_type]),
                         .headers = {},
                         .stream = {}};
  }
};

std::expected<http_response, std::string> fetch_securely(const place& p, const http_peer& peer,
                                                         http::request<http::string_body>& request,
                                                         std::chrono::milliseconds patience) {
  asio::ssl::context tls(asio::ssl::context::tls_client);
  tls.set_options(asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1);
  tls.set_verify_mode(asio::ssl::verify_peer);
  boost::system::error_code bad;
  if (peer.ca.empty())
    tls.set_default_verify_paths(bad);
  else
    tls.load_verify_file(peer.ca, bad);
  if (bad) return std::unexpected("the certificates of " + peer.ca + " cannot be read: " + bad.message());
  tls.set_verify_callback(asio::ssl::host_name_verification(p.host));
  asio::io_context context;
  beast::ssl_stream<beast::tcp_stream> stream(context, tls);
  boost::system::error_code none;
  asio::ip::make_address(p.host, none);
  if (none) SSL_set_tlsext_host_name(stream.native_handle(), p.host.c_str()); // not for addresses: RFC 6066
  exchange<beast::ssl_stream<beast::tcp_stream>> e(context, stream, request);
  e.run(p, patience);
  return e.result(peer.address);
}

} // namespace

std::expected<http_response, std::string> http_fetch(const http_peer& peer, const std::string& method,
                                                     const std::string& target, const std::string& body,
                                                     std::chrono::milliseconds patience) {
  const auto p = place_of(peer.address);
  if (!p) return std::unexpected("'" + peer.address + "' is not an address like 127.0.0.1:8421 or https://host:8421");
  if (!p->secure && !is_loopback(p->host))
    return std::unexpected("'" + peer.address + "' is on another machine: use https://, which nobody can listen to");
  http::request<http::string_body> request;
  request.version(11);
  request.method_string(method);
  request.target(target);
  request.set(http::field::host, p->authority);
  request.set(http::field::connection, "close");
  if (!peer.token.empty()) request.set(http::field::authorization, "Bearer " + peer.token);
  if (!body.empty()) request.set(http::field::content_type, "application/json");
  request.body() = body;
  request.prepare_payload();
  if (p->secure) return fetch_securely(*p, peer, request, patience);
  asio::io_context context;
  beast::tcp_stream stream(context);
  exchange<beast::tcp_stream> e(context, stream, request);
  e.run(*p, patience);
  return e.result(peer.address);
}

} // namespace homeostat
