// The transfer section of a pool: how it decides between gRPC and shared memory.
#include "policies/enum_names.hpp"
#include "policies/transfer/policy_knobs.hpp"
#include "runtime/config/formula.hpp"
#include "runtime/config/readers.hpp"
#include "runtime/config/settings_fields.hpp"

#include <algorithm>
#include <array>

namespace homeostat::yaml {

namespace {

constexpr std::array<field<transfer_policy>, 6> transfer_fields{{
    {"learning_enabled", &transfer_policy::learning_enabled},
    {"exploration_rate", &transfer_policy::exploration_rate},
    {"exploration_budget", &transfer_policy::exploration_budget},
    {"marginal_benefit", &transfer_policy::marginal_benefit},
    {"memory_pressure_threshold", &transfer_policy::memory_pressure_threshold},
    {"cpu_pressure_threshold", &transfer_policy::cpu_pressure_threshold},
}};

constexpr std::size_t goal_count = static_cast<std::size_t>(transfer_goal::minimize_memory) + 1;
const auto& type_names() { return names_of<data_type, data_type_count>(); }

void read_size(const mapping& m, std::string_view key, std::uint64_t& target) {
  const auto v = m.find(key);
  const auto text = v ? text_of(*v) : std::nullopt;
  if (!text) return;
  const auto size = size_from(*text);
  if (size)
    target = *size;
  else
    v->refuse("is '" + *text + "'", "a size such as 512 KiB or 10 MiB (B, KiB, MiB or GiB)");
}

void read_rule(const mapping& m, transfer_policy& policy) {
  transfer_rule rule;
  if (const auto v = m.find("name")) rule.name = text_of(*v).value_or("");
  if (const auto v = m.find("priority")) rule.priority = static_cast<int>(whole_of(*v, 0, 1'000'000).value_or(0));
  if (const auto v = m.find("use"))
    rule.method = static_cast<transfer_method>(choice_of(*v, transfer_method_words().words).value_or(0));
  if (const auto v = m.find("when")) {
    rule.when = text_of(*v).value_or("");
    const auto made = formula::compile(rule.when);
    const auto known = decision_metric_names();
    if (!rule.when.empty() && !made) v->refuse("is '" + rule.when + "': " + made.error().what, "a condition");
    if (made)
      for (const std::string& metric : made->metrics())
        if (std::ranges::find(known, metric) == known.end()) {
          std::string names;
          for (const std::string& name : known) names += (names.empty() ? "" : ", ") + name;
          v->refuse("has '" + metric + "', which is no metric of a transfer", names);
        }
  }
  policy.rules.push_back(std::move(rule));
}

} // namespace

const key_table& transfer_keys() {
  static const key_table table{"transfer",
                               keys_of<transfer_policy>({{.name = "goal"},
                                                         {.name = "zero_copy_threshold"},
                                                         {.name = "minimum_threshold"},
                                                         {.name = "maximum_threshold"},
                                                         {.name = "threshold_overrides"},
                                                         {.name = "rules"}},
                                                        std::span<const field<transfer_policy>>(transfer_fields))};
  return table;
}
const key_table& threshold_override_keys() {
  static const key_table table = [] {
    std::vector<key> keys;
    for (const std::string_view name : type_names()) keys.push_back({.name = name});
    return key_table{"threshold_overrides", keys};
  }();
  return table;
}
const key_table& transfer_rule_keys() {
  static const key_table table{"transfer_rule",
                               {{"name", "the rule's name"},
                                {"when", "a condition over metrics of a transfer"},
                                {"use", "grpc or zero_copy"},
                                {"priority"}}};
  return table;
}
const word_set& transfer_goal_words() {
  static const word_set set{"transfer_goal", names_of<transfer_goal, goal_count>()};
  return set;
}
const word_set& transfer_method_words() {
  static const word_set set{"transfer_method", names_of<transfer_method, transfer_method_count>()};
  return set;
}

std::optional<transfer_policy> read_transfer(const mapping& spec) {
  if (!spec.has("transfer")) return std::nullopt;
  transfer_policy policy;
  in_section(spec, "transfer", transfer_keys(), [&](const mapping& m) {
    if (const auto v = m.find("goal"))
      policy.goal = static_cast<transfer_goal>(choice_of(*v, transfer_goal_words().words).value_or(0));
    read_size(m, "zero_copy_threshold", policy.zero_copy_threshold);
    read_size(m, "minimum_threshold", policy.minimum_threshold);
    read_size(m, "maximum_threshold", policy.maximum_threshold);
    in_section(m, "threshold_overrides", threshold_override_keys(), [&](const mapping& overrides) {
      for (std::size_t i = 0; i < data_type_count; ++i)
        if (overrides.has(type_names()[i])) {
          policy.threshold_overrides[i] = policy.zero_copy_threshold;
          read_size(overrides, type_names()[i], *policy.threshold_overrides[i]);
        }
    });
    read_fields<transfer_policy>(m, policy, transfer_fields);
    const auto v = m.find("rules");
    if (const auto items = v ? items_of(*v, "a list of rules") : std::nullopt)
      for (const value& item : *items)
        if (const auto rule = mapping::open(item, transfer_rule_keys())) read_rule(*rule, policy);
    report_checks<transfer_policy>(m, m.self(), policy, transfer_policy{}, transfer_fields,
                                   [](const transfer_policy& p) { return check(p); });
  });
  return policy;
}

} // namespace homeostat::yaml
