#include "policies/search/online/spsa_online.hpp"

#include <algorithm>
#include <cmath>

namespace homeostat {

namespace {

/// @returns how far each side of knob i lies from the base: at least one grid step, or it would show nothing.
double reach(const spsa_online_state& s, const knob_spec& knob, std::size_t i, const spsa_settings& settings) {
  if (!is_ordered(knob)) return 0;
  return std::max(perturbation_scale_at(settings, s.spsa.iteration), smallest_move(knob, value_at(knob, s.base[i])));
}

} // namespace

spsa_online_state fresh_spsa_online(std::span<const knob_spec> knobs, std::uint64_t seed) {
  return {.spsa = fresh_spsa(seed, knobs.size()), .base = default_point(knobs)};
}

online_step propose(spsa_online_state& s, std::span<const knob_spec> knobs, const spsa_settings& settings,
                    std::optional<double> max_delta, const online_point& last) {
  generate_perturbation(s.spsa);
  const bool plus = s.spsa.phase == spsa_phase::waiting_plus;
  const auto towards_side = [&](const online_point& from) {
    online_point point;
    for (std::size_t i = 0; i < knobs.size(); ++i) {
      const double offset = (plus ? 1 : -1) * s.spsa.direction[i] * reach(s, knobs[i], i, settings);
      point.push_back(reachable(knobs[i], from[i], confined(knobs[i], s.base[i] + offset), max_delta));
    }
    return point;
  };
  online_step step{.point = towards_side(last),
                   .reason = plus ? online_reason::perturb_plus : online_reason::perturb_minus};
  if (towards_side(step.point) != step.point) step.reason = online_reason::travel;
  return step;
}

online_event learn(spsa_online_state& s, std::span<const knob_spec> knobs, const spsa_settings& settings,
                   const online_step& at, double value) {
  if (at.reason == online_reason::travel) return online_event::none;
  s.size += (s.size == 0 ? 1.0 : 0.05) * (std::abs(value) - s.size);
  record_objective(s.spsa, value);
  if (!has_enough_samples(s.spsa, settings)) return online_event::none;
  const double rate = learning_rate_at(settings, s.spsa.iteration);
  const spsa_online_state before = s; // reaches belong to the iteration that is being closed
  const auto difference = complete_eval_window(s.spsa);
  if (!difference) return online_event::none;
  const double relative = s.size > 0 ? (difference->y_plus - difference->y_minus) / s.size : 0;
  for (std::size_t i = 0; i < knobs.size(); ++i) {
    const double c = reach(before, knobs[i], i, settings);
    if (c <= 0) continue;
    const double step =
        std::clamp(-rate * relative / (2 * c) * s.spsa.direction[i], -settings.max_step, settings.max_step);
    s.base[i] = confined(knobs[i], s.base[i] + step);
  }
  return online_event::incumbent_moved;
}

} // namespace homeostat
