#include "policies/search/adaptive_engine.hpp"

#include "policies/number_text.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace homeostat {

namespace {

void rest(engine_state& s) {
  abandon(s.spsa);
  s.expects = engine_expectation::nothing;
  s.ask_again = false;
}

// Beyond this a square overflows, and one such number would stay in every mean that follows.
bool is_sane(double objective) { return std::isfinite(objective) && std::abs(objective) < 1e150; }

void take_base(engine_state& s, const engine_settings& settings, const knob_values& base) {
  const bool aimed = s.expects == engine_expectation::verdict && s.asked.kind == proposal_kind::update;
  // The continuous place is kept, so that small steps add up, unless an update aimed at it that did not get there.
  if (s.base == base && !s.base_position.empty() && !aimed) return;
  s.base = base;
  s.base_position.clear();
  for (std::size_t i = 0; i < settings.knobs.size(); ++i)
    s.base_position.push_back(position_of(settings.knobs[i], base[i]));
}

/// One knob's value at base + sign * c, shortened where its step limit or its grid demand it; base where nothing is
/// left.
double probe_value(const knob_spec& knob, double base, double sign, double c, double max_delta) {
  const double place = position_of(knob, base);
  const double grid = smallest_move(knob, base); // a probe that rounds to nothing shows nothing
  const double limit = step_limit_of(knob, base, value_at(knob, place + sign * std::max(c, grid)), max_delta);
  for (double reach : {std::min(std::max(c, grid), limit), std::max(0.0, std::min(c, limit) - grid / 2), grid}) {
    const double value = value_at(knob, place + sign * reach);
    const double way = std::abs(displacement(knob, base, value));
    if (way > 0 && !exceeds(way, step_limit_of(knob, base, value, max_delta))) return value;
  }
  return base;
}

/// Values at base + side * c_k * direction. Knobs without distances stay where they are.
knob_values probe_values(const engine_state& s, const engine_settings& settings, int side) {
  const double c = std::min(perturbation_scale_at(settings.spsa, s.spsa.iteration), settings.limits.max_delta_per_step);
  knob_values values;
  for (std::size_t i = 0; i < settings.knobs.size(); ++i) {
    const knob_spec& knob = settings.knobs[i];
    if (!is_ordered(knob)) {
      values.push_back(s.base[i]);
      continue;
    }
    values.push_back(probe_value(knob, s.base[i], side * s.spsa.direction[i], c, settings.limits.max_delta_per_step));
  }
  return values;
}

proposal draft(engine_state& s, proposal_kind kind, knob_values values) {
  proposal p;
  p.kind = kind;
  p.id = ++s.asks;
  p.base_generation = s.generation;
  p.base_revision = s.revision;
  p.epoch = s.epoch;
  p.values = values;
  p.source = "spsa";
  return p;
}

/// The relative gradient of one finished perturbation, per knob; 0 where the two sides had the same value.
std::vector<double> gradient_of(const engine_state& s, const engine_settings& settings, const spsa_difference& d) {
  std::vector<double> gradient(settings.knobs.size(), 0.0);
  const double relative = (d.y_plus - d.y_minus) / std::max(s.objective_size, 1e-12);
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    const double way = displacement(settings.knobs[i], s.minus[i], s.plus[i]);
    if (is_ordered(settings.knobs[i]) && way != 0) gradient[i] = relative / way;
  }
  return gradient;
}

/// The way knob i should go, shortened or dropped where its guardrails would refuse it.
double allowed_way(const engine_state& s, const engine_settings& settings, std::size_t i, double way, instant now) {
  const knob_spec& knob = settings.knobs[i];
  const std::span<const knob_spec> one(&settings.knobs[i], 1);
  const std::span<const knob_movement> movement(&s.movement[i], 1);
  const double from = position_of(knob, s.base[i]);
  for (double factor : {1.0, 0.5, 0.2}) {
    const double target = s.base_position[i] + factor * way;
    const double value = value_at(knob, target);
    const double move = displacement(knob, s.base[i], value);
    const double limit = step_limit_of(knob, s.base[i], value, settings.limits.max_delta_per_step);
    const double distance = std::abs(displacement(knob, s.baseline[i], value));
    const bool farther = distance > std::abs(displacement(knob, s.baseline[i], s.base[i]));
    if (exceeds(std::abs(move), limit)) continue;
    if (farther && exceeds(distance, settings.limits.max_baseline_distance)) continue;
    const std::array<double, 1> moves{move};
    if (!judge_move(one, movement, moves, settings.limits, now)) return target;
  }
  return from;
}

/// Moves the base point down the smoothed gradient. @returns the update to ask for, if any knob changes its value.
std::optional<proposal> update_of(engine_state& s, const engine_settings& settings, const spsa_difference& d,
                                  instant now) {
  const std::vector<double> fresh = gradient_of(s, settings, d);
  const double a = learning_rate_at(settings.spsa, s.spsa.iteration - 1);
  knob_values values = s.base;
  knob_values gradient;
  for (std::size_t i = 0; i < fresh.size(); ++i) {
    s.gradient[i] = settings.gradient_memory * s.gradient[i] + (1 - settings.gradient_memory) * fresh[i];
    gradient.push_back(s.gradient[i]);
    if (!is_ordered(settings.knobs[i])) continue;
    const double step = std::min(settings.spsa.max_step, settings.limits.max_delta_per_step);
    const double way = std::clamp(-a * s.gradient[i], -step, step);
    double target = allowed_way(s, settings, i, way, now);
    if (settings.knobs[i].scale != knob_scale::periodic) target = std::clamp(target, 0.0, 1.0);
    s.base_position[i] = target;
    values[i] = value_at(settings.knobs[i], target);
  }
  if (values == s.base) return std::nullopt;
  proposal p = draft(s, proposal_kind::update, values);
  p.gradient = gradient;
  p.evidence = "y+ " + number_text(d.y_plus) + ", y- " + number_text(d.y_minus);
  return p;
}

