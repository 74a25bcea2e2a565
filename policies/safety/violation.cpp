#include "policies/safety/violation.hpp"

#include "policies/number_text.hpp"

#include <array>

namespace homeostat {

namespace {

struct entry {
  std::string_view name;
  std::string_view measure; ///< what value and limit are
  bool hostile;
};

// In the order of violation_code.
constexpr std::array<entry, violation_code_count> entries{{
    {"DeltaTooLarge", "of its range in one step", true},
    {"RateLimitExceeded", "changes in the rate window", false},
    {"OutOfBounds", "is the nearest bound or allowed value", true},
    {"UnknownKnob", "knobs in this loop", true},
    {"NonFinite", "", true},
    {"DirectionFlip", "direction flips in a minute", false},
    {"CumulativeDelta", "of its range in a minute", false},
    {"BaselineDistance", "of its range from the tested baseline", false},
    {"InSafeMode", "", false},
    {"AuditQueueFull", "records", false},
    {"NoBaseline", "", false},
    {"StaleGeneration", "is the live generation", false},
    {"StaleRevision", "is the present revision", false},
    {"StaleEpoch", "is the present epoch", true},
    {"NotApproved", "", false},
    {"CooldownActive", "s of cooldown left", false},
    {"ActuatorFailed", "", false},
}};

const entry& entry_of(violation_code code) { return entries.at(static_cast<std::size_t>(code)); }

} // namespace

std::string_view name_of(violation_code code) { return entry_of(code).name; }

std::string describe(const violation& v) {
  const entry& e = entry_of(v.code);
  std::string text(e.name);
  if (!v.knob.empty()) text += ": knob " + v.knob;
  if (e.measure.empty()) return text + (v.code == violation_code::non_finite ? ": " + number_text(v.value) : "");
  return text + ": " + number_text(v.value) + ", limit " + number_text(v.limit) + " " + std::string(e.measure);
}

bool is_hostile(violation_code code) { return entry_of(code).hostile; }

} // namespace homeostat
