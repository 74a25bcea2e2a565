#pragma once

#include "runtime/search/evaluate.hpp"
#include "runtime/search/search_run.hpp"

#include <chrono>
#include <functional>
#include <string>

namespace homeostat {

struct solve_settings {
  evaluation_settings evaluation;
  unsigned jobs{1};                      ///< evaluations at the same time, 1..64
  std::optional<double> failure_value{}; ///< recorded for an evaluation that fails; absent: nothing is, and five
                                         ///< failures in a row end the run
};

/// Numbers of one process's evaluations, for metrics and progress.
struct solve_counts {
  std::uint64_t asks{0};
  std::uint64_t tells{0};
  std::uint64_t failed{0};
  std::uint64_t failed_in_a_row{0};
  double evaluation_seconds{0};
};

enum class solve_end : std::uint8_t { finished, interrupted, failing, broken };

struct solve_result {
  solve_end end{solve_end::finished};
  std::string problem; ///< the last failed evaluation, or why the state could not be written
  solve_counts counts;
};

/// Evaluates candidates until the budget is spent. What an earlier process asked for and never heard of comes first.
/// @param progress  called at least every 50 ms, from the calling thread.
/// @param interrupted  waits that long for a signal; true ends the run, keeping all results.
[[nodiscard]] solve_result solve(search_run& run, const solve_settings& settings,
                                 const std::function<void(const solve_counts&)>& progress,
                                 const std::function<bool(std::chrono::milliseconds)>& interrupted);

} // namespace homeostat
