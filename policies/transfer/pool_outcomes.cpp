#include "policies/transfer/pool_outcomes.hpp"

#include <algorithm>
#include <cmath>

namespace homeostat {

namespace {

/// Readings that a reference averages over: ten minutes at one a second.
constexpr std::uint32_t reference_memory = 600;
/// With fewer readings behind it, a reference is a guess and nothing is set against it.
constexpr std::uint32_t least_readings = 3;

/// What is too small to be measured counts as very little, not as minus infinity.
double log_of(double value, double least) { return std::log(std::max(std::isfinite(value) ? value : least, least)); }

} // namespace

double cost_ratio(const outcome_summary& s, transfer_goal goal) {
  const goal_weights w = weights_of(goal);
  return std::exp(w.latency * std::log(s.latency_ratio) + w.cpu * std::log(s.cpu_ratio) +
                  w.memory * std::log(s.memory_ratio));
}

void pool_outcomes::record(const transfer_metrics& done) {
  const std::size_t type = std::min(static_cast<std::size_t>(done.data.type), data_type_count - 1);
  cell& c = cells_[type][std::min(cost_class_of(done.data.data_size), cost_class_count - 1)];
  const double spent = std::isfinite(done.latency_us) ? std::max(0.0, done.latency_us) : 0;
  ++now_.transfers;
  if (done.failed) {
    ++now_.failed;
  } else {
    now_.bytes += done.data.data_size;
    ++delivered_;
    latency_sum_ += spent;
    cpu_sum_ += std::isfinite(done.cpu_time_us) ? std::max(0.0, done.cpu_time_us) : 0;
    memory_sum_ += static_cast<double>(done.memory_used);
    latencies_.add(spent);
  }
  // A failed one cost the time lost, and then takes its time by the other method.
  const bool again = done.failed && c.readings >= least_readings;
  ++c.seen;
  c.sum[0] += log_of(spent + (again ? std::exp(c.reference[0]) : 0), 0.01);
  c.sum[1] += log_of(done.cpu_time_us, 0.01);
  c.sum[2] += log_of(static_cast<double>(done.memory_used), 1);
}

outcome_summary pool_outcomes::take() {
  outcome_summary s = now_;
  if (delivered_ > 0) {
    const auto count = static_cast<double>(delivered_);
    s.latency_mean_us = latency_sum_ / count;
    s.cpu_mean_us = cpu_sum_ / count;
    s.memory_mean_bytes = memory_sum_ / count;
    s.latency_p99_us = latencies_.quantile(0.99).value_or(0);
  }
  means off{};
  double stake = 0;
  for (auto& of_type : cells_)
    for (cell& c : of_type) {
      if (c.seen == 0) continue;
      const double weight = static_cast<double>(c.seen) * std::exp(c.reference[0]);
      const bool known = c.readings >= least_readings;
      if (known) stake += weight;
      c.readings = std::min(c.readings + 1, reference_memory);
      for (std::size_t m = 0; m < measures; ++m) {
        const double away = c.sum[m] / static_cast<double>(c.seen) - c.reference[m];
        if (known) off[m] += weight * away;
        c.reference[m] += away / c.readings;
      }
      c.seen = 0;
      c.sum = {};
    }
  if (stake > 0) {
    s.latency_ratio = std::exp(off[0] / stake);
    s.cpu_ratio = std::exp(off[1] / stake);
    s.memory_ratio = std::exp(off[2] / stake);
  }
  now_ = {};
  latency_sum_ = cpu_sum_ = memory_sum_ = 0;
  delivered_ = 0;
  latencies_ = {};
  return s;
}

} // namespace homeostat
