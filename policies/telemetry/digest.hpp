#pragma once

#include "policies/time.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>

namespace homeostat {

/// What a digest may tell beside its objective.
enum class digest_measure : std::uint8_t {
  p99_latency_ms,    ///< 99th percentile of latency in the window [ms]
  throughput_per_s,  ///< completed operations per second
  error_rate,        ///< failed share of operations, 0..1
  constraint_margin, ///< distance to the nearest constraint in that constraint's unit; negative = violated
};
inline constexpr std::size_t digest_measure_count = 4;

/// Measures that may be absent. Absence is a bit, never a number that could be mistaken for one. Plain public data,
/// because digests travel as they are; write through set() and clear(), which keep absent values at 0 so that equality
/// is memberwise.
struct digest_measures {
  std::uint64_t present{0}; ///< bit i: measure i has a value; 64 bits, so that the digest has no padding
  std::array<double, digest_measure_count> values{};

  /// @returns the value in the measure's unit; nothing if absent.
  [[nodiscard]] constexpr std::optional<double> get(digest_measure m) const noexcept {
    return (present & bit(m)) != 0 ? std::optional(values[static_cast<std::size_t>(m)]) : std::nullopt;
  }
  constexpr digest_measures& set(digest_measure m, double value) noexcept {
    present |= bit(m);
    values[static_cast<std::size_t>(m)] = value;
    return *this;
  }
  constexpr digest_measures& clear(digest_measure m) noexcept {
    present &= ~bit(m);
    values[static_cast<std::size_t>(m)] = 0;
    return *this;
  }
  friend constexpr bool operator==(const digest_measures&, const digest_measures&) = default;

private:
  static constexpr std::uint64_t bit(digest_measure m) noexcept { return std::uint64_t{1} << static_cast<unsigned>(m); }
};

/// One compact telemetry sample: what was seen in one window under one configuration.
struct telemetry_digest {
  instant at{};       ///< end of the window
  duration window{0}; ///< length of the window, > 0
  std::uint64_t sequence{
      0}; ///< number from its source, each greater than the one before: finds duplicates and disorder
  std::uint64_t generation{0};   ///< configuration in force during the whole window
  std::uint64_t sample_count{0}; ///< operations behind the numbers; 0 = nothing happened, the objective says nothing
  double objective{0};           ///< what the loop optimises, in the objective's unit
  digest_measures measures{};    ///< what else is known

  [[nodiscard]] constexpr std::optional<double> p99_latency_ms() const noexcept {
    return measures.get(digest_measure::p99_latency_ms);
  }
  [[nodiscard]] constexpr std::optional<double> throughput_per_s() const noexcept {
    return measures.get(digest_measure::throughput_per_s);
  }
  [[nodiscard]] constexpr std::optional<double> error_rate() const noexcept {
    return measures.get(digest_measure::error_rate);
  }
  [[nodiscard]] constexpr std::optional<double> constraint_margin() const noexcept {
    return measures.get(digest_measure::constraint_margin);
  }

  /// Equal field by field; as with any double, a digest that holds NaN equals nothing, not even itself.
  friend constexpr bool operator==(const telemetry_digest&, const telemetry_digest&) = default;
};

/// @returns true if neither the objective nor any measure is NaN or infinite.
[[nodiscard]] inline bool is_finite(const telemetry_digest& digest) noexcept {
  if (!std::isfinite(digest.objective)) return false;
  for (double value : digest.measures.values) // absent ones are 0
    if (!std::isfinite(value)) return false;
  return true;
}

static_assert(sizeof(telemetry_digest) <= 128, "a digest has at most 128 bytes (glossary)");
static_assert(std::is_trivially_copyable_v<telemetry_digest>);
static_assert(std::is_standard_layout_v<telemetry_digest>);

} // namespace homeostat
