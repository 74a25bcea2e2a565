#pragma once

#include "policies/authority/config_proposal.hpp"
#include "policies/authority/contention.hpp"
#include "policies/authority/feedback_source.hpp"
#include "policies/authority/recommendation.hpp"
#include "policies/authority/tuning_rule.hpp"
#include "policies/safety/audit_record.hpp"
#include "policies/safety/governor.hpp"
#include "policies/safety/rate_limit.hpp"

#include <expected>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace homeostat {

// The authority: what may become of evidence for a change (design §8). It decides who has to agree, waits for them,
// and then asks the governor, which treats its requests like any other proposal; it never writes to a plant. Nothing it
// answers may be told to anybody, and nothing it asks for may be done, before the records and states that go with it
// are durable.

enum class feedback_pattern : std::uint8_t { proposal_gated, auto_tune, drift_capture, recommend };

/// What the authority knows of one loop from the configuration.
struct governed_loop {
  std::string name;
  std::string pool;
  feedback_pattern pattern{feedback_pattern::proposal_gated};
  std::vector<knob_spec> knobs;
  double max_delta_per_step{0.1}; ///< of the loop's guardrails: larger changes are walked
  std::vector<tuning_rule> rules;
  int priority{0};            ///< of two loops that fight, the lower one is frozen; equal: the later in the file
  double total_change_cap{2}; ///< > 1; beyond this factor of the baseline a person decides
  duration settle_after_neighbours{1min};     ///< after a change in the same pool, what is measured is no evidence
  std::optional<duration> return_to_baseline; ///< so long away from the tested baseline, and the loop goes back
};

struct authority_config {
  std::vector<governed_loop> loops;
  std::vector<feedback_source> sources;
  review_settings review;
  contention_settings contention;
  bool production{false};
  std::uint32_t changes_per_hour{20}; ///< over all loops, of changes nobody decided in person, >= 1
  duration advice_expires{24h * 7};
  std::uint32_t max_advice{1000};
};

// ---- state --------------------------------------------------------------------------------------------------------

/// The part that is small and changes often; proposals and recommendations are kept one by one.
struct authority_ledger {
  std::uint64_t last_id{0};
  rate_window changes;                                                ///< nobody decided in person, per hour
  std::map<std::string, instant> rule_fired;                          ///< by "loop/rule"
  std::map<std::pair<std::string, std::string>, instant> source_used; ///< by source and loop
  friend bool operator==(const authority_ledger&, const authority_ledger&) = default;
};

/// A request to the governor that has not been answered.
struct open_request {
  std::uint64_t proposal{0};
  std::size_t change{0};
  knob_values values;
};

/// What is known of a loop at this moment. Not kept: seen again after a restart.
struct loop_view {
  bool known{false};
  std::uint64_t generation{0};
  std::uint64_t revision{0};
  knob_values base;
  knob_values baseline;
  bool frozen{false};
  std::string last_request;
  std::optional<instant> quiet_until; ///< something nearby has changed
  std::optional<instant> away_since;  ///< from the baseline
  std::optional<open_request> request;
  std::vector<tuning_rule_state> rules; ///< one per rule
};

struct authority_state {
  authority_ledger ledger;
  std::map<std::uint64_t, config_proposal> proposals;
  std::map<std::string, config_recommendation> advice;
  std::map<std::string, loop_view> loops;
  std::vector<axis_history> axes;
  instant last_now{};
};

// ---- inputs -------------------------------------------------------------------------------------------------------

/// Values wanted of one loop, by knob name.
struct wanted_values {
  std::string loop;
  std::optional<std::uint64_t> base_revision; ///< absent: the present one
  std::vector<std::pair<std::string, double>> knobs;
};

/// A client's wish.
struct new_proposal {
  std::vector<wanted_values> changes;
  std::string source; ///< a registered feedback source; empty: a person
  std::string author;
  bool by_automation{false}; ///< the author is a program: it must name its source
  bool advice{false};        ///< recommend it, do not propose it
  std::string rationale;
  std::string evidence;
  double confidence{0};
  std::optional<double> expected_gain;
};

