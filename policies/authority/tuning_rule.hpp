#pragma once

#include "policies/safety/knob.hpp"
#include "policies/time.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace homeostat {

/// When one metric asks for one step of one knob (design §8, pattern `auto-tune`; source: Feedback Loops, pattern 2).
struct tuning_rule {
  std::string name;
  std::string metric; ///< as written: a metric's name or a formula over metrics
  bool above{true};   ///< true: asks while the metric is above the threshold
  double threshold{0};
  double release{0};     ///< the asking ends here; above: <= threshold, else >= threshold (hysteresis)
  duration sustained{0}; ///< how long it must ask without a break, >= 0
  std::size_t knob{0};   ///< index in the loop
  double step{0};        ///< in the knob's unit, signed, not 0; for a knob without distances the value itself
  double min{0}, max{0}; ///< the rule's own bounds in the knob's unit, within the knob's
  duration cooldown{1h}; ///< least time between two steps of this rule, > 0
  friend bool operator==(const tuning_rule&, const tuning_rule&) = default;
};

struct tuning_rule_state {
  std::optional<instant> since; ///< asking since then, without a break
  std::optional<instant> last_fired;
  double value{0}; ///< of the metric, last time
  friend bool operator==(const tuning_rule_state&, const tuning_rule_state&) = default;
};

/// Takes one sample. A metric that is absent or not finite is no evidence: the asking starts over (I10).
void observe(tuning_rule_state& s, const tuning_rule& rule, std::optional<double> value, instant now);

/// @returns true if this value ends the asking.
[[nodiscard]] bool is_released(const tuning_rule& rule, double value);

/// Forgets how long the rule has been asking: what was measured while something nearby changed is no evidence.
void forget(tuning_rule_state& s);

/// @returns true if the rule has been asking for long enough and is not cooling down.
[[nodiscard]] bool is_due(const tuning_rule_state& s, const tuning_rule& rule, instant now);

/// @returns the value one step further, at the rule's bound if that is nearer; nothing if it is there already.
[[nodiscard]] std::optional<double> wanted_value(const tuning_rule& rule, const knob_spec& knob, double from);

/// @returns "memory_utilization 94 above 90 for 1800 s".
[[nodiscard]] std::string evidence_of(const tuning_rule_state& s, const tuning_rule& rule, instant now);

} // namespace homeostat
