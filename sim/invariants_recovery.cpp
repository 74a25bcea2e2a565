// I9: what a restart makes of what survived.
#include "sim/invariants.hpp"

#include <algorithm>
#include <cmath>

namespace homeostat::sim {

bool invariants::half_done(const knob_values& actual, const governor_state& persisted) const {
  if (actual.size() != persisted.live.size()) return false;
  for (std::size_t i = 0; i < ranges_.size(); ++i)
    if (!ranges_[i].same(actual[i], persisted.pending->wanted[i]) && !ranges_[i].same(actual[i], persisted.live[i]))
      return false;
  return true;
}

void invariants::check_outcome(const governor_state& persisted, const knob_values& actual, const governor_step& step) {
  const auto matches = [&](const knob_values& expected) {
    if (actual.size() != expected.size()) return false;
    for (std::size_t i = 0; i < ranges_.size(); ++i)
      if (!ranges_[i].same(actual[i], expected[i])) return false;
    return true;
  };
  const auto recorded = [&](audit_kind kind, std::uint64_t generation) {
    return std::ranges::count_if(step.effects.records,
                                 [&](const audit_record& r) { return r.kind == kind && r.generation == generation; });
  };
  if (persisted.pending) {
    const std::uint64_t g = persisted.pending->generation;
    const bool in_force = matches(persisted.pending->wanted);
    if (recorded(audit_kind::committed, g) != (in_force ? 1 : 0))
      fail("I9", "after the crash generation " + std::to_string(g) +
                     (in_force ? " is in force, but not committed" : " is not in force, but committed"));
    if (recorded(audit_kind::aborted, g) != (in_force ? 0 : 1))
      fail("I9", "after the crash generation " + std::to_string(g) +
                     (in_force ? " is in force, but aborted" : " is not in force, but not aborted"));
    if (in_force) return;
    // Some knobs as wanted, the others as before: the change stopped half-way, and is undone as a whole (I3), not
    // adopted.
    if (half_done(actual, persisted)) return;
  }
  if (matches(persisted.live)) return;
  bool half_done = persisted.pending.has_value();
  for (std::size_t i = 0; half_done && i < ranges_.size(); ++i)
    half_done =
        ranges_[i].same(actual[i], persisted.pending->wanted[i]) || ranges_[i].same(actual[i], persisted.live[i]);
  const bool drift =
      std::ranges::any_of(step.effects.records, [](const audit_record& r) { return r.kind == audit_kind::drift; });
  if (!drift && half_done && !step.state.live_known) return; // put back, all knobs together
  if (!drift) fail("I9", "after the crash the plant has values nobody recorded, and no drift is recorded");
  bool possible = actual.size() == ranges_.size();
  bool adopted = possible;
  bool exact = possible;
  for (std::size_t i = 0; possible && i < ranges_.size(); ++i) {
    const knob_range& r = ranges_[i];
    exact &= r.takes(actual[i]);
    possible = r.takes(actual[i]) || r.same(actual[i], r.nearest(actual[i]));
    adopted &= r.takes(step.state.live[i]) && r.same(actual[i], step.state.live[i]);
  }
  const bool frozen = holds(step.state.safe_mode, safe_mode_reason::manual);
  if (possible && !adopted && (exact || !frozen)) fail("I9", "drift within the bounds was not adopted");
  if (!possible && !frozen) fail("I9", "values that no knob can have were found, and the loop is not frozen");
}

void invariants::check_holds_kept(const governor_state& persisted, const governor_state& after, instant now) {
  for (std::size_t i = 0; i < safe_mode_reason_count; ++i) {
    const auto& before = persisted.safe_mode.holds[i];
    const auto& kept = after.safe_mode.holds[i];
    if (!before) continue;
    const std::string name(name_of(static_cast<safe_mode_reason>(i)));
    const duration left = before->until ? *before->until - std::max(now, persisted.last_now) : 0us;
    const bool was_read = persisted.unread && !after.unread; // what froze it then is over
    if (!kept && was_read && static_cast<safe_mode_reason>(i) == safe_mode_reason::actuator_failing) continue;
    if (!kept) {
      if (!before->until || left > 0us) fail("I9", "the restart ended safe mode for " + name);
      continue;
    }
    // A clock set back must not shorten what was left to wait.
    const duration due = before->until ? *before->until - persisted.last_now : 0us;
    if (now < persisted.last_now && before->until && kept->until && *kept->until - now < due)
      fail("I10", "the clock set back shortened safe mode for " + name);
  }
}

void invariants::read(duration at) {
  if (eras_.back().generation != shadow_.generation)
    eras_.push_back({.since = at, .generation = shadow_.generation, .by_apply = false});
}

void invariants::recovered(const governor_state* persisted, const std::optional<knob_values>& answered,
                           const governor_step& step, instant now, duration at) {
  // What is not a set of numbers is no reading.
  const bool readable = answered && answered->size() == ranges_.size() &&
                        std::ranges::all_of(*answered, [](double v) { return std::isfinite(v); });
  const std::optional<knob_values> actual = readable ? answered : std::nullopt;
  mix(step.effects);
  const governor_state& s = step.state;
  if (persisted != nullptr) {
    if (actual) check_outcome(*persisted, *actual, step);
    check_holds_kept(*persisted, s, now);
    if (!s.baseline || !(persisted->baseline == s.baseline)) fail("I5", "the restart lost the baseline");
    if (s.last_generation < persisted->last_generation) fail("I2", "the restart would use generation numbers again");
  } else if (last_introduced_ != 0) {
    fail("I9", "the audit holds records, but no state to start from");
  }
  if (s.last_generation < last_applied_ || s.last_generation < last_introduced_)
    fail("I2", "the restart knows generation " + std::to_string(s.last_generation) + ", but the plant has seen " +
                   std::to_string(last_applied_) + " and the audit " + std::to_string(last_introduced_));
  if (!actual && !holds(s.safe_mode, safe_mode_reason::actuator_failing))
    fail("I10", "the plant does not report its values, and the loop is not frozen");
  if (paused_for_certain_ && !holds(s.safe_mode, safe_mode_reason::manual))
    fail("I9", "an acknowledged pause did not survive the crash");

  // The shadow starts from what survived too, and follows the records from there.
  if (persisted != nullptr) {
    shadow_.generation = persisted->generation;
    shadow_.last_generation = persisted->last_generation;
    shadow_.revision = persisted->revision;
    shadow_.live = persisted->live;
    shadow_.base = persisted->base;
    shadow_.baseline = persisted->baseline->values;
    for (std::size_t i = 0; i < safe_mode_reason_count; ++i)
      shadow_.holds[i] = persisted->safe_mode.holds[i].has_value();
  } else {
    const knob_values initial = initial_values(knobs_);
    shadow_.generation = shadow_.last_generation = shadow_.revision = 1;
    shadow_.live = shadow_.base = shadow_.baseline = initial;
    shadow_.holds.reset();
  }
  shadow_.last_window = now;
  shadow_.last_objective = s.last_objective;
  shadow_.live_known = s.live_known;
  // What no durable record survived of never was: its number is used again.
  std::erase_if(changes_, [&](const change& c) { return c.generation > shadow_.last_generation; });
  std::erase_if(moves_, [&](const base_move& m) { return m.generation > shadow_.generation; });
  take_records(step.effects.records, at);
  if (actual) read(at);
  if (step.effects.durable_ticket && s.pending) {
    pending_ticket_ = *step.effects.durable_ticket;
    pending_generation_ = s.pending->generation;
  }
  running_since_ = at;
  last_ask_ = std::max(last_ask_, at);
}

} // namespace homeostat::sim
