#include "policies/transfer/policy_knobs.hpp"

#include "policies/find_named.hpp"
#include "policies/fnv1a.hpp"
#include "policies/number_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace homeostat {

namespace {

struct size_key {
  std::string_view name;
  std::uint64_t transfer_policy::* member;
};
constexpr std::array<size_key, 3> sizes{{{"zero_copy_threshold", &transfer_policy::zero_copy_threshold},
                                         {"minimum_threshold", &transfer_policy::minimum_threshold},
                                         {"maximum_threshold", &transfer_policy::maximum_threshold}}};

struct share_key {
  std::string_view name;
  double transfer_policy::* member;
  double min;
  double max;
};
constexpr std::array<share_key, 5> shares{{
    {"exploration_rate", &transfer_policy::exploration_rate, 0, 0.5},
    {"exploration_budget", &transfer_policy::exploration_budget, 0, 0.5},
    {"marginal_benefit", &transfer_policy::marginal_benefit, 0, 1},
    {"memory_pressure_threshold", &transfer_policy::memory_pressure_threshold, 0.01, 1},
    {"cpu_pressure_threshold", &transfer_policy::cpu_pressure_threshold, 0.01, 1},
}};

constexpr std::string_view goal = "goal";
constexpr std::string_view learning = "learning_enabled";

std::vector<std::string> goals() {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < transfer_goal_count; ++i) names.emplace_back(name_of(static_cast<transfer_goal>(i)));
  return names;
}

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i)
    text += (i == 0 ? "" : i + 1 == names.size() ? " or " : ", ") + names[i];
  return text;
}

std::string form_of(const knob_spec& knob) {
  if (knob.type == knob_type::categorical) return listed(knob.categories);
  if (knob.type == knob_type::boolean) return "true or false";
  if (knob.type == knob_type::integer) return "a size such as 512 KiB or 10 MiB (B, KiB, MiB or GiB)";
  return number_text(knob.min) + " to " + number_text(knob.max);
}

std::optional<double> number_from(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

std::optional<double> value_from(const knob_spec& knob, const std::string& text) {
  if (knob.type == knob_type::boolean)
    return text == "true" ? std::optional(1.0) : text == "false" ? std::optional(0.0) : std::nullopt;
  if (knob.type == knob_type::categorical) {
    const auto found = std::ranges::find(knob.categories, text);
    if (found == knob.categories.end()) return std::nullopt;
    return static_cast<double>(found - knob.categories.begin());
  }
  if (knob.type != knob_type::integer) return number_from(text);
  if (const auto size = size_from(text)) return std::max(knob.min, static_cast<double>(*size)); // 0 B is the least
  const auto bytes = number_from(text);
  return bytes && *bytes == 0 ? knob.min : bytes;
}

} // namespace

std::vector<knob_spec> policy_knobs(const transfer_policy& initial) {
  std::vector<knob_spec> knobs;
  const auto at = knobs_of(initial);
  const auto add = [&](std::string_view name, knob_type type, double min, double max) -> knob_spec& {
    knob_spec& knob = knobs.emplace_back();
    knob.name = name;
    knob.type = type;
    knob.min = min;
    knob.max = max;
    knob.initial = at.at(knob.name);
    return knob;
  };
  knob_spec& what_for = add(goal, knob_type::categorical, 0, static_cast<double>(transfer_goal_count - 1));
  what_for.categories = goals();
  what_for.risk = risk_class::medium; // another goal is another system
  for (const size_key& key : sizes) {
    knob_spec& knob = add(key.name, knob_type::integer, 1, static_cast<double>(largest_threshold));
    knob.scale = knob_scale::log;
    knob.unit = "bytes";
  }
  for (const share_key& key : shares) add(key.name, knob_type::continuous, key.min, key.max);
  add(learning, knob_type::boolean, 0, 1).risk = risk_class::medium;
  return knobs;
}

