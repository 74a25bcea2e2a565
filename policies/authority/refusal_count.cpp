#include "policies/authority/refusal_count.hpp"

#include <utility>

namespace homeostat {

refusal_count::verdict refusal_count::take(instant now) {
  verdict v{.itself = false, .left_out = left_out(now)};
  if (!begin_) {
    begin_ = now;
    recorded_ = 0;
  }
  v.itself = recorded_ < records_per_second;
  if (v.itself)
    ++recorded_;
  else
    ++left_out_;
  return v;
}

std::uint64_t refusal_count::left_out(instant now) {
  if (!begin_ || now - *begin_ < 1s) return 0;
  return left_out_at_end();
}

std::uint64_t refusal_count::left_out_at_end() {
  begin_.reset();
  return std::exchange(left_out_, 0);
}

} // namespace homeostat
