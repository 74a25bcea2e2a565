#include "sim/scenario.hpp"

#include "policies/number_text.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace homeostat::sim {

namespace {

knob_spec ordered_knob(draw& d, bool integer) {
  knob_spec k;
  k.type = integer ? knob_type::integer : knob_type::continuous;
  const double kind = d.uniform();
  if (kind < 0.25) {
    k.scale = knob_scale::log;
    k.min = d.log_uniform(0.001, 10);
    k.max = k.min * d.log_uniform(20, 1e4);
  } else {
    if (kind < 0.33) k.scale = knob_scale::periodic;
    k.min = d.chance(0.5) ? 0 : d.uniform(-100, 100);
    k.max = k.min + d.log_uniform(0.5, 5000);
  }
  if (integer) {
    k.min = std::max(k.scale == knob_scale::log ? 1.0 : -1e6, std::floor(k.min));
    k.max = k.min + std::max(d.chance(0.15) ? 4.0 : 25.0, std::floor(k.max - k.min));
  }
  if (d.chance(0.12)) {
    const double grid = (k.max - k.min) / d.whole(12, 200);
    k.step = integer ? std::max(1.0, std::floor(grid)) : grid;
  }
  if (d.chance(0.1)) {
    const double range = k.max - k.min;
    k.step_limit = unit_step_limit{.up = range * d.uniform(0.01, 0.3), .down = range * d.uniform(0.01, 0.3)};
  }
  return k;
}

knob_spec draw_knob(draw& d, std::size_t index) {
  const double kind = d.uniform();
  knob_spec k;
  if (kind < 0.55 || (index == 0 && kind < 0.95)) {
    k = ordered_knob(d, false);
  } else if (kind < 0.8) {
    k = ordered_knob(d, true);
  } else if (kind < 0.9) {
    k.type = knob_type::boolean;
  } else {
    k.type = knob_type::categorical;
    const std::uint32_t count = d.whole(2, 5);
    for (std::uint32_t i = 0; i < count; ++i) k.categories.push_back("c" + std::to_string(i));
    k.max = count - 1;
  }
  k.name = "k" + std::to_string(index);
  k.initial = value_at(k, d.uniform(0.05, 0.95));
  return k;
}

timing draw_timing(draw& d) {
  timing t;
  t.digest_interval = scaled(1us, d.log_uniform(20'000, 4'000'000));
  t.run = std::min<duration>(t.digest_interval * d.whole(600, 1800), 3600s);
  t.message_delay = scaled(1us, d.log_uniform(20, 20'000));
  t.flush = scaled(1us, d.log_uniform(200, 20'000));
  t.actuation = scaled(1us, d.log_uniform(10, 200'000));
  t.audit_timeout = d.span(1s, 5s);
  t.actuation_timeout = t.actuation * 4 + d.span(500ms, 5s);
  t.answer_timeout = d.chance(0.8) ? t.audit_timeout + t.actuation_timeout + 2s : d.span(200ms, 2s);
  t.audit_capacity = d.whole(2, 40);
  return t;
}

void draw_windows(draw& d, scenario& s) {
  const duration interval = s.times.digest_interval;
  s.window.digests = d.whole(2, 6);
  s.window.span = scaled(interval, d.uniform(0.5, 8));
  s.window.settle_time = scaled(interval, d.uniform(0, 2));
  s.window.max_age = scaled(interval, d.uniform(3, 30)) + 50ms;
}

void draw_guards(draw& d, governor_config& g, duration interval) {
  const auto some_preset = [&] { return static_cast<preset>(d.below(3)); };
  g.limits = guardrails_of(some_preset());
  g.rollback = rollback_of(some_preset());
  if (d.chance(0.3)) g.limits.max_updates_per_second = d.log_uniform(0.05, 30);
  if (d.chance(0.3)) g.limits.min_interval = d.span(0us, 2s);
  if (d.chance(0.3)) g.limits.max_delta_per_step = d.uniform(0.03, 0.3);
  if (d.chance(0.3)) g.limits.max_cumulative_delta_per_minute = d.uniform(0.1, 2);
  if (d.chance(0.3)) g.limits.max_baseline_distance = d.uniform(0.1, 1);
  if (d.chance(0.2)) g.limits.direction_flip_limit = d.whole(0, 6);
  if (d.chance(0.2)) g.limits.regression_count_limit = d.whole(1, 10);
  if (d.chance(0.2)) g.limits.probe_share = d.uniform(0.2, 1);
  g.limits.flip_deadband = std::min(g.limits.flip_deadband, g.limits.max_delta_per_step);
  if (d.chance(0.2)) g.rollback.max_rollbacks_per_hour = d.whole(1, 3);
  if (d.chance(0.1)) g.rollback.on_regression = false;
  g.rollback.min_stable_time = scaled(g.rollback.min_stable_time, d.uniform(0.1, 1));
  g.safe_mode.cooldown = d.span(2s, 60s);
  g.safe_mode.recovery_windows = d.whole(1, 4);
  g.safe_mode.recovery_improvement = d.uniform(0.02, 0.3);
  g.safe_mode.repeated_violation_limit = d.whole(2, 15);
  g.safe_mode.repeated_cumulative_limit = d.whole(2, 10);
  // A proposer that waits for windows lets the sensor speak every ten digests or so.
  g.safe_mode.telemetry_timeout = scaled(interval, d.uniform(40, 80)) + d.span(1s, 10s);
}

/// What each fault does at most: its chance per opportunity and the longest share of the run it lasts.
struct fault_shape {
  double low;
  double high;
  double longest;
};
/// Of the faults that any run may have; those of the authority's mail come with it.
constexpr std::array<fault_shape, 27> shapes{{
    {0.05, 0.6, 0.2},   {0.05, 0.5, 0.2},   {0.05, 0.5, 0.2},   {0.05, 0.5, 0.2}, {0.05, 0.4, 0.2},   {0.05, 0.5, 0.2},
    {0.05, 0.5, 0.2},   {0.02, 0.2, 0.2},   {0.02, 0.1, 0.2},   {1, 1, 0.12},     {0.005, 0.03, 0.3}, {0.1, 0.8, 0.1},
    {0.1, 0.8, 0.1},    {0.1, 1, 0.1},      {0.1, 0.6, 0.15},   {0.1, 0.6, 0.15}, {0.1, 0.5, 0.15},   {0.1, 0.6, 0.15},
    {0.1, 0.6, 0.15},   {0.1, 0.5, 0.15},   {0.1, 0.5, 0.15},   {1, 1, 0.1},      {0.3, 1, 0.3},      {0.01, 0.05, 0.1},
    {0.002, 0.02, 0.2}, {0.002, 0.02, 0.2}, {0.005, 0.05, 0.3},
}};

void draw_faults(draw& d, scenario& s) {
  // Some runs have a single fault, some a few, some nearly all of them: bugs hide in combinations.
  const double chance = d.chance(0.3) ? 0.06 : d.chance(0.5) ? 0.2 : 0.5;
  const double breadth = d.uniform(0.2, 1.0);
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    if (!d.chance(chance)) continue;
    const fault_shape& shape = shapes[i];
    add_periods(d, s.faults[i], s.times.run, d.uniform(shape.low, shape.high), shape.longest * breadth);
  }
  s.clock_goes_back = d.chance(0.4);
  s.operators = d.chance(0.35);
  s.rival = d.chance(0.25);
  s.habits.starts_elsewhere = d.chance(0.15);
}

} // namespace

void add_periods(draw& d, fault_plan& plan, duration run, double rate, double longest) {
  plan.rate = rate;
  const std::uint32_t count = d.whole(1, 3);
  for (std::uint32_t i = 0; i < count; ++i) {
    const duration begin = scaled(run, d.uniform(0, 0.9));
    plan.periods.push_back({.begin = begin, .end = begin + scaled(run, d.uniform(0.2 * longest, longest))});
  }
}

scenario draw_scenario(std::uint64_t seed) {
  draw d(seed, 1);
  scenario s;
  s.seed = seed;
  s.fault_free = d.chance(0.15);
  constexpr std::array<std::size_t, 12> counts{1, 1, 2, 2, 2, 3, 3, 4, 4, 5, 6, 8};
  const std::size_t count = counts[d.below(counts.size())];
  std::vector<knob_spec> knobs;
  for (std::size_t i = 0; i < count; ++i) knobs.push_back(draw_knob(d, i));

  s.times = draw_timing(d);
  s.plant = draw_landscape(d, knobs, seconds_of(s.times.run));
  s.habits.noise = d.chance(0.2) ? 0 : d.log_uniform(0.001, 0.1);
  s.habits.outliers = d.chance(0.3) ? d.uniform(0.005, 0.05) : 0;
  s.habits.rounds_to_float = d.chance(0.2);
  s.habits.embedded = d.chance(0.25);
  s.habits.stamped_by_sensor = d.chance(0.5);
  draw_windows(d, s);
  s.governor.loop = "loop";
  s.governor.knobs = knobs;
  s.epoch = d.chance(0.3) ? d.whole(1, 5) : 0;
  s.governor.epoch = s.epoch;
  draw_guards(d, s.governor, s.times.digest_interval);
  s.engine.knobs = knobs;
  s.engine.limits = s.governor.limits;
  // From a stream of its own: which strategy runs changes nothing else of the world.
  if (draw(seed, 9).chance(0.4)) s.engine.strategy = online_kind::adaptive;
  s.engine.spsa.windows_per_probe = d.chance(0.2) ? 2 : 1;
  s.supervision.strategy = static_cast<restart_strategy>(d.below(3));
  s.supervision.intensity = d.whole(1, 6);
  s.supervision.period = d.span(10s, 120s);
  s.revert_on_exit = d.chance(0.4);
  s.engine_remembers = d.chance(0.7);
  if (!s.fault_free) draw_faults(d, s);
  // From a stream of its own again: the other worlds are what they were without it.
  draw with(seed, 10);
  if (!s.fault_free && with.chance(0.3)) draw_authority(with, s);
  return s;
}

std::string describe(const scenario& s) {
  std::string text = "seed " + std::to_string(s.seed) + ": " + std::string(name_of(s.plant.kind)) + " over " +
                     std::to_string(s.governor.knobs.size()) + " knobs, " + number_text(seconds_of(s.times.run)) +
                     " s, a digest every " + number_text(seconds_of(s.times.digest_interval)) + " s";
  if (s.engine.strategy == online_kind::adaptive) text += ", adaptive";
  if (s.fault_free) text += ", fault-free";
  if (s.operators) text += ", operators";
  if (s.authority) text += std::string(", authority, ") + (s.authority->strategy ? "tuned" : "gated");
  if (s.rival) text += ", hostile proposer";
  if (s.habits.rounds_to_float) text += ", float read-back";
  if (s.habits.embedded) text += ", embedded";
  if (s.habits.stamped_by_sensor) text += ", stamped by the sensor";
  for (std::size_t i = 0; i < fault_count; ++i)
    if (s.faults[i].rate > 0) text += ", " + std::string(name_of(static_cast<fault>(i)));
  return text;
}

} // namespace homeostat::sim
