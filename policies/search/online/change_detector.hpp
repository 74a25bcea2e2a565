#pragma once

#include <cstdint>
#include <optional>

namespace homeostat {

/// When is the plant another one? Cumulative sums of the chief's forecast errors, one for worse and one for better.
/// Source: E. S. Page, "Continuous Inspection Schemes", Biometrika 41, 1954.
struct detector_tuning {
  double slack{0.6};     ///< deviations per step that are taken for noise; lower: false alarms
  double limit{5.5};     ///< sum of deviations that is a change; lower: false alarms, higher: late ones
  double largest{4};     ///< deviations one step may count for: a spike is not a change
  std::uint32_t rest{8}; ///< steps after a change without another one: models must settle
  double abrupt{0.95};   ///< share of the limit that came of late; with less the change is drift: nothing remembered is
                         ///< looked at
  friend bool operator==(const detector_tuning&, const detector_tuning&) = default;
};

/// One direction's evidence.
struct evidence {
  double sum{0};    ///< of deviations beyond the slack
  double fresh{0};  ///< the same, older ones fading
  double weight{0}; ///< of those that spoke for a change
  double values{0}; ///< and the values they came with, weighted likewise
  friend bool operator==(const evidence&, const evidence&) = default;
};

struct change_detector {
  evidence worse;
  evidence better;
  std::uint32_t since_change{0};
  friend bool operator==(const change_detector&, const change_detector&) = default;
};

/// A change that was seen.
struct plant_change {
  double level{0};   ///< what was measured since, those values first that showed it most
  bool abrupt{true}; ///< within a few steps; otherwise the plant drifts
};

/// Takes in one forecast error. @returns the change, once it is certain; the evidence then starts afresh.
std::optional<plant_change> inspect(change_detector& detector, double deviations, double value,
                                    const detector_tuning& tuning);

/// @returns true if less than this share of the limit speaks for a change.
[[nodiscard]] bool is_quiet(const change_detector& detector, double share, const detector_tuning& tuning);

/// Forgets the evidence: the point was moved on purpose.
void reset(change_detector& detector);

} // namespace homeostat
