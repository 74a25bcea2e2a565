#pragma once

#include "policies/telemetry/digest.hpp"
#include "policies/time.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace homeostat {

/// Several digests of one generation, summed up: the only evidence strategies and guards see.
struct objective_window {
  std::uint64_t generation{0};
  instant begin{};          ///< start of the first digest's interval
  instant end{};            ///< timestamp of the last digest
  std::uint32_t digests{0}; ///< >= 1
  std::uint64_t samples{0}; ///< operations behind them
  double mean{0};           ///< objective, lower is better; digests weigh alike
  double variance{0};       ///< between digests; 0 with a single one
  std::optional<double> latency_p99_ms;
  std::optional<double> throughput_per_s;
  std::optional<double> error_rate;
  std::optional<double> constraint_margin; ///< the smallest seen; below 0 = violated
  friend bool operator==(const objective_window&, const objective_window&) = default;
};

/// When digests make a window and which digests are fit to (design §6; source: Hotpath API, "SpsaConfig").
struct window_settings {
  std::uint32_t digests{5};   ///< a window closes with this many digests, >= 1
  duration span{500ms};       ///< or when they cover this much time, whichever comes first
  duration settle_time{10ms}; ///< after a change came into force, before its effect counts
  duration max_age{5s};       ///< older digests are stale
  friend bool operator==(const window_settings&, const window_settings&) = default;
};

/// Why a digest was not counted.
enum class digest_fault : std::uint8_t {
  other_generation,
  settling,
  stale,
  from_the_future,
  not_finite,
  out_of_order,
  empty
};
inline constexpr std::size_t digest_fault_count = 7;
[[nodiscard]] std::string_view name_of(digest_fault fault);

/// What the sensor knows between digests.
struct sensor_state {
  std::uint64_t generation{0};           ///< the live one
  instant measurable_from{};             ///< when it has settled
  std::optional<instant> last_timestamp; ///< of the last digest counted
  std::optional<std::uint64_t> last_sequence;
  objective_window partial;     ///< digests == 0: nothing collected yet
  double sum_squares{0};        ///< of differences from partial.mean
  std::uint32_t throughputs{0}; ///< digests in partial that tell a throughput
  std::uint32_t error_rates{0}; ///< digests in partial that tell an error rate
  std::uint64_t accepted{0};
  std::array<std::uint64_t, digest_fault_count> faults{};
};

/// The live configuration moved: what was collected no longer describes it.
/// @param applied_at  when the new generation was confirmed in force.
void begin_generation(sensor_state& s, const window_settings& settings, std::uint64_t generation, instant applied_at);

/// The governor says what is in force. Begins anew if that is another generation, or the same one confirmed later than
/// known: in between nobody knew what the plant did. Frozen and thawed loops repeat themselves, which changes nothing.
/// @param confirmed_at  when the generation was confirmed in force.
/// @returns true if what was collected was dropped.
bool note_live(sensor_state& s, const window_settings& settings, std::uint64_t generation, instant confirmed_at);

/// @returns why a digest cannot be counted now, or nothing.
[[nodiscard]] std::optional<digest_fault> judge(const sensor_state& s, const window_settings& settings,
                                                const telemetry_digest& digest, instant now);

/// Counts one digest, or counts its fault (invariant I6).
/// @returns a window when this digest closes one.
std::optional<objective_window> take(sensor_state& s, const window_settings& settings, const telemetry_digest& digest,
                                     instant now);

} // namespace homeostat
