#include "policies/search/online/adaptive_live.hpp"

#include "policies/search/online/adaptive_internal.hpp"

#include <algorithm>
#include <cmath>

namespace homeostat {

namespace {

constexpr double is_default = 0.01; ///< fraction of range; nearer than this is the default itself

/// @returns the position, drawn back to `from` as far as it is farther away than `most`.
double drawn_back(const knob_spec& knob, double from, double to, double most) {
  const double way = way_between(knob, from, to);
  return std::abs(way) <= most ? to : from + std::copysign(most, way);
}

bool finite(std::span<const double> values) {
  return std::ranges::all_of(values, [](double v) { return std::isfinite(v); });
}

bool is_point(const online_point& p, std::size_t knobs) {
  return p.size() == knobs && std::ranges::all_of(p, [](double v) { return v >= 0 && v <= 1; });
}

bool is_member(const bank_member& m, std::size_t axes) {
  const quadratic_filter& f = m.filter;
  if (f.dimensions != axes || (f.cross && axes < 2)) return false;
  const std::size_t n = fresh_filter(axes, f.cross, f.moving).size();
  return f.mean.size() == n && f.covariance.size() == n * n && finite(f.mean) && finite(f.covariance) &&
         std::isfinite(m.speed) && std::isfinite(m.turn) && std::isfinite(m.noise) && m.noise > 0 &&
         std::isfinite(m.record);
}

bool are_looks(const std::vector<planned_look>& looks, std::size_t knobs) {
  return std::ranges::all_of(looks, [&](const planned_look& l) { return is_point(l.place, knobs); });
}

} // namespace

void relocate(adaptive_state& s, const adaptive_frame& frame, const online_point& place) {
  if (s.bank.members.empty()) {
    s.first.clear(); // measured elsewhere
  } else {
    const double level = level_at_centre(s.bank.chief());
    std::vector<double> by;
    for (std::size_t i : axes_of(frame.knobs)) by.push_back(way_between(frame.knobs[i], s.centre[i], place[i]));
    restart_at(s.bank, by, level, frame.tuning.bank);
    expect_change(s.bank, 0, frame.tuning.bank); // nobody has measured there: no share of the shape, all of the level
    if (distance_between(frame.knobs, place, default_point(frame.knobs)) < is_default)
      s.boldness *= frame.tuning.shyness;
  }
  s.centre = s.settled_centre = place;
  if (s.bank.members.empty()) s.quiet_centre = place;
  s.settled = s.averaged = 0;
  s.still.assign(s.still.size(), 0);
  reset(s.detector);
  abandon(s);
}

void keep_near(adaptive_state& s, const adaptive_frame& frame, const online_point& before, const live_bounds& bounds) {
  const std::vector<std::size_t> axes = axes_of(frame.knobs);
  std::vector<double> by(axes.size(), 0.0);
  bool moved = false;
  for (std::size_t k = 0; k < axes.size(); ++k) {
    const std::size_t i = axes[k];
    const knob_spec& knob = frame.knobs[i];
    const double base = bounds.base[i], home = bounds.baseline[i];
    const double reach =
        step_limit_of(knob, value_at(knob, base), value_at(knob, s.centre[i]), frame.max_delta.value_or(1.0));
    double place = drawn_back(knob, base, s.centre[i], std::max(reach, std::abs(way_between(knob, base, before[i]))));
    place = drawn_back(knob, home, place, std::max(bounds.distance, std::abs(way_between(knob, home, before[i]))));
    place = confined(knob, place);
    by[k] = way_between(knob, s.centre[i], place);
    moved = moved || by[k] != 0;
    s.centre[i] = place;
  }
  if (moved) move_centre(s.bank, by, frame.tuning.bank);
}

bool follows_model(const adaptive_state& s) {
  return !s.bank.members.empty() && s.looks.empty() && !s.trial.running && !s.retreating;
}

std::expected<void, std::string> fits(const adaptive_state& s, std::span<const knob_spec> knobs) {
  const std::size_t n = knobs.size();
  const std::size_t axes = axes_of(knobs).size();
  const auto wrong = [](const char* what) { return std::unexpected(std::string(what)); };
  if (s.centre.size() != n || s.still.size() != axes) return wrong("it is of another set of knobs");
  for (const online_point* p : {&s.centre, &s.quiet_centre, &s.settled_centre})
    if (!is_point(*p, n)) return wrong("a centre is no point of the range");
  const auto& members = s.bank.members;
  if (!members.empty() && (s.bank.best >= members.size() || !is_member(s.quiet_model, axes)))
    return wrong("its models contradict each other");
  if (!std::ranges::all_of(members, [&](const bank_member& m) { return is_member(m, axes); }))
    return wrong("a model is damaged");
  for (const regime& r : s.memory.regimes)
    if (!is_point(r.centre, n) || !is_member(r.model, axes)) return wrong("a remembered regime is damaged");
  if (!are_looks(s.looks, n) || !are_looks(s.taken, n)) return wrong("a look leads nowhere");
  if (s.best_look && *s.best_look >= s.taken.size()) return wrong("its looks contradict each other");
  if (s.trial.running &&
      (s.trial.knob >= n || is_ordered(knobs[s.trial.knob]) || !(s.trial.position >= 0 && s.trial.position <= 1)))
    return wrong("a trial concerns no knob");
  const change_detector& d = s.detector;
  const double numbers[] = {s.bank.scale,     s.best_look_value, s.level,        s.recent,     s.default_level,
                            s.boldness,       d.worse.sum,       d.worse.values, d.better.sum, d.better.values,
                            s.trial.value_on, s.trial.sum,       s.trial.squares};
  if (!finite(numbers) || !finite(s.first) || !(s.bank.scale > 0)) return wrong("a number is not finite");
  return {};
}

} // namespace homeostat
