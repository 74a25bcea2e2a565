#pragma once

#include "policies/safety/governor.hpp"

#include <string_view>

namespace homeostat {

/// One call of `decide` or `recover`: the state being worked on and the effects collected so far. Internal to the
/// governor.
class governor_turn {
public:
  governor_turn(const governor_config& config, governor_state state, instant now);

  void on(const proposal& p);
  void on(const audit_answer& a);
  void on(const actuation_answer& a);
  void on(const objective_window& w);
  void on(const operator_command& c);
  void on(const give_up& g);
  void on(const stop_request& s);
  void on(const tick&) {}
  void on(const plant_reading& r);

  /// What each guard would say; changes nothing.
  [[nodiscard]] proposal_verdict rehearse(const proposal& p) const;

  void on_recovered_state(const std::optional<knob_values>& actual);
  void on_first_start(const std::optional<knob_values>& actual, std::string text);

  /// Timers, pending restores and the next look: the same after every input.
  [[nodiscard]] governor_step finish() &&;

private:
  // governor_review.cpp: may this proposal pass?
  [[nodiscard]] std::optional<violation> review(const proposal& p) const;
  [[nodiscard]] std::optional<violation> review_standing(const proposal& p) const;
  [[nodiscard]] std::optional<violation> review_pace(const proposal& p) const;
  [[nodiscard]] std::optional<violation> review_values(const knob_values& values) const;
  [[nodiscard]] std::optional<violation> review_distance(const proposal& p) const;
  [[nodiscard]] bool may_override(const knob_values& values) const;
  void refuse(const proposal& p, const violation& v);

  // governor_change.cpp: one change from intent to commit, and back
  void begin_change(pending_change change, std::string source, std::string evidence);
  void commit(const knob_values& in_force, std::string text);
  void abort(const violation& v, std::string text);
  void begin_restore_if_due();
  void request_restore(wanted_restore restore, std::string actor, std::string reason);
  void count_against_rate(const pending_change& change);
  [[nodiscard]] bool is_as_wanted(const knob_values& read_back, const knob_values& wanted) const;
  [[nodiscard]] bool is_as_wanted(std::size_t i, double read_back, double wanted) const;
  [[nodiscard]] std::vector<double> displacements(const knob_values& from, const knob_values& to) const;

  // governor_recovery.cpp: what survived
  void settle_pending(const knob_values& actual);
  void end_unread();
  /// A value that only the plant's rounding keeps off the knob's grid or bounds becomes the one it was rounded from.
  [[nodiscard]] knob_values as_admissible(knob_values actual) const;
  void adopt_drift(const knob_values& read_back);
  [[nodiscard]] bool is_reading(const std::optional<knob_values>& actual) const;
  [[nodiscard]] bool is_half_done(const knob_values& actual) const;

  // governor.cpp
  void freeze(safe_mode_reason reason, std::optional<instant> until, std::string text);
  void thaw(safe_mode_reason reason, safe_mode_exit exit);
  void expire_timers();
  void judge_regression(const objective_window& w);
  void roll_back_for_regression();
  /// What the person who commands is told; see command_result.
  void answer(bool ok, std::string text, bool later = false);
  void set_baseline(const operator_command& c);
  void set_values(const operator_command& c);
  void hold_if_out_of_bounds();
  void announce_live();
  audit_record& record(audit_kind kind);
  [[nodiscard]] bool is_reading_due() const;
  [[nodiscard]] std::optional<instant> next_look() const;

  const governor_config& config_;
  governor_state state_;
  governor_effects effects_;
  instant now_;
};

[[nodiscard]] constexpr std::string_view name_of(change_origin origin) {
  switch (origin) {
  case change_origin::proposal: return "proposal";
  case change_origin::operator_change: return "operator";
  case change_origin::rollback: return "rollback to baseline";
  case change_origin::retreat: return "return to base point";
  case change_origin::undo: return "undo";
  }
  return "?";
}

} // namespace homeostat