void end_asked(engine_state& s, const engine_settings& settings) {
  take_base(s, settings, s.base);
  rest(s);
}

engine_decision ask(engine_state& s, proposal p) {
  s.asked = p;
  s.expects = engine_expectation::verdict;
  return {.ask = std::move(p), .reason = no_change_reason::waiting_for_verdict, .look_again = std::nullopt};
}

engine_decision hold(no_change_reason reason, std::optional<instant> look_again = std::nullopt) {
  return {.ask = std::nullopt, .reason = reason, .look_again = look_again};
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
  return s;
}

void resume_engine(engine_state& s, const engine_settings& settings, const engine_state& stored) {
  const std::size_t n = settings.knobs.size();
  if (stored.spsa.dimensions != n || stored.gradient.size() != n || stored.movement.size() != n ||
      stored.base.size() != n)
    return;
  const knob_values baseline = s.baseline;
  s = stored;
  s.baseline = baseline;
  s.live = false;
  s.frozen = false;
  s.held_until.reset();
  s.base_position.clear();
  rest(s);
}

void on_live(engine_state& s, const engine_settings& settings, const live_configuration& live, instant now) {
  const bool ours = s.live && s.expects == engine_expectation::verdict && live.values == s.asked.values;
  const bool changed = !s.live || live.generation != s.generation;
  if (live.base.size() != settings.knobs.size()) return; // of another loop
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
  if (ours) {
    // Keep the continuous place an update aimed at; the verdict follows.
    s.base = live.base;
  } else {
    if (changed || live.frozen != s.frozen) {
      take_base(s, settings, live.base);
      rest(s);
      std::ranges::fill(s.gradient, 0.0);
    }
  }
  s.frozen = live.frozen;
  if (s.frozen) rest(s);
}

void on_window(engine_state& s, const engine_settings& settings, const objective_window& w, instant) {
  if (s.expects != engine_expectation::window || w.generation != s.generation || s.frozen) return;
  if (!is_sane(w.mean) || !is_sane(w.variance)) return;
  record_objective(s.spsa, w.mean);
  const double size = std::abs(w.mean);
  s.objective_size = s.objective_size == 0 ? size : 0.8 * s.objective_size + 0.2 * size;
  if (s.spsa.phase == spsa_phase::waiting_plus && s.spsa.recorded == 1) s.plus_error = 0;
  // The error of a side is that of the mean of its windows.
  const double windows = settings.spsa.windows_per_probe;
  if (w.digests > 0) s.plus_error += w.variance / w.digests / (windows * windows);
  if (has_enough_samples(s.spsa, settings.spsa)) s.expects = engine_expectation::nothing;
}

void on_verdict(engine_state& s, const engine_settings& settings, const proposal_verdict& v, instant now) {
  if (s.expects != engine_expectation::verdict || v.proposal_id != s.asked.id) return;
  if (v.accepted) {
    s.generation = v.accepted->generation;
    s.revision = v.accepted->revision;
    s.held_until = v.accepted->applied_at + settings.limits.min_interval; // sooner would only be refused
    if (s.asked.kind == proposal_kind::update) {
      s.base = v.accepted->values;
      s.expects = engine_expectation::nothing;
      ++s.updates;
    } else {
      (s.asked.kind == proposal_kind::apply_plus ? s.plus : s.minus) = v.accepted->values;
      s.expects = engine_expectation::window;
    }
    return;
  }
  s.held_until = v.refused && v.refused->retry_at ? *v.refused->retry_at : now + settings.retry_pause;
  const bool time_cures = v.refused && (v.refused->code == violation_code::rate_limit_exceeded ||
                                        v.refused->code == violation_code::audit_queue_full);
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

  bool held_back = false;
  if (s.spsa.phase != spsa_phase::ready) {
    const double error = std::sqrt(s.plus_error);
    if (auto difference = complete_eval_window(s.spsa)) {
      held_back = std::abs(difference->y_plus - difference->y_minus) < settings.evidence_limit * error;
      if (held_back)
        ++s.held_back;
      else if (auto update = update_of(s, settings, *difference, now))
        return ask(s, std::move(*update));
    } else {
      return ask(s, draft(s, proposal_kind::apply_minus, probe_values(s, settings, -1)));
    }
  }
  // The two sides of a perturbation that cannot move any knob would look alike for ever.
  generate_perturbation(s.spsa);
  const knob_values plus = probe_values(s, settings, +1);
  if (plus == s.base && probe_values(s, settings, -1) == s.base) {
    rest(s);
    s.held_until = now + settings.retry_pause;
    return hold(no_change_reason::holding, s.held_until);
  }
  engine_decision decision = ask(s, draft(s, proposal_kind::apply_plus, plus));
  if (held_back) decision.reason = no_change_reason::insufficient_evidence;
  return decision;
}

} // namespace homeostat
