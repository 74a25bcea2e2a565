#include "runtime/gateway/api.hpp"

#include "messages/control.pb.h"
#include "messages/json.hpp"
#include "runtime/gateway/metrics.hpp"
#include "runtime/version.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>

namespace homeostat {

namespace {

constexpr std::size_t default_tail = 20;

http_response problem(unsigned status, const std::string& title, const std::string& detail) {
  v1::Problem p;
  p.set_title(title);
  p.set_status(status);
  p.set_detail(detail);
  return {.status = status, .body = to_json(p), .content_type = "application/problem+json"};
}

http_response json(const google::protobuf::Message& message, unsigned status = 200) {
  return {.status = status, .body = to_json(message), .content_type = "application/json"};
}

std::optional<std::string> unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i] == '+' ? ' ' : text[i];
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

std::optional<std::map<std::string, std::string>> query_of(const http_request& request) {
  std::map<std::string, std::string> query;
  std::string_view rest = request.query;
  while (!rest.empty()) {
    const std::string_view one = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
    const auto equals = one.find('=');
    auto key = unescape(one.substr(0, equals));
    auto value = equals == std::string_view::npos ? std::optional<std::string>("") : unescape(one.substr(equals + 1));
    if (!key || !value) return std::nullopt;
    query[*key] = *value;
  }
  return query;
}

http_response get_status(node& n) {
  auto loops = n.status();
  if (!loops) return problem(503, "no answer", loops.error());
  v1::NodeStatus status;
  status.set_name(n.config().name);
  status.set_version(version);
  for (const loop_status& loop : *loops) status.add_loops()->ParseFromString(encode(loop));
  const group_stats audit = n.audit_stats();
  status.set_audit(audit.failed == 0 && audit.refused == 0 ? "ok"
                                                           : std::to_string(audit.failed) + " batches failed, " +
                                                                 std::to_string(audit.refused) + " refused");
  return json(status);
}

http_response get_audit(node& n, const http_request& request) {
  const auto query = query_of(request);
  if (!query) return problem(400, "bad query", "the query is not percent-encoded text");
  std::size_t count = default_tail;
  std::optional<std::string> loop;
  for (const auto& [key, value] : *query) {
    if (key == "loop") {
      loop = value;
    } else if (key == "tail") {
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), count);
      if (error != std::errc() || end != value.data() + value.size() || count < 1 || count > max_read_count)
        return problem(400, "bad query",
                       "tail is '" + value + "', expected a number from 1 to " + std::to_string(max_read_count));
    } else {
      return problem(400, "bad query", "'" + key + "' is not known, expected tail or loop");
    }
  }
  auto records = n.audit_store().tail(count, loop ? std::optional<std::string_view>(*loop) : std::nullopt);
  if (!records) return problem(503, "the store does not answer", records.error().what);
  v1::AuditPage page;
  for (const stored_record& record : *records) {
    v1::AuditEntry* entry = page.add_entries();
    entry->set_sequence(record.sequence);
    entry->set_hash(to_hex(record.hash));
    entry->mutable_record()->ParseFromString(record.payload);
  }
  return json(page);
}

http_response post_command(node& n, const std::string& loop, const std::string& action, const http_request& request) {
  static const std::map<std::string, operator_action> actions{{"pause", operator_action::pause},
                                                              {"resume", operator_action::resume},
                                                              {"rollback", operator_action::rollback},
                                                              {"safe-mode-reset", operator_action::reset_safe_mode},
                                                              {"baseline", operator_action::set_baseline}};
  const auto known = actions.find(action);
  if (known == actions.end())
    return problem(404, "no such action",
                   "'" + action + "' is not known, expected pause, resume, rollback, safe-mode-reset or baseline");
  v1::OperatorCommand body;
  if (!request.body.empty())
    if (auto ok = from_json(request.body, body); !ok) return problem(400, "bad body", ok.error());
  if (!body.action().empty() || body.values_size() > 0 || body.override_bounds())
    return problem(400, "bad body", "expected the fields actor and text only");
  const auto& loops = n.config().loops;
  if (std::ranges::find(loops, loop, &loop_config::name) == loops.end())
    return problem(404, "no such loop", "no loop '" + loop + "' is configured here");
  const command_result result = n.command(loop, {.action = known->second,
                                                 .actor = body.actor().empty() ? "anonymous" : body.actor(),
                                                 .text = body.text(),
                                                 .values = {},
                                                 .override_bounds = false});
  v1::CommandResult answer;
  answer.set_ok(result.ok);
  answer.set_text(result.text);
  return json(answer, result.ok ? 200 : 409);
}

http_response get_ready(node& n) {
  const auto loops = n.status();
  if (!loops) return problem(503, "not ready", loops.error());
  for (const loop_status& loop : *loops)
    if (loop.state == "starting" || loop.state == "down")
      return problem(503, "not ready", "loop " + loop.name + " is " + loop.state);
  return {.status = 200, .body = "ready\n", .content_type = "text/plain"};
}

http_response get_metrics(node& n) {
  const auto loops = n.status();
  if (!loops) return problem(503, "no answer", loops.error());
  return {.status = 200, .body = metrics_text(*loops, n.audit_stats()), .content_type = "text/plain; version=0.0.4"};
}

std::vector<std::string> parts_of(const std::string& path) {
  std::vector<std::string> parts;
  std::size_t at = 0;
  while (at < path.size()) {
    const auto slash = path.find('/', at + 1);
    parts.push_back(path.substr(at + 1, slash == std::string::npos ? slash : slash - at - 1));
    at = slash == std::string::npos ? path.size() : slash;
  }
  return parts;
}

http_response route(node& n, const http_request& request) {
  const bool get = request.method == "GET";
  static const std::map<std::string, http_response (*)(node&)> pages{
      {"/readyz", get_ready}, {"/metrics", get_metrics}, {"/api/v1/status", get_status}};
  if (const auto page = pages.find(request.path); page != pages.end())
    return get ? page->second(n) : problem(405, "method not allowed", request.path + " takes GET");
  if (request.path == "/healthz")
    return get ? http_response{.status = 200, .body = "ok\n", .content_type = "text/plain"}
               : problem(405, "method not allowed", "/healthz takes GET");
  if (request.path == "/api/v1/audit")
    return get ? get_audit(n, request) : problem(405, "method not allowed", "/api/v1/audit takes GET");
  const auto parts = parts_of(request.path);
  if (parts.size() == 5 && parts[0] == "api" && parts[1] == "v1" && parts[2] == "loops") {
    const auto loop = unescape(parts[3]);
    if (!loop) return problem(400, "bad path", "the loop's name is not percent-encoded text");
    if (request.method != "POST") return problem(405, "method not allowed", "commands take POST");
    return post_command(n, *loop, parts[4], request);
  }
  return problem(404, "no such page", request.method + " " + request.path + " is not part of this API");
}

} // namespace

http_handler make_api(node& n) {
  return [&n](const http_request& request) { return route(n, request); };
}

std::expected<std::unique_ptr<http_server>, std::string> serve_api(node& n) {
  return http_server::start(n.config().api_host, n.config().api_port, make_api(n));
}

} // namespace homeostat
