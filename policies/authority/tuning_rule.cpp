#include "policies/authority/tuning_rule.hpp"

#include "policies/number_text.hpp"

#include <algorithm>
#include <cmath>

namespace homeostat {

void observe(tuning_rule_state& s, const tuning_rule& rule, std::optional<double> value, instant now) {
  if (!value || !std::isfinite(*value)) return s.since.reset();
  s.value = *value;
  const bool asks = rule.above ? *value > rule.threshold : *value < rule.threshold;
  if (asks && !s.since) s.since = now;
  if (!asks && is_released(rule, *value)) s.since.reset();
}

bool is_released(const tuning_rule& rule, double value) {
  return rule.above ? value <= rule.release : value >= rule.release;
}

void forget(tuning_rule_state& s) { s.since.reset(); }

bool is_due(const tuning_rule_state& s, const tuning_rule& rule, instant now) {
  if (!s.since || now - *s.since < rule.sustained) return false;
  return !s.last_fired || now - *s.last_fired >= rule.cooldown;
}

std::optional<double> wanted_value(const tuning_rule& rule, const knob_spec& knob, double from) {
  if (!is_ordered(knob)) return from == rule.step ? std::nullopt : std::optional(rule.step);
  const double low = std::max(rule.min, knob.min), high = std::min(rule.max, knob.max);
  // Outside the rule's bounds already, by somebody else's doing: the rule has no business there.
  if (from < low || from > high) return std::nullopt;
  const double value = value_at(knob, position_of(knob, std::clamp(from + rule.step, low, high)));
  const bool onwards = rule.step > 0 ? value > from : value < from;
  return onwards && value >= low && value <= high ? std::optional(value) : std::nullopt;
}

std::string evidence_of(const tuning_rule_state& s, const tuning_rule& rule, instant now) {
  return rule.metric + " " + number_text(s.value) + (rule.above ? " above " : " below ") + number_text(rule.threshold) +
         " for " + number_text(s.since ? seconds_of(now - *s.since) : 0) + " s";
}

} // namespace homeostat
