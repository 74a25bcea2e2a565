#pragma once

#include "runtime/search/solve.hpp"

#include <atomic>
#include <string>

namespace homeostat {

/// A batch search's numbers, written by the search and read by the metrics endpoint.
struct search_gauges {
  std::atomic<std::uint64_t> asks{0};
  std::atomic<std::uint64_t> tells{0};
  std::atomic<std::uint64_t> failed{0};
  std::atomic<std::uint64_t> history{0};
  std::atomic<double> evaluation_seconds{0};

  void take(const solve_counts& counts, std::size_t history_length) {
    asks = counts.asks, tells = counts.tells, failed = counts.failed;
    history = history_length;
    evaluation_seconds = counts.evaluation_seconds;
  }
};

/// @returns the search's metrics in Prometheus' text format.
[[nodiscard]] std::string search_metrics_text(const search_gauges& gauges);

} // namespace homeostat
