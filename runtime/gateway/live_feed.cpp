#include "runtime/gateway/live_feed.hpp"

#include "messages/json.hpp"
#include "runtime/gateway/audit_message.hpp"
#include "runtime/gateway/status_message.hpp"

#include <algorithm>

namespace homeostat {

namespace {

constexpr std::size_t records_per_tick = 256; // as many as a hub keeps
constexpr unsigned heartbeat_ticks = 15;      // proxies close what is silent for 30 to 60 s

} // namespace

void live_feed::tick() {
  hub_.check_subscribers();
  if (!hub_.listening()) {
    skip_audit(); // whoever comes next misses nothing between what they fetch and our next look
    return;
  }
  publish_audit();
  if (const auto status = status_message(node_)) hub_.publish_state("status", to_json(*status));
  if (++quiet_ < heartbeat_ticks) return;
  quiet_ = 0;
  hub_.heartbeat();
}

void live_feed::skip_audit() {
  if (const auto head = node_.audit_store().head()) audited_ = head->sequence;
}

void live_feed::publish_audit() {
  const auto head = node_.audit_store().head();
  if (!head) return; // the status says that the store does not answer
  if (head->sequence <= audited_) return;
  // Who was away for longer than the hub remembers reads /api/v1/audit: the sequences show the gap.
  const std::uint64_t from =
      std::max(audited_ + 1, head->sequence - std::min(head->sequence, std::uint64_t{records_per_tick - 1}));
  const auto records = node_.audit_store().range(from, records_per_tick, std::nullopt);
  if (!records) return;
  for (const stored_record& record : *records) {
    hub_.publish("audit", to_json(audit_message(record)));
    audited_ = record.sequence;
  }
}

} // namespace homeostat
