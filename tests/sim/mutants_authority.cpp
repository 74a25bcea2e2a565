// Bugs planted into the authority.
#include "mutants.hpp"

#include <algorithm>
#include <utility>

namespace homeostat::sim {

namespace {

template <class T> std::unique_ptr<policy_set> made() { return std::make_unique<T>(); }

/// An authority that was given another configuration than the checkers.
template <class Change> struct configured : policy_set {
  authority_effects authorise(const authority_config& config, authority_state& state, const authority_input& input,
                              instant now) const override {
    authority_config other = config;
    Change{}(other, state);
    return policy_set::authorise(other, state, input, now);
  }
};

struct no_time_to_object {
  void operator()(authority_config& c, authority_state&) const { c.review.auto_apply_after = 0us; }
};
struct trusts_everybody {
  void operator()(authority_config& c, authority_state&) const {
    for (feedback_source& s : c.sources) s.trust = trust_level::high, s.requires_proposal = false;
  }
};
struct takes_no_risk_seriously {
  void operator()(authority_config& c, authority_state&) const {
    c.production = false;
    for (governed_loop& loop : c.loops)
      for (knob_spec& k : loop.knobs) k.risk = risk_class::low, k.security_relevant = false;
  }
};
struct forgets_the_bounds_of_rules {
  void operator()(authority_config& c, authority_state&) const {
    for (governed_loop& loop : c.loops)
      for (tuning_rule& r : loop.rules) r.min = loop.knobs[r.knob].min, r.max = loop.knobs[r.knob].max;
  }
};
struct no_total_cap {
  void operator()(authority_config& c, authority_state&) const {
    for (governed_loop& loop : c.loops) loop.total_change_cap = 1e12;
  }
};
struct no_hourly_budget {
  void operator()(authority_config&, authority_state& s) const { s.ledger.changes.accepted.clear(); }
};
struct no_limit_of_waiting {
  void operator()(authority_config& c, authority_state&) const { c.review.max_open = 100'000; }
};
struct never_expires {
  void operator()(authority_config& c, authority_state&) const { c.review.expire_after = 24h * 365; }
};
struct never_escalates {
  void operator()(authority_config& c, authority_state&) const {
    c.review.acknowledge_within = c.review.escalate_after = 24h * 365;
  }
};

/// "He is the only one here today."
struct lets_authors_approve : policy_set {
  authority_effects authorise(const authority_config& config, authority_state& state, const authority_input& input,
                              instant now) const override {
    const auto* d = std::get_if<proposal_decision>(&input);
    const auto p = d == nullptr ? state.proposals.end() : state.proposals.find(d->id);
    if (p == state.proposals.end()) return policy_set::authorise(config, state, input, now);
    const std::string author = p->second.author;
    if (d->decision.verb != review_verb::withdraw) p->second.author.clear();
    authority_effects effects = policy_set::authorise(config, state, input, now);
    if (const auto again = state.proposals.find(d->id); again != state.proposals.end()) again->second.author = author;
    return effects;
  }
};

/// Takes no for yes.
struct mishears : policy_set {
  authority_effects authorise(const authority_config& config, authority_state& state, const authority_input& input,
                              instant now) const override {
    const auto* d = std::get_if<proposal_decision>(&input);
    if (d == nullptr) return policy_set::authorise(config, state, input, now);
    proposal_decision heard = *d;
    if (heard.decision.verb == review_verb::reject) heard.decision.verb = review_verb::approve;
    return policy_set::authorise(config, state, heard, now);
  }
};

/// What was decided for one revision is applied to another.
struct moves_with_the_times : policy_set {
  authority_effects authorise(const authority_config& config, authority_state& state, const authority_input& input,
                              instant now) const override {
    if (const auto* o = std::get_if<loop_observation>(&input))
      for (auto& [id, p] : state.proposals)
        for (wanted_change& c : p.changes)
          if (c.loop == o->loop && c.steps_taken == 0) c.base_revision = o->revision;
    return policy_set::authorise(config, state, input, now);
  }
};

/// A lost receipt: it asks again, for the revision it finds.
struct asks_again : policy_set {
  authority_effects authorise(const authority_config& config, authority_state& state, const authority_input& input,
                              instant now) const override {
    const auto* o = std::get_if<loop_observation>(&input);
    if (o == nullptr) return policy_set::authorise(config, state, input, now);
    loop_observation seen = *o;
    seen.last_request.clear();
    for (auto& [id, p] : state.proposals)
      for (wanted_change& c : p.changes)
        if (c.loop == o->loop && o->last_request == request_name(p, c)) c.base_revision = o->revision;
    return policy_set::authorise(config, state, seen, now);
  }
};

/// Decisions of people are told, and not written down.
struct keeps_decisions_in_its_head : policy_set {
  authority_effects authorise(const authority_config& config, authority_state& state, const authority_input& input,
                              instant now) const override {
    authority_effects effects = policy_set::authorise(config, state, input, now);
    if (std::holds_alternative<proposal_decision>(input)) effects.proposals.clear();
    return effects;
  }
};

struct forgets_its_numbers : policy_set {
  authority_state start_authority(const authority_config& config, authority_memory memory, instant now) const override {
    authority_state s = policy_set::start_authority(config, std::move(memory), now);
    s.ledger.last_id = 0;
    return s;
  }
};

/// Gives up on what is on its way to a governor.
struct gives_up_too_soon : policy_set {
  authority_effects authorise(const authority_config& config, authority_state& state, const authority_input& input,
                              instant now) const override {
    authority_effects effects = policy_set::authorise(config, state, input, now);
    if (!std::holds_alternative<tick>(input)) return effects;
    for (auto& [id, p] : state.proposals)
      if (p.state == review_state::approved) {
        settle(p, review_state::stale, "homeostat", "it takes too long", now);
        effects.proposals.insert(id);
      }
    return effects;
  }
};

struct records_no_evidence : policy_set {
  authority_effects authorise(const authority_config& config, authority_state& state, const authority_input& input,
                              instant now) const override {
    authority_effects effects = policy_set::authorise(config, state, input, now);
    for (loop_request& r : effects.requests) r.wanted.evidence.clear();
    return effects;
  }
};

struct records_no_approval : policy_set {
  authority_effects authorise(const authority_config& config, authority_state& state, const authority_input& input,
                              instant now) const override {
    authority_effects effects = policy_set::authorise(config, state, input, now);
    std::erase_if(effects.records,
                  [](const audit_record& r) { return r.text.find(", approved") != std::string::npos; });
    return effects;
  }
};

/// In nobody's name a person's limits are not widened; in somebody's they are.
struct signs_for_others : policy_set {
  authority_effects authorise(const authority_config& config, authority_state& state, const authority_input& input,
                              instant now) const override {
    authority_effects effects = policy_set::authorise(config, state, input, now);
    for (loop_request& r : effects.requests) r.wanted.approver = "ann";
    return effects;
  }
};

/// A request that comes twice is carried out twice.
struct takes_requests_again : policy_set {
  governor_step decide(const governor_config& config, governor_state state, const governor_input& input,
                       instant now) const override {
    const auto* p = std::get_if<proposal>(&input);
    if (p == nullptr || p->request.empty() || p->request != state.last_request)
      return policy_set::decide(config, std::move(state), input, now);
    proposal forged = *p;
    forged.base_generation = state.generation;
    forged.base_revision = state.revision;
    state.last_change.reset();
    state.updates.accepted.clear();
    return policy_set::decide(config, std::move(state), forged, now);
  }
};

/// The governor takes a program's order for a person's.
struct obeys_programs_in_safe_mode : policy_set {
  governor_step decide(const governor_config& config, governor_state state, const governor_input& input,
                       instant now) const override {
    const auto* c = std::get_if<operator_command>(&input);
    if (c == nullptr || c->actor != "homeostat" || c->action != operator_action::set_values)
      return policy_set::decide(config, std::move(state), input, now);
    const safe_mode_state frozen = std::exchange(state.safe_mode, {});
    governor_step step = policy_set::decide(config, std::move(state), input, now);
    step.state.safe_mode = frozen;
    if (step.state.pending) step.state.pending->actor = "somebody";
    return step;
  }
};

} // namespace

std::vector<mutant> authority_mutants() {
  return {
      {"RecordsNoEvidence", "I2", made<records_no_evidence>},
      {"RecordsNoApproval", "I2", made<records_no_approval>},
      {"NoTotalCap", "I3", made<configured<no_total_cap>>},
      {"NoHourlyBudget", "I3", made<configured<no_hourly_budget>>},
      {"ObeysProgramsInSafeMode", "I4", made<obeys_programs_in_safe_mode>},
      {"KeepsDecisionsInItsHead", "I9", made<keeps_decisions_in_its_head>},
      {"ForgetsItsNumbers", "I2", made<forgets_its_numbers>},
      {"TakesRequestsAgain", "I9", made<takes_requests_again>},
      {"AsksAgain", "I11", made<asks_again>},
      {"NoTimeToObject", "I11", made<configured<no_time_to_object>>},
      {"TrustsEverybody", "I11", made<configured<trusts_everybody>>},
      {"TakesNoRiskSeriously", "I11", made<configured<takes_no_risk_seriously>>},
      {"ForgetsTheBoundsOfRules", "I11", made<configured<forgets_the_bounds_of_rules>>},
      {"LetsAuthorsApprove", "I11", made<lets_authors_approve>},
      {"Mishears", "I11", made<mishears>},
      {"MovesWithTheTimes", "I11", made<moves_with_the_times>},
      {"GivesUpTooSoon", "I11", made<gives_up_too_soon>},
      {"SignsForOthers", "I11", made<signs_for_others>},
      {"NoLimitOfWaiting", "I12", made<configured<no_limit_of_waiting>>},
      {"NeverExpires", "I12", made<configured<never_expires>>},
      {"NeverEscalates", "I12", made<configured<never_escalates>>},
  };
}

} // namespace homeostat::sim
