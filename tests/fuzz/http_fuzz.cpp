// Any bytes as requests to the API, handled in process by a real node: every answer is one that the API may give.
//
// An input that begins with a capital letter is what comes over a connection. Any other is one request, put together so
// that every handler is reached: a byte for the route, a byte of flags, then the lines `path or query`, `header`, and
// the rest is the body.
#include "messages/control.pb.h"
#include "messages/json.hpp"
#include "messages/text.hpp"
#include "runtime/gateway/api.hpp"
#include "runtime/gateway/http_session.hpp"
#include "tests/runtime/gateway/still_node.hpp"

#include <boost/beast/_experimental/test/stream.hpp>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/stubs/logging.h>
#include <spdlog/spdlog.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <thread>

namespace {

using namespace homeostat;
using google::protobuf::Struct;

// What the bytes are not is no news here. Before any thread: the setter is not safe for several.
[[maybe_unused]] const auto loud = google::protobuf::SetLogHandler(nullptr);

[[noreturn]] void broken(const std::string& why, const http_request& request, const http_response& response) {
  std::fprintf(stderr, "%s\n%s %s?%s\n%u %s\n%.2000s\n", why.c_str(), request.method.c_str(), request.path.c_str(),
               request.query.c_str(), response.status, response.content_type.c_str(), response.body.c_str());
  std::abort();
}

struct operation {
  std::string method;
  std::string path;
  std::set<unsigned> statuses; ///< that its description has
};

/// One node with two doors: without tokens, and with one token for each role.
struct world {
  testing::still_node still;
  std::vector<std::string> tokens;
  http_handler open, guarded;
  std::vector<operation> operations;
  int requests{0};

  world() {
    const request_rate unlimited{.per_second = 1e9, .burst = 1e9};
    const auto file = still.folder() / "tokens";
    for (const role r : all_roles)
      tokens.push_back(create_token(file, std::string("a") + name_of(r).data(), r).value());
    open = api_handler(*still.get(), nullptr, unlimited);
    guarded = api_handler(*still.get(), token_store::open(file).value(), unlimited);
    while (ask("/readyz").status != 200) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    read_operations();
  }

  http_response ask(const std::string& path) {
    return open({.method = "GET", .path = path, .query = {}, .body = {}, .host = "localhost"});
  }

