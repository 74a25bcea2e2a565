#pragma once

#include "policies/transfer/decide.hpp"

#include <array>
#include <cstdint>

namespace homeostat {

/// Counts of one pool since it began.
struct transfer_totals {
  std::uint64_t transfers{0};
  std::array<std::uint64_t, transfer_method_count> by_method{};
  std::uint64_t explored{0};
  std::uint64_t failed{0};
  std::uint64_t predicted{0};    ///< transfers that had a prediction
  std::uint64_t within_15{0};    ///< of those, whose latency was within 15 % of it
  double time_us{0};             ///< of all transfers
  double exploration_loss_us{0}; ///< what exploring cost beyond the method that would have been chosen
};

/// @returns nothing, or one sentence on what no learner can have kept.
[[nodiscard]] std::expected<void, std::string> check(const transfer_memory& kept);

/// The learning state of one pool: outcomes in, views out. Time and conditions are arguments.
class transfer_learner {
public:
  /// @param policy  as check() passes it.
  explicit transfer_learner(transfer_policy policy);

  /// Learns from one finished transfer.
  void record(const transfer_metrics& done);
  /// The machine as it is now: pressure, with its hysteresis.
  void conditions(const system_conditions& now);
  /// Moves thresholds and makes the view for the decisions to come.
  [[nodiscard]] transfer_view look(instant now);

  /// Another policy; what was learned stays. @returns what check() says of it; it is not taken if that is an error.
  [[nodiscard]] std::expected<void, std::string> set_policy(transfer_policy policy, instant now);
  /// Something outside changed what decides, a model: outcomes from now on belong to another generation.
  void note_change() { ++generation_; }
  /// Forgets what was learned: thresholds and rules decide again.
  void reset(instant now, const std::string& why);

  /// @returns what is worth keeping of what was learned.
  [[nodiscard]] transfer_memory memory() const;
  /// Takes it up again, in place of what was learned since. @returns one sentence on what cannot be; nothing of it is
  /// taken then.
  [[nodiscard]] std::expected<void, std::string> remember(const transfer_memory& kept, instant now);

  static constexpr std::uint8_t tries_after_a_promise = 3;

  [[nodiscard]] const transfer_policy& policy() const { return policy_; }
  [[nodiscard]] const threshold_manager& thresholds() const { return thresholds_; }
  [[nodiscard]] const cost_table& costs() const { return costs_; }
  [[nodiscard]] const transfer_totals& totals() const { return totals_; }
  [[nodiscard]] pressure under() const { return under_; }
  /// @returns moving mean of actual over expected latency; 1: as expected.
  [[nodiscard]] double recent_slowdown() const { return slowdown_; }

private:
  [[nodiscard]] transfer_view::entry entry_of(data_type type, std::size_t cost_class, std::uint64_t threshold) const;

  transfer_policy policy_;
  cost_table costs_;
  threshold_manager thresholds_;
  transfer_totals totals_;
  system_conditions now_{};
  pressure under_{pressure::none};
  /// A try that came out better than the method in use would: it is worth a few more at once, for one alone is soon
  /// forgotten.
  struct promise {
    transfer_method method{transfer_method::grpc};
    std::uint8_t tries{0}; ///< left
  };
  std::array<std::array<std::array<promise, cost_class_count>, data_type_count>, pressure_count> promises_{};
  double slowdown_{1};
  /// What exploring may cost is a share of the time that transfers took, over about the last thousand of the pool.
  struct account {
    std::uint64_t at{0}; ///< transfer of the pool
    double time_us{0};
    double loss_us{0};
  };
  [[nodiscard]] account settled(const account& of) const;
  std::array<std::array<account, cost_class_count>, pressure_count> accounts_{};
  std::array<account, pressure_count> pool_account_{};
  std::uint64_t generation_{1}; ///< of policy and model, not of what is learned: that flows
};

} // namespace homeostat
