#pragma once

#include "policies/transfer/cost_table.hpp"

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

namespace homeostat {

/// One change of a threshold, with why.
struct threshold_change {
  instant at{};
  data_type type{data_type::binary};
  std::uint64_t from{0}; ///< bytes
  std::uint64_t to{0};
  double performance_factor{1};
  double resource_factor{1};
  std::string rationale;
};

/// The size from which a pool uses zero_copy, per data type: base threshold x performance factor x resource factor,
/// within the policy's bounds. The performance factor follows the crossover that was measured: it begins to move when
/// the crossover has been off by more than a fifth for three looks, then by at most a factor of two a look, until it is
/// there. The resource factor follows pressure at once.
class threshold_manager {
public:
  explicit threshold_manager(const transfer_policy& policy);

  /// @returns bytes.
  [[nodiscard]] std::uint64_t threshold(data_type type) const { return current_[static_cast<std::size_t>(type)].bytes; }
  [[nodiscard]] double performance_factor(data_type type) const {
    return current_[static_cast<std::size_t>(type)].performance;
  }

  /// Looks at what was learned and at the pressure.
  void look(const cost_table& costs, pressure under, const system_conditions& now, const transfer_policy& policy,
            instant at);
  /// @returns whether another look at the same costs and the same pressure would change nothing.
  [[nodiscard]] bool settled() const;
  /// The policy's base thresholds again, without what was learned.
  void reset(const transfer_policy& policy, instant at, const std::string& why);
  /// The performance factors that were learned before a restart. @pre check() passes them
  void remember(const std::array<double, data_type_count>& performance, const transfer_policy& policy, instant at);
  /// Another policy, with what was learned.
  void rebase(const transfer_policy& policy, instant at);
  /// @returns the last changes, at most 64, oldest first.
  [[nodiscard]] const std::deque<threshold_change>& changes() const { return changes_; }

private:
  struct one {
    std::uint64_t bytes{0};
    double performance{1};
    double resource{1};
    int off{0}; ///< looks in a row at which the crossover lay elsewhere
    bool moving{false};
  };
  void set(data_type type, double performance, double resource, const transfer_policy& policy, instant at,
           std::string rationale);
  std::array<one, data_type_count> current_{};
  std::deque<threshold_change> changes_;
};

/// @returns the score of an expected cost under a goal: the weighted mean of its logarithms; lower is better.
[[nodiscard]] double score_of(const method_cost& cost, const goal_weights& weights) noexcept;

/// Evidence below this is none: the threshold decides.
inline constexpr double least_evidence = 0.5;

/// @returns the size from which zero_copy scores better, in bytes: the boundary that puts the least gain on its wrong
/// side, over all classes with evidence for both methods; nothing without any such class.
[[nodiscard]] std::optional<std::uint64_t> measured_crossover(const cost_table& costs, pressure under, data_type type,
                                                              const goal_weights& weights);

} // namespace homeostat
