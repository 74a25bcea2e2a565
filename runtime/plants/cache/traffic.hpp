#pragma once

#include "policies/time.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace homeostat::cache {

/// The kinds of traffic one cycle passes through, in this order.
enum class regime : std::uint8_t { quiet, peak, flash };

/// Every regime, in the order of a cycle.
inline constexpr std::array<regime, 3> all_regimes{regime::quiet, regime::peak, regime::flash};

/// @returns "quiet", "peak" or "flash".
[[nodiscard]] std::string_view name_of(regime r);

/// What one regime looks like.
struct regime_shape {
  double rate_per_s;      ///< mean arrivals per second, > 0
  double zipf_exponent;   ///< popularity of rank r is proportional to 1 / r^exponent, >= 0
  double origin_slowdown; ///< factor on every origin wait, > 0; the crowd hits the origin's other clients too
  double share;           ///< part of the cycle, > 0; the three sum to 1
};

/// Everything the request sequence depends on. Same settings, same sequence.
struct traffic_settings {
  std::uint64_t seed{1};
  std::uint32_t keys{600};    ///< distinct keys, 1..1,000,000
  duration cycle{24'000'000}; ///< length of quiet + peak + flash together, > 0
  double ramp_share{
      0.06}; ///< part of the cycle over which quiet grows into peak and flash decays into quiet; [0, share)
  double burstiness{1.0}; ///< 1: gaps as of independent clients (exponential); 0: evenly spaced; in between: a blend
  std::array<regime_shape, 3> shapes{{{850, 0.75, 1.0, 0.40}, {1350, 0.90, 1.0, 0.36}, {1750, 1.12, 1.1, 0.24}}};
  std::optional<regime> pinned{}; ///< set: stay in this regime for ever, to measure it alone
};

/// What holds at one moment of the traffic.
struct traffic_conditions {
  regime kind{regime::quiet};
  double rate_per_s{0};
  double origin_slowdown{1};
  std::uint32_t hot_shift{0}; ///< how often the hot set has moved; each flash crowd brings one move

  friend bool operator==(const traffic_conditions&, const traffic_conditions&) = default;
};

/// @returns the conditions at `offset` (>= 0) after the start. A pure function of its arguments.
[[nodiscard]] traffic_conditions conditions_at(const traffic_settings& settings, duration offset);

/// One request of the sequence, before it is tied to a clock.
struct scheduled_request {
  duration offset{0};   ///< arrival after the start of the traffic
  std::uint32_t key{0}; ///< 0 .. keys - 1
};

/// The request sequence: an endless, reproducible stream of arrivals in order of time (open loop: it never looks at
/// how the services do).
class traffic_schedule {
public:
  explicit traffic_schedule(const traffic_settings& settings);

  /// @returns the next request; offsets never decrease.
  scheduled_request next();

  [[nodiscard]] const traffic_settings& settings() const { return settings_; }

private:
  traffic_settings settings_;
  std::array<std::vector<double>, 3> cumulative_; ///< per regime: cumulative popularity by rank, last element 1
  std::uint64_t drawn_{0};
  double at_us_{0};
};

/// Order-sensitive fingerprint of a request sequence, to prove that two services saw the same one.
class sequence_hash {
public:
  void add(const scheduled_request& r);
  [[nodiscard]] std::uint64_t value() const { return value_; }
  [[nodiscard]] std::uint64_t count() const { return count_; }

private:
  std::uint64_t value_{0};
  std::uint64_t count_{0};
};

} // namespace homeostat::cache
