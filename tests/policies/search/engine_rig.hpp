#pragma once

#include "policies/search/adaptive_engine.hpp"

#include <functional>
#include <map>
#include <ostream>
#include <string>

namespace homeostat {

inline void PrintTo(const knob_values& values, std::ostream* out) {
  *out << "{";
  for (double value : values) *out << " " << value;
  *out << " }";
}
inline void PrintTo(no_change_reason reason, std::ostream* out) { *out << name_of(reason); }

/// An engine, the real governor behind it, an honest audit and plant, and telemetry from a function: a whole loop in
/// virtual time.
class engine_rig {
public:
  /// @param objective  of the live values; called once per window.
  engine_rig(governor_config config, engine_settings settings, std::uint64_t seed,
             std::function<objective_window(const knob_values&)> objective);

  /// One window arrives, with everything that follows from it.
  void step(duration until_next_window = 500ms);
  /// What the governor answered, by name of the violation.
  std::map<std::string, std::size_t> refusals;
  std::size_t accepted{0};
  double farthest_probe{0}; ///< largest |displacement| of a probe from its base point

  governor_config config;
  engine_settings settings;
  governor_state governor;
  engine_state engine;
  instant now;

private:
  void give(const governor_input& input);
  void take(governor_step taken);
  void propose(const proposal& p);

  std::function<objective_window(const knob_values&)> objective_;
};

/// Engine settings for a loop.
[[nodiscard]] engine_settings settings_for(const governor_config& config);

} // namespace homeostat