std::map<std::string, double> knobs_of(const transfer_policy& policy) {
  std::map<std::string, double> values{{std::string(goal), static_cast<double>(policy.goal)},
                                       {std::string(learning), policy.learning_enabled ? 1.0 : 0.0}};
  for (const size_key& key : sizes)
    values.emplace(key.name, static_cast<double>(std::max<std::uint64_t>(policy.*key.member, 1)));
  for (const share_key& key : shares) values.emplace(key.name, policy.*key.member);
  return values;
}

std::expected<transfer_policy, std::string> with_knobs(transfer_policy policy,
                                                       const std::map<std::string, double>& values) {
  const std::vector<knob_spec> knobs = policy_knobs(transfer_policy{});
  for (const auto& [name, value] : values) {
    const knob_spec* knob = find_named(knobs, name);
    if (!knob) return std::unexpected("a pool's policy has no knob '" + name + "'");
    if (!is_admissible(*knob, value))
      return std::unexpected(name + " is " + number_text(value) + ", expected " + number_text(knob->min) + " to " +
                             number_text(knob->max) + (knob->type == knob_type::continuous ? "" : ", whole"));
    for (const size_key& key : sizes)
      if (key.name == name) policy.*key.member = static_cast<std::uint64_t>(value);
    for (const share_key& key : shares)
      if (key.name == name) policy.*key.member = value;
    if (name == goal) policy.goal = static_cast<transfer_goal>(static_cast<int>(value));
    if (name == learning) policy.learning_enabled = value == 1;
  }
  if (policy.minimum_threshold == 1) policy.minimum_threshold = 0;
  return policy;
}

std::string fingerprint(const transfer_policy& policy) {
  std::uint64_t hash = fnv1a("");
  const auto add = [&](std::string_view text) { hash = fnv1a({"\0", 1}, fnv1a(text, hash)); };
  for (const auto& [name, value] : knobs_of(policy)) add(exact_text(value));
  add(std::to_string(policy.minimum_threshold)); // its knob does not tell 0 from 1
  for (const auto& bytes : policy.threshold_overrides) add(bytes ? std::to_string(*bytes) : "");
  for (const transfer_rule& rule : policy.rules)
    add(rule.name), add(rule.when), add(name_of(rule.method)), add(std::to_string(rule.priority));
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(hash));
  return digits;
}

std::expected<double, std::string> policy_knob_from(const std::string& key, const std::string& text) {
  const std::vector<knob_spec> knobs = policy_knobs(transfer_policy{});
  const knob_spec* knob = find_named(knobs, key);
  if (!knob) {
    std::vector<std::string> names;
    for (const knob_spec& known : knobs) names.push_back(known.name);
    return std::unexpected("'" + key + "' is no key of a pool's policy that a loop governs, expected " + listed(names));
  }
  const auto value = value_from(*knob, text);
  if (value && is_admissible(*knob, *value)) return *value;
  return std::unexpected(key + " is '" + text + "', expected " + form_of(*knob));
}

std::optional<std::uint64_t> size_from(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc{} || value < 0) return std::nullopt;
  std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  while (!unit.empty() && unit.front() == ' ') unit.remove_prefix(1);
  constexpr std::array<std::string_view, 4> units{"B", "KiB", "MiB", "GiB"};
  const auto found = std::ranges::find(units, unit);
  if (found == units.end()) return std::nullopt;
  const double bytes = value * std::pow(1024.0, static_cast<double>(found - units.begin()));
  if (bytes > static_cast<double>(largest_threshold) || bytes != std::floor(bytes)) return std::nullopt;
  return static_cast<std::uint64_t>(bytes);
}

std::expected<std::map<std::string, double>, std::string>
policy_knobs_from(const std::map<std::string, std::string>& changes) {
  std::map<std::string, double> values;
  for (const auto& [key, text] : changes) {
    const auto value = policy_knob_from(key, text);
    if (!value) return std::unexpected(value.error());
    values.emplace(key, *value);
  }
  return values;
}

} // namespace homeostat
