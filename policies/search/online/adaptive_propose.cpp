#include "policies/search/normal.hpp"
#include "policies/search/online/adaptive_internal.hpp"

#include <algorithm>
#include <cmath>

namespace homeostat {

namespace {

constexpr double negligible = 0.005; ///< fraction of range; nearer than this to the wanted centre is the incumbent

/// @returns coefficients of level, gradient and curvature drawn from the model's doubt. A direction the covariance has
/// lost to rounding is not varied.
std::vector<double> drawn_coefficients(const quadratic_filter& f, double doubt, chacha8_rng& rng) {
  const std::size_t n = f.size() - (f.moving ? f.dimensions : 0);
  std::vector<double> drawn = f.mean, root(n * n, 0.0), z(n);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = f.covariance[i * f.size() + j];
      for (std::size_t k = 0; k < j; ++k) sum -= root[i * n + k] * root[j * n + k];
      if (i == j)
        root[i * n + i] = sum > 0 ? std::sqrt(sum) : 0;
      else
        root[i * n + j] = root[j * n + j] > 0 ? sum / root[j * n + j] : 0;
    }
  for (double& x : z) x = normal(rng);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j <= i; ++j) drawn[i] += doubt * root[i * n + j] * z[j];
  return drawn;
}

/// @returns the grid of a knob at this position, fraction of range; an offset below half of it does not exist.
double grid_at(const knob_spec& knob, double position) { return smallest_move(knob, value_at(knob, position)); }

online_step towards(const adaptive_frame& frame, const online_point& last, const online_point& target,
                    online_reason reason) {
  online_step step{.point = {}, .reason = reason};
  for (std::size_t i = 0; i < target.size(); ++i)
    step.point.push_back(reachable(frame.knobs[i], last[i], target[i], frame.max_delta));
  return step;
}

/// @returns the axis that stood still too long, if there is one: at a bound, or where the model has no doubt, nothing
/// would ever show that the plant moved away.
std::optional<std::size_t> stillest(const adaptive_state& s, const adaptive_tuning& t) {
  for (std::size_t k = 0; k < s.still.size(); ++k)
    if (s.still[k] > t.stillness * static_cast<double>(s.still.size())) return k;
  return std::nullopt;
}

/// @returns an offset to either side by chance, inward at a bound.
double stirred(chacha8_rng& rng, const knob_spec& knob, double position, double size) {
  const double offset = rng.sign() * std::max(size, grid_at(knob, position));
  const double there = position + offset;
  return knob.scale != knob_scale::periodic && (there < 0 || there > 1) ? -offset : offset;
}

online_step explore(adaptive_state& s, const adaptive_frame& frame, const online_point& last) {
  const std::vector<std::size_t> axes = axes_of(frame.knobs);
  const adaptive_tuning& t = frame.tuning;
  const quadratic_filter& f = s.bank.chief().filter;
  const double noise = std::sqrt(s.bank.chief().noise);
  const double trust = t.trust * s.boldness;
  const std::vector<double> wanted = wanted_offset(s, frame, f.mean, trust);
  const std::vector<double> tried = wanted_offset(s, frame, drawn_coefficients(f, t.doubt, s.rng), trust);
  const std::optional<std::size_t> still = stillest(s, t);
  online_point target = s.centre;
  double farthest = 0;
  for (std::size_t k = 0; k < axes.size(); ++k) {
    const knob_spec& knob = frame.knobs[axes[k]];
    const double position = confined(knob, s.centre[axes[k]] + wanted[k]);
    const double bend = std::max(f.mean[f.curvature(k)], 1e-12 * noise);
    const double amplitude = std::max(s.boldness * std::min(t.amplitude, std::sqrt(2 * t.trial_cost * noise / bend)),
                                      0.6 * grid_at(knob, s.centre[axes[k]]));
    const double beside =
        k == still ? stirred(s.rng, knob, position, t.stir) : std::clamp(tried[k] - wanted[k], -amplitude, amplitude);
    farthest = std::max(farthest, std::abs(beside));
    target[axes[k]] = confined(knob, position + beside);
  }
  return towards(frame, last, target,
                 still                   ? online_reason::stir
                 : farthest < negligible ? online_reason::exploit
                                         : online_reason::explore);
}

} // namespace

std::vector<std::size_t> axes_of(std::span<const knob_spec> knobs) {
  std::vector<std::size_t> axes;
  for (std::size_t i = 0; i < knobs.size(); ++i)
    if (is_ordered(knobs[i])) axes.push_back(i);
  return axes;
}

std::vector<double> wanted_offset(const adaptive_state& s, const adaptive_frame& frame,
                                  std::span<const double> coefficients, double trust) {
  const std::vector<std::size_t> axes = axes_of(frame.knobs);
  std::vector<double> low, high;
  for (std::size_t i : axes) {
    const bool wraps = frame.knobs[i].scale == knob_scale::periodic;
    low.push_back(wraps ? -trust : std::max(-trust, -s.centre[i]));
    high.push_back(wraps ? trust : std::min(trust, 1 - s.centre[i]));
  }
  const quadratic_filter& f = s.bank.chief().filter;
  return box_minimum(coefficients.subspan(1, axes.size()), hessian(f, coefficients), low, high);
}

online_step propose(adaptive_state& s, const adaptive_frame& frame, const online_point& last) {
  if (s.bank.members.empty()) return towards(frame, last, default_point(frame.knobs), online_reason::start);
  if (!s.looks.empty()) {
    const planned_look& look = s.looks.front();
    online_step step = towards(frame, last, look.place,
                               look.regime == 0 ? online_reason::look_at_default : online_reason::look_at_regime);
    // Not there yet if one more step from there would still lead on.
    if (towards(frame, step.point, look.place, step.reason).point != step.point) step.reason = online_reason::travel;
    return step;
  }
  if (s.retreating) return towards(frame, last, s.centre, online_reason::return_to_incumbent);
  if (s.trial.running) {
    online_point place = s.centre;
    if (s.trial.on) place[s.trial.knob] = s.trial.position;
    return towards(frame, last, place, s.trial.on ? online_reason::trial_on : online_reason::trial_off);
  }
  return explore(s, frame, last);
}

} // namespace homeostat
