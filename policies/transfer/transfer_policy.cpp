#include "policies/transfer/transfer_policy.hpp"

#include "policies/number_text.hpp"

#include <algorithm>
#include <set>

namespace homeostat {

namespace {
constexpr std::array<std::string_view, transfer_goal_count> goal_names{"balanced", "minimize_latency",
                                                                       "maximize_throughput", "minimize_memory"};
} // namespace

std::string_view name_of(transfer_goal goal) noexcept {
  const auto i = static_cast<std::size_t>(goal);
  return i < goal_names.size() ? goal_names[i] : "?";
}

std::optional<transfer_goal> transfer_goal_from(std::string_view name) noexcept {
  const auto found = std::find(goal_names.begin(), goal_names.end(), name);
  if (found == goal_names.end()) return std::nullopt;
  return static_cast<transfer_goal>(found - goal_names.begin());
}

goal_weights weights_of(transfer_goal goal) noexcept {
  switch (goal) {
  case transfer_goal::minimize_latency: return {1, 0, 0};
  case transfer_goal::maximize_throughput: return {0.3, 0.7, 0}; // processors are what many transfers share
  case transfer_goal::minimize_memory: return {0.1, 0, 0.9};
  case transfer_goal::balanced: break;
  }
  return {0.8, 0.1, 0.1};
}

std::vector<std::string> decision_metric_names() {
  std::vector<std::string> names{"available_memory", "compressed",  "cpu_load",       "data_size", "hour",
                                 "in_flight",        "memory_used", "recent_slowdown"};
  for (std::size_t i = 0; i < data_type_count; ++i)
    names.push_back("type_" + std::string(name_of(static_cast<data_type>(i))));
  for (std::size_t i = 0; i < data_format_count; ++i)
    names.push_back("format_" + std::string(name_of(static_cast<data_format>(i))));
  std::ranges::sort(names);
  return names;
}

std::expected<void, std::string> check(const transfer_policy& p) {
  const auto share = [](const char* name, double value, double low, double high) -> std::expected<void, std::string> {
    if (value >= low && value <= high) return {};
    return std::unexpected(std::string(name) + " is " + number_text(value) + ", expected " + number_text(low) + " to " +
                           number_text(high));
  };
  if (p.maximum_threshold == 0 || p.minimum_threshold > p.maximum_threshold)
    return std::unexpected("minimum_threshold is " + std::to_string(p.minimum_threshold) +
                           " bytes, expected at most maximum_threshold, " + std::to_string(p.maximum_threshold));
  if (p.maximum_threshold > largest_threshold)
    return std::unexpected("maximum_threshold is " + std::to_string(p.maximum_threshold) + " bytes, expected at most " +
                           std::to_string(largest_threshold));
  const auto within = [&](const std::string& name, std::uint64_t value) -> std::expected<void, std::string> {
    if (value >= p.minimum_threshold && value <= p.maximum_threshold && value > 0) return {};
    return std::unexpected(name + " is " + std::to_string(value) + " bytes, expected " +
                           std::to_string(std::max<std::uint64_t>(p.minimum_threshold, 1)) + " to " +
                           std::to_string(p.maximum_threshold));
  };
  if (auto ok = within("zero_copy_threshold", p.zero_copy_threshold); !ok) return ok;
  for (std::size_t i = 0; i < data_type_count; ++i)
    if (p.threshold_overrides[i])
      if (auto ok = within("threshold_overrides." + std::string(name_of(static_cast<data_type>(i))),
                           *p.threshold_overrides[i]);
          !ok)
        return ok;
  if (auto ok = share("exploration_rate", p.exploration_rate, 0, 0.5); !ok) return ok;
  if (auto ok = share("exploration_budget", p.exploration_budget, 0, 0.5); !ok) return ok;
  if (auto ok = share("marginal_benefit", p.marginal_benefit, 0, 1); !ok) return ok;
  if (auto ok = share("memory_pressure_threshold", p.memory_pressure_threshold, 0.01, 1); !ok) return ok;
  if (auto ok = share("cpu_pressure_threshold", p.cpu_pressure_threshold, 0.01, 1); !ok) return ok;
  if (p.rules.size() > max_transfer_rules)
    return std::unexpected("rules has " + std::to_string(p.rules.size()) + " entries, expected at most " +
                           std::to_string(max_transfer_rules));
  std::set<std::string_view> names;
  for (const transfer_rule& rule : p.rules) {
    if (rule.name.empty() || rule.when.empty())
      return std::unexpected("rule '" + rule.name + "' lacks a name or a condition");
    if (!names.insert(rule.name).second)
      return std::unexpected("rules has '" + rule.name + "' twice, expected names to differ");
  }
  return {};
}

} // namespace homeostat
