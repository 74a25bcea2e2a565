#include "policies/safety/violation.hpp"

#include "policies/number_text.hpp"

#include <array>

namespace homeostat {

namespace {

struct entry {
  std::string_view name;
  std::string_view fixed;        ///< what describe() says instead of value and limit
  std::string_view before_limit; ///< between value and limit; empty where there is no limit to name
  std::string_view after_limit;
  bool hostile;
};

// In the order of violation_code.
constexpr std::array<entry, violation_code_count> entries{{
    {"DeltaTooLarge", "", ", limit ", " of its range in one step", true},
    {"RateLimitExceeded", "", ", limit ", " changes in the rate window", false},
    {"OutOfBounds", "", ", the nearest allowed value is ", "", true},
    {"UnknownKnob", "", " values for a loop of ", " knobs", true},
    {"NonFinite", "", "", "", true},
    {"DirectionFlip", "", ", limit ", " direction flips in a minute", false},
    {"CumulativeDelta", "", ", limit ", " of its range in a minute", false},
    {"BaselineDistance", "", ", limit ", " of its range from the tested baseline", false},
    {"InSafeMode", "the loop takes no proposals now", "", "", false},
    {"AuditQueueFull", "the change could not be recorded", "", "", false},
    {"NoBaseline", "there is nothing to roll back to", "", "", false},
    {"StaleGeneration", "", ", the live generation is ", "", false},
    {"StaleRevision", "", ", the present revision is ", "", false},
    {"StaleEpoch", "", ", the owner's epoch is ", "", true},
    {"NotApproved", "it waits for a person", "", "", false},
    {"CooldownActive", "", "", " s of cooldown left", false},
    {"ActuatorFailed", "", ", asked for ", "", false},
}};

const entry& entry_of(violation_code code) { return entries.at(static_cast<std::size_t>(code)); }

} // namespace

std::string_view name_of(violation_code code) { return entry_of(code).name; }

std::string describe(const violation& v) {
  const entry& e = entry_of(v.code);
  std::string text(e.name);
  if (!v.knob.empty()) text += ": knob " + v.knob;
  if (!e.fixed.empty()) return text.append(": ").append(e.fixed);
  if (v.code == violation_code::actuator_failed && v.knob.empty()) return text; // no value could be read back
  const bool look_alike = v.value != v.limit && number_text(v.value) == number_text(v.limit);
  text += ": " + (look_alike && !e.before_limit.empty() ? exact_text(v.value) : number_text(v.value));
  if (!e.before_limit.empty()) text.append(e.before_limit).append(number_text(v.limit));
  return text.append(e.after_limit);
}

bool is_hostile(violation_code code) { return entry_of(code).hostile; }

} // namespace homeostat
