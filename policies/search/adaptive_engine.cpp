#include "policies/search/engine_parts.hpp"
#include "policies/search/online/adaptive_live.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace homeostat {

namespace engine_parts {

proposal draft(engine_state& s, proposal_kind kind, const knob_values& values) {
  proposal p;
  p.kind = kind;
  p.id = ++s.asks;
  p.base_generation = s.generation;
  p.base_revision = s.revision;
  p.epoch = s.epoch;
  p.values = values;
  p.source = name_of(s.strategy);
  return p;
}

engine_decision ask(engine_state& s, proposal p) {
  s.asked = p;
  s.expects = engine_expectation::verdict;
  return {.ask = std::move(p), .reason = no_change_reason::waiting_for_verdict, .look_again = std::nullopt};
}

engine_decision hold(no_change_reason reason, std::optional<instant> look_again) {
  return {.ask = std::nullopt, .reason = reason, .look_again = look_again};
}

bool may_move(const engine_state& s, const engine_settings& settings, std::size_t i, double value, instant now) {
  const knob_spec& knob = settings.knobs[i];
  const double move = displacement(knob, s.base[i], value);
  if (exceeds(std::abs(move), step_limit_of(knob, s.base[i], value, settings.limits.max_delta_per_step))) return false;
  const double distance = std::abs(displacement(knob, s.baseline[i], value));
  const bool farther = distance > std::abs(displacement(knob, s.baseline[i], s.base[i]));
  if (is_ordered(knob) && farther && exceeds(distance, settings.limits.max_baseline_distance)) return false;
  const std::span<const knob_spec> one(&settings.knobs[i], 1);
  const std::span<const knob_movement> movement(&s.movement[i], 1);
  const std::array<double, 1> moves{move};
  return !judge_move(one, movement, moves, settings.limits, now);
}

} // namespace engine_parts

namespace {

using engine_parts::ask, engine_parts::hold;

// Beyond this a square overflows, and one such number would stay in every mean that follows.
bool is_sane(double objective) { return std::isfinite(objective) && std::abs(objective) < 1e150; }

bool is_adaptive(const engine_state& s) { return s.strategy == online_kind::adaptive; }

void settle(engine_state& s, const engine_settings& settings, const knob_values& base) {
  is_adaptive(s) ? online_engine::settle(s, settings, base) : spsa_engine::settle(s, settings, base);
}

void rest(engine_state& s, const engine_settings& settings) {
  is_adaptive(s) ? online_engine::rest(s, settings) : spsa_engine::rest(s);
  s.expects = engine_expectation::nothing;
  s.ask_again = false;
}

void end_asked(engine_state& s, const engine_settings& settings) {
  settle(s, settings, s.base);
  rest(s, settings);
}

/// The governor counts flips over moves that this engine has not seen (before its start, or after its last save): it
/// takes the knob's direction and count from the refusal, so that it does not ask for the same and freeze the loop
/// again.
void learn_flip(engine_state& s, const engine_settings& settings, const violation& v, instant now) {
  if (v.code != violation_code::direction_flip) return;
  for (std::size_t i = 0; i < settings.knobs.size(); ++i) {
    if (settings.knobs[i].name != v.knob) continue;
    knob_movement& m = s.movement[i];
    m.direction = displacement(settings.knobs[i], s.base[i], s.asked.values[i]) > 0 ? -1 : 1;
    m.flips.assign(settings.limits.direction_flip_limit, now);
  }
}

/// @returns true if this is what was asked for, come into force. Somebody else's change to the same values that moves
/// the base point otherwise is not.
bool is_ours(const engine_state& s, const live_configuration& live) {
  if (!s.live || s.expects != engine_expectation::verdict || !(live.values == s.asked.values)) return false;
  return live.base == (is_probe(s.asked.kind) ? s.base : s.asked.values);
}

} // namespace

std::string_view name_of(no_change_reason reason) {
  constexpr std::array<std::string_view, 6> names{
      "not_live", "frozen", "holding", "waiting_for_window", "waiting_for_verdict", "insufficient_evidence"};
  return names.at(static_cast<std::size_t>(reason));
}

engine_state fresh_engine(const engine_settings& settings, std::uint64_t seed, const knob_values& baseline) {
  engine_state s;
  s.spsa = fresh_spsa(seed, settings.knobs.size());
  s.gradient.assign(settings.knobs.size(), 0.0);
  s.movement.resize(settings.knobs.size());
  s.baseline = baseline;
  s.strategy = settings.strategy;
  if (is_adaptive(s)) online_engine::begin(s, settings, seed);
  return s;
}

namespace {

/// @returns whether the numbers that a resumed strategy goes on from are; one that is not would never leave it again.
bool is_finite(const engine_state& s) {
  const auto finite = [](double x) { return std::isfinite(x); };
  return std::ranges::all_of(s.base, finite) && std::ranges::all_of(s.gradient, finite) && finite(s.objective_size) &&
         finite(s.plus_error) && finite(s.spsa.y_plus) && finite(s.spsa.accumulated) &&
         std::ranges::all_of(s.movement, [&](const knob_movement& m) {
           return std::ranges::all_of(m.totals, finite, &knob_movement::second_total::distance);
         });
}

} // namespace

