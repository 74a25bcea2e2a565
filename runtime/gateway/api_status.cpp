#include "messages/control.pb.h"
#include "runtime/gateway/api_routes.hpp"
#include "runtime/gateway/metrics.hpp"
#include "runtime/gateway/status_message.hpp"
#include "runtime/gateway/transfer_metrics.hpp"
#include "runtime/version.hpp"

namespace homeostat {

namespace {

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
  return {.status = 200,
          .body = metrics_text(*loops, n.audit_stats()) + transfer_metrics_text(n),
          .content_type = "text/plain; version=0.0.4"};
}

http_response get_status(node& n) {
  const auto status = status_message(n);
  return status ? json_answer(*status) : problem(503, "no answer", status.error());
}

} // namespace

std::expected<v1::NodeStatus, std::string> status_message(node& n) {
  auto loops = n.status();
  if (!loops) return std::unexpected(loops.error());
  v1::NodeStatus status;
  status.set_name(n.config().name);
  status.set_version(version);
  for (const loop_status& loop : *loops) status.add_loops()->ParseFromString(encode(loop));
  const group_stats audit = n.audit_stats();
  status.set_audit(audit.failed == 0 && audit.refused == 0 ? "ok"
                                                           : std::to_string(audit.failed) + " batches failed, " +
                                                                 std::to_string(audit.refused) + " refused");
  return status;
}

void add_status_routes(router& r, node& n) {
  r.add({.method = "GET",
         .path = "/healthz",
         .text = "The process lives.",
         .needs = std::nullopt,
         .content_type = "text/plain",
         .handle = [](const api_request&) {
           return http_response{.status = 200, .body = "ok\n", .content_type = "text/plain"};
         }});
  r.add({.method = "GET",
         .path = "/readyz",
         .text = "Every loop has started.",
         .needs = std::nullopt,
         .content_type = "text/plain",
         .problems = {503},
         .handle = [&n](const api_request&) { return get_ready(n); }});
  r.add({.method = "GET",
         .path = "/metrics",
         .text = "Metrics in Prometheus' text format.",
         .needs = permission::read,
         .content_type = "text/plain",
         .problems = {503},
         .handle = [&n](const api_request&) { return get_metrics(n); }});
  r.add({.method = "GET",
         .path = "/api/v1/status",
         .text = "Every loop with its knobs, safe mode and counts.",
         .needs = permission::read,
         .answers = v1::NodeStatus::descriptor(),
         .problems = {503},
         .handle = [&n](const api_request&) { return get_status(n); }});
}

} // namespace homeostat
