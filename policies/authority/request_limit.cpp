#include "policies/authority/request_limit.hpp"

#include <algorithm>
#include <cmath>

namespace homeostat {

request_limiter::request_limiter(request_rate rate, std::size_t max_callers)
    : rate_(rate), max_callers_(std::max<std::size_t>(1, max_callers)) {}

std::optional<duration> request_limiter::refuse(const std::string& caller, instant now) {
  auto at = buckets_.find(caller);
  if (at == buckets_.end()) {
    if (buckets_.size() >= max_callers_)
      buckets_.erase(std::ranges::min_element(buckets_, {}, [](const auto& entry) { return entry.second.at; }));
    at = buckets_.emplace(caller, bucket{.left = rate_.burst, .at = now}).first;
  }
  bucket& b = at->second;
  if (now > b.at) {
    b.left = std::min(rate_.burst, b.left + seconds_of(now - b.at) * rate_.per_second);
    b.at = now;
  }
  if (b.left >= 1) {
    b.left -= 1;
    return std::nullopt;
  }
  return duration(static_cast<std::int64_t>(std::ceil((1 - b.left) / rate_.per_second * 1e6)));
}

} // namespace homeostat
