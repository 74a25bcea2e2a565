#pragma once

#include "policies/search/online/online_strategy.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace homeostat {

struct cache_run_options {
  std::optional<std::chrono::microseconds> length; ///< absent: until interrupted
  bool json{false};                    ///< a machine-readable summary on standard output, and nothing else there
  std::optional<std::uint64_t> seed;   ///< of traffic and strategy; absent: the configuration's
  std::optional<online_kind> strategy; ///< absent: the configuration's
  std::optional<std::string> store;    ///< keeps the audit there; absent: a scratch folder, removed at the end
};

/// Tunes the embedded cache service beside a control instance on the same traffic, with a live view on the terminal.
/// @returns the exit code: 0 if the run ended in order, nothing left its bounds and the audit chain is intact.
[[nodiscard]] int run_cache_demo(const cache_run_options& options);

} // namespace homeostat
