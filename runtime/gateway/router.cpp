#include "runtime/gateway/router.hpp"

#include "messages/control.pb.h"
#include "messages/json.hpp"
#include "messages/text.hpp"

#include <algorithm>
#include <charconv>

namespace homeostat {

namespace {

std::vector<std::string_view> parts_of(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    path.remove_prefix(1); // the slash
    const auto end = std::min(path.find('/'), path.size());
    parts.push_back(path.substr(0, end));
    path.remove_prefix(end);
  }
  return parts;
}

bool is_name(std::string_view part) { return part.starts_with('{') && part.ends_with('}'); }

bool fits(std::string_view pattern, std::string_view path) {
  const auto wanted = parts_of(pattern), found = parts_of(path);
  return std::ranges::equal(wanted, found,
                            [](std::string_view w, std::string_view f) { return is_name(w) ? !f.empty() : w == f; });
}

} // namespace

std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_space) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i] == '+' && plus_is_space ? ' ' : text[i];
      continue;
    }
    unsigned value = 0;
    if (i + 2 >= text.size()) return std::nullopt;
    const auto [end, error] = std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16);
    if (error != std::errc() || end != text.data() + i + 3) return std::nullopt;
    out += static_cast<char>(value);
    i += 2;
  }
  return out;
}

std::optional<std::string> api_request::query_value(const std::string& key) const {
  const auto at = query.find(key);
  return at == query.end() ? std::nullopt : std::optional(at->second);
}

void router::add(api_route route) { routes_.push_back(std::move(route)); }

std::expected<router::match, http_response> router::find(const http_request& request) const {
  std::string allowed;
  for (const api_route& route : routes_) {
    if (!fits(route.path, request.path)) continue;
    if (route.method != request.method) {
      allowed += (allowed.empty() ? "" : ", ") + route.method;
      continue;
    }
    match m{.route = &route, .path = {}};
    const auto pattern = parts_of(route.path), given = parts_of(request.path);
    for (std::size_t i = 0; i < pattern.size(); ++i) {
      if (!is_name(pattern[i])) continue;
      const auto value = percent_decoded(given[i], false);
      if (!value) return std::unexpected(problem(400, "bad path", "the path is not percent-encoded text"));
      m.path.emplace(pattern[i].substr(1, pattern[i].size() - 2), *value);
    }
    return m;
  }
  if (allowed.empty())
    return std::unexpected(
        problem(404, "no such page", request.method + " " + request.path + " is not part of this API"));
  http_response refused = problem(405, "method not allowed", request.path + " takes " + allowed);
  refused.headers.emplace_back("Allow", allowed);
  return std::unexpected(std::move(refused));
}

std::expected<api_request, http_response> request_for(const router::match& m, const http_request& request,
                                                      api_caller caller) {
  api_request wanted{.http = request, .caller = std::move(caller), .path = m.path};
  std::string_view rest = request.query;
  while (!rest.empty()) {
    const std::string_view one = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
    const auto equals = one.find('=');
    const auto key = percent_decoded(one.substr(0, equals), true);
    const auto value = equals == std::string_view::npos ? std::optional<std::string>("")
                                                        : percent_decoded(one.substr(equals + 1), true);
    if (!key || !value) return std::unexpected(problem(400, "bad query", "the query is not percent-encoded text"));
    if (std::ranges::find(m.route->query, *key, &query_key::name) == m.route->query.end()) {
      std::string known;
      for (const query_key& k : m.route->query) known += (known.empty() ? "" : ", ") + k.name;
      return std::unexpected(
          problem(400, "bad query",
                  "'" + *key + "' is not known, expected " + (known.empty() ? std::string("no query") : known)));
    }
    wanted.query[*key] = *value;
  }
  return wanted;
}

http_response problem(unsigned status, const std::string& title, const std::string& detail) {
  v1::Problem p;
  p.set_title(title);
  p.set_status(status);
  p.set_detail(codec::text(detail)); // names what the caller sent, which may be any bytes
  return {.status = status, .body = to_json(p), .content_type = "application/problem+json"};
}

http_response json_answer(const google::protobuf::Message& message, unsigned status) {
  return {.status = status, .body = to_json(message), .content_type = "application/json"};
}

std::expected<void, http_response> read_body(const api_request& request, google::protobuf::Message& message) {
  if (request.http.body.empty()) return {};
  if (auto ok = from_json(request.http.body, message); !ok)
    return std::unexpected(problem(400, "bad body", ok.error()));
  return {};
}

std::expected<std::string, http_response> actor_of(const api_request& request, const std::string& in_body) {
  const std::string& token = request.caller.name;
  if (token.empty()) return in_body.empty() ? std::string("anonymous") : in_body;
  if (!in_body.empty() && in_body != token)
    return std::unexpected(
        problem(400, "another actor",
                "the body's actor is '" + in_body + "', the token's is '" + token + "': leave the actor out"));
  return token;
}

} // namespace homeostat
