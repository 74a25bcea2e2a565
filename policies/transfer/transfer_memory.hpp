#pragma once

#include "policies/transfer/pressure.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace homeostat {

/// More than any transfer costs; sums and squares of it are still numbers.
inline constexpr double most_measured = 1e15;

// What a pool has learned, as plain values: what outlives a restart. Whoever takes it up again checks all of it,
// because it comes from a disk: a cost that is no number would decide transfers for weeks.

/// What was measured of one (pressure, type, method, size class); see cost_table.
struct learned_cost {
  pressure under{};
  data_type type{};
  transfer_method method{};
  std::uint32_t size_class{0}; ///< below cost_class_count
  double weight{0};            ///< above 0
  std::uint64_t last{0};       ///< transfer under this pressure, at most as many as there were
  double latency{0};           ///< ratios to the prior
  double square{0};
  double cpu{0};
  double memory{0};
  double run_sum{0};
  std::int32_t run{0};
  friend bool operator==(const learned_cost&, const learned_cost&) = default;
};

/// A surprise that waits for a second one.
struct learned_alarm {
  pressure under{};
  transfer_method method{};
  std::uint64_t at{0};
  double factor{1};
  friend bool operator==(const learned_alarm&, const learned_alarm&) = default;
};

struct learned_costs {
  std::vector<learned_cost> cells;
  std::vector<learned_alarm> alarms;
  std::array<std::uint64_t, pressure_count> recorded{}; ///< transfers under each pressure
  friend bool operator==(const learned_costs&, const learned_costs&) = default;
};

/// A try that came out better, and is worth a few more.
struct kept_promise {
  pressure under{};
  data_type type{};
  std::uint32_t size_class{0};
  transfer_method method{};
  std::uint32_t tries{0};
  friend bool operator==(const kept_promise&, const kept_promise&) = default;
};

/// What transfers and trying cost lately, of one size class or of the pool.
struct kept_account {
  pressure under{};
  std::optional<std::uint32_t> size_class; ///< nothing: of the whole pool
  double time_us{0};
  double loss_us{0};
  friend bool operator==(const kept_account&, const kept_account&) = default;
};

struct transfer_memory {
  learned_costs costs;
  std::array<double, data_type_count> performance{}; ///< factors of the thresholds
  std::vector<kept_promise> promises;
  std::vector<kept_account> accounts;
  double slowdown{1};
  std::uint64_t generation{1};
  friend bool operator==(const transfer_memory&, const transfer_memory&) = default;
};

} // namespace homeostat
