#include "policies/transfer/thresholds.hpp"

#include "policies/number_text.hpp"

#include <algorithm>
#include <cmath>

namespace homeostat {

namespace {

constexpr double off_by = 1.2;
constexpr int looks_before_moving = 3;
constexpr double largest_step = 2;
constexpr std::size_t changes_kept = 64;

std::uint64_t base_of(const transfer_policy& policy, data_type type) {
  return policy.threshold_overrides[static_cast<std::size_t>(type)].value_or(policy.zero_copy_threshold);
}

} // namespace

double score_of(const method_cost& cost, const goal_weights& weights) noexcept {
  // A cost of nothing measurable counts as very little, not as minus infinity.
  return weights.latency * std::log(std::max(cost.latency_us, 0.01)) +
         weights.cpu * std::log(std::max(cost.cpu_time_us, 0.01)) +
         weights.memory * std::log(std::max(cost.memory, 1.0));
}

std::optional<std::uint64_t> measured_crossover(const cost_table& costs, pressure under, data_type type,
                                                const goal_weights& weights) {
  std::array<double, cost_class_count> gain{}; // of zero_copy; 0 without evidence
  bool any = false;
  for (std::size_t c = 0; c < cost_class_count; ++c) {
    const std::uint64_t size = std::max<std::uint64_t>(cost_class_begin(c), 1);
    const cost_estimate grpc = costs.estimate(under, type, c, transfer_method::grpc, size);
    const cost_estimate zero = costs.estimate(under, type, c, transfer_method::zero_copy, size);
    if (grpc.known < least_evidence || zero.known < least_evidence) continue;
    gain[c] = score_of(grpc.cost, weights) - score_of(zero.cost, weights);
    any = true;
  }
  if (!any) return std::nullopt;
  // Boundary b: classes below b go by grpc. Walk it up from 0, where every loss of zero_copy is on the wrong side.
  double wrong = 0;
  for (double g : gain) wrong += std::max(0.0, -g);
  double least = wrong;
  std::size_t best = 0;
  for (std::size_t b = 1; b <= cost_class_count; ++b) {
    wrong += gain[b - 1]; // a gain that is missed, or a loss that is spared
    if (wrong < least - 1e-12) {
      least = wrong;
      best = b;
    }
  }
  return best == 0 ? 1 : best >= cost_class_count ? std::uint64_t{1} << 40 : cost_class_begin(best);
}

threshold_manager::threshold_manager(const transfer_policy& policy) {
  for (std::size_t i = 0; i < data_type_count; ++i) current_[i].bytes = base_of(policy, static_cast<data_type>(i));
}

void threshold_manager::set(data_type type, double performance, double resource, const transfer_policy& policy,
                            instant at, std::string rationale) {
  one& t = current_[static_cast<std::size_t>(type)];
  t.performance = performance;
  t.resource = resource;
  const double wanted = static_cast<double>(base_of(policy, type)) * performance * resource;
  const auto low = static_cast<double>(std::max<std::uint64_t>(policy.minimum_threshold, 1));
  const auto bytes =
      static_cast<std::uint64_t>(std::llround(std::clamp(wanted, low, static_cast<double>(policy.maximum_threshold))));
  if (bytes == t.bytes) return;
  changes_.push_back({at, type, t.bytes, bytes, performance, resource, std::move(rationale)});
  if (changes_.size() > changes_kept) changes_.pop_front();
  t.bytes = bytes;
}

void threshold_manager::look(const cost_table& costs, pressure under, const system_conditions& now,
                             const transfer_policy& policy, instant at) {
  const double resource = resource_factor(under, now, policy);
  std::optional<std::optional<std::uint64_t>> of_unmeasured; // the same for all types without evidence of their own
  for (std::size_t i = 0; i < data_type_count; ++i) {
    const auto type = static_cast<data_type>(i);
    one& t = current_[i];
    double performance = t.performance;
    std::string why;
    if (policy.learning_enabled) {
      // Evidence of the pressed machine already contains what the resource factor assumes of it.
      std::optional<std::uint64_t> crossover;
      if (costs.measured(type)) {
        crossover = measured_crossover(costs, under, type, weights_of(policy.goal));
      } else {
        if (!of_unmeasured) of_unmeasured = measured_crossover(costs, under, type, weights_of(policy.goal));
        crossover = *of_unmeasured;
      }
      if (crossover) {
        const double target = static_cast<double>(*crossover) / static_cast<double>(base_of(policy, type)) / resource;
        const double ratio = target / performance;
        t.off = std::abs(std::log(ratio)) > std::log(off_by) ? t.off + 1 : 0;
        t.moving = t.off >= looks_before_moving;
        if (t.moving) {
          performance *= std::clamp(ratio, 1 / largest_step, largest_step);
          why = "measured crossover at " + std::to_string(*crossover) + " bytes";
        }
      }
    }
    // Small changes of the resource factor would only flutter.
    const bool pressed =
        std::abs(std::log(resource / t.resource)) > std::log(1.1) || (resource == 1) != (t.resource == 1);
    if (pressed)
      why += (why.empty() ? "" : "; ") + std::string("pressure: ") + std::string(name_of(under)) + " (memory " +
             number_text(std::round(now.memory_used * 100)) + " %, cpu " + number_text(std::round(now.cpu_load * 100)) +
             " %)";
    if (!why.empty()) set(type, performance, pressed ? resource : t.resource, policy, at, why);
  }
}

bool threshold_manager::settled() const {
  return std::ranges::all_of(current_, [](const one& t) { return t.off == 0; });
}

void threshold_manager::rebase(const transfer_policy& policy, instant at) {
  for (std::size_t i = 0; i < data_type_count; ++i)
    set(static_cast<data_type>(i), current_[i].performance, current_[i].resource, policy, at, "another policy");
}

void threshold_manager::remember(const std::array<double, data_type_count>& performance, const transfer_policy& policy,
                                 instant at) {
  for (std::size_t i = 0; i < data_type_count; ++i)
    set(static_cast<data_type>(i), performance[i], current_[i].resource, policy, at, "as learned before the restart");
}

void threshold_manager::reset(const transfer_policy& policy, instant at, const std::string& why) {
  for (std::size_t i = 0; i < data_type_count; ++i) {
    current_[i].off = 0;
    set(static_cast<data_type>(i), 1, current_[i].resource, policy, at, why);
  }
}

} // namespace homeostat
