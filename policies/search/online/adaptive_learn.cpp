#include "policies/search/online/adaptive_internal.hpp"

#include "policies/number_text.hpp"

#include <algorithm>
#include <cmath>

namespace homeostat {

namespace {

constexpr double calm_share = 0.3;    ///< of the detector's limit: below it the place is worth remembering
constexpr double near_default = 0.1;  ///< fraction of range; looking at it from there says little
constexpr double recovery = 1.01;     ///< growth of boldness per step
constexpr double recall_doubt = 0.02; ///< share of a change's doubt that a recalled regime starts with

std::vector<double> axis_offsets(const adaptive_frame& frame, const online_point& from, const online_point& to) {
  std::vector<double> offsets;
  for (std::size_t i : axes_of(frame.knobs)) offsets.push_back(way_between(frame.knobs[i], from[i], to[i]));
  return offsets;
}

void settle_at(adaptive_state& s, const online_point& place) {
  s.centre = place;
  s.still.assign(s.still.size(), 0);
  s.retreating = false;
  s.averaged = 0;
  reset(s.detector);
}

void restart(adaptive_state& s, const adaptive_frame& frame, const online_point& place, double level) {
  restart_at(s.bank, axis_offsets(frame, s.centre, place), level, frame.tuning.bank);
  settle_at(s, place);
}

/// A remembered regime is back: its model rules again, beside the others, which start over there.
bool recall(adaptive_state& s, const adaptive_frame& frame, std::uint64_t id, double value) {
  const regime* r = find(s.memory, id);
  if (r == nullptr) return false;
  const double expected = r->model.filter.mean[0];
  const double deviation = std::sqrt(r->model.filter.variance(0) + r->model.noise);
  if (std::abs(modelled(r->model, value, s.bank.scale) - expected) > frame.tuning.recognition * deviation) return false;
  const bank_member model = r->model;
  restart(s, frame, r->centre, value);
  for (std::size_t k = 0; k < s.bank.members.size(); ++k) {
    bank_member& m = s.bank.members[k];
    if (m.logarithmic != model.logarithmic || m.filter.cross != model.filter.cross || m.speed != model.speed ||
        m.turn != model.turn)
      continue;
    const double record = s.bank.chief().record;
    m = model;
    m.record = record;
    s.bank.best = k;
  }
  expect_change(s.bank, recall_doubt, frame.tuning.bank);
  return true;
}

void plan_round(adaptive_state& s, std::vector<planned_look> looks) {
  s.looks = std::move(looks);
  s.taken.clear();
  s.best_look.reset();
}

online_event on_change(adaptive_state& s, const adaptive_frame& frame, const plant_change& change) {
  const adaptive_tuning& t = frame.tuning;
  remember(s.memory, frame.knobs, s.quiet_centre, s.quiet_model, s.step, t.memory);
  expect_change(s.bank, 1.0, t.bank);
  set_level(s.bank, change.level);
  const double worsening = change.level - level_at_centre(s.quiet_model);
  const bool urgent = worsening > t.memory.urgent * noise_at(s.bank, level_at_centre(s.quiet_model));
  call_off(s.trial, true);
  s.boldness = 1; // shocks on the way were the change's
  s.settled = 0;
  s.retreating = s.comparing = false;
  s.level = change.level;
  s.averaged = 0;
  s.since_default = 0;
  s.default_interval = t.default_interval;
  if (change.steps > t.detector.abrupt) return online_event::change_detected;
  std::vector<planned_look> looks;
  for (std::uint64_t id : worth_a_look(s.memory, frame.knobs, s.centre, s.step, urgent, t.memory))
    looks.push_back({find(s.memory, id)->centre, id});
  const online_point home = default_point(frame.knobs);
  if (distance_between(frame.knobs, home, s.centre) > near_default) {
    if (s.default_passed_over > 0 && !urgent)
      --s.default_passed_over;
    else
      looks.push_back({home, 0});
  }
  plan_round(s, std::move(looks));
  return online_event::change_detected;
}

/// All looks of a comparison with the default are taken: is it better, time after time?
online_event judge_default(adaptive_state& s, const adaptive_frame& frame) {
  const adaptive_tuning& t = frame.tuning;
  if (s.best_look_value >= s.recent - noise_at(s.bank, s.recent)) {
    s.comparing = false;
    s.default_interval = std::min(2 * s.default_interval, t.default_interval_limit);
    return online_event::none;
  }
  if (++s.default_wins < t.default_looks) {
    plan_round(s, {{default_point(frame.knobs), 0}});
    return online_event::none;
  }
  s.comparing = false;
  s.boldness *= t.shyness;
  s.default_interval = t.default_interval;
  restart(s, frame, default_point(frame.knobs), s.best_look_value);
  return online_event::returned_to_default;
}

/// The round after a change is over: go to the best of the looks if it beats the present level.
online_event judge_round(adaptive_state& s, const adaptive_frame& frame) {
  const adaptive_tuning& t = frame.tuning;
  const bool won = s.best_look_value < s.level - t.look_gain * noise_at(s.bank, s.level);
  const planned_look best = s.taken[*s.best_look];
  for (const planned_look& look : s.taken) {
    const bool useful = won && look.regime == best.regime;
    if (look.regime != 0) {
      credit(s.memory, look.regime, useful, s.step, t.memory);
      continue;
    }
    s.default_useless = useful ? 0 : std::min(s.default_useless + 1, 7U);
    s.default_passed_over = useful ? 0 : std::min((1U << (s.default_useless - 1)) - 1, t.memory.patience);
  }
  if (!won) return online_event::none;
  if (best.regime != 0 && recall(s, frame, best.regime, s.best_look_value)) return online_event::regime_recalled;
  restart(s, frame, best.place, s.best_look_value);
  return online_event::look_taken_over;
}

online_event after_look(adaptive_state& s, const adaptive_frame& frame, double value) {
  if (s.looks.front().regime == 0) s.default_level += 0.5 * (value - s.default_level);
  if (!s.best_look || value < s.best_look_value) {
    s.best_look = s.taken.size();
    s.best_look_value = value;
  }
  s.taken.push_back(s.looks.front());
  s.looks.erase(s.looks.begin());
  if (!s.looks.empty()) return online_event::none;
  return s.comparing ? judge_default(s, frame) : judge_round(s, frame);
}

/// The centre follows the chief's minimum.
online_event follow(adaptive_state& s, const adaptive_frame& frame) {
  const adaptive_tuning& t = frame.tuning;
  std::vector<double> by = wanted_offset(s, frame, s.bank.chief().filter.mean, t.trust);
  const std::vector<std::size_t> axes = axes_of(frame.knobs);
  bool moved = false;
  for (std::size_t k = 0; k < axes.size(); ++k) {
    by[k] *= t.follow;
    moved = moved || by[k] != 0;
    s.centre[axes[k]] = confined(frame.knobs[axes[k]], s.centre[axes[k]] + by[k]);
  }
  move_centre(s.bank, by, t.bank);
  return moved ? online_event::incumbent_moved : online_event::none;
}

/// A place that served for a while is remembered even if the plant leaves it too gently for an alarm.
void remember_if_settled(adaptive_state& s, const adaptive_frame& frame) {
  const memory_tuning& t = frame.tuning.memory;
  if (s.settled == 0 || distance_between(frame.knobs, s.settled_centre, s.centre) > t.separation) {
    s.settled_centre = s.centre;
    s.settled = 0;
  }
  if (++s.settled < t.settled) return;
  remember(s.memory, frame.knobs, s.centre, s.bank.chief(), s.step, t);
  s.settled = 0;
}

/// Now and then the default must prove that it is worse.
void compare_if_due(adaptive_state& s, const adaptive_frame& frame) {
  if (++s.since_default <= s.default_interval || !is_quiet(s.detector, 0.5, frame.tuning.detector)) return;
  s.since_default = 0;
  const online_point home = default_point(frame.knobs);
  if (distance_between(frame.knobs, home, s.centre) < near_default) return;
  s.comparing = true;
  s.default_wins = 0;
  plan_round(s, {{home, 0}});
}

/// @returns the verdict's event if this was a step of a trial that ended well.
online_event after_trial_step(adaptive_state& s, const adaptive_frame& frame, double value) {
  const trial_verdict verdict = judge(s.trial, value, noise_at(s.bank, value), frame.tuning.trial);
  if (verdict != trial_verdict::take) return online_event::none;
  s.centre[s.trial.knob] = s.trial.position;
  expect_change(s.bank, 0.3, frame.tuning.bank);
  set_level(s.bank, s.trial.value_on);
  settle_at(s, s.centre);
  return online_event::switched;
}

online_event after_step(adaptive_state& s, const adaptive_frame& frame, const online_step& at, double value,
                        std::optional<double> error) {
  const adaptive_tuning& t = frame.tuning;
  ++s.averaged;
  s.recent += std::max(1.0 / s.averaged, 0.1) * (value - s.recent);
  double allowed = 1;
  if (s.averaged > t.grace) {
    const double proven = (s.default_level - s.recent) / (t.proof * std::max(noise_at(s.bank, s.recent), 1e-300));
    allowed = std::clamp(t.unproven + (1 - t.unproven) * proven, t.unproven, 1.0);
  }
  s.boldness = std::min(allowed, recovery * s.boldness);
  const std::vector<double> offset = axis_offsets(frame, s.centre, at.point);
  double distance = 0;
  for (std::size_t k = 0; k < offset.size(); ++k) {
    s.still[k] = std::abs(offset[k]) > 0.6 * t.stir ? 0 : s.still[k] + 1;
    distance = std::max(distance, std::abs(offset[k]));
  }
  const bank_surprise surprise = learn(s.bank, offset, value, error, t.bank);
  const bool shocked = surprise.deviations > t.shock && distance > 0.02 && !s.retreating;
  const auto change = inspect(s.detector, surprise.deviations, value, t.detector);
  s.retreating = shocked;
  if (shocked) s.boldness = std::max(s.boldness * t.flinch, std::min(s.boldness, t.least_boldness));
  if (change) return on_change(s, frame, *change);
  if (is_quiet(s.detector, calm_share, t.detector)) {
    s.quiet_centre = s.centre;
    s.quiet_model = s.bank.chief();
    remember_if_settled(s, frame);
  }
  compare_if_due(s, frame);
  const online_event event = follow(s, frame);
  if (s.looks.empty() && !s.retreating)
    start_if_due(s.trial, frame.knobs, s.centre, is_quiet(s.detector, calm_share, t.detector), t.trial);
  return event;
}

} // namespace

adaptive_state fresh_adaptive(const adaptive_frame& frame, std::uint64_t seed) {
  adaptive_state s;
  s.rng = chacha8_rng(seed);
  s.centre = s.quiet_centre = s.settled_centre = default_point(frame.knobs);
  s.still.assign(axes_of(frame.knobs).size(), 0);
  s.default_interval = frame.tuning.default_interval;
  return s;
}

online_event learn(adaptive_state& s, const adaptive_frame& frame, const online_step& at, double value,
                   std::optional<double> error) {
  ++s.step;
  switch (at.reason) {
  case online_reason::start:
    s.first.push_back(value);
    if (s.first.size() < frame.tuning.first_looks) return online_event::none;
    s.bank = fresh_bank(s.still.size(), s.first, std::max(frame.noise_floor.value_or(0), error.value_or(0)),
                        frame.tuning.bank);
    s.quiet_model = s.bank.chief();
    s.default_level = level_at_centre(s.bank.chief());
    s.first.clear();
    return online_event::none;
  case online_reason::travel: return online_event::none;
  case online_reason::look_at_regime:
  case online_reason::look_at_default: return after_look(s, frame, value);
  case online_reason::trial_on: return after_trial_step(s, frame, value);
  case online_reason::trial_off: {
    const online_event verdict = after_trial_step(s, frame, value);
    return verdict == online_event::none ? after_step(s, frame, at, value, error) : verdict;
  }
  default: return after_step(s, frame, at, value, error);
  }
}

void abandon(adaptive_state& s) {
  s.looks.clear();
  s.comparing = s.retreating = false;
  call_off(s.trial, false);
}

std::expected<void, std::string> check(const adaptive_tuning& t) {
  const auto wrong = [](const char* name, double value, const char* expected) {
    return std::unexpected(std::string(name) + " is " + number_text(value) + ", expected " + expected);
  };
  const auto share = [](double x) { return x > 0 && x <= 1; };
  if (t.first_looks < 2 || t.first_looks > 100) return wrong("first_looks", t.first_looks, "2 to 100");
  if (!share(t.trust)) return wrong("trust", t.trust, "more than 0, at most 1");
  if (!share(t.follow)) return wrong("follow", t.follow, "more than 0, at most 1");
  if (!share(t.amplitude)) return wrong("amplitude", t.amplitude, "more than 0, at most 1");
  if (!share(t.stir)) return wrong("stir", t.stir, "more than 0, at most 1");
  if (!(t.doubt >= 0 && t.doubt <= 10)) return wrong("doubt", t.doubt, "0 to 10");
  if (!share(t.shyness)) return wrong("shyness", t.shyness, "more than 0, at most 1");
  if (t.default_looks < 1) return wrong("default_looks", t.default_looks, "1 or more");
  if (t.memory.capacity < 1 || t.memory.capacity > 64)
    return wrong("memory.capacity", static_cast<double>(t.memory.capacity), "1 to 64");
  return {};
}

} // namespace homeostat