struct proposal_decision {
  std::uint64_t id{0};
  review_decision decision;
};

struct advice_decision {
  std::string id;
  advice_verb verb{};
  std::string actor;
  std::string text;
  std::optional<duration> snooze;
  bool may_approve{false}; ///< the actor's acceptance is an approval, else it becomes a proposal that waits
};

/// A loop as its governor reports it, with the metrics its rules ask for.
struct loop_observation {
  std::string loop;
  std::uint64_t generation{0};
  std::uint64_t revision{0};
  knob_values base;
  knob_values baseline;
  bool frozen{false};
  std::string last_request;
  std::uint64_t last_request_revision{0};     ///< the one that request made
  bool request_in_flight{false};              ///< what was asked last is being applied: the rest is about to change
  std::vector<std::optional<double>> metrics; ///< one per rule; empty: none were sensed
};

/// The governor's answer to a request; none: it did not answer in time.
struct request_answer {
  std::string loop;
  std::optional<proposal_verdict> verdict;
};

using authority_input =
    std::variant<new_proposal, proposal_decision, advice_decision, loop_observation, request_answer, tick>;

// ---- effects ------------------------------------------------------------------------------------------------------

/// A change for the governor of one loop.
struct loop_request {
  std::string loop;
  proposal wanted;
};

/// A command for the governor of one loop, given by the authority itself.
struct loop_order {
  std::string loop;
  operator_command command;
};

/// What somebody should be told: a reminder, a fight, a refusal by the governor.
struct authority_notice {
  std::string kind;
  std::string text;
};

struct authority_effects {
  /// 1. Append these to the audit, in order, in one batch with what changed.
  std::vector<audit_record> records;
  std::set<std::uint64_t> proposals; ///< changed or new; one that is no longer in the state is to be erased
  std::set<std::string> advice;
  bool ledger{false}; ///< changed, or something was opened that was not there before
  /// 2. Once that batch is durable: tell the one who asked,
  std::expected<void, review_error> answer;
  std::optional<std::uint64_t> answered_proposal;
  std::optional<std::string> answered_advice;
  /// 3. and ask the governors.
  std::vector<loop_request> requests;
  std::vector<loop_order> orders;
  std::vector<authority_notice> notices;
  /// When time alone changes something.
  std::optional<instant> look_again;
};

/// What an authority keeps.
struct authority_memory {
  authority_ledger ledger;
  std::vector<config_proposal> proposals;
  std::vector<config_recommendation> advice;
};

/// @returns the state of an authority that has never run, or of one that starts again with what it kept. Proposals that
///          wait for a loop which is no longer what it was are stale.
[[nodiscard]] authority_state start_authority(const authority_config& config, authority_memory memory, instant now);

/// Decides one input.
/// @param now  a time before the last one is taken as the last one.
[[nodiscard]] authority_effects decide(const authority_config& config, authority_state& state,
                                       const authority_input& input, instant now);

/// What would become of a wish.
struct change_plan {
  config_proposal draft;                 ///< with its risk, but without a number
  std::vector<loop_request> first_steps; ///< as the governors would get them, as rehearsals; one per change
  std::vector<std::uint32_t> steps;      ///< that each change takes
};

/// Plans a wish without following it. @errors  as the answers to a new_proposal.
[[nodiscard]] std::expected<change_plan, review_error> plan(const authority_config& config, authority_state& state,
                                                            const new_proposal& wish, instant now);

/// @returns the request's name in the governor's state: how a crash between a change and its receipt is found out.
[[nodiscard]] std::string request_name(const config_proposal& p, const wanted_change& change);

[[nodiscard]] constexpr std::string_view name_of(feedback_pattern pattern) {
  switch (pattern) {
  case feedback_pattern::proposal_gated: return "proposal-gated";
  case feedback_pattern::auto_tune: return "auto-tune";
  case feedback_pattern::drift_capture: return "drift-capture";
  case feedback_pattern::recommend: return "recommend";
  }
  return "?";
}

} // namespace homeostat
