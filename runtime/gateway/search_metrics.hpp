#pragma once

#include "runtime/gateway/http_server.hpp"
#include "runtime/search/interactive.hpp"
#include "runtime/search/solve.hpp"

#include <atomic>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>

namespace homeostat {

/// A search's numbers, batch or online, written by the search and read by the metrics endpoint.
struct search_gauges {
  std::atomic<std::uint64_t> asks{0};
  std::atomic<std::uint64_t> tells{0};
  std::atomic<std::uint64_t> failed{0};
  std::atomic<std::uint64_t> history{0};
  std::atomic<std::uint64_t> changes{0};
  std::atomic<std::uint64_t> recalls{0};
  std::atomic<std::uint64_t> returns{0};
  std::atomic<double> evaluation_seconds{0};

  void take(const solve_counts& counts, std::size_t history_length) {
    asks = counts.asks, tells = counts.tells, failed = counts.failed;
    history = history_length;
    evaluation_seconds = counts.evaluation_seconds;
  }
  void take(const session_counts& counts) {
    asks = counts.asks, tells = counts.tells, failed = counts.abandoned, history = counts.history;
    changes = counts.changes, recalls = counts.recalls, returns = counts.returns;
    evaluation_seconds = counts.evaluation_seconds;
  }
};

/// @returns the search's metrics in Prometheus' text format.
[[nodiscard]] std::string search_metrics_text(const search_gauges& gauges);

/// Serves /metrics on loopback. @param port  0: any.  @param gauges  outlive the server.
[[nodiscard]] std::expected<std::unique_ptr<http_server>, std::string>
serve_search_metrics(std::uint16_t port, const search_gauges& gauges);

} // namespace homeostat