std::expected<void, std::string> resume_engine(engine_state& s, const engine_settings& settings,
                                               const engine_state& stored) {
  if (stored.strategy != settings.strategy)
    return std::unexpected("it is of the strategy " + std::string(name_of(stored.strategy)));
  const std::size_t n = settings.knobs.size();
  if (stored.spsa.dimensions != n || stored.gradient.size() != n || stored.movement.size() != n ||
      stored.base.size() != n)
    return std::unexpected("it is of another set of knobs");
  if (!is_finite(stored)) return std::unexpected("it has a number that is not finite");
  if (is_adaptive(stored))
    if (auto good = fits(stored.online.adaptive, settings.knobs); !good) return good;
  const knob_values baseline = s.baseline;
  s = stored;
  s.baseline = baseline;
  s.live = false;
  s.frozen = false;
  s.held_until.reset();
  s.base_position.clear();
  rest(s, settings);
  return {};
}

void on_live(engine_state& s, const engine_settings& settings, const live_configuration& live, instant now) {
  if (live.base.size() != settings.knobs.size()) return; // of another loop
  const bool ours = is_ours(s, live);
  const bool changed = !s.live || live.generation != s.generation;
  if (!live.baseline.empty()) s.baseline = live.baseline;
  if (s.base.size() == live.base.size() && live.base != s.base) {
    std::vector<double> moves;
    for (std::size_t i = 0; i < settings.knobs.size(); ++i)
      moves.push_back(displacement(settings.knobs[i], s.base[i], live.base[i]));
    record_move(s.movement, moves, settings.limits, now);
  }
  s.live = true;
  s.generation = live.generation;
  s.revision = live.revision;
  s.in_force = live.values;
  if (ours) {
    s.base = live.base; // the continuous place an update aimed at is kept; the verdict follows
  } else if (changed || live.frozen != s.frozen) {
    settle(s, settings, live.base);
    rest(s, settings);
    std::ranges::fill(s.gradient, 0.0);
  }
  s.frozen = live.frozen;
  if (s.frozen) rest(s, settings);
}

void on_window(engine_state& s, const engine_settings& settings, const objective_window& w, instant) {
  if (s.expects != engine_expectation::window || w.generation != s.generation || s.frozen) return;
  if (!is_sane(w.mean) || !is_sane(w.variance)) return;
  is_adaptive(s) ? online_engine::take(s, settings, w) : spsa_engine::take(s, settings, w);
}

void on_verdict(engine_state& s, const engine_settings& settings, const proposal_verdict& v, instant now) {
  if (s.expects != engine_expectation::verdict || v.proposal_id != s.asked.id) return;
  if (v.accepted) {
    s.generation = v.accepted->generation;
    s.revision = v.accepted->revision;
    s.held_until = v.accepted->applied_at + settings.limits.min_interval; // sooner would only be refused
    s.in_force = v.accepted->values;
    if (s.asked.kind == proposal_kind::update) {
      s.base = v.accepted->values;
      ++s.updates;
    }
    if (is_adaptive(s))
      online_engine::accepted(s, settings, v.accepted->values);
    else
      spsa_engine::accepted(s, v.accepted->values);
    return;
  }
  s.held_until = v.refused && v.refused->retry_at ? *v.refused->retry_at : now + settings.retry_pause;
  const bool time_cures = v.refused && (v.refused->code == violation_code::rate_limit_exceeded ||
                                        v.refused->code == violation_code::audit_queue_full);
  if (v.refused) learn_flip(s, settings, *v.refused, now);
  if (!time_cures) return end_asked(s, settings);
  // However long it takes: at one change an hour the second side of a perturbation comes an hour after the first.
  s.expects = engine_expectation::nothing;
  s.ask_again = true;
}

void on_no_answer(engine_state& s, const engine_settings& settings, instant now) {
  if (s.expects != engine_expectation::verdict) return;
  s.held_until = now + settings.retry_pause;
  end_asked(s, settings);
}

engine_decision next_proposal(engine_state& s, const engine_settings& settings, instant now) {
  if (!s.live) return hold(no_change_reason::not_live);
  if (s.frozen) return hold(no_change_reason::frozen);
  if (s.held_until && now < *s.held_until) return hold(no_change_reason::holding, s.held_until);
  s.held_until.reset();
  if (s.ask_again) {
    s.ask_again = false;
    s.asked.base_generation = s.generation;
    s.asked.base_revision = s.revision;
    return ask(s, s.asked);
  }
  if (s.expects == engine_expectation::verdict) return hold(no_change_reason::waiting_for_verdict);
  if (s.expects == engine_expectation::window) return hold(no_change_reason::waiting_for_window);
  return is_adaptive(s) ? online_engine::next(s, settings, now) : spsa_engine::next(s, settings, now);
}

std::uint64_t progress_of(const engine_state& s) { return s.updates + s.online.recorded / 20; }

} // namespace homeostat
