#include "messages/control.pb.h"
#include "runtime/gateway/api_routes.hpp"
#include "runtime/gateway/audit_message.hpp"
#include "runtime/gateway/chain_check.hpp"

#include <charconv>

namespace homeostat {

namespace {

constexpr std::size_t default_tail = 20;
constexpr auto verdict_patience = std::chrono::seconds(2);

/// @returns the number, 1 to `most`, under a key of the query; nothing without the key.
std::expected<std::optional<std::uint64_t>, http_response> number_of(const api_request& request, const char* key,
                                                                     std::uint64_t most) {
  const auto text = request.query_value(key);
  if (!text) return std::nullopt;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc() || end != text->data() + text->size() || number < 1 || number > most)
    return std::unexpected(
        problem(400, "bad query",
                std::string(key) + " is '" + *text + "', expected a number from 1 to " + std::to_string(most)));
  return number;
}

http_response get_audit(node& n, const api_request& request) {
  const auto count = number_of(request, "tail", max_read_count);
  if (!count) return count.error();
  const auto before = number_of(request, "before", UINT64_MAX);
  if (!before) return before.error();
  const auto loop = request.query_value("loop");
  auto records = n.audit_store().tail(count->value_or(default_tail),
                                      loop ? std::optional<std::string_view>(*loop) : std::nullopt, *before);
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
         .text = "A page of audit records, oldest first: without a query the newest ones, page by page with before.",
         .needs = permission::read,
         .answers = v1::AuditPage::descriptor(),
         .query = {{"tail",
                    "how many, 1 to " + std::to_string(max_read_count) + ", default " + std::to_string(default_tail)},
                   {"before",
                    "only records with a lower sequence: that of the first record of a page gives the page before "
                    "it; absent: the newest"},
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
