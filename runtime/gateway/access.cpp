#include "runtime/gateway/access.hpp"

#include <algorithm>

namespace homeostat {

namespace {

// Names of buckets that no token can have. A flood of wrong tokens must not keep a supervisor's /healthz waiting, nor
// the holders of true ones.
const std::string anonymous_bucket = "/anonymous";
const std::string open_bucket = "/open";
const std::string loopback_bucket = "/loopback";

/// @returns the token of "Bearer TOKEN"; nothing where the header has another form.
std::optional<std::string_view> bearer_of(std::string_view header) {
  constexpr std::string_view scheme = "bearer ";
  if (header.size() <= scheme.size() || header.size() > 512) return std::nullopt;
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  if (!std::ranges::equal(header.substr(0, scheme.size()), scheme, {}, lower)) return std::nullopt;
  return header.substr(scheme.size());
}

/// Where loopback alone is the guard, a browser on the same machine is inside it, whatever page it shows. So a page of
/// another origin may not ask (cross-site requests), nor one whose name somebody made point here (DNS rebinding).
/// With tokens this does not matter: a browser adds no Authorization by itself.
bool from_here(const http_request& request) {
  const std::string& host = request.host;
  if (host.empty()) return request.origin.empty();
  const std::string name = host.ends_with(']') ? host : host.substr(0, host.rfind(':'));
  const bool loopback = name == "localhost" || name == "[::1]" ||
                        (name.starts_with("127.") && name.find_first_not_of("0123456789.") == std::string::npos);
  return loopback &&
         (request.origin.empty() || request.origin == "http://" + host || request.origin == "https://" + host);
}

http_response unauthorized(const std::string& detail, const std::string& challenge) {
  http_response response = problem(401, "who are you", detail);
  response.headers.emplace_back("WWW-Authenticate", challenge);
  return response;
}

/// @returns the text as a line of the audit takes it: printable, short.
std::string plain(std::string text) {
  constexpr std::size_t limit = 200;
  if (text.size() > limit) text = text.substr(0, limit) + "...";
  std::ranges::replace_if(text, [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

} // namespace

access_control::access_control(std::unique_ptr<token_store> tokens, std::function<void(audit_record)> record,
                               std::function<instant()> now, request_rate rate)
    : tokens_(std::move(tokens)), record_(std::move(record)), now_(std::move(now)), limiter_(rate) {}

std::optional<http_response> access_control::too_often(const std::string& caller) {
  const std::lock_guard lock(mutex_);
  const auto wait = limiter_.refuse(caller, now_());
  if (!wait) return std::nullopt;
  http_response response = problem(429, "too many requests", "ask again in " + std::to_string(*wait / 1ms + 1) + " ms");
  response.headers.emplace_back("Retry-After", std::to_string(std::chrono::ceil<std::chrono::seconds>(*wait).count()));
  return response;
}

std::expected<api_caller, http_response> access_control::identify(const http_request& request) {
  if (!tokens_) {
    if (!from_here(request)) {
      refused(request, "unknown", "403: a page of another site");
      return std::unexpected(problem(403, "another site",
                                     "without tokens the API serves only requests to a loopback address or localhost, "
                                     "and no pages of other origins"));
    }
    if (auto wait = too_often(loopback_bucket)) return std::unexpected(std::move(*wait));
    return api_caller{};
  }
  const auto text = bearer_of(request.authorization);
  const auto token = text ? tokens_->find(*text) : std::nullopt;
  if (token) {
    if (auto wait = too_often(token->name)) return std::unexpected(std::move(*wait));
    return api_caller{.name = token->name, .acts_as = token->acts_as};
  }
  const bool none = request.authorization.empty();
  const std::string why = none    ? "no token"
                          : !text ? "an Authorization header that is not a Bearer token"
                                  : "a token that is not valid";
  refused(request, "unknown", "401: " + why);
  if (auto wait = too_often(anonymous_bucket)) return std::unexpected(std::move(*wait));
  return std::unexpected(
      unauthorized("the request has " + why + "; `homeostat token create` makes one",
                   none ? "Bearer realm=\"homeostat\"" : "Bearer realm=\"homeostat\", error=\"invalid_token\""));
}

std::expected<api_caller, http_response> access_control::admit(const http_request& request,
                                                               std::optional<permission> needs) {
  if (!needs) {
    if (auto wait = too_often(open_bucket)) return std::unexpected(std::move(*wait));
    return api_caller{.name = {}, .acts_as = role::viewer};
  }
  auto caller = identify(request);
  if (!caller || permits(caller->acts_as, *needs)) return caller;
  const std::string missing(name_of(*needs));
  refused(request, caller->name, "403: a " + std::string(name_of(caller->acts_as)) + " without " + missing);
  return std::unexpected(problem(403, "not permitted",
                                 "the role " + std::string(name_of(caller->acts_as)) + " of token '" + caller->name +
                                     "' does not have the permission '" + missing + "'"));
}

std::expected<api_caller, http_response> access_control::admit_unknown(const http_request& request) {
  return identify(request);
}

bool access_control::still_permits(const std::string& authorization, permission what) {
  if (!tokens_) return true;
  const auto text = bearer_of(authorization);
  const auto token = text ? tokens_->find(*text) : std::nullopt;
  return token && permits(token->acts_as, what);
}

void access_control::refused(const http_request& request, const std::string& actor, const std::string& text) {
  const instant now = now_();
  refusal_count::verdict verdict;
  {
    const std::lock_guard lock(mutex_);
    verdict = refusals_.take(now);
  }
  record_left_out(verdict.left_out);
  if (!verdict.itself) return;
  audit_record record;
  record.time = now;
  record.kind = audit_kind::access_refused;
  record.source = "api";
  record.actor = actor;
  record.evidence = plain(request.method + " " + request.path + " from " + request.peer);
  record.text = text;
  record_(std::move(record));
}

void access_control::record_left_out(std::uint64_t count) {
  if (count == 0) return;
  audit_record record;
  record.time = now_();
  record.kind = audit_kind::access_refused;
  record.source = "api";
  record.actor = "unknown";
  record.text = "and " + std::to_string(count) + " more";
  record_(std::move(record));
}

void access_control::flush(bool at_end) {
  std::uint64_t count = 0;
  {
    const std::lock_guard lock(mutex_);
    count = at_end ? refusals_.left_out_at_end() : refusals_.left_out(now_());
  }
  record_left_out(count);
}

} // namespace homeostat
