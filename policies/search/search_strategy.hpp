#pragma once

#include "policies/search/space.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace homeostat {

/// One finished evaluation as strategies see it.
struct observation {
  unit_point point;
  double value{0};
};

/// Everything measured so far (asked or declared), in the order in which it was told, and what is still out.
struct search_history {
  std::vector<observation> told;
  std::vector<unit_point> pending;
  std::size_t best{0}; ///< index of the smallest value in `told`; meaningless while it is empty
  std::optional<std::uint64_t>
      remaining; ///< evaluations left of the budget, the pending ones not counted; absent: open
};

/// A change of the strategy in charge, or the first one: what an operator sees of the search's own decisions.
struct strategy_switch {
  std::uint64_t at_trial{0}; ///< results told when it happened
  std::string from;          ///< empty for the first
  std::string to;
  std::string why;
};

/// A candidate, with the number under which the strategy wants to hear its result.
struct candidate {
  unit_point point;
  std::size_t ticket{0};
};

/// What all strategies share. A strategy is a deterministic function of its settings and of what it was told, so its
/// state is the history, replayed.
class search_strategy {
public:
  search_strategy() = default;
  search_strategy(const search_strategy&) = delete;
  search_strategy& operator=(const search_strategy&) = delete;
  virtual ~search_strategy() = default;

  /// @returns the next candidate, or nothing: it waits for results that are out, or it is finished.
  [[nodiscard]] virtual std::optional<candidate> propose(const search_history& history) = 0;
  /// The result of one of its own candidates; it is the newest in history.told.
  virtual void learn(std::size_t ticket, double value, const search_history& history) = 0;
  /// @returns true if it has converged and will propose nothing more.
  [[nodiscard]] virtual bool finished() const { return false; }
  [[nodiscard]] virtual std::span<const strategy_switch> switches() const { return {}; }
  /// @returns true if repeats or residuals showed that the objective is noisy.
  [[nodiscard]] virtual bool sees_noise(const search_history& /*history*/) const { return false; }
};

} // namespace homeostat
