#pragma once

#include "policies/time.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <string>

namespace homeostat {

/// How fast one caller may ask. A token bucket, because people and dashboards come in bursts: a page that loads twenty
/// things at once is no flood.
struct request_rate {
  double per_second{200}; ///< sustained, > 0. Above what a person or a scraper needs; one loop of a script reaches it.
  double burst{400};      ///< at once after a rest, >= 1
};

/// Counts requests by caller. Without it one runaway script keeps everybody else, and the operator's rollback, waiting.
/// Memory is bounded: beyond `max_callers` the caller that was silent longest is forgotten, that is, has a full bucket
/// again.
class request_limiter {
public:
  explicit request_limiter(request_rate rate = {}, std::size_t max_callers = 1024);

  /// Counts one request. @param now  a time before the last one counts as that one.
  /// @returns nothing if it may pass, else how long until the next one of this caller may.
  [[nodiscard]] std::optional<duration> refuse(const std::string& caller, instant now);

  [[nodiscard]] std::size_t callers() const { return buckets_.size(); }

private:
  struct bucket {
    double left;
    instant at;
  };
  request_rate rate_;
  std::size_t max_callers_;
  std::map<std::string, bucket> buckets_;
};

} // namespace homeostat
