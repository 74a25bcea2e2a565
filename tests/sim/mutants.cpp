#include "mutants.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <iterator>

namespace homeostat::sim {

namespace {

template <class T> std::unique_ptr<policy_set> made() { return std::make_unique<T>(); }

/// Changes the proposal before the governor sees it, and puts its own values back into what was taken up.
governor_step slip_past(const governor_config& config, governor_state state, const proposal& original,
                        const proposal& polished, instant now) {
  governor_step step = homeostat::decide(config, std::move(state), polished, now);
  if (!step.state.pending || step.state.pending->origin != change_origin::proposal) return step;
  for (audit_record& r : step.effects.records) {
    if (r.kind != audit_kind::intent || r.generation != step.state.pending->generation) continue;
    r.after = original.values;
    step.state.pending->wanted = original.values;
  }
  return step;
}

// ---- I1
// ------------------------------------------------------------------------------------------------------------------

struct lets_impossible_values_pass : policy_set {
  governor_step decide(const governor_config& config, governor_state state, const governor_input& input,
                       instant now) const override {
    const auto* p = std::get_if<proposal>(&input);
    if (p == nullptr || p->values.size() != config.knobs.size())
      return policy_set::decide(config, std::move(state), input, now);
    proposal polished = *p;
    for (std::size_t i = 0; i < polished.values.size(); ++i)
      if (!is_admissible(config.knobs[i], polished.values[i])) polished.values[i] = state.base[i];
    return slip_past(config, std::move(state), *p, polished, now);
  }
};

// ---- I2
// ------------------------------------------------------------------------------------------------------------------

struct applies_before_durable : policy_set {
  governor_step decide(const governor_config& config, governor_state state, const governor_input& input,
                       instant now) const override {
    governor_step step = policy_set::decide(config, std::move(state), input, now);
    if (!step.effects.durable_ticket || !step.state.pending) return step;
    pending_change& change = *step.state.pending;
    change.phase = change_phase::awaiting_actuation;
    step.effects.durable_ticket.reset();
    step.effects.apply = actuation{.ticket = change.ticket, .generation = change.generation, .values = change.wanted};
    return step;
  }
};

struct uses_generations_again : policy_set {
  governor_step decide(const governor_config& config, governor_state state, const governor_input& input,
                       instant now) const override {
    governor_step step = policy_set::decide(config, std::move(state), input, now);
    if (!step.state.pending) step.state.last_generation = step.state.generation;
    return step;
  }
};

struct records_twice : policy_set {
  governor_step decide(const governor_config& config, governor_state state, const governor_input& input,
                       instant now) const override {
    governor_step step = policy_set::decide(config, std::move(state), input, now);
    const auto intent = std::ranges::find(step.effects.records, audit_kind::intent, &audit_record::kind);
    if (intent != step.effects.records.end()) step.effects.records.push_back(auto(*intent));
    return step;
  }
};

struct believes_every_answer : policy_set {
  governor_step decide(const governor_config& config, governor_state state, const governor_input& input,
                       instant now) const override {
    const auto* a = std::get_if<actuation_answer>(&input);
    if (a == nullptr || !state.pending) return policy_set::decide(config, std::move(state), input, now);
    actuation_answer kind = *a;
    kind.ok = true;
    kind.read_back = state.pending->wanted;
    return policy_set::decide(config, std::move(state), kind, now);
  }
};

// ---- I3
// ------------------------------------------------------------------------------------------------------------------

/// A governor that was given other limits than the checkers.
template <class Change> struct with_limits : policy_set {
  governor_step decide(const governor_config& config, governor_state state, const governor_input& input,
                       instant now) const override {
    governor_config other = config;
    Change{}(other, state);
    return policy_set::decide(other, std::move(state), input, now);
  }
};

struct no_step_limit {
  void operator()(governor_config& c, governor_state&) const {
    c.limits.max_delta_per_step = 1;
    for (knob_spec& k : c.knobs) k.step_limit.reset();
  }
};
struct no_pace {
  void operator()(governor_config&, governor_state& s) const {
    s.last_change.reset();
    s.updates.accepted.clear();
    s.probes.accepted.clear();
  }
};
struct no_cumulative_limit {
  void operator()(governor_config& c, governor_state&) const { c.limits.max_cumulative_delta_per_minute = 1e9; }
};
struct no_flip_limit {
  void operator()(governor_config& c, governor_state&) const { c.limits.direction_flip_limit = 1000; }
};
struct no_distance_limit {
  void operator()(governor_config& c, governor_state&) const { c.limits.max_baseline_distance = 1; }
};
struct counts_no_rollbacks {
  void operator()(governor_config&, governor_state& s) const { s.rollbacks.accepted.clear(); }
};
struct does_not_listen_for_silence {
  void operator()(governor_config& c, governor_state&) const { c.watch_telemetry = false; }
};
struct forgives_the_actuator {
  void operator()(governor_config&, governor_state& s) const { s.actuator_failures.accepted.clear(); }
};
struct forgives_hostility {
  void operator()(governor_config&, governor_state& s) const { s.hostile.accepted.clear(); }
};

// ---- I4
// ------------------------------------------------------------------------------------------------------------------

/// The freeze that comes while a record is being written is overlooked.
struct applies_in_safe_mode : policy_set {
  governor_step decide(const governor_config& config, governor_state state, const governor_input& input,
                       instant now) const override {
    if (!std::holds_alternative<audit_answer>(input)) return policy_set::decide(config, std::move(state), input, now);
    const safe_mode_state frozen = std::exchange(state.safe_mode, {});
    governor_step step = policy_set::decide(config, std::move(state), input, now);
    if (!is_frozen(step.state.safe_mode)) step.state.safe_mode = frozen;
    return step;
  }
};

// ---- I5
// ------------------------------------------------------------------------------------------------------------------

struct rolls_back_nearly : policy_set {
  governor_step decide(const governor_config& config, governor_state state, const governor_input& input,
                       instant now) const override {
    governor_step step = policy_set::decide(config, std::move(state), input, now);
    if (!step.effects.durable_ticket || !step.state.pending || step.state.pending->origin != change_origin::rollback)
      return step;
    const knob_spec& knob = config.knobs[0];
    double& value = step.state.pending->wanted[0];
    value = value_at(knob, position_of(knob, value) > 0.5 ? 0.25 : 0.75);
    for (audit_record& r : step.effects.records)
      if (r.kind == audit_kind::intent) r.after = step.state.pending->wanted;
    return step;
  }
};

struct restart_loses_baseline : policy_set {
  governor_step recover(const governor_config& config, std::optional<governor_state> persisted,
                        const std::optional<knob_values>& actual, instant now) const override {
    if (persisted)
      persisted->baseline = tested_baseline{.name = "live", .revision = persisted->revision, .values = persisted->live};
    return policy_set::recover(config, std::move(persisted), actual, now);
  }
};

// ---- I6
// ------------------------------------------------------------------------------------------------------------------

struct takes_stale_digests : policy_set {
  std::optional<objective_window> take(sensor_state& s, const window_settings& settings, const telemetry_digest& digest,
                                       instant now) const override {
    window_settings patient = settings;
    patient.max_age = 24h;
    return policy_set::take(s, patient, digest, now);
  }
};

struct takes_other_generations : policy_set {
  std::optional<objective_window> take(sensor_state& s, const window_settings& settings, const telemetry_digest& digest,
                                       instant now) const override {
    telemetry_digest forged = digest;
    forged.generation = s.generation;
    return policy_set::take(s, settings, forged, now);
  }
};

struct does_not_let_settle : policy_set {
  std::optional<objective_window> take(sensor_state& s, const window_settings& settings, const telemetry_digest& digest,
                                       instant now) const override {
    s.measurable_from = {};
    return policy_set::take(s, settings, digest, now);
  }
};

struct takes_duplicates : policy_set {
  std::optional<objective_window> take(sensor_state& s, const window_settings& settings, const telemetry_digest& digest,
                                       instant now) const override {
    s.last_sequence.reset();
    s.last_timestamp.reset();
    return policy_set::take(s, settings, digest, now);
  }
};

// ---- I7
// ------------------------------------------------------------------------------------------------------------------

struct draws_from_nowhere : policy_set {
  engine_decision next_proposal(engine_state& s, const engine_settings& settings, instant now) const override {
    static std::atomic<std::uint64_t> calls{0};
    s.spsa.rng = s.online.adaptive.rng = chacha8_rng(calls++);
    return policy_set::next_proposal(s, settings, now);
  }
};

// ---- I8, I11
// -------------------------------------------------------------------------------------------------------------

struct takes_old_owners : policy_set {
  governor_step decide(const governor_config& config, governor_state state, const governor_input& input,
                       instant now) const override {
    const auto* p = std::get_if<proposal>(&input);
    if (p == nullptr) return policy_set::decide(config, std::move(state), input, now);
    proposal forged = *p;
    forged.epoch = config.epoch;
    return policy_set::decide(config, std::move(state), forged, now);
  }
};

struct takes_stale_proposals : policy_set {
  governor_step decide(const governor_config& config, governor_state state, const governor_input& input,
                       instant now) const override {
    const auto* p = std::get_if<proposal>(&input);
    if (p == nullptr) return policy_set::decide(config, std::move(state), input, now);
    proposal forged = *p;
    forged.base_generation = state.generation;
    forged.base_revision = state.revision;
    return policy_set::decide(config, std::move(state), forged, now);
  }
};

struct approves_by_itself : policy_set {
  governor_step decide(const governor_config& config, governor_state state, const governor_input& input,
                       instant now) const override {
    const auto* p = std::get_if<proposal>(&input);
    if (p == nullptr) return policy_set::decide(config, std::move(state), input, now);
    proposal forged = *p;
    forged.approved = true;
    return policy_set::decide(config, std::move(state), forged, now);
  }
};

// ---- I9
// ------------------------------------------------------------------------------------------------------------------

struct restart_always_commits : policy_set {
  governor_step recover(const governor_config& config, std::optional<governor_state> persisted,
                        const std::optional<knob_values>& actual, instant now) const override {
    std::optional<knob_values> hoped = actual;
    if (persisted && persisted->pending && hoped) hoped = persisted->pending->wanted;
    return policy_set::recover(config, std::move(persisted), hoped, now);
  }
};

struct restart_sees_no_drift : policy_set {
  governor_step recover(const governor_config& config, std::optional<governor_state> persisted,
                        const std::optional<knob_values>& actual, instant now) const override {
    std::optional<knob_values> hoped = actual;
    if (persisted && !persisted->pending && hoped) hoped = persisted->live;
    return policy_set::recover(config, std::move(persisted), hoped, now);
  }
};

struct restart_forgets_safe_mode : policy_set {
  governor_step recover(const governor_config& config, std::optional<governor_state> persisted,
                        const std::optional<knob_values>& actual, instant now) const override {
    if (persisted) persisted->safe_mode = {};
    return policy_set::recover(config, std::move(persisted), actual, now);
  }
};

/// Its state is never handed over with its records.
struct forgets_to_persist : policy_set {
  governor_step decide(const governor_config& config, governor_state state, const governor_input& input,
                       instant now) const override {
    governor_step step = policy_set::decide(config, std::move(state), input, now);
    step.effects.persist = false;
    return step;
  }
};

// ---- I12
// -----------------------------------------------------------------------------------------------------------------

struct remembers_for_ever : policy_set {
  governor_step decide(const governor_config& config, governor_state state, const governor_input& input,
                       instant now) const override {
    governor_step step = policy_set::decide(config, std::move(state), input, now);
    step.state.recorded_refusals.accepted.push_back(now);
    return step;
  }
};

struct ignores_timers : policy_set {
  governor_step decide(const governor_config& config, governor_state state, const governor_input& input,
                       instant now) const override {
    const auto before = state.safe_mode.holds;
    governor_step step = policy_set::decide(config, std::move(state), input, now);
    for (std::size_t i = 0; i < before.size(); ++i)
      if (before[i] && before[i]->until && *before[i]->until <= now) step.state.safe_mode.holds[i] = before[i];
    return step;
  }
};

struct stays_deaf : policy_set {
  governor_step decide(const governor_config& config, governor_state state, const governor_input& input,
                       instant now) const override {
    constexpr auto lost = static_cast<std::size_t>(safe_mode_reason::telemetry_lost);
    const auto before = state.safe_mode.holds[lost];
    governor_step step = policy_set::decide(config, std::move(state), input, now);
    if (before) step.state.safe_mode.holds[lost] = before;
    return step;
  }
};

struct never_stops : policy_set {
  governor_step decide(const governor_config& config, governor_state state, const governor_input& input,
                       instant now) const override {
    governor_step step = policy_set::decide(config, std::move(state), input, now);
    step.effects.stopped = false;
    return step;
  }
};

struct has_no_idea : policy_set {
  engine_decision next_proposal(engine_state&, const engine_settings&, instant) const override { return {}; }
};

struct lets_the_dead_rest : policy_set {
  supervision_decision on_child_end(const supervision_settings&, supervision_state&, const std::vector<child_restart>&,
                                    const std::vector<bool>&, std::size_t, bool, instant) const override {
    return {};
  }
};

} // namespace

const std::vector<mutant>& all_mutants() {
  static const std::vector<mutant> mutants = [] {
    std::vector<mutant> all{
        {"LetsImpossibleValuesPass", "I1", made<lets_impossible_values_pass>},
        {"AppliesBeforeDurable", "I2", made<applies_before_durable>},
        {"UsesGenerationsAgain", "I2", made<uses_generations_again>},
        {"RecordsTwice", "I2", made<records_twice>},
        {"BelievesEveryAnswer", "I2", made<believes_every_answer>},
        {"NoStepLimit", "I3", made<with_limits<no_step_limit>>},
        {"NoPace", "I3", made<with_limits<no_pace>>},
        {"NoCumulativeLimit", "I3", made<with_limits<no_cumulative_limit>>},
        {"NoFlipLimit", "I3", made<with_limits<no_flip_limit>>},
        {"NoDistanceLimit", "I3", made<with_limits<no_distance_limit>>},
        {"AppliesInSafeMode", "I4", made<applies_in_safe_mode>},
        {"RollsBackNearly", "I5", made<rolls_back_nearly>},
        {"CountsNoRollbacks", "I5", made<with_limits<counts_no_rollbacks>>},
        {"RestartLosesBaseline", "I5", made<restart_loses_baseline>},
        {"TakesStaleDigests", "I6", made<takes_stale_digests>},
        {"TakesOtherGenerations", "I6", made<takes_other_generations>},
        {"DoesNotLetSettle", "I6", made<does_not_let_settle>},
        {"TakesDuplicates", "I6", made<takes_duplicates>},
        {"DrawsFromNowhere", "I7", made<draws_from_nowhere>},
        {"TakesOldOwners", "I8", made<takes_old_owners>},
        {"RestartAlwaysCommits", "I9", made<restart_always_commits>},
        {"RestartSeesNoDrift", "I9", made<restart_sees_no_drift>},
        {"RestartForgetsSafeMode", "I9", made<restart_forgets_safe_mode>},
        {"ForgetsToPersist", "I9", made<forgets_to_persist>},
        {"DoesNotListenForSilence", "I10", made<with_limits<does_not_listen_for_silence>>},
        {"ForgivesTheActuator", "I10", made<with_limits<forgives_the_actuator>>},
        {"ForgivesHostility", "I10", made<with_limits<forgives_hostility>>},
        {"TakesStaleProposals", "I11", made<takes_stale_proposals>},
        {"ApprovesByItself", "I11", made<approves_by_itself>},
        {"RemembersForEver", "I12", made<remembers_for_ever>},
        {"IgnoresTimers", "I12", made<ignores_timers>},
        {"StaysDeaf", "I12", made<stays_deaf>},
        {"NeverStops", "I12", made<never_stops>},
        {"HasNoIdea", "I12", made<has_no_idea>},
        {"LetsTheDeadRest", "I12", made<lets_the_dead_rest>},
    };
    std::ranges::copy(authority_mutants(), std::back_inserter(all));
    return all;
  }();
  return mutants;
}

} // namespace homeostat::sim
