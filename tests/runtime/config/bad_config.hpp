#pragma once

#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

/// A configuration in order, of every kind one document. The rows below each break it in one place.
inline constexpr std::string_view good_config = R"(apiVersion: homeostat/v1
kind: Node
metadata: {name: demo}
spec:
  store: {path: homeostat.db}
  api: {listen: "127.0.0.1:8421"}
  log: {format: text, level: info}
  supervision: {strategy: one_for_one, intensity: 5}
---
apiVersion: homeostat/v1
kind: Policy
metadata: {name: careful}
spec:
  guardrails: {preset: conservative}
  rollback: {preset: conservative}
  safe_mode: {telemetry_timeout: 1m}
---
apiVersion: homeostat/v1
kind: Pool
metadata: {name: web}
spec: {policy: careful}
---
apiVersion: homeostat/v1
kind: Source
metadata: {name: db}
spec:
  command: {sense: [pool-sense], apply: [pool-apply, "--now"], read_back: [pool-read]}
  interval: 5s
---
apiVersion: homeostat/v1
kind: Loop
metadata: {name: connections}
spec:
  pool: web
  source: db
  objective:
    minimize: latency_p99_ms + 1000 * error_rate
    constraints: [error_rate <= 0.01]
  knobs:
    - {name: pool_size, type: integer, min: 5, max: 100, default: 20, unit: connections}
    - {name: idle_s, min: 30, max: 600, default: 300, unit: s}
  guardrails: {max_updates_per_second: 0.1}
  strategy: {name: spsa}
  window: {digests: 3, settle: 2s}
)";

/// One way to get a configuration wrong, and everything that is then said about it.
struct bad_row {
  std::string name;
  std::string find; ///< occurs in good_config; its first occurrence is replaced
  std::string replace;
  std::vector<std::string> problems; ///< without the file's name, which is demo.yaml in all
};

std::ostream& operator<<(std::ostream& out, const bad_row& row);

/// Loads the broken configuration and compares every problem, word by word.
void expect_problems(const bad_row& row);
