// `adaptive` as the engine's strategy: one window per step, measured where the loop really is.
#include "policies/search/engine_parts.hpp"

#include "policies/number_text.hpp"
#include "policies/search/online/adaptive_live.hpp"

#include <algorithm>
#include <cmath>

namespace homeostat::online_engine {

namespace {

using engine_parts::ask, engine_parts::draft, engine_parts::hold, engine_parts::may_move;

constexpr double worth_an_update = 0.3; ///< share of the step limit; nearer than this to the base point is noise
constexpr double beyond_half = 0.6;     ///< of a grid step: a centre on the border between two values must not flip
constexpr double at_limit = 0.99;       ///< share of the step limit from which a step was cut by it
constexpr double same_place = 1e-9;     ///< fraction of range; rounding of a scale there and back

/// The strategy's own settings. Its default is the tested baseline, and until it knows one level, where it began.
online_settings strategy_of(const engine_state& s, const engine_settings& settings) {
  online_settings o{.knobs = settings.knobs,
                    .kind = online_kind::adaptive,
                    .seed = 0,
                    .max_delta_per_step = settings.limits.max_delta_per_step,
                    .noise_floor = std::nullopt,
                    .adaptive = settings.adaptive,
                    .spsa = {}};
  const knob_values& home = s.online.adaptive.bank.members.empty() && !s.base.empty() ? s.base : s.baseline;
  for (std::size_t i = 0; i < o.knobs.size(); ++i) o.knobs[i].initial = home[i];
  return o;
}

adaptive_frame frame_of(const online_settings& o) {
  return {.knobs = o.knobs, .tuning = o.adaptive, .max_delta = o.max_delta_per_step, .noise_floor = o.noise_floor};
}

online_point places_of(std::span<const knob_spec> knobs, const knob_values& values) {
  online_point places;
  for (std::size_t i = 0; i < knobs.size(); ++i) places.push_back(confined(knobs[i], position_of(knobs[i], values[i])));
  return places;
}

/// The values of a step in the governor's arithmetic: exactly those known already where the place is the same, and
/// never beyond its step limit. The step becomes what these values are, because that is what will be measured.
knob_values values_of(online_step& step, const engine_state& s, const engine_settings& settings) {
  knob_values values;
  for (std::size_t i = 0; i < settings.knobs.size(); ++i) {
    const knob_spec& knob = settings.knobs[i];
    const double limit = settings.limits.max_delta_per_step;
    double value = value_at(knob, step.point[i]);
    if (exceeds(std::abs(displacement(knob, s.base[i], value)), step_limit_of(knob, s.base[i], value, limit)))
      value = s.base[i];
    for (double known : {s.in_force[i], s.base[i]})
      if (std::abs(displacement(knob, known, value)) < same_place) value = known;
    values.push_back(value);
  }
  step.point = places_of(settings.knobs, values);
  return values;
}

proposal draft_of(engine_state& s, proposal_kind kind, const knob_values& values, online_reason reason) {
  proposal p = draft(s, kind, values);
  p.evidence = name_of(reason);
  const adaptive_state& a = s.online.adaptive;
  if (a.bank.members.empty()) return p;
  const double level = level_at_centre(a.bank.chief());
  p.evidence += ", level " + number_text(level) + ", noise " + number_text(noise_at(a.bank, level));
  return p;
}

/// @returns true if the incumbent is so far from the base point that the loop should go there.
bool is_away(const engine_state& s, const engine_settings& settings, const online_point& from) {
  const online_point& centre = s.online.adaptive.centre;
  for (std::size_t i = 0; i < settings.knobs.size(); ++i) {
    const knob_spec& knob = settings.knobs[i];
    if (!is_ordered(knob)) {
      if (value_at(knob, centre[i]) != s.base[i]) return true;
      continue;
    }
    const double least = std::max({settings.limits.flip_deadband, worth_an_update * settings.limits.max_delta_per_step,
                                   beyond_half * smallest_move(knob, s.base[i])});
    if (std::abs(way_between(knob, from[i], centre[i])) > least) return true;
  }
  return false;
}

/// A move of the base point towards a place, knob by knob as far as the guardrails let it now.
/// @returns the update to ask for, if any knob may go its way.
std::optional<proposal> update_towards(engine_state& s, const engine_settings& settings, const online_point& from,
                                       const online_point& to, online_reason reason, instant now) {
  online_step step{.point = from, .reason = reason};
  for (std::size_t i = 0; i < settings.knobs.size(); ++i) {
    const knob_spec& knob = settings.knobs[i];
    for (double share : {1.0, 0.5, 0.2}) {
      const double target =
          is_ordered(knob) ? confined(knob, from[i] + share * way_between(knob, from[i], to[i])) : to[i];
      const double place = reachable(knob, from[i], target, settings.limits.max_delta_per_step);
      if (!may_move(s, settings, i, value_at(knob, place), now)) continue;
      step.point[i] = place;
      break;
    }
  }
  const knob_values values = values_of(step, s, settings);
  if (values == s.base) return std::nullopt;
  s.online.asked = step;
  return draft_of(s, proposal_kind::update, values, reason);
}

/// A look beyond one step is a journey of the base point, there and perhaps back: it is made only where the guardrails
/// have room for both.
bool has_room(const engine_state& s, const engine_settings& settings, const online_point& from, const online_point& to,
              instant now) {
  for (std::size_t i = 0; i < settings.knobs.size(); ++i) {
    const knob_spec& knob = settings.knobs[i];
    const double way = std::abs(way_between(knob, from[i], to[i]));
    if (!is_ordered(knob) || way < same_place) continue;
    if (cumulative_delta(s.movement[i], now) + 2 * way > settings.limits.max_cumulative_delta_per_minute) return false;
    if (flips_in_minute(s.movement[i], now) + 2 > settings.limits.direction_flip_limit) return false;
    if (std::abs(displacement(knob, s.baseline[i], value_at(knob, to[i]))) > settings.limits.max_baseline_distance)
      return false;
  }
  return true;
}

/// @returns one step of a journey, or nothing: the look is then out of reach.
std::optional<proposal> journey(engine_state& s, const engine_settings& settings, const online_point& from,
                                instant now) {
  const online_point to = s.online.adaptive.looks.front().place;
  if (!has_room(s, settings, from, to, now)) return std::nullopt;
  return update_towards(s, settings, from, to, online_reason::travel, now);
}

/// Steps around the incumbent stay as near to the tested baseline as the base point must.
/// @returns per knob the step limit with the sign of the way on which the guardrails cut it, 0 where they did not.
std::vector<double> cut_at_guardrails(online_step& step, const engine_state& s, const engine_settings& settings,
                                      const online_point& from) {
  std::vector<double> cut(from.size(), 0.0);
  const bool around = step.reason == online_reason::explore || step.reason == online_reason::exploit ||
                      step.reason == online_reason::stir;
  if (!around) return cut;
  for (std::size_t i = 0; i < cut.size(); ++i) {
    const knob_spec& knob = settings.knobs[i];
    const double way = way_between(knob, from[i], step.point[i]);
    if (!is_ordered(knob) || std::abs(way) < same_place) continue;
    const double value = value_at(knob, step.point[i]);
    const double limit = step_limit_of(knob, s.base[i], value, settings.limits.max_delta_per_step);
    const double distance = std::abs(displacement(knob, s.baseline[i], value));
    const bool farther = distance > std::abs(displacement(knob, s.baseline[i], s.base[i]));
    const bool too_far = farther && exceeds(distance, settings.limits.max_baseline_distance);
    if (too_far) step.point[i] = from[i];
    // On a grid the last step within the limit may be well short of it.
    if (too_far || std::abs(way) + smallest_move(knob, value) > at_limit * limit) cut[i] = std::copysign(limit, way);
  }
  return cut;
}

} // namespace

void begin(engine_state& s, const engine_settings& settings, std::uint64_t seed) {
  online_settings o = strategy_of(s, settings);
  o.seed = seed;
  s.online = fresh_online(o);
}

void settle(engine_state& s, const engine_settings& settings, const knob_values& base) {
  if (s.base == base) return;
  s.base = base;
  const online_settings o = strategy_of(s, settings);
  relocate(s.online.adaptive, frame_of(o), places_of(settings.knobs, base));
}

void rest(engine_state& s, const engine_settings& settings) { abandon(s.online, strategy_of(s, settings)); }

void take(engine_state& s, const engine_settings& settings, const objective_window& w) {
  const online_settings o = strategy_of(s, settings);
  const online_point before = s.online.adaptive.centre;
  std::optional<double> error;
  if (w.digests > 1) error = std::sqrt(w.variance / w.digests);
  const auto event = record(s.online, o, w.mean, error);
  if (!event) return; // nothing costs that much: the next window is waited for
  s.expects = engine_expectation::nothing;
  if (*event != online_event::incumbent_moved) return;
  keep_near(s.online.adaptive, frame_of(o), before,
            {.base = places_of(settings.knobs, s.base),
             .baseline = places_of(settings.knobs, s.baseline),
             .distance = settings.limits.max_baseline_distance});
}

void accepted(engine_state& s, const engine_settings& settings, const knob_values& in_force) {
  s.expects = engine_expectation::window;
  if (in_force == s.asked.values || !s.online.asked) return;
  // Something else than asked for: that is what will be measured, and it is no look at the place meant.
  s.online.asked = online_step{.point = places_of(settings.knobs, in_force), .reason = online_reason::explore};
}

engine_decision next(engine_state& s, const engine_settings& settings, instant now) {
  const online_settings o = strategy_of(s, settings);
  const online_point from = places_of(settings.knobs, s.base);
  if (follows_model(s.online.adaptive) && is_away(s, settings, from))
    if (auto p = update_towards(s, settings, from, s.online.adaptive.centre, online_reason::exploit, now))
      return ask(s, std::move(*p));
  s.online.applied = from; // steps start at the base point, from which the governor measures them
  if (next_point(s.online, o).reason == online_reason::travel) {
    if (auto p = journey(s, settings, from, now)) return ask(s, std::move(*p));
    abandon(s.online, o);
    (void)next_point(s.online, o);
  }
  online_step& step = *s.online.asked;
  const std::vector<double> cut = cut_at_guardrails(step, s, settings, from);
  knob_values values = values_of(step, s, settings);
  // Cut to the same place again and again, a knob would show nothing new: the other side of the base point shows its
  // slope.
  for (std::size_t i = 0; i < cut.size(); ++i)
    if (cut[i] != 0 && values[i] == s.in_force[i])
      step.point[i] = reachable(settings.knobs[i], from[i], confined(settings.knobs[i], from[i] - 0.5 * cut[i]),
                                settings.limits.max_delta_per_step);
  values = values_of(step, s, settings);
  if (values == s.in_force) { // nothing to change: the next window measures it
    s.expects = engine_expectation::window;
    return hold(no_change_reason::waiting_for_window);
  }
  return ask(s, draft_of(s, proposal_kind::apply_plus, values, step.reason));
}

} // namespace homeostat::online_engine
