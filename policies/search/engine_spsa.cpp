// SPSA as the engine's strategy: two sides, their difference, a step down the smoothed gradient.
#include "policies/search/engine_parts.hpp"

#include "policies/number_text.hpp"

#include <algorithm>
#include <cmath>

namespace homeostat::spsa_engine {

namespace {

using engine_parts::ask, engine_parts::draft, engine_parts::hold;

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
  for (double factor : {1.0, 0.5, 0.2}) {
    const double target = s.base_position[i] + factor * way;
    if (engine_parts::may_move(s, settings, i, value_at(settings.knobs[i], target), now)) return target;
  }
  return position_of(settings.knobs[i], s.base[i]);
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

} // namespace

void settle(engine_state& s, const engine_settings& settings, const knob_values& base) {
  const bool aimed = s.expects == engine_expectation::verdict && s.asked.kind == proposal_kind::update;
  // The continuous place is kept, so that small steps add up, unless an update aimed at it that did not get there.
  if (s.base == base && !s.base_position.empty() && !aimed) return;
  s.base = base;
  s.base_position.clear();
  for (std::size_t i = 0; i < settings.knobs.size(); ++i)
    s.base_position.push_back(position_of(settings.knobs[i], base[i]));
}

void rest(engine_state& s) { abandon(s.spsa); }

void take(engine_state& s, const engine_settings& settings, const objective_window& w) {
  record_objective(s.spsa, w.mean);
  const double size = std::abs(w.mean);
  s.objective_size = s.objective_size == 0 ? size : 0.8 * s.objective_size + 0.2 * size;
  if (s.spsa.phase == spsa_phase::waiting_plus && s.spsa.recorded == 1) s.plus_error = 0;
  // The error of a side is that of the mean of its windows.
  const double windows = settings.spsa.windows_per_probe;
  if (w.digests > 0) s.plus_error += w.variance / w.digests / (windows * windows);
  if (has_enough_samples(s.spsa, settings.spsa)) s.expects = engine_expectation::nothing;
}

void accepted(engine_state& s, const knob_values& in_force) {
  if (s.asked.kind == proposal_kind::update) {
    s.expects = engine_expectation::nothing;
    return;
  }
  (s.asked.kind == proposal_kind::apply_plus ? s.plus : s.minus) = in_force;
  s.expects = engine_expectation::window;
}

engine_decision next(engine_state& s, const engine_settings& settings, instant now) {
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

} // namespace homeostat::spsa_engine
