#include "sim/faults.hpp"

#include <algorithm>

namespace homeostat::sim {

std::string_view name_of(fault f) {
  constexpr std::array<std::string_view, fault_count> names{"digest_dropped",
                                                            "digest_late",
                                                            "digest_duplicated",
                                                            "digest_reordered",
                                                            "digest_stale",
                                                            "digest_not_finite",
                                                            "digest_of_old_generation",
                                                            "digest_from_future",
                                                            "telemetry_burst",
                                                            "telemetry_silent",
                                                            "source_restart",
                                                            "audit_slow",
                                                            "audit_full",
                                                            "audit_failing",
                                                            "actuator_slow",
                                                            "actuator_refuses",
                                                            "actuator_partial",
                                                            "answer_lost",
                                                            "wrong_read_back",
                                                            "false_success",
                                                            "plant_reverts",
                                                            "actuator_dead",
                                                            "read_garbage",
                                                            "value_tampered",
                                                            "process_crash",
                                                            "child_crash",
                                                            "slow_message",
                                                            "mail_lost",
                                                            "mail_duplicated"};
  return names.at(static_cast<std::size_t>(f));
}

fault_schedule::fault_schedule(const fault_plans& plans, draw randomness) : plans_(plans), draw_(randomness) {
  for (const fault_plan& plan : plans_)
    if (plan.rate > 0) merged_.insert(merged_.end(), plan.periods.begin(), plan.periods.end());
  std::ranges::sort(merged_, {}, &fault_plan::period::begin);
  std::vector<fault_plan::period> joined;
  for (const auto& p : merged_) {
    if (!joined.empty() && p.begin <= joined.back().end)
      joined.back().end = std::max(joined.back().end, p.end);
    else
      joined.push_back(p);
  }
  merged_ = std::move(joined);
}

bool fault_schedule::active(fault f, duration since_start) const {
  const fault_plan& plan = plans_[static_cast<std::size_t>(f)];
  if (plan.rate <= 0 || since_start >= limit_) return false;
  return std::ranges::any_of(plan.periods,
                             [&](const auto& p) { return p.begin <= since_start && since_start < p.end; });
}

bool fault_schedule::strikes(fault f, duration since_start) {
  return active(f, since_start) && draw_.chance(plans_[static_cast<std::size_t>(f)].rate);
}

duration fault_schedule::calm_since(duration since_start) const {
  duration last{0};
  for (const auto& p : merged_) {
    if (p.begin > since_start || p.begin >= limit_) break;
    last = std::min({p.end, since_start, limit_});
  }
  return last;
}

void fault_schedule::end_all(duration since_start) { limit_ = std::min(limit_, since_start); }

} // namespace homeostat::sim