  void read_operations() {
    Struct document;
    if (!from_json(ask("/openapi.json").body, document)) std::abort();
    std::set<std::string> sorted; // a Protobuf map has no order
    const auto& paths = document.fields().at("paths").struct_value().fields();
    for (const auto& [path, item] : paths) sorted.insert(path);
    for (const std::string& path : sorted)
      for (const std::string method : {"get", "post"}) {
        const auto& methods = paths.at(path).struct_value().fields();
        if (!methods.contains(method)) continue;
        operation o{.method = method == "get" ? "GET" : "POST", .path = path, .statuses = {304}};
        for (const auto& [status, body] :
             methods.at(method).struct_value().fields().at("responses").struct_value().fields())
          o.statuses.insert(static_cast<unsigned>(std::stoul(status)));
        operations.push_back(std::move(o));
      }
  }
};

/// The world in use, to the end of the program. When that comes, what CAF keeps for the main thread is gone already, so
/// another thread ends the node; what the libraries made for the first world is still there.
struct present_world {
  std::unique_ptr<world> now = std::make_unique<world>();
  ~present_world() {
    std::thread([this] { now.reset(); }).join();
  }
};

/// What holds of every answer, whoever asked for what.
void check(const http_request& request, const http_response& response) {
  if (response.status < 200 || response.status > 599 || response.status == 500)
    broken("no status that the API has", request, response);
  for (const auto& [name, value] : response.headers)
    for (const char c : value)
      if (static_cast<unsigned char>(c) < ' ' || c == '\x7f')
        broken("a header with a control character", request, response);
  if (response.content_type.contains("json") && codec::text(response.body) != response.body)
    broken("JSON that is not UTF-8", request, response);
  if (response.stream) {
    (void)response.stream->take();
    response.stream->close();
  } else if (response.content_type == "application/problem+json") {
    v1::Problem problem;
    if (!from_json(response.body, problem)) broken("a problem that is not JSON", request, response);
    if (problem.status() != response.status || problem.title().empty() || response.status < 400)
      broken("a problem of another status", request, response);
  } else if (response.content_type == "application/json") {
    Struct body;
    if (!from_json(response.body, body)) broken("an answer that is not JSON", request, response);
    // Only commands that the loop refused say so in the message of their answer.
    if (response.status >= 300 && !body.fields().contains("ok"))
      broken("a refusal without a problem", request, response);
  } else if (response.status >= 400) {
    broken("a refusal without a problem", request, response);
  }
}

void answer(world& w, const http_request& request, const operation* known = nullptr) {
  const auto response = http_detail::handled(request.authorization.empty() ? w.open : w.guarded, request);
  check(request, response);
  if (known != nullptr && !known->statuses.contains(response.status))
    broken("a status that /openapi.json does not have", request, response);
}

/// As a session reads them, one after the other, until the connection would be closed.
void from_connection(world& w, std::string_view bytes) {
  using namespace http_detail;
  asio::io_context context;
  beast::test::stream stream(context, beast::string_view(bytes.data(), bytes.size()));
  stream.close_remote();
  beast::flat_buffer buffer;
  for (;;) {
    http::request_parser<http::string_body> parser;
    parser.body_limit(body_limit);
    parser.header_limit(header_limit);
    beast::error_code error;
    http::read(stream, buffer, parser, error);
    if (error) {
      if (const auto refused = answer_to(error)) check({}, *refused);
      return;
    }
    const auto request = plain_request(parser.get(), "127.0.0.1");
    if (request)
      answer(w, *request);
    else
      check({}, request.error());
    if (!parser.get().keep_alive()) return;
  }
}

std::string next_line(std::string_view& rest) {
  const auto end = std::min(rest.find('\n'), rest.size());
  std::string line(rest.substr(0, end));
  rest.remove_prefix(std::min(rest.size(), end + 1));
  return line;
}

void put_together(world& w, std::uint8_t choice, std::uint8_t flags, std::string_view rest) {
  const operation& o = w.operations[choice % w.operations.size()];
  const std::string where = next_line(rest), header = next_line(rest);
  http_request request{.method = o.method, .path = {}, .query = {}, .body = std::string(rest), .host = "localhost:1"};
  // The names in the path: of a loop, a number, or whatever the input says.
  const bool known = (flags & 0x08U) != 0;
  for (std::size_t at = 0; at < o.path.size(); ++at) {
    if (o.path[at] != '{') {
      request.path += o.path[at];
      continue;
    }
    const auto end = o.path.find('}', at);
    request.path += known ? (o.path.substr(at, end - at) == "{loop" ? "web" : "1") : where;
    at = end;
  }
  if (known || !o.path.contains('{')) request.query = where;
  const std::size_t caller = flags & 0x07U; // five tokens, a header, two times nobody
  if (caller < w.tokens.size()) request.authorization = "Bearer " + w.tokens[caller];
  if (caller == w.tokens.size()) request.authorization = header;
  if ((flags & 0x10U) != 0) request.idempotency_key = header;
  if ((flags & 0x20U) != 0) request.if_match = header;
  if ((flags & 0x40U) != 0) request.last_event_id = header, request.if_none_match = header;
  if ((flags & 0x80U) != 0) request.host = header, request.origin = header;
  // A name with a slash in it is another path, of which nothing is documented.
  const bool same_path = known || !o.path.contains('{') || (!where.empty() && !where.contains('/'));
  answer(w, request, same_path ? &o : nullptr);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr int requests_of_one_node = 5000; // then a fresh one: a full list of proposals refuses everything
  spdlog::set_level(spdlog::level::off);
  static present_world at;
  auto& now = at.now;
  if (size < 2) return 0;
  if (++now->requests > requests_of_one_node) {
    now.reset(); // before the next one begins
    now = std::make_unique<world>();
  }
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (data[0] >= 'A' && data[0] <= 'Z')
    from_connection(*now, bytes);
  else
    put_together(*now, data[0], data[1], bytes.substr(2));
  return 0;
}
