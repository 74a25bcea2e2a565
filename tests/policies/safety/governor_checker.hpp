#pragma once

#include "policies/safety/governor.hpp"

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace homeostat {

/// Watches a governor from outside and complains about every broken invariant (design §5, I1..I5). It shares no code
/// with what it watches: it reads the audit records and the effects, keeps every change there ever was, and recomputes
/// the sums of the last minute by brute force. A value: copies are what a crash goes back to.
class governor_checker {
public:
  explicit governor_checker(governor_config config);

  /// One step was taken. @param input  absent for a start.
  void watch(const governor_input* input, const governor_state& before, const governor_step& step, instant now);

  /// This batch of records is durable now.
  void durable(const std::vector<audit_record>& records);
  /// The process died; what this copy has seen is all that was durable. @param clock_set_back  how far time went back.
  void crashed(duration clock_set_back);

  /// Something only the world could see.
  void complain(const std::string& what) { expect(false, what); }
  /// Complaints outlive a crash.
  void keep(std::vector<std::string> complaints) { complaints_ = std::move(complaints); }

  [[nodiscard]] const std::vector<std::string>& complaints() const { return complaints_; }
  [[nodiscard]] std::size_t applied() const { return touches_.size(); }

private:
  struct intent {
    audit_record record;
    bool durable{false};
  };
  struct base_move {
    instant at;
    std::vector<double> by; ///< signed fraction of range, per knob
  };
  struct touch {
    instant at;
    bool proposal;
    bool probe;
  };

  void expect(bool holds, const std::string& what);
  void take(const audit_record& r, bool stopping);
  void take_intent(const audit_record& r);
  void take_drift(const audit_record& r);
  void take_outcome(const audit_record& r, bool stopping);
  void check_proposal(const audit_record& r);
  void check_pace(const audit_record& r);
  void check_movement(const std::vector<double>& by);
  void check_application(const actuation& a);
  void check_state(const governor_state& s);
  void check_refusal(const governor_state& before, const governor_state& after);
  [[nodiscard]] bool in_bounds(const knob_values& values) const;
  [[nodiscard]] std::vector<double> way(const knob_values& from, const knob_values& to) const;
  [[nodiscard]] int touches_within(double seconds, bool probes_only) const;

  governor_config config_;
  instant now_{};
  knob_values base_, live_;
  knob_values baseline_;
  std::map<std::uint64_t, intent> intents_;    ///< by generation
  std::map<std::uint64_t, base_move> moves_;   ///< by generation
  std::map<std::uint64_t, touch> touches_;     ///< by generation
  std::map<std::uint64_t, instant> rollbacks_; ///< automatic ones, by generation
  std::optional<instant> last_rollback_;       ///< anybody's
  std::optional<instant> last_drift_;
  std::set<std::string> reasons_; ///< of safe mode, as the audit tells them
  std::uint64_t last_applied_{0}; ///< generation
  std::uint64_t last_durable_{0}; ///< generation with a durable intent or drift
  std::vector<std::string> complaints_;
};

} // namespace homeostat
