#pragma once

#include "policies/time.hpp"

#include <cstdint>
#include <optional>

namespace homeostat {

/// Which refused accesses get an audit record of their own. In each second, begun by its first refusal, the first ten
/// do; the others are only counted. Without the limit, whoever has no token could fill the disk with records of that.
class refusal_count {
public:
  static constexpr std::uint32_t records_per_second = 10;

  /// What to record for one refusal.
  struct verdict {
    bool itself{false};        ///< the refusal
    std::uint64_t left_out{0}; ///< before it: this many of an earlier second have no record; 0: none
  };
  [[nodiscard]] verdict take(instant now);

  /// @returns how many refusals of a second that is over have no record; they are not reported again.
  [[nodiscard]] std::uint64_t left_out(instant now);

  /// @returns the same at the end of the process, whether or not the second is over.
  [[nodiscard]] std::uint64_t left_out_at_end();

private:
  std::optional<instant> begin_;
  std::uint32_t recorded_{0};
  std::uint64_t left_out_{0};
};

} // namespace homeostat
