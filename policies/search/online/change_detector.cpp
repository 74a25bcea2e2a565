#include "policies/search/online/change_detector.hpp"

#include <algorithm>

namespace homeostat {

namespace {

constexpr double fading = 0.6; ///< of what counts as fresh, per step

void gather(evidence& e, double deviations, double value, double slack) {
  const double excess = deviations - slack;
  e.sum += excess;
  if (e.sum <= 0) {
    e = {};
    return;
  }
  e.fresh = std::max(0.0, fading * e.fresh + excess);
  if (excess <= 0) return;
  e.weight += excess;
  e.values += excess * value;
}

} // namespace

std::optional<plant_change> inspect(change_detector& detector, double deviations, double value,
                                    const detector_tuning& tuning) {
  const double bounded = std::clamp(deviations, -tuning.largest, tuning.largest);
  gather(detector.worse, bounded, value, tuning.slack);
  gather(detector.better, -bounded, value, tuning.slack);
  if (detector.since_change <= tuning.rest) ++detector.since_change;
  const evidence& stronger = detector.worse.sum >= detector.better.sum ? detector.worse : detector.better;
  if (stronger.sum <= tuning.limit || detector.since_change <= tuning.rest) return std::nullopt;
  const plant_change change{.level = stronger.values / stronger.weight,
                            .abrupt = stronger.fresh > tuning.abrupt * tuning.limit};
  reset(detector);
  return change;
}

bool is_quiet(const change_detector& detector, double share, const detector_tuning& tuning) {
  return std::max(detector.worse.sum, detector.better.sum) < share * tuning.limit;
}

void reset(change_detector& detector) { detector = {}; }

} // namespace homeostat
