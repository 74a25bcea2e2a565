#pragma once

#include "runtime/ports/plant.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>

namespace homeostat {

/// One line of `pgbench -P`: what the clients themselves saw over one progress interval.
struct pgbench_interval {
  double throughput_per_s{0};
  double latency_mean_ms{0}; ///< a whole transaction, with the wait for a server and the client's think time
  double latency_stddev_ms{0};

  bool operator==(const pgbench_interval&) const = default;
};

/// @param line  for example "progress: 5.0 s, 1177.3 tps, lat 128.992 ms stddev 20.515, 0 failed".
/// @returns its figures; nothing for any other line, and for an interval in which no transaction ended.
std::optional<pgbench_interval> parse_progress(std::string_view line);

/// Follows the progress log of a running pgbench. Intervals before the first call are skipped; a log that was started
/// anew is read from its beginning.
class pgbench_progress {
public:
  explicit pgbench_progress(std::filesystem::path log) : log_(std::move(log)) {}

  /// @returns client_throughput_per_s, client_latency_mean_ms and client_latency_stddev_ms over the complete lines that
  ///          came since the last call, weighted by transactions; nothing at all if there was none.
  /// @errors  the log cannot be read.
  std::expected<named_values, plant_error> read();

private:
  std::filesystem::path log_;
  std::optional<std::uint64_t> offset_;
};

} // namespace homeostat
