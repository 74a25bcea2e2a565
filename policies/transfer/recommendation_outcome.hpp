#pragma once

#include "policies/transfer/metrics_bucket.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace homeostat {

// What advice that was taken brought: measured against predicted, also when it brought nothing.

/// A share of the pool's transfer time saved, with its interval.
struct expected_share {
  double share{0};
  double low{0};
  double high{0};
  friend bool operator==(const expected_share&, const expected_share&) = default;
};

enum class outcome_verdict : std::uint8_t {
  too_early,           ///< not enough time on one side
  as_predicted,        ///< a gain, and both intervals overlap (or nothing was predicted)
  less_than_predicted, ///< a gain, wholly below the predicted interval
  more_than_predicted,
  no_effect, ///< the interval holds zero
  harmful,   ///< slower than before
};
inline constexpr std::size_t outcome_verdict_count = 6;
[[nodiscard]] std::string_view name_of(outcome_verdict verdict);

struct outcome_settings {
  duration slot{5min};         ///< one observation
  std::uint32_t min_slots{12}; ///< on either side, >= 5
  double min_coverage{0.5};    ///< of the time spent before, by size and type: a slot that saw less says nothing
  double confidence{0.95};
  friend bool operator==(const outcome_settings&, const outcome_settings&) = default;
};

struct recommendation_outcome {
  outcome_verdict verdict{outcome_verdict::too_early};
  expected_share measured; ///< share of latency saved, with its interval; negative: lost
  std::uint32_t slots_before{0};
  std::uint32_t slots_after{0};
  std::string text; ///< one sentence
  friend bool operator==(const recommendation_outcome&, const recommendation_outcome&) = default;
};

/// Compares the pool before and after. Each slot is one number: the mean log of the ratio of latency to that of before,
/// over sizes and types, both methods together, weighted by the time they took before. So a change of what is sent does
/// not look like a gain. Slots are compared by the Hodges-Lehmann shift and its interval.
/// @param before, after  series of the pool by minute, without the minutes in which the change was made.
[[nodiscard]] recommendation_outcome
measure_outcome(const std::map<series_key, std::map<instant, metrics_bucket>>& before,
                const std::map<series_key, std::map<instant, metrics_bucket>>& after,
                const std::optional<expected_share>& predicted, const outcome_settings& settings);

} // namespace homeostat
