#pragma once

#include "tests/policies/safety/governor_rig.hpp"

#include <functional>
#include <ostream>
#include <string>
#include <vector>

namespace homeostat {

/// One guardrail at or beside its limit: a loop, what happened to it before, a proposal, and what becomes of that.
struct review_row {
  std::string name;
  governor_config config;
  std::function<void(governor_rig&)> before;
  std::function<proposal(const governor_rig&)> given;
  std::string expected;                  ///< a violation's name, or "" for an accepted proposal
  std::string knob{};                    ///< which the violation names
  std::string text{};                    ///< of describe(), where the row fixes it
  std::optional<duration> retry_after{}; ///< when the violation says to come back
};
inline void PrintTo(const review_row& row, std::ostream* out) { *out << row.name; }

[[nodiscard]] std::vector<review_row> delta_rows();
[[nodiscard]] std::vector<review_row> unit_delta_rows();
[[nodiscard]] std::vector<review_row> pace_rows();
[[nodiscard]] std::vector<review_row> movement_rows();
[[nodiscard]] std::vector<review_row> distance_rows();
[[nodiscard]] std::vector<review_row> value_rows();
[[nodiscard]] std::vector<review_row> standing_rows();

// ---- words the rows are written in
// ---------------------------------------------------------------------------------------

inline void nothing(governor_rig&) {}

[[nodiscard]] inline std::function<proposal(const governor_rig&)> update_to(knob_values values) {
  return [values](const governor_rig& rig) { return rig.draft(values); };
}
[[nodiscard]] inline std::function<proposal(const governor_rig&)> probe_to(knob_values values) {
  return [values](const governor_rig& rig) { return rig.draft(values, proposal_kind::apply_plus); };
}

struct named_preset {
  std::string name;
  preset value;
};
[[nodiscard]] inline std::vector<named_preset> presets() {
  return {{"Conservative", preset::conservative}, {"Balanced", preset::balanced}, {"Aggressive", preset::aggressive}};
}

} // namespace homeostat
