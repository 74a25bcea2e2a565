#include "runtime/gateway/once.hpp"

#include "runtime/gateway/token_file.hpp"
#include "runtime/store/store.hpp"

namespace homeostat {

namespace {

constexpr std::size_t longest_key = 255;

/// Frees the key when the handler throws: else it would be in flight for ever.
template <class Forget> struct unless_done {
  Forget forget;
  bool done{false};
  ~unless_done() {
    if (!done) forget();
  }
};

} // namespace

http_response once_only::run(const api_request& request,
                             const std::function<http_response(const api_request&)>& handle) {
  using verdict = idempotency_memory::verdict;
  const std::string& key = request.http.idempotency_key;
  const std::string& caller = request.caller.name;
  if (key.size() > longest_key)
    return problem(400, "bad Idempotency-Key", "it is longer than " + std::to_string(longest_key) + " characters");
  const auto& http = request.http;
  const auto fingerprint = to_hex(sha256(http.method + "\n" + http.path + "\n" + http.query + "\n" + http.body));
  idempotency_memory::decision decision;
  {
    const std::lock_guard lock(mutex_);
    decision = memory_.begin(caller, key, fingerprint, now_());
  }
  if (decision.what == verdict::other)
    return problem(422, "key of another request", "this Idempotency-Key was sent with another path or body before");
  if (decision.what == verdict::in_flight)
    return problem(409, "in flight", "the request of this Idempotency-Key is being carried out; ask again later");
  if (decision.what == verdict::replay) {
    http_response response{.status = decision.answer.status,
                           .body = std::move(decision.answer.body),
                           .content_type = std::move(decision.answer.content_type),
                           .headers = std::move(decision.answer.headers)};
    response.headers.emplace_back("Idempotency-Replayed", "true");
    return response;
  }
  unless_done guard{[&] {
    const std::lock_guard lock(mutex_);
    memory_.forget(caller, key);
  }};
  http_response response = handle(request);
  // What failed for want of an answer is to be tried again.
  if (response.status >= 500 || response.status == 429 || response.stream) return response;
  const std::lock_guard lock(mutex_);
  memory_.finish(caller, key, {response.status, response.body, response.content_type, response.headers}, now_());
  guard.done = true;
  return response;
}

} // namespace homeostat
