#pragma once

#include "policies/transfer/performance_baseline.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace homeostat {

// Which series are slower than their baseline, by how much, how surely, since when, and where to look.
//
// Each series is tested by the medians of its newest windows and by their 95th percentiles, over a short and a long
// time, with the one-sided Mann-Whitney test against the baseline's windows, its variance widened by the serial
// correlation of the baseline; the p-values of all tests are adjusted together after Benjamini and Hochberg. A finding
// needs both: a worsening by more than the threshold and an adjusted p within the allowed share of false findings.
// Refused: a test over single transfers, which calls every hiccup of a minute significant.

struct report_settings {
  double threshold{0.20};              ///< worsening that counts, as a share of the baseline
  double false_discoveries{0.01};      ///< allowed share of false findings
  double confidence{0.95};             ///< of the interval of the ratio
  std::uint32_t recent_windows{10};    ///< judged, the newest
  std::uint32_t long_windows{40};      ///< and these: a series that swings by itself needs them to be sure of anything
  std::uint32_t min_recent{5};         ///< below, a series is not judged, >= 3
  std::uint32_t min_baseline{20};      ///< windows in the baseline, below, a series is not judged
  std::uint32_t generation_windows{2}; ///< a regression that began within so many windows of a change is laid to it
  duration recent_within{6h};          ///< windows that ended longer ago say nothing about now
  friend bool operator==(const report_settings&, const report_settings&) = default;
};

/// @returns nothing, or one sentence naming the setting, its value and the expected form.
[[nodiscard]] std::expected<void, std::string> check(const report_settings& s);

enum class regressed_measure : std::uint8_t { latency_p50, latency_p95 };

/// Where the added time is spent.
enum class regression_cause : std::uint8_t {
  decision,      ///< choosing the method takes longer
  memory,        ///< memory is short, or more of it is held or touched
  processor,     ///< processors are busy with something else
  serialisation, ///< packing and unpacking take more processor time
  network,       ///< the serialised way waits; the shared one does not
  io,            ///< waiting that is not processor time, not memory and not the serialised way alone
  unknown,
};
inline constexpr std::size_t regression_cause_count = 7;

/// What changed in a series, from the medians of its windows; the input of cause_of.
struct component_change {
  transfer_method method{transfer_method::grpc};
  double latency_us{0};      ///< added mean latency, > 0
  double cpu_us{0};          ///< added mean processor time
  double decision_us{0};     ///< added mean decision time
  double memory_ratio{1};    ///< bytes held, now over before
  double memory_pressure{0}; ///< share now
  double memory_rise{0};     ///< and how much more than before
  double cpu_load{0};        ///< share now
  double cpu_rise{0};
  std::optional<bool> other_method_too{}; ///< whether the other method became slower too, for that size and type
};

struct cause_verdict {
  regression_cause cause{regression_cause::unknown};
  double confidence{0}; ///< 0..1: the share of the added time it explains, less where a comparison is missing
  std::string evidence; ///< one sentence
};

/// Tells the likely cause from the components. The rules and their order are in the source file.
[[nodiscard]] cause_verdict cause_of(const component_change& c);

struct regression_finding {
  series_key series;
  regressed_measure measure{regressed_measure::latency_p50};
  double before_us{0}; ///< median of the baseline's windows
  double now_us{0};
  double ratio{1}; ///< Hodges-Lehmann, with its interval
  double ratio_low{1};
  double ratio_high{1};
  double p{1};
  double p_adjusted{1};
  std::uint32_t windows_before{0};
  std::uint32_t windows_now{0};
  std::uint64_t transfers_now{0};
  instant began{};                           ///< most likely change point among the windows shown
  std::optional<std::uint64_t> generation{}; ///< configuration that came into force just before
  cause_verdict cause;
};

struct regression_report {
  instant at{};
  std::uint32_t tests{0};                   ///< made, and corrected for
  std::uint32_t unjudged{0};                ///< series with too few windows on either side
  std::vector<regression_finding> findings; ///< by the time they cost, the most first; one per series
  std::vector<transfer_method> methods;     ///< affected
  std::optional<size_class> least_size{};   ///< affected
  std::optional<size_class> last_size{};
};

/// @param recent  per series its windows in order of time, as many as are at hand: the newest are judged, the others
/// help to find when it began.  @param starts  changes of configuration in order of time.
[[nodiscard]] regression_report report_regressions(const std::map<series_key, performance_baseline>& baselines,
                                                   const std::map<series_key, std::vector<metrics_window>>& recent,
                                                   std::span<const generation_start> starts,
                                                   const report_settings& settings, instant now);

[[nodiscard]] std::string_view name_of(regressed_measure measure);
[[nodiscard]] std::string_view name_of(regression_cause cause);
/// @returns one line: "grpc tensor 8 MiB: latency_p50 312 -> 468 us (x1.5, 1.44 to 1.57), likely serialisation: ...".
[[nodiscard]] std::string describe(const regression_finding& f);

} // namespace homeostat
