#include "messages/control.pb.h"
#include "runtime/gateway/api_routes.hpp"
#include "runtime/gateway/audit_message.hpp"

#include <charconv>

namespace homeostat {

namespace {

constexpr std::size_t default_tail = 20;

http_response get_audit(node& n, const api_request& request) {
  std::size_t count = default_tail;
  if (const auto tail = request.query_value("tail")) {
    const auto [end, error] = std::from_chars(tail->data(), tail->data() + tail->size(), count);
    if (error != std::errc() || end != tail->data() + tail->size() || count < 1 || count > max_read_count)
      return problem(400, "bad query",
                     "tail is '" + *tail + "', expected a number from 1 to " + std::to_string(max_read_count));
  }
  const auto loop = request.query_value("loop");
  auto records = n.audit_store().tail(count, loop ? std::optional<std::string_view>(*loop) : std::nullopt);
  if (!records) return problem(503, "the store does not answer", records.error().what);
  v1::AuditPage page;
  for (const stored_record& record : *records) *page.add_entries() = audit_message(record);
  return json_answer(page);
}

} // namespace

void add_audit_routes(router& r, node& n) {
  r.add({.method = "GET",
         .path = "/api/v1/audit",
         .text = "The newest audit records, oldest first.",
         .needs = permission::read,
         .answers = v1::AuditPage::descriptor(),
         .query = {{"tail",
                    "how many, 1 to " + std::to_string(max_read_count) + ", default " + std::to_string(default_tail)},
                   {"loop", "of this loop only"}},
         .problems = {503},
         .handle = [&n](const api_request& request) { return get_audit(n, request); }});
}

} // namespace homeostat
