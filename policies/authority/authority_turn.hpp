#pragma once

#include "policies/authority/authority.hpp"

namespace homeostat {

/// One call of `decide`: the state being worked on and the effects collected so far. Internal to the authority.
class authority_turn {
public:
  authority_turn(const authority_config& config, authority_state& state, instant now);

  void on(const new_proposal& wish);
  void on(const proposal_decision& d);
  void on(const advice_decision& d);
  void on(const loop_observation& o);
  void on(const request_answer& a);
  void on(const tick&) {}

  /// A wish as a proposal, checked, without a number.
  [[nodiscard]] std::expected<config_proposal, review_error> draft(const new_proposal& wish) const;
  /// The next step of a change, as the governor gets it.
  [[nodiscard]] proposal step_of(const config_proposal& p, const wanted_change& change) const;

  /// Timers, requests that are due, and the next look: the same after every input.
  [[nodiscard]] authority_effects finish() &&;

private:
  using refusal = std::optional<review_error>;

  // authority_intake.cpp: new wishes
  [[nodiscard]] refusal check_author(const new_proposal& wish) const;
  [[nodiscard]] refusal check_standing(const new_proposal& wish, const std::vector<wanted_change>& changes) const;
  [[nodiscard]] std::expected<wanted_change, review_error> resolve(const wanted_values& wanted) const;
  void give_advice(const new_proposal& wish, const wanted_change& change);
  config_proposal& open(config_proposal p);
  void complete(config_proposal& p) const;
  [[nodiscard]] bool is_within_caps(const config_proposal& p) const;
  [[nodiscard]] std::size_t waiting() const;
  [[nodiscard]] review_error too_many() const;

  // authority_watch.cpp: what the loops report
  void on_revision_moved(const governed_loop& loop, loop_view& view, const loop_observation& o);
  void watch_axes(const governed_loop& loop, const knob_values& from, const knob_values& to, std::string_view cause);
  void watch_baseline(const governed_loop& loop, loop_view& view);
  void run_rules(const governed_loop& loop, loop_view& view, const loop_observation& o);
  void run_rule(const governed_loop& loop, loop_view& view, std::size_t rule, double wanted);
  void withdraw_if_turned(const governed_loop& loop, const tuning_rule& rule, const tuning_rule_state& s);

  // authority_apply.cpp: from approval to receipt
  void follow_timers();
  void ask_governors();
  void ask_governor(config_proposal& p);
  void take_step(config_proposal& p, std::size_t change, std::uint64_t revision);
  /// What was asked for may still come into force: until its loop has been seen, nobody may say what became of it.
  [[nodiscard]] bool is_outcome_open(const config_proposal& p) const;
  void refused(config_proposal& p, std::size_t change, const violation& v);
  void give_up(config_proposal& p, review_state state, std::string by, const std::string& why);
  [[nodiscard]] bool spend_budget(config_proposal& p);

  // authority.cpp
  void answer(review_refusal kind, std::string text);
  void touch(const config_proposal& p) { effects_.proposals.insert(p.id); }
  void note(audit_kind kind, const config_proposal& p, std::string_view what, const std::string& actor);
  audit_record& record(audit_kind kind, const std::string& loop, std::string actor);
  void notice(std::string kind, std::string text);
  void forget_old();
  [[nodiscard]] const governed_loop* loop_named(std::string_view name) const;
  [[nodiscard]] const feedback_source* source_named(std::string_view name) const;
  [[nodiscard]] std::optional<instant> next_look() const;

  const authority_config& config_;
  authority_state& state_;
  authority_effects effects_;
  instant now_;
};

} // namespace homeostat
