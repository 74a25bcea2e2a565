#include "messages/pool_policy.hpp"

#include "messages/text.hpp"
#include "messages/transfer_names.hpp"

namespace homeostat {

v1::TransferPolicy message_of(const transfer_policy& p) {
  v1::TransferPolicy policy;
  policy.set_goal(std::string(name_of(p.goal)));
  policy.set_zero_copy_threshold(p.zero_copy_threshold);
  policy.set_minimum_threshold(p.minimum_threshold);
  policy.set_maximum_threshold(p.maximum_threshold);
  policy.set_learning_enabled(p.learning_enabled);
  policy.set_exploration_rate(p.exploration_rate);
  policy.set_exploration_budget(p.exploration_budget);
  policy.set_marginal_benefit(p.marginal_benefit);
  policy.set_memory_pressure_threshold(p.memory_pressure_threshold);
  policy.set_cpu_pressure_threshold(p.cpu_pressure_threshold);
  for (const transfer_rule& rule : p.rules) {
    v1::TransferRule& one = *policy.add_rules();
    one.set_name(codec::text(rule.name));
    one.set_when(codec::text(rule.when));
    one.set_use(std::string(name_of(rule.method)));
    one.set_priority(rule.priority);
  }
  for (std::size_t i = 0; i < data_type_count; ++i)
    if (p.threshold_overrides[i])
      (*policy.mutable_threshold_overrides())[std::string(name_of(static_cast<data_type>(i)))] =
          *p.threshold_overrides[i];
  return policy;
}

std::expected<transfer_policy, std::string> policy_from(const v1::TransferPolicy& change, transfer_policy policy) {
  if (change.has_goal()) {
    const auto goal = transfer_goal_from(change.goal());
    if (!goal)
      return std::unexpected("goal is '" + change.goal() +
                             "', expected balanced, minimize_latency, maximize_throughput or minimize_memory");
    policy.goal = *goal;
  }
  if (change.has_zero_copy_threshold()) policy.zero_copy_threshold = change.zero_copy_threshold();
  if (change.has_minimum_threshold()) policy.minimum_threshold = change.minimum_threshold();
  if (change.has_maximum_threshold()) policy.maximum_threshold = change.maximum_threshold();
  if (change.has_learning_enabled()) policy.learning_enabled = change.learning_enabled();
  if (change.has_exploration_rate()) policy.exploration_rate = change.exploration_rate();
  if (change.has_exploration_budget()) policy.exploration_budget = change.exploration_budget();
  if (change.has_marginal_benefit()) policy.marginal_benefit = change.marginal_benefit();
  if (change.has_memory_pressure_threshold()) policy.memory_pressure_threshold = change.memory_pressure_threshold();
  if (change.has_cpu_pressure_threshold()) policy.cpu_pressure_threshold = change.cpu_pressure_threshold();
  for (const auto& [name, bytes] : change.threshold_overrides()) {
    const auto type = named_or_first<data_type, data_type_count>(name, "thresholdOverrides");
    if (!type || name.empty())
      return std::unexpected(type ? "thresholdOverrides has an empty name, expected a data type" : type.error());
    policy.threshold_overrides[static_cast<std::size_t>(*type)] = bytes;
  }
  if (change.rules_size() > 0) policy.rules.clear();
  for (const auto& rule : change.rules()) {
    const auto method = named_or_first<transfer_method, transfer_method_count>(rule.use(), "use");
    if (!method || rule.use().empty())
      return std::unexpected("rule '" + rule.name() + "': use is '" + rule.use() + "', expected grpc or zero_copy");
    policy.rules.push_back({rule.name(), rule.priority(), *method, rule.when()});
  }
  if (auto ok = check(policy); !ok) return std::unexpected(ok.error());
  return policy;
}

} // namespace homeostat
