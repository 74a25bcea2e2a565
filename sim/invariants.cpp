// What happened, as facts come in: records, applies, changes of the shadow. The checks themselves are in the files
// beside.
#include "sim/invariants.hpp"

#include "policies/number_text.hpp"

#include <algorithm>
#include <bit>

namespace homeostat::sim {

namespace {

constexpr std::size_t remembered_changes = 64;

change_origin origin_of(const audit_record& intent) {
  if (intent.classification == change_class::operator_change) return change_origin::operator_change;
  if (intent.classification != change_class::rollback) return change_origin::proposal;
  if (intent.source == "rollback to baseline") return change_origin::rollback;
  if (intent.source == "return to base point") return change_origin::retreat;
  return change_origin::undo;
}

std::optional<std::size_t> reason_named(std::string_view name) {
  for (std::size_t i = 0; i < safe_mode_reason_count; ++i)
    if (name == homeostat::name_of(static_cast<safe_mode_reason>(i))) return i;
  return std::nullopt;
}

} // namespace

invariants::invariants(const scenario& s)
    : scenario_(s), knobs_(s.governor.knobs),
      authority_(s, [this](std::string_view invariant, std::string what) { fail(invariant, std::move(what)); }) {
  for (const knob_spec& k : knobs_) ranges_.emplace_back(k);
  eras_.push_back({});
}

void invariants::fail(std::string_view invariant, std::string what) {
  if (!first_) first_ = finding{std::string(invariant), std::move(what)};
}

void invariants::mix(const knob_values& values) {
  for (double v : values) mix(std::bit_cast<std::uint64_t>(v));
}

void invariants::mix(const governor_effects& e) {
  for (const audit_record& r : e.records) {
    mix(static_cast<std::uint64_t>(r.kind) << 8U | static_cast<std::uint64_t>(r.classification));
    mix(r.generation);
    mix(static_cast<std::uint64_t>(r.time.time_since_epoch().count()));
    mix(r.after);
    if (r.reason) mix(static_cast<std::uint64_t>(r.reason->code) + 1);
  }
  mix(e.durable_ticket.value_or(0));
  if (e.apply) mix(e.apply->generation), mix(e.apply->values);
  if (e.verdict) mix(e.verdict->proposal_id), mix(e.verdict->accepted ? 1 : 2);
  if (e.live) mix(e.live->generation), mix(e.live->frozen ? 1 : 2);
}

invariants::change* invariants::find(std::uint64_t generation) {
  const auto it =
      std::find_if(changes_.rbegin(), changes_.rend(), [&](const change& c) { return c.generation == generation; });
  return it == changes_.rend() ? nullptr : &*it;
}

// ---- the plant
// -----------------------------------------------------------------------------------------------------------

void invariants::plant_starts(const knob_values& values) { last_applied_values_ = values; }

void invariants::applied(std::uint64_t generation, const knob_values& commanded, bool complete, duration at) {
  eras_.push_back({.since = at, .generation = generation, .by_apply = true});
  trusted_ = complete;
  change* c = find(generation);
  if (c == nullptr || !c->issued)
    return fail("I2",
                "generation " + std::to_string(generation) + " reached the plant, but the governor never issued it");
  if (c->applied_at) return fail("I2", "generation " + std::to_string(generation) + " reached the plant twice");
  if (commanded.size() != knobs_.size())
    return fail("I3", "a command with " + std::to_string(commanded.size()) + " values reached the plant");
  if (!(commanded == c->wanted))
    return fail("I2", "generation " + std::to_string(generation) +
                          " reached the plant with other values than its record has");
  // A change that comes after the governor has stopped waiting for it counts from when it stopped: it cannot know more.
  at = std::min(at, c->issued_at + scenario_.times.actuation_timeout);
  c->applied_at = at;
  check_record(*c);
  check_bounds(*c);
  if (c->origin == change_origin::proposal) {
    check_step(*c);
    check_pace(*c, at);
    if (!is_probe(c->kind)) check_base_move(*c, at);
  } else {
    check_restore(*c, at);
  }
  last_applied_ = generation;
  last_applied_at_ = at;
  last_applied_values_ = commanded;
}

void invariants::plant_restarted(const knob_values& defaults, duration at) {
  eras_.push_back({.since = at, .generation = 0, .by_apply = false});
  last_applied_values_ = defaults;
  trusted_ = true;
}

// ---- the audit
// -----------------------------------------------------------------------------------------------------------

void invariants::durable(const audit_record& r) {
  if (scenario_.authority) authority_.recorded(r);
  if (r.kind == audit_kind::intent) {
    const change* before = find(outcome_due_);
    if (before != nullptr && before->issued)
      fail("I9", "the audit does not say what came of generation " + std::to_string(outcome_due_) +
                     ", and goes on with " + std::to_string(r.generation));
    outcome_due_ = r.generation;
  } else if ((r.kind == audit_kind::committed || r.kind == audit_kind::aborted) && r.generation == outcome_due_) {
    outcome_due_ = 0;
  }
  const bool introduces = r.kind == audit_kind::intent || (r.kind == audit_kind::started && last_introduced_ == 0) ||
                          (r.kind == audit_kind::drift && r.generation > last_introduced_);
  if (!introduces) return;
  if (r.generation > 1'000'000)
    return fail("I12", "generation " + std::to_string(r.generation) + " after so short a run");
  if (introduced_.size() <= r.generation) introduced_.resize(r.generation + 1);
  ++introduced_[r.generation];
  if (r.generation <= last_introduced_)
    return fail("I2", "generation " + std::to_string(r.generation) + " is introduced after " +
                          std::to_string(last_introduced_));
  last_introduced_ = r.generation;
  if (r.kind == audit_kind::intent && (r.source.empty() || r.actor.empty()))
    fail("I2", "the record of generation " + std::to_string(r.generation) + " does not say who changed what for whom");
}

void invariants::acknowledged(std::uint64_t ticket) {
  if (ticket != pending_ticket_) return;
  change* c = find(pending_generation_);
  if (c == nullptr) return;
  c->acknowledged = true;
  if (introduced_.size() <= c->generation || introduced_[c->generation] == 0)
    fail("I9", "the audit acknowledged generation " + std::to_string(c->generation) + ", but does not hold its record");
}

// ---- decisions
// -----------------------------------------------------------------------------------------------------------

void invariants::take_intent(const audit_record& r) {
  if (r.generation <= shadow_.last_generation)
    return fail("I2", "generation " + std::to_string(r.generation) + " is used again after " +
                          std::to_string(shadow_.last_generation));
  shadow_.last_generation = r.generation;
  change c;
  c.generation = r.generation;
  c.origin = origin_of(r);
  c.kind = r.change;
  c.wanted = r.after;
  c.overridden = r.evidence.starts_with("bounds overridden by a person");
  c.automatic = r.actor == "homeostat";
  const bool repeated = !changes_.empty() && changes_.back().origin == change_origin::rollback;
  c.restarts = c.origin == change_origin::rollback && !repeated;
  if (changes_.size() == remembered_changes) changes_.pop_front();
  changes_.push_back(std::move(c));
}

void invariants::take_commit(const audit_record& r, duration at) {
  const change* c = find(r.generation);
  if (c == nullptr)
    return fail("I2", "generation " + std::to_string(r.generation) + " is committed, but never was intended");
  if (r.generation <= shadow_.generation)
    return fail("I2", "generation " + std::to_string(r.generation) + " is committed after " +
                          std::to_string(shadow_.generation));
  shadow_.generation = r.generation;
  shadow_.live = c->wanted;
  for (std::size_t i = 0; i < ranges_.size(); ++i)
    if (!ranges_[i].same(r.after[i], c->wanted[i]))
      return fail("I9", "generation " + std::to_string(r.generation) + " is committed, but " + knobs_[i].name +
                            " reads " + number_text(r.after[i]) + " instead of " + number_text(c->wanted[i]));
  if (!c->request.empty()) authority_.came_into_force(scenario_.governor.loop, c->request, r.generation, r.revision);
  const bool returns = c->origin == change_origin::retreat || c->origin == change_origin::undo;
  if (returns || is_probe(c->kind)) return;
  base_move move{.at = c->applied_at.value_or(at), .generation = r.generation, .moves = {}};
  for (std::size_t i = 0; i < ranges_.size(); ++i)
    move.moves.push_back(ranges_[i].fraction(shadow_.base[i], c->wanted[i]));
  moves_.push_back(std::move(move));
  shadow_.base = c->wanted;
  if (r.revision <= shadow_.revision)
    fail("I2", "the base point moved, but the revision stays " + std::to_string(r.revision));
  shadow_.revision = r.revision;
}

void invariants::take_records(std::span<const audit_record> records, duration at) {
  for (const audit_record& r : records) {
    switch (r.kind) {
    case audit_kind::intent: take_intent(r); break;
    case audit_kind::committed: take_commit(r, at); break;
    case audit_kind::aborted:
      if (scenario_.authority) authority_.taken_back(scenario_.governor.loop, r.generation);
      break;
    case audit_kind::drift:
      if (r.generation <= shadow_.last_generation) break; // noted, not adopted
      moves_.push_back({.at = at, .generation = r.generation, .moves = {}});
      for (std::size_t i = 0; i < ranges_.size(); ++i) {
        // Where a probe is still in force the base point stays.
        const double base = ranges_[i].same(r.after[i], shadow_.live[i]) ? shadow_.base[i] : r.after[i];
        moves_.back().moves.push_back(ranges_[i].fraction(shadow_.base[i], base));
        shadow_.base[i] = base;
      }
      shadow_.generation = shadow_.last_generation = r.generation;
      shadow_.revision = r.revision;
      shadow_.live = r.after;
      eras_.push_back({.since = at, .generation = r.generation, .by_apply = false, .adopted = true});
      break;
    case audit_kind::baseline_set:
      if (!(r.after == shadow_.base)) fail("I5", "the baseline was set to values that are not the base point's");
      shadow_.baseline = r.after;
      break;
    case audit_kind::safe_mode_entered:
    case audit_kind::safe_mode_left:
      if (auto reason = reason_named(r.source))
        shadow_.holds[*reason] = r.kind == audit_kind::safe_mode_entered;
      else
        fail("I2", "a safe mode record names the unknown reason '" + r.source + "'");
      break;
    default: break;
    }
  }
}

void invariants::decided(const governor_input& input, const governor_state& after, const governor_effects& effects,
                         instant now, duration at) {
  mix(input.index());
  mix(effects);
  note_window(input, after, now);
  if (const auto* p = std::get_if<proposal>(&input))
    if (effects.durable_ticket && after.pending && after.pending->origin == change_origin::proposal)
      check_standing(*p, after);
  take_records(effects.records, at);
  if (const auto* p = std::get_if<proposal>(&input); p != nullptr && effects.durable_ticket && !effects.verdict &&
                                                     after.pending && after.pending->origin == change_origin::proposal)
    if (change* c = find(after.pending->generation)) c->request = p->request;
  check_failures(input, effects, now);
  check_issue(after, effects, now, at);
  shadow_.live_known = after.live_known;
  if (effects.durable_ticket) {
    pending_ticket_ = *effects.durable_ticket;
    pending_generation_ = after.pending ? after.pending->generation : 0;
  }
}

void invariants::governor_lost() {
  pending_ticket_ = pending_generation_ = 0;
  actuator_failures_.clear();
  hostile_.clear();
}

void invariants::asked(const proposal& wish, duration at) {
  last_ask_ = at;
  mix(wish.id);
  mix(wish.values);
}

} // namespace homeostat::sim
