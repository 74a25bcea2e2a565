#include "policies/transfer/policy_settings.hpp"

#include "policies/transfer/policy_knobs.hpp"

#include <array>
#include <charconv>

namespace homeostat {

namespace {

/// The shortest text that reads back as the same number.
std::string text_of(double value) {
  std::array<char, 32> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), error == std::errc{} ? end : text.data()};
}

} // namespace

std::string exact_size_text(std::uint64_t bytes) {
  constexpr std::array units{" B", " KiB", " MiB", " GiB"};
  std::size_t unit = 0;
  for (; unit + 1 < units.size() && bytes != 0 && bytes % 1024 == 0; ++unit) bytes /= 1024;
  return std::to_string(bytes) + units[unit];
}

policy_settings_text settings_of(const transfer_policy& policy) {
  policy_settings_text all{{"goal", std::string(name_of(policy.goal))},
                           {"zero_copy_threshold", exact_size_text(policy.zero_copy_threshold)},
                           {"minimum_threshold", exact_size_text(policy.minimum_threshold)},
                           {"maximum_threshold", exact_size_text(policy.maximum_threshold)},
                           {"learning_enabled", policy.learning_enabled ? "true" : "false"},
                           {"exploration_rate", text_of(policy.exploration_rate)},
                           {"exploration_budget", text_of(policy.exploration_budget)},
                           {"marginal_benefit", text_of(policy.marginal_benefit)},
                           {"memory_pressure_threshold", text_of(policy.memory_pressure_threshold)},
                           {"cpu_pressure_threshold", text_of(policy.cpu_pressure_threshold)}};
  for (std::size_t t = 0; t < data_type_count; ++t)
    if (const auto& base = policy.threshold_overrides[t])
      all.emplace("threshold_overrides." + std::string(name_of(static_cast<data_type>(t))), exact_size_text(*base));
  for (std::size_t i = 0; i < policy.rules.size(); ++i) {
    const transfer_rule& rule = policy.rules[i]; // its place decides between equals
    all.emplace("rules." + rule.name, std::to_string(i + 1) + ". " + std::string(name_of(rule.method)) + " when " +
                                          rule.when + ", priority " + std::to_string(rule.priority));
  }
  return all;
}

std::expected<transfer_policy, std::string> changed_policy(transfer_policy policy,
                                                           const policy_settings_text& changes) {
  const auto values = policy_knobs_from(changes);
  if (!values) return std::unexpected(values.error());
  auto changed = with_knobs(std::move(policy), *values);
  if (!changed) return changed;
  if (auto ok = check(*changed); !ok) return std::unexpected(std::move(ok.error()));
  return changed;
}

policy_settings_text differences(const policy_settings_text& from, const policy_settings_text& to) {
  policy_settings_text found;
  for (const auto& [key, value] : to)
    if (const auto known = from.find(key); known == from.end() || known->second != value) found.emplace(key, value);
  return found;
}

} // namespace homeostat
