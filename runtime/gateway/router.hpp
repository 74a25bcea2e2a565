#pragma once

#include "policies/authority/roles.hpp"
#include "runtime/gateway/http_server.hpp"

#include <google/protobuf/message.h>

#include <expected>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace homeostat {

/// Who sent a request.
struct api_caller {
  std::string name;          ///< of the token; empty without tokens, when callers say in the body who they are
  role acts_as{role::admin}; ///< without tokens everybody who reaches the loopback address is admin
};

/// A request as a handler gets it: parts of the path and the query are decoded, the caller may do what the route needs.
struct api_request {
  const http_request& http;
  api_caller caller;
  std::map<std::string, std::string> path{};  ///< by the names in the route's pattern
  std::map<std::string, std::string> query{}; ///< keys are known to the route

  /// @returns the value of a query key, or nothing.
  [[nodiscard]] std::optional<std::string> query_value(const std::string& key) const;
};

/// A key that a route takes in its query; any other key is a 400.
struct query_key {
  std::string name;
  std::string text; ///< for readers of /openapi.json
};

/// One thing the API does. The table of all routes is also what /openapi.json is made from.
struct api_route {
  std::string method;              ///< GET, POST, ...
  std::string path;                ///< "/api/v1/loops/{loop}/pause": a part in braces takes any non-empty part
  std::string text;                ///< what it does, one sentence
  std::optional<permission> needs; ///< nothing: open to everybody, also without a token
  const google::protobuf::Descriptor* takes{nullptr};   ///< message whose JSON is the body; null: no body
  const google::protobuf::Descriptor* answers{nullptr}; ///< message whose JSON is the answer; null: `content_type`
  std::string content_type{"application/json"};
  unsigned success{200}; ///< status of `answers`
  std::vector<query_key> query{};
  std::vector<unsigned> problems{}; ///< statuses of the handler's own refusals, beside those that any route may give
  std::vector<unsigned> refusals{}; ///< statuses that come with `answers` too, because it says why
  std::function<http_response(const api_request&)> handle;
};

/// The table of routes: method and path to handler.
class router {
public:
  struct match {
    const api_route* route;
    std::map<std::string, std::string> path; ///< decoded
  };

  /// @param route  its method and path are not in the table yet.
  void add(api_route route);
  [[nodiscard]] const std::vector<api_route>& routes() const { return routes_; }

  /// @returns the route of a request. Where a fixed path and a pattern both fit, the one added first is taken.
  /// @errors  problem answers: 404 no such path, 405 (with Allow) no such method there, 400 a part of the path is not
  ///          percent-encoded text.
  [[nodiscard]] std::expected<match, http_response> find(const http_request& request) const;

private:
  std::vector<api_route> routes_;
};

/// @returns the request for a route's handler, its query decoded.
/// @errors  problem answer 400: the query is not percent-encoded text, or has a key that the route does not take.
[[nodiscard]] std::expected<api_request, http_response> request_for(const router::match& m, const http_request& request,
                                                                    api_caller caller);

/// @returns the text with %XX decoded, or nothing where that does not work. @param plus_is_space  as in queries.
[[nodiscard]] std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_space);

// ---- answers ------------------------------------------------------------------------------------------------------

/// @returns problem+json (RFC 7807). @param detail  one sentence that tells the caller what to do otherwise.
[[nodiscard]] http_response problem(unsigned status, const std::string& title, const std::string& detail);
/// @returns a message as JSON.
[[nodiscard]] http_response json_answer(const google::protobuf::Message& message, unsigned status = 200);
/// @returns nothing when the body is the JSON of the message, which is filled in; an empty body leaves it empty.
/// @errors  problem answer 400 with the parser's words.
[[nodiscard]] std::expected<void, http_response> read_body(const api_request& request,
                                                           google::protobuf::Message& message);
/// @returns whom the audit names: the token's name; without tokens whoever the body says, or "anonymous".
/// @errors  problem answer 400: the body names somebody else than the token.
[[nodiscard]] std::expected<std::string, http_response> actor_of(const api_request& request,
                                                                 const std::string& in_body);

} // namespace homeostat
