// I12 and what follows from it: everything has a cap, nothing waits for ever, and a loop that nothing disturbs goes on.
#include "sim/invariants.hpp"

#include "policies/number_text.hpp"

#include <algorithm>
#include <cmath>

namespace homeostat::sim {

namespace {

// A due timer may be late by the slowest message and no more.
constexpr duration timer_slack = 3s;

} // namespace

void invariants::check_sizes(const world_view& v) {
  const auto within = [&](std::size_t size, std::size_t cap, const char* what) {
    if (size > cap)
      fail("I12", std::string(what) + " holds " + std::to_string(size) + " entries, at most " + std::to_string(cap) +
                      " expected");
  };
  if (v.governor != nullptr) {
    const governor_state& g = *v.governor;
    for (const rate_window* w :
         {&g.updates, &g.probes, &g.rollbacks, &g.hostile, &g.cumulative, &g.actuator_failures, &g.recorded_refusals})
      within(w->accepted.size(), w->count, "a rate window");
    within(g.movement.size(), knobs_.size(), "the governor's movement");
    for (const knob_movement& m : g.movement) {
      within(m.totals.size(), 62, "a knob's cumulative totals");
      within(m.flips.size(), scenario_.governor.limits.direction_flip_limit + 1, "a knob's flips");
    }
    within(g.restore_reason.size() + g.restore_actor.size(), 1000, "the reason of a restore");
    if (!g.baseline) fail("I5", "there is no baseline");
  }
  if (v.engine != nullptr) {
    for (std::size_t size : {v.engine->base_position.size(), v.engine->gradient.size(), v.engine->movement.size()})
      within(size, knobs_.size(), "the engine's state");
    for (const knob_movement& m : v.engine->movement) within(m.totals.size(), 62, "the engine's cumulative totals");
    const adaptive_state& a = v.engine->online.adaptive;
    within(a.first.size(), scenario_.engine.adaptive.first_looks, "the strategy's first looks");
    within(a.bank.members.size(), 20, "the strategy's models");
    within(a.memory.regimes.size(), scenario_.engine.adaptive.memory.capacity, "the strategy's memory");
    within(a.looks.size() + a.taken.size(), scenario_.engine.adaptive.memory.urgent_looks + 2, "the strategy's looks");
  }
  if (v.sensor != nullptr) within(v.sensor->partial.digests, scenario_.window.digests, "an open window");
  if (v.supervision != nullptr)
    within(v.supervision->restarts.size(), scenario_.supervision.intensity + 1, "the restart history");
  within(v.mail, 4000, "the mail");
  within(v.audit_backlog, 4000, "the audit's queue");
  within(v.actuator_backlog, 100, "the actuator's queue");
}

void invariants::check_at_rest(const world_view& v) {
  if (v.governor == nullptr || !trusted_) return;
  const governor_state& g = *v.governor;
  if (g.pending || !g.live_known || g.restore != wanted_restore::none) return;
  for (std::size_t i = 0; i < ranges_.size(); ++i)
    if (!ranges_[i].same((*v.plant)[i], g.live[i]))
      return fail("I2", "the governor takes " + knobs_[i].name + " for " + number_text(g.live[i]) + ", the plant has " +
                            number_text((*v.plant)[i]));
}

void invariants::check_timers(const world_view& v) {
  if (v.governor == nullptr) return;
  for (const auto& hold : v.governor->safe_mode.holds) {
    if (!hold) continue;
    const std::string name(name_of(hold->reason));
    if (hold->until && v.now > *hold->until + timer_slack)
      fail("I12",
           "safe mode for " + name + " should have ended " + number_text(seconds_of(v.now - *hold->until)) + " s ago");
    const bool needs_cause = hold->reason == safe_mode_reason::manual ||
                             hold->reason == safe_mode_reason::restart_intensity ||
                             hold->reason == safe_mode_reason::telemetry_lost;
    if (!hold->until && !needs_cause) fail("I12", "safe mode for " + name + " has no end");
  }
}

void invariants::check_progress(const world_view& v) {
  const bool frozen = v.governor == nullptr || is_frozen(v.governor->safe_mode);
  if (!frozen && was_frozen_) free_since_ = v.at;
  was_frozen_ = frozen;
  if (v.governor_booting && !was_booting_) booting_since_ = v.at;
  was_booting_ = v.governor_booting;
  // While nobody knows what is in force, or a change is on its way, digests belong to no known generation.
  const bool known = v.governor != nullptr && v.governor->live_known && !v.governor->pending;
  if (known && !was_known_) known_since_ = v.at;
  was_known_ = known;

  const timing& t = scenario_.times;
  const duration patience = t.audit_timeout + t.actuation_timeout + 10 * t.flush + 10s;
  if (v.governor_booting && v.at - std::max(booting_since_, v.calm_since) > 3 * patience)
    return fail("I12", "the governor has been starting for " + number_text(seconds_of(v.at - booting_since_)) + " s");
  if (v.governor == nullptr || v.given_up || stop_at_) return;

  const duration between = t.digest_interval;
  const duration calm = std::max(v.calm_since, running_since_);
  const duration evidence = scenario_.window.settle_time * 2 + between * 40 + scenario_.window.max_age + 5s;
  if (holds(v.governor->safe_mode, safe_mode_reason::telemetry_lost) && v.sensor != nullptr && known &&
      v.at - std::max(calm, known_since_) > scenario_.governor.safe_mode.telemetry_timeout + evidence &&
      !scenario_.operators && !scenario_.rival && !scenario_.authority)
    return fail("I12", "telemetry has been flowing again for " + number_text(seconds_of(v.at - calm)) +
                           " s, but the loop still misses it");

  // Only a continuous knob without a limit of its own can certainly be moved by a probe.
  bool movable = false;
  for (std::size_t i = 0; i < ranges_.size(); ++i) {
    const knob_range& r = ranges_[i];
    if (!r.takes(v.governor->base[i])) return;
    movable |= r.type == knob_type::continuous && !r.step && !r.step_limit;
  }
  if (frozen || !movable || v.engine == nullptr) return;
  const double probes_per_s = scenario_.governor.limits.max_updates_per_second * scenario_.governor.limits.probe_share;
  const duration rate = duration(static_cast<std::int64_t>(3e6 / std::min(1.0, probes_per_s)));
  // Sure of its optimum in a corner of the range, `adaptive` stays there until a knob has stood still too long.
  const adaptive_tuning& a = scenario_.engine.adaptive;
  const double still = a.stillness * static_cast<double>(knobs_.size()) + a.first_looks;
  const bool rests = scenario_.engine.strategy == online_kind::adaptive;
  const duration at_rest = rests ? scaled(between * (scenario_.window.digests + 1), still) : 0us;
  const duration allowed =
      evidence + rate + at_rest + 62s + t.answer_timeout + patience + scenario_.governor.rollback.min_stable_time;
  const duration since = std::max({last_ask_, free_since_, calm});
  if (v.at - since > allowed)
    fail("I12",
         "nothing is wrong, but the proposer has been silent for " + number_text(seconds_of(v.at - since)) + " s");
}

void invariants::check_end(const world_view& v) {
  if (!stop_at_ || v.governor == nullptr) return;
  const timing& t = scenario_.times;
  const duration bound = 8 * (t.audit_timeout + t.actuation_timeout) + 10s;
  if (v.at - std::max(*stop_at_, running_since_) > bound)
    fail("I12", "shutdown was asked for " + number_text(seconds_of(v.at - *stop_at_)) +
                    " s ago, and the loop has not stopped");
}

void invariants::after_step(const world_view& v) {
  if (first_) return;
  if (v.at == same_time_) {
    if (++steps_at_same_time_ > 2000) fail("I12", "the loop spins: 2000 steps and no time passes");
  } else {
    same_time_ = v.at;
    steps_at_same_time_ = 0;
  }
  check_sizes(v);
  check_at_rest(v);
  check_timers(v);
  check_progress(v);
  check_end(v);
  if (scenario_.authority) authority_.look(v.authority, v.now, v.at);
}

void invariants::supervised(const supervision_decision& d, std::size_t ended, const std::vector<bool>& running) {
  const supervision_settings& s = scenario_.supervision;
  if (!std::ranges::is_sorted(d.stop, std::ranges::greater{}))
    fail("I12", "children are not stopped in reverse start order");
  if (!std::ranges::is_sorted(d.start)) fail("I12", "children are not started in start order");
  if (seconds_of(d.delay) > seconds_of(s.backoff_limit) * (1 + s.jitter) + 1e-6 || d.delay < 0us)
    fail("I12", "a restart waits for " + number_text(seconds_of(d.delay)) + " s");
  if (d.what == supervision_decision::verdict::leave) fail("I12", "a permanent child that failed is left dead");
  for (std::size_t child : d.stop)
    if (child >= running.size() || !running[child]) fail("I12", "a child is stopped that does not run");
  if (d.what == supervision_decision::verdict::restart && std::ranges::count(d.start, ended) != 1)
    fail("I12", "a permanent child is not started again");
  for (std::size_t child : d.stop)
    if (d.what == supervision_decision::verdict::restart && std::ranges::count(d.start, child) != 1)
      fail("I12", "a child stopped for its sibling is not started again");
}

void invariants::stop_requested(bool revert, duration at) {
  stop_at_ = at;
  revert_ = revert;
}

void invariants::stopped(const governor_state& state, const knob_values& plant, duration) {
  const bool excused = holds(state.safe_mode, safe_mode_reason::audit_unavailable) ||
                       holds(state.safe_mode, safe_mode_reason::actuator_failing);
  if (!stop_at_) return fail("I12", "the loop stopped, and nobody asked it to");
  if (excused || !trusted_) return;
  const knob_values& expected = revert_ ? shadow_.baseline : shadow_.base;
  // Values beyond the bounds, a person's doing, are never written by the loop: then there is nothing to return to.
  for (std::size_t i = 0; i < ranges_.size(); ++i)
    if (!ranges_[i].takes(expected[i])) return;
  for (std::size_t i = 0; i < ranges_.size(); ++i)
    if (!ranges_[i].same(plant[i], expected[i]))
      return fail("I5", "the loop stopped with " + knobs_[i].name + " at " + number_text(plant[i]) + ", expected " +
                            number_text(expected[i]));
}

} // namespace homeostat::sim
