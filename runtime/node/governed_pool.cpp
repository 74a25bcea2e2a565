#include "runtime/node/governed_pool.hpp"

#include "policies/transfer/policy_knobs.hpp"

#include <chrono>
#include <utility>

namespace homeostat {

namespace {

instant wall_now() { return std::chrono::time_point_cast<duration>(std::chrono::system_clock::now()); }

} // namespace

std::expected<reading, plant_error> governed_pool::read(instant now, duration) {
  outcome_summary s;
  reading r{.begin = now, .end = now, .sample_count = 0, .metrics = {}};
  {
    const std::lock_guard hold(observing_);
    s = outcomes_.take();
    r.begin = std::exchange(last_reading_, now).value_or(now);
  }
  const system_conditions machine = pool_.conditions();
  const double seconds = std::max(seconds_of(r.end - r.begin), 1e-6);
  const auto transfers = static_cast<double>(s.transfers);
  r.sample_count = s.transfers;
  r.metrics = {{"transfers", transfers},
               {"throughput_per_s", static_cast<double>(s.transfers - s.failed) / seconds},
               {"goodput_mbps", static_cast<double>(s.bytes) * 8e-6 / seconds},
               {"latency_mean_ms", s.latency_mean_us / 1000},
               {"latency_p99_ms", s.latency_p99_us / 1000},
               {"latency_ratio", s.latency_ratio},
               {"cpu_mean_us", s.cpu_mean_us},
               {"cpu_ratio", s.cpu_ratio},
               {"memory_mean_bytes", s.memory_mean_bytes},
               {"memory_ratio", s.memory_ratio},
               {"cost_ratio", cost_ratio(s, pool_.policy().goal)},
               {"error_rate", s.transfers > 0 ? static_cast<double>(s.failed) / transfers : 0},
               {"cpu_load", machine.cpu_load},
               {"memory_used", machine.memory_used}};
  return r;
}

std::expected<named_values, plant_error> governed_pool::apply(const named_values& wanted, duration patience) {
  const auto changed = change([&](transfer_policy policy) { return with_knobs(std::move(policy), wanted); });
  if (!changed) return std::unexpected(plant_error{"pool " + pool_.name() + ": " + changed.error()});
  return read_back(patience);
}

std::expected<named_values, plant_error> governed_pool::read_back(duration) { return knobs_of(pool_.policy()); }

void governed_pool::observe(const transfer_metrics& done) {
  const std::lock_guard hold(observing_);
  outcomes_.record(done);
}

std::expected<void, std::string> governed_pool::change(const edit& what) {
  const std::lock_guard hold(changing_);
  auto policy = what(pool_.policy());
  if (!policy) return std::unexpected(policy.error());
  return pool_.set_policy(std::move(*policy), wall_now());
}

} // namespace homeostat
