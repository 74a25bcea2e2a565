#include "policies/transfer/recommendation_outcome.hpp"

#include "policies/number_text.hpp"
#include "policies/transfer/rank_test.hpp"

#include <cmath>
#include <utility>

namespace homeostat {

namespace {

using series = std::map<series_key, std::map<instant, metrics_bucket>>;
using stratum = std::pair<size_class, data_type>;

struct sums {
  double latency_us{0};
  double transfers{0};
  [[nodiscard]] double mean() const { return latency_us / transfers; }
};

std::vector<double> slots_of(const series& all, const std::map<stratum, sums>& reference, const outcome_settings& s) {
  std::map<instant, std::map<stratum, sums>> slots;
  for (const auto& [key, minutes] : all)
    for (const auto& [minute, bucket] : minutes) {
      if (bucket.delivered == 0) continue;
      const instant slot{minute.time_since_epoch() / s.slot * s.slot};
      sums& here = slots[slot][{key.size, key.type}];
      here.latency_us += bucket.latency_us;
      here.transfers += static_cast<double>(bucket.delivered);
    }
  double whole = 0;
  for (const auto& [place, was] : reference) whole += was.latency_us;
  std::vector<double> values;
  for (const auto& [at, strata] : slots) {
    double weight = 0, value = 0;
    for (const auto& [place, is] : strata) {
      const auto was = reference.find(place);
      if (was == reference.end() || was->second.latency_us <= 0 || is.latency_us <= 0) continue;
      weight += was->second.latency_us;
      value += was->second.latency_us * std::log(is.mean() / was->second.mean());
    }
    if (weight > 0 && weight >= s.min_coverage * whole) values.push_back(value / weight);
  }
  return values;
}

outcome_verdict verdict_of(const expected_share& measured, const std::optional<expected_share>& predicted) {
  if (measured.high < 0) return outcome_verdict::harmful;
  if (measured.low <= 0) return outcome_verdict::no_effect;
  if (predicted && measured.high < predicted->low) return outcome_verdict::less_than_predicted;
  if (predicted && measured.low > predicted->high) return outcome_verdict::more_than_predicted;
  return outcome_verdict::as_predicted;
}

std::string percent(double share) { return number_text(std::round(share * 1000) / 10) + " %"; }

} // namespace

recommendation_outcome measure_outcome(const series& before, const series& after,
                                       const std::optional<expected_share>& predicted, const outcome_settings& s) {
  std::map<stratum, sums> reference;
  for (const auto& [key, minutes] : before)
    for (const auto& [minute, bucket] : minutes) {
      if (bucket.delivered == 0) continue;
      sums& was = reference[{key.size, key.type}];
      was.latency_us += bucket.latency_us;
      was.transfers += static_cast<double>(bucket.delivered);
    }
  const std::vector<double> was = slots_of(before, reference, s), is = slots_of(after, reference, s);
  recommendation_outcome o;
  o.slots_before = static_cast<std::uint32_t>(was.size());
  o.slots_after = static_cast<std::uint32_t>(is.size());
  if (was.size() < s.min_slots || is.size() < s.min_slots) {
    o.text = std::to_string(was.size()) + " observations before and " + std::to_string(is.size()) +
             " after, expected at least " + std::to_string(s.min_slots) + " of each";
    return o;
  }
  const rank_comparison moved = compare_ranks(was, is, s.confidence);
  o.measured = {
      .share = -std::expm1(moved.shift), .low = -std::expm1(moved.shift_high), .high = -std::expm1(moved.shift_low)};
  o.verdict = verdict_of(o.measured, predicted);
  o.text = "measured " + percent(o.measured.share) + " (" + percent(o.measured.low) + " to " +
           percent(o.measured.high) + ")" +
           (predicted ? ", predicted " + percent(predicted->share) + " (" + percent(predicted->low) + " to " +
                            percent(predicted->high) + ")"
                      : std::string(", nothing predicted"));
  return o;
}

std::string_view name_of(outcome_verdict verdict) {
  switch (verdict) {
  case outcome_verdict::too_early: return "too_early";
  case outcome_verdict::as_predicted: return "as_predicted";
  case outcome_verdict::less_than_predicted: return "less_than_predicted";
  case outcome_verdict::more_than_predicted: return "more_than_predicted";
  case outcome_verdict::no_effect: return "no_effect";
  case outcome_verdict::harmful: return "harmful";
  }
  return "?";
}

} // namespace homeostat
