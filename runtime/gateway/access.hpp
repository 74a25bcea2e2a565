#pragma once

#include "policies/authority/refusal_count.hpp"
#include "policies/authority/request_limit.hpp"
#include "policies/safety/audit_record.hpp"
#include "runtime/gateway/router.hpp"
#include "runtime/gateway/token_file.hpp"

#include <functional>
#include <memory>
#include <mutex>

namespace homeostat {

/// Lets callers in: who they are, what they may, how often. Every refusal (401, 403) is audited; a flood of them is
/// summed up. From any thread.
class access_control {
public:
  /// @param tokens  null: nobody needs one, and everybody is admin (loopback only; serve_api sees to that).
  /// @param record  takes audit records and does not wait.  @param now  the node's clock.
  access_control(std::unique_ptr<token_store> tokens, std::function<void(audit_record)> record,
                 std::function<instant()> now, request_rate rate = {});

  /// @param needs  nothing: anybody may.
  /// @returns the caller, who has the permission.
  /// @errors  problem answers: 401 with WWW-Authenticate, 403 naming the permission, 429 with Retry-After.
  [[nodiscard]] std::expected<api_caller, http_response> admit(const http_request& request,
                                                               std::optional<permission> needs);
  /// The same for a request whose path is not known: without a token one does not learn that.
  [[nodiscard]] std::expected<api_caller, http_response> admit_unknown(const http_request& request);

  /// @returns whether whoever sent this header still has the permission; for answers that take long.
  [[nodiscard]] bool still_permits(const std::string& authorization, permission what);

  /// Records refusals that are only counted so far. Call now and then. @param at_end  also of the present second.
  void flush(bool at_end = false);

private:
  std::expected<api_caller, http_response> identify(const http_request& request);
  std::optional<http_response> too_often(const std::string& caller);
  void refused(const http_request& request, const std::string& actor, const std::string& text);
  void record_left_out(std::uint64_t count);

  std::unique_ptr<token_store> tokens_;
  std::function<void(audit_record)> record_;
  std::function<instant()> now_;
  std::mutex mutex_;
  request_limiter limiter_;
  refusal_count refusals_;
};

} // namespace homeostat
