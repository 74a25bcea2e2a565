#include "messages/control.pb.h"
#include "runtime/gateway/api_routes.hpp"
#include "runtime/gateway/audit_message.hpp"
#include "runtime/gateway/chain_check.hpp"

#include <charconv>

namespace homeostat {

namespace {

constexpr std::size_t default_tail = 20;
constexpr auto verdict_patience = std::chrono::seconds(2);

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

http_response get_verdict(chain_check& check) {
  const auto verdict = check.latest(verdict_patience);
  if (!verdict) {
    http_response later = problem(503, "still checking", "the chain is long: ask again for the verdict");
    later.headers.emplace_back("Retry-After", "2");
    return later;
  }
  return *verdict ? json_answer(**verdict) : problem(503, "the store does not answer", verdict->error());
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
  r.add(
      {.method = "GET",
       .path = "/api/v1/audit/verify",
       .text =
           "Whether the hash chain of the audit trail holds. The verdict is at most 10 s old; a broken chain is a 200.",
       .needs = permission::read,
       .answers = v1::AuditVerdict::descriptor(),
       .problems = {503},
       .handle = [check = std::make_shared<chain_check>(n.audit_store())](const api_request&) {
         return get_verdict(*check);
       }});
}

} // namespace homeostat
