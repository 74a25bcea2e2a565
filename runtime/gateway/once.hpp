#pragma once

#include "policies/authority/idempotency.hpp"
#include "runtime/gateway/router.hpp"

#include <functional>
#include <mutex>

namespace homeostat {

/// Carries out requests that have an Idempotency-Key once. From any thread.
class once_only {
public:
  explicit once_only(std::function<instant()> now) : now_(std::move(now)) {}

  /// @param handle  is called at most once for equal requests of one caller under one key.
  /// @returns what handle returned now or then (with Idempotency-Replayed: true), or a problem answer: 400 for a key
  ///          that is too long, 409 while the request is being carried out, 422 for a key of another request.
  [[nodiscard]] http_response run(const api_request& request,
                                  const std::function<http_response(const api_request&)>& handle);

private:
  std::function<instant()> now_;
  std::mutex mutex_;
  idempotency_memory memory_;
};

} // namespace homeostat
