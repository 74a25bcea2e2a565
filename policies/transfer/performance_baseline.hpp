#pragma once

#include "policies/transfer/metrics_bucket.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace homeostat {

// What is normal for one series (size class, type, method), and how that may change.
//
// A baseline is an anchor, the median of windows it was formed from, and the newest windows near that anchor. Only a
// window within a band around the anchor joins; the anchor itself does not follow. So neither a sick period nor one
// that gets worse a little every hour can become normal. The anchor moves in two cases only: a person says so, or a new
// level began right after a change of configuration, held for a declared time, and was healthy while it lasted.
// Anything else that lasts stays a regression (or an improvement) for as long as it lasts. Refused: a moving average,
// which forgets what was normal exactly when it matters.

struct baseline_settings {
  std::uint32_t min_windows{30};  ///< that form a baseline, >= 10
  std::uint32_t max_windows{120}; ///< held of each, >= min_windows
  /// A window belongs to a baseline if its median and 95th percentile are within this share of the anchor, or within
  /// three standard deviations of the windows the anchor was formed from, but never beyond `widest_band`. Without the
  /// second part the accepted windows would look calmer than the series is, and chance would look significant.
  double band{0.10};
  double widest_band{0.50};
  double most_failures{0.02};  ///< share of failed transfers above which a window is sick
  double most_pressure{0.80};  ///< mean share of memory or processors in use above which a window is sick
  duration hold{24h};          ///< a new level must last this long to become normal
  duration cause_within{5min}; ///< and must begin this soon after a change of configuration
  friend bool operator==(const baseline_settings&, const baseline_settings&) = default;
};

/// @returns nothing, or one sentence naming the setting, its value and the expected form.
[[nodiscard]] std::expected<void, std::string> check(const baseline_settings& s);

/// When a generation of the pool's configuration came into force.
struct generation_start {
  std::uint64_t generation{0};
  instant at{};
  friend bool operator==(const generation_start&, const generation_start&) = default;
};

/// Middle and spread of a set of windows, of natural logarithms of microseconds.
struct baseline_anchor {
  double p50{0};
  double p95{0};
  double reach_p50{0}; ///< how far from p50 a window may be
  double reach_p95{0};
  std::uint64_t generation{0}; ///< of the last window it was formed from
  instant at{};                ///< when it became the anchor
  friend bool operator==(const baseline_anchor&, const baseline_anchor&) = default;
};

/// A level outside the band that may become the next anchor. When its windows are as many as may be held, every second
/// one is dropped and only every second, fourth, ... is kept from then on: they always span the whole time.
struct baseline_candidate {
  std::uint64_t generation{0}; ///< its cause
  instant began{};
  std::uint32_t seen{0};
  std::uint32_t strays{0}; ///< sick ones, and those back in the band
  std::uint32_t stride{1};
  std::vector<metrics_window> windows;
  friend bool operator==(const baseline_candidate&, const baseline_candidate&) = default;
};

/// One move of the anchor.
struct rebaseline {
  instant at{};
  double before_us{0}; ///< median
  double after_us{0};
  std::string why;
  friend bool operator==(const rebaseline&, const rebaseline&) = default;
};

struct performance_baseline {
  std::optional<baseline_anchor> anchor;
  std::vector<metrics_window> windows; ///< accepted, or while there is no anchor: those it may be formed from
  std::optional<instant> astray_since; ///< first of the windows in a row outside the band
  std::optional<baseline_candidate> candidate;
  std::vector<rebaseline> history; ///< the newest 8
  std::uint64_t accepted{0};
  std::uint64_t out_of_band{0};
  std::uint64_t sick{0};
  std::uint64_t out_of_order{0}; ///< windows not after the last one
  instant last{};                ///< end of the last window
  friend bool operator==(const performance_baseline&, const performance_baseline&) = default;

  /// @returns the typical median latency in microseconds; nothing while the baseline is being formed.
  [[nodiscard]] std::optional<double> p50_us() const;
};

enum class window_verdict : std::uint8_t { forming, formed, accepted, out_of_band, sick, rebaselined, out_of_order };
[[nodiscard]] std::string_view name_of(window_verdict verdict);

/// Shows a baseline the next window of its series.
/// @param starts  changes of configuration, in order of time; those of the last hour before the window suffice.
window_verdict observe(performance_baseline& b, const metrics_window& window, std::span<const generation_start> starts,
                       const baseline_settings& settings);

/// A person says that these windows are normal now. @param windows  at least 10, in order of time.
/// @errors one sentence: too few windows, or they do not agree with each other.
[[nodiscard]] std::expected<void, std::string> accept_baseline(performance_baseline& b,
                                                               std::span<const metrics_window> windows,
                                                               const std::string& who, instant now,
                                                               const baseline_settings& settings);

} // namespace homeostat
