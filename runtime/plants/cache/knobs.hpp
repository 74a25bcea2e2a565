#pragma once

#include "runtime/ports/plant.hpp"

#include <array>
#include <cstddef>
#include <expected>
#include <string_view>

namespace homeostat::cache {

/// The knobs of the service, as one set.
struct cache_knobs {
  double ttl_ms{80};          ///< time to live of a cached value
  std::size_t workers{5};     ///< fetcher threads, each with an origin session
  std::size_t batch_size{12}; ///< most keys in one fetch

  friend bool operator==(const cache_knobs&, const cache_knobs&) = default;
};

/// What may be said about one knob before a loop is configured over it.
struct knob_fact {
  std::string_view name;
  double minimum;
  double maximum;
  double shipped; ///< the default
  bool log_scale; ///< else linear
  bool integer;   ///< else continuous
  std::string_view unit;
};

/// The knobs of the service. Bounds are hard: a value outside is refused.
inline constexpr std::array<knob_fact, 3> knob_facts{{
    {"cache_ttl_ms", 20, 2000, cache_knobs{}.ttl_ms, true, false, "ms"},
    {"workers", 1, 16, static_cast<double>(cache_knobs{}.workers), false, true, "threads"},
    {"batch_size", 1, 64, static_cast<double>(cache_knobs{}.batch_size), true, true, "keys"},
}};

/// What the demo minimises: milliseconds a user waits on average, plus what else hurts, in such milliseconds: 10 %
/// stale answers are as bad as 2 ms more, 1 % errors as 3 ms more, each origin session kept busy as 0.4 ms more. Every
/// metric in it is defined whenever a request was answered.
inline constexpr std::string_view objective_formula =
    "latency_mean_ms + 20 * stale_ratio + 300 * error_rate + 0.4 * origin_load";

/// @returns the value of objective_formula; NaN when a metric in it is missing.
[[nodiscard]] double objective_of(const named_values& metrics);

/// Reads a full knob set.
/// @param wanted  each knob of knob_facts exactly once.
/// @returns the set; an error when a knob is missing or unknown, or its value is out of bounds or not whole where it
/// must be.
[[nodiscard]] std::expected<cache_knobs, plant_error> parse_knobs(const named_values& wanted);

/// @returns the set by knob name.
[[nodiscard]] named_values named(const cache_knobs& knobs);

} // namespace homeostat::cache
