#pragma once

#include "policies/transfer/experiment_place.hpp"
#include "policies/transfer/quantile_sketch.hpp"
#include "policies/transfer/transfer.hpp"

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace homeostat {

// Two settings of one pool side by side, on real transfers (A/B).
//
// Sessions are split by a hash of their name, so that a session always sees the same arm. What is compared is the mean
// of the logarithm of latency; exp of the difference is the ratio of the geometric means, treatment over control. The
// verdict is an always-valid one: the mixture sequential probability ratio test keeps its error rate however often it
// is looked at, so that whoever watches may stop when it says so. Guards stop a harmful treatment at once.
//
// Transfers of one session resemble each other. The variance of the difference is therefore also estimated over cells,
// 256 groups of sessions per arm, and the larger of the two estimates counts.
// Source: Johari, Koomen, Pekelis, Walsh, "Always Valid Inference: Continuous Monitoring of A/B Tests" (2017,
// Operations Research 70, 2022), section 5; Robbins, "Statistical methods related to the law of the iterated logarithm"
// (1970).

enum class experiment_phase : std::uint8_t {
  draft,
  running,
  stopped_by_guard, ///< everybody is back on control
  concluded,        ///< there is a verdict; waits for a decision
  promoted,         ///< decided: the treatment was proposed to the authority
  rejected,         ///< decided or abandoned: control stays
};
inline constexpr std::size_t experiment_phase_count = 6;
[[nodiscard]] std::string_view name_of(experiment_phase phase);

enum class experiment_verdict : std::uint8_t { none, treatment_faster, treatment_slower, no_difference };
inline constexpr std::size_t experiment_verdict_count = 4;
[[nodiscard]] std::string_view name_of(experiment_verdict verdict);

struct experiment_settings {
  std::string name; ///< also salts the assignment, so that experiments split independently
  std::string pool;
  std::map<std::string, std::string> control;   ///< configuration keys of the pool and their values, as text
  std::map<std::string, std::string> treatment; ///< what would be proposed
  double traffic_split{0.1};                    ///< share of sessions on treatment, above 0, at most 0.5
  double false_positive_rate{0.05};      ///< chance to find a difference where there is none, over the whole life
  std::uint64_t min_samples{10'000};     ///< delivered transfers per arm before a difference is concluded
  std::uint32_t min_cells{30};           ///< groups of sessions per arm before anything is, 2..256
  std::uint64_t max_samples{10'000'000}; ///< of the smaller arm: then there is no difference worth more waiting
  duration max_duration{24h * 14};
  /// Size of a worthwhile difference of log latency: the standard deviation of the mixture. The test is sharpest near
  /// it and valid for any.
  double expected_effect{0.05};
  // Guards; each compares treatment with control.
  std::uint64_t guard_samples{500};          ///< transfers on treatment before rates and quantiles are compared
  double guard_failure_rise{0.01};           ///< failed share above control's by more: stop
  double guard_p99_ratio{1.2};               ///< 99th percentile beyond this multiple of control's: stop
  double guard_memory_ratio{1.2};            ///< mean bytes held beyond this multiple of control's: stop
  std::uint32_t guard_failures_in_a_row{20}; ///< on treatment: stop, without a comparison
  friend bool operator==(const experiment_settings&, const experiment_settings&) = default;
};

/// @returns nothing, or one sentence naming the setting, its value and the expected form.
[[nodiscard]] std::expected<void, std::string> check(const experiment_settings& s);

/// Count, mean and spread of one quantity (Welford).
struct running_moments {
  std::uint64_t count{0};
  double mean{0};
  double squares{0}; ///< sum of squared differences from the mean
  void add(double x);
  [[nodiscard]] double variance() const { return count > 1 ? squares / static_cast<double>(count - 1) : 0; }
  friend bool operator==(const running_moments&, const running_moments&) = default;
};

/// What one arm has shown.
struct arm_record {
  static constexpr std::size_t cells = 256;
  struct cell {
    std::uint64_t count{0};
    double log_latency{0}; ///< sum
    friend bool operator==(const cell&, const cell&) = default;
  };
  std::uint64_t failed{0};
  std::uint32_t failures_in_a_row{0};
  running_moments log_latency; ///< of delivered transfers; latency in microseconds
  running_moments memory_bytes;
  quantile_sketch latency;
  std::vector<cell> groups = std::vector<cell>(cells);
  friend bool operator==(const arm_record&, const arm_record&) = default;
};

/// The difference as it stands; the interval holds at every look at once.
struct experiment_estimate {
  double ratio{1}; ///< geometric mean latency, treatment over control; below 1: treatment is faster
  double ratio_low{0};
  double ratio_high{0}; ///< infinity while nothing can be said
  double always_valid_p{1};
  double variance{0}; ///< of the log ratio, the larger of both estimates
  std::uint32_t cells_control{0};
  std::uint32_t cells_treatment{0};
};

struct experiment_state {
  experiment_settings settings;
  experiment_phase phase{experiment_phase::draft};
  experiment_verdict verdict{experiment_verdict::none};
  instant created{};
  instant started{};
  instant ended{};
  arm_record control;
  arm_record treatment;
  double least_p{1};  ///< always-valid: the least p seen at a look
  std::string reason; ///< why it ended
  std::string decided_by;
  std::string proposal;     ///< the authority's name for the promotion
  std::uint64_t refused{0}; ///< samples while it did not run, or with a latency that is none
  friend bool operator==(const experiment_state&, const experiment_state&) = default;
};

/// @returns the arm of a session: the same for the same experiment as long as it runs, and while the split only grows
/// nobody leaves the treatment. Not running: control.
[[nodiscard]] experiment_arm arm_of(const experiment_state& e, std::string_view session);
/// The same by the session's hash, for whoever decides with neither lock nor state. @param split  traffic_split.
[[nodiscard]] constexpr experiment_arm arm_of(std::uint64_t hash, double split) noexcept {
  return static_cast<double>(hash >> 11U) * 0x1p-53 < split ? experiment_arm::treatment : experiment_arm::control;
}
/// @returns the hash that arms and cells are drawn from: FNV-1a over salt and session, then mixed by Stafford's variant
/// 13 (the finaliser of splitmix64, Steele, Lea, Flood 2014), because FNV's high bits of short names are uneven.
[[nodiscard]] std::uint64_t session_hash(std::string_view salt, std::string_view session) noexcept;

/// @errors one sentence: the settings are wrong, or it is no draft.
[[nodiscard]] std::expected<void, std::string> start_experiment(experiment_state& e, instant now);

/// Counts one finished transfer and looks at the guards; at the verdict too, every 100 transfers.
/// @param arm  as it was assigned when the transfer began.  @returns true if the phase changed.
bool record(experiment_state& e, std::string_view session, experiment_arm arm, const transfer_metrics& m, instant now);
/// The same by session_hash() with the experiment's name as salt.
bool record(experiment_state& e, std::uint64_t session, experiment_arm arm, const transfer_metrics& m, instant now);
/// Follows time, and looks at the verdict. @returns true if the phase changed.
bool look(experiment_state& e, instant now);

[[nodiscard]] experiment_estimate estimate(const experiment_state& e);

/// Ends a running experiment because what it compares is no longer what runs: rejected, by nobody.
/// @returns false if it does not run.
bool abandon(experiment_state& e, std::string reason, instant now);

enum class experiment_verb : std::uint8_t { promote, reject };
/// A person's or a policy's decision. Promotion needs a concluded experiment whose treatment is faster; rejection ends
/// anything that is not decided yet, a running one too.
/// @errors one sentence.
[[nodiscard]] std::expected<void, std::string> decide_experiment(experiment_state& e, experiment_verb verb,
                                                                 const std::string& who, instant now);

/// What the authority may take as a proposal: the change, and why.
struct experiment_promotion {
  std::string pool;
  std::map<std::string, std::string> changes; ///< keys whose values differ, with the treatment's
  std::string evidence;                       ///< one sentence
  double confidence{0};                       ///< 1 - always-valid p
  double gain{0};                             ///< share of latency saved, with its interval
  double gain_low{0};
  double gain_high{0};
};
/// @returns the promotion of a promoted experiment. @errors one sentence: it is not promoted.
[[nodiscard]] std::expected<experiment_promotion, std::string> promotion_of(const experiment_state& e);

/// @returns the experiment as a few lines for people.
[[nodiscard]] std::string report_of(const experiment_state& e);

} // namespace homeostat
