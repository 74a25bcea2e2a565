#pragma once

#include "policies/transfer/transfer.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace homeostat {

/// What a pool's decisions are to be good at.
enum class transfer_goal : std::uint8_t { balanced, minimize_latency, maximize_throughput, minimize_memory };
inline constexpr std::size_t transfer_goal_count = 4;

/// @returns the name in configurations.
[[nodiscard]] std::string_view name_of(transfer_goal goal) noexcept;
/// @returns the goal of that name.
[[nodiscard]] std::optional<transfer_goal> transfer_goal_from(std::string_view name) noexcept;

/// Weights of log latency, log processor time and log memory in a method's score; their sum is 1. A weighted geometric
/// mean has no scale: twice the latency weighs the same at 4 KiB and at 1 GiB.
struct goal_weights {
  double latency;
  double cpu;
  double memory;
};
[[nodiscard]] goal_weights weights_of(transfer_goal goal) noexcept;

/// An operator's rule: where its condition holds, its method is taken. The condition is an expression over the metrics
/// of a decision, evaluated by the runtime.
struct transfer_rule {
  std::string name;
  int priority{0}; ///< the highest of those that match decides; equal ones that disagree leave it to the simpler method
  transfer_method method{transfer_method::grpc};
  std::string when; ///< expression
  friend bool operator==(const transfer_rule&, const transfer_rule&) = default;
};
/// @returns the metrics a rule's condition may use, sorted: `data_size` [bytes], `compressed`, `type_<name>`,
/// `format_<name>` [0 or 1], `cpu_load`, `memory_used` [0..1], `available_memory` [bytes], `in_flight`, `hour` [0..24],
/// `recent_slowdown`.
[[nodiscard]] std::vector<std::string> decision_metric_names();
inline constexpr std::size_t max_transfer_rules = 32;

inline constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;
/// No threshold lies higher: up to here a number with a fraction tells every byte.
inline constexpr std::uint64_t largest_threshold = 1'000'000'000'000'000;

/// The policy of one pool. Defaults are the performance source's.
struct transfer_policy {
  transfer_goal goal{transfer_goal::balanced};
  std::uint64_t zero_copy_threshold{10 * mebibyte}; ///< base threshold, bytes
  std::uint64_t minimum_threshold{1 * mebibyte};    ///< below: grpc, at once; 0 leaves it to the rest
  std::uint64_t maximum_threshold{1024 * mebibyte}; ///< from here: zero_copy, at once
  std::array<std::optional<std::uint64_t>, data_type_count> threshold_overrides{}; ///< base threshold of one type
  std::vector<transfer_rule> rules;                                                ///< at most 32
  bool learning_enabled{true};     ///< false: thresholds, rules and pressure decide; outcomes are only recorded
  double exploration_rate{0.05};   ///< share of decisions that try the other method, 0..0.5; more where it is unknown
  double exploration_budget{0.01}; ///< share of the pool's transfer time that trying may cost, 0..0.5
  double marginal_benefit{0.03};   ///< a smaller gain is not worth the less simple method, 0..1
  double memory_pressure_threshold{0.8}; ///< share in use, 0.01..1; 1: never
  double cpu_pressure_threshold{0.8};
  friend bool operator==(const transfer_policy&, const transfer_policy&) = default;
};

/// @returns nothing; or one sentence naming the setting, its value and the expected form.
[[nodiscard]] std::expected<void, std::string> check(const transfer_policy& policy);

} // namespace homeostat
