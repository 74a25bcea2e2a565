// The engine as the only proposer of a real governor: it never argues with its guardrails, and it finds what there is
// to find.
#include "tests/policies/search/engine_rig.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <numbers>

namespace homeostat {
namespace {

[[maybe_unused]] const bool seeded = [] { return setenv("RC_PARAMS", "seed=20260727 max_success=150", 0) == 0; }();

double gaussian(chacha8_rng& rng) {
  return std::sqrt(-2 * std::log(1 - rng.uniform())) * std::cos(2 * std::numbers::pi * rng.uniform());
}

/// A bowl in the knobs' own scales, with noise between digests.
struct bowl {
  std::vector<knob_spec> knobs;
  std::vector<double> best; ///< places
  double floor{100};
  double depth{100};
  double noise{1}; ///< standard deviation of one digest
  std::shared_ptr<chacha8_rng> rng = std::make_shared<chacha8_rng>(99);

  [[nodiscard]] double height(const knob_values& values) const {
    double y = floor;
    for (std::size_t i = 0; i < knobs.size(); ++i) {
      const double way = displacement(knobs[i], value_at(knobs[i], best[i]), values[i]);
      y += depth * way * way;
    }
    return y;
  }
  objective_window operator()(const knob_values& values) const {
    objective_window w;
    w.digests = 5;
    double sum = 0, squares = 0;
    for (std::uint32_t i = 0; i < w.digests; ++i) {
      const double y = noise * gaussian(*rng);
      sum += y, squares += y * y;
    }
    w.mean = height(values) + sum / w.digests;
    w.variance = (squares - sum * sum / w.digests) / (w.digests - 1);
    return w;
  }
};

// ---- never refused
// -------------------------------------------------------------------------------------------------------

rc::Gen<double> fraction(double from, double to) {
  return rc::gen::map(rc::gen::inRange(0, 1'000'001), [=](int n) { return from + (to - from) * n / 1e6; });
}

knob_spec any_knob(std::size_t index) {
  knob_spec k;
  k.name = "k" + std::to_string(index);
  const int kind = *rc::gen::inRange(0, 8);
  const double min = *fraction(-50, 50), range = std::pow(10, *fraction(-3, 5));
  switch (kind) {
  case 0: k.min = min, k.max = min + range; break;
  case 1: k.scale = knob_scale::log, k.min = std::pow(10, *fraction(-6, 3)), k.max = k.min * (1 + range); break;
  case 2: k.scale = knob_scale::periodic, k.min = min, k.max = min + range; break;
  case 3: k.type = knob_type::integer, k.min = std::round(min), k.max = k.min + 1 + std::round(range); break;
  case 4:
    k.type = knob_type::integer, k.scale = knob_scale::log;
    k.min = 1 + std::round(std::abs(min)), k.max = k.min + 1 + std::round(range);
    break;
  case 5: k.type = knob_type::boolean; break;
  case 6: k.type = knob_type::categorical, k.max = 2, k.categories = {"a", "b", "c"}; break;
  default: k.min = min, k.max = min + range, k.step = range / *rc::gen::inRange(1, 60); break;
  }
  k.initial = value_at(k, *fraction(0, 1));
  if (is_ordered(k) && *rc::gen::inRange(0, 3) == 0) {
    const double width = k.max - k.min;
    k.step_limit = unit_step_limit{.up = width * *fraction(1e-4, 1.5), .down = width * *fraction(1e-4, 1.5)};
  }
  return k;
}

void expect_never_refused(online_kind strategy) {
  governor_config config;
  config.loop = "loop";
  const auto count = *rc::gen::inRange<std::size_t>(1, 5);
  for (std::size_t i = 0; i < count; ++i) config.knobs.push_back(any_knob(i));
  for (const knob_spec& k : config.knobs) RC_ASSERT(check(k).has_value());
  const preset p = *rc::gen::element(preset::conservative, preset::balanced, preset::aggressive);
  config.limits = guardrails_of(p);
  config.rollback = rollback_of(p);
  engine_settings settings = settings_for(config);
  settings.strategy = strategy;
  settings.spsa.learning_rate = *fraction(0.01, 10);
  settings.spsa.perturbation_scale = *fraction(0.001, 0.5);
  settings.spsa.max_step = *fraction(0.01, 1);
  settings.gradient_memory = *fraction(0, 0.9);
  bowl plant{.knobs = config.knobs, .best = {}};
  for (std::size_t i = 0; i < count; ++i) plant.best.push_back(*fraction(0, 1));
  plant.depth = std::pow(10, *fraction(0, 5));
  plant.noise = std::pow(10, *fraction(-3, 2));
  engine_rig rig(config, settings, *rc::gen::arbitrary<std::uint64_t>(), plant);
  for (int i = 0; i < 1500; ++i) rig.step(i % 3 == 0 ? duration(90ms) : duration(610ms));
  rig.refusals.erase("RateLimitExceeded"); // asks again in time
  rig.refusals.erase("CooldownActive");    // after a rollback
  std::string text;
  for (const auto& [name, n] : rig.refusals) text += name + " " + std::to_string(n) + " ";
  if (!text.empty()) RC_FAIL(text);
  double cap = config.limits.max_delta_per_step;
  if (strategy == online_kind::spsa) cap = std::min(cap, settings.spsa.perturbation_scale);
  for (const knob_spec& k : config.knobs) // the smallest move of a coarse grid may be wider than the probe asked for
    if (smallest_move(k, k.min) > 0) cap = config.limits.max_delta_per_step;
  for (const knob_spec& k : config.knobs) {
    if (k.step_limit) cap = 1;
    if (!is_ordered(k)) cap = std::max(cap, switch_displacement);
  }
  RC_ASSERT(rig.farthest_probe <= cap * (1 + 1e-6) + 1e-9);
}

RC_GTEST_PROP(EngineAlone, IsNeverRefusedForWhatItProposes, ()) { expect_never_refused(online_kind::spsa); }
RC_GTEST_PROP(EngineAlone, IsNeverRefusedForWhatAdaptiveProposes, ()) { expect_never_refused(online_kind::adaptive); }

// ---- convergence
// ---------------------------------------------------------------------------------------------------------

knob_spec unit_knob(std::string name, double initial) {
  knob_spec k;
  k.name = std::move(name);
  k.initial = initial;
  return k;
}

struct outcome {
  double before, after; ///< mean height above the floor, at the start and over the last fifth
  double worst;         ///< of the seeds
};

outcome converge(const governor_config& config, const engine_settings& settings, const bowl& shape, int seeds,
                 int windows) {
  outcome o{.before = shape.height(initial_values(config.knobs)) - shape.floor, .after = 0, .worst = 0};
  for (int seed = 0; seed < seeds; ++seed) {
    bowl plant = shape;
    plant.rng = std::make_shared<chacha8_rng>(static_cast<std::uint64_t>(seed), 5);
    engine_rig rig(config, settings, static_cast<std::uint64_t>(seed), plant);
    double sum = 0;
    for (int i = 0; i < windows; ++i) {
      rig.step();
      if (i >= windows * 4 / 5) sum += plant.height(rig.governor.base) - plant.floor;
    }
    const double after = sum / (windows / 5);
    o.after += after / seeds;
    o.worst = std::max(o.worst, after);
  }
  return o;
}

TEST(EngineConverges, OnANoisyBowl) {
  governor_config config;
  config.knobs = {unit_knob("x", 0.25), unit_knob("y", 0.75)};
  config.watch_telemetry = false;
  const bowl shape{.knobs = config.knobs, .best = {0.6, 0.4}, .floor = 100, .depth = 100, .noise = 1};
  const outcome o = converge(config, settings_for(config), shape, 50, 1500);
  std::printf("bowl: %.3f -> %.3f, worst seed %.3f\n", o.before, o.after, o.worst);
  EXPECT_LT(o.after, o.before / 20);
  EXPECT_LT(o.worst, o.before / 5);
}

TEST(EngineConverges, OnMixedScales) {
  governor_config config;
  knob_spec log = unit_knob("log", 10);
  log.scale = knob_scale::log, log.min = 1, log.max = 1e4;
  knob_spec whole = unit_knob("whole", 10);
  whole.type = knob_type::integer, whole.max = 50;
  knob_spec angle = unit_knob("angle", 350);
  angle.scale = knob_scale::periodic, angle.max = 360;
  config.knobs = {log, whole, angle};
  config.watch_telemetry = false;
  const bowl shape{.knobs = config.knobs, .best = {0.6, 0.5, 0.2}, .floor = 100, .depth = 100, .noise = 1};
  const outcome o = converge(config, settings_for(config), shape, 50, 2000);
  std::printf("mixed: %.3f -> %.3f, worst seed %.3f\n", o.before, o.after, o.worst);
  EXPECT_LT(o.after, o.before / 10);
}

TEST(EngineConverges, StaysWhereItIsGoodUnderPureNoise) {
  governor_config config;
  config.knobs = {unit_knob("x", 0.5), unit_knob("y", 0.5)};
  config.watch_telemetry = false;
  const bowl shape{.knobs = config.knobs, .best = {0.5, 0.5}, .floor = 100, .depth = 100, .noise = 2};
  const outcome o = converge(config, settings_for(config), shape, 50, 1500);
  std::printf("at the optimum: %.3f -> %.3f, worst seed %.3f\n", o.before, o.after, o.worst);
  EXPECT_LT(o.after, 1.0) << "one percent of the objective";
}

TEST(EngineConverges, WithAnSresUnitsAndRates) {
  governor_config config;
  config.knobs = {unit_knob("pool", 20)};
  config.knobs[0].max = 200;
  config.knobs[0].step_limit = unit_step_limit{.up = 10, .down = 10};
  config.limits.max_updates_per_second = 0.1;
  config.limits.min_interval = 0us;
  config.watch_telemetry = false;
  const bowl shape{.knobs = config.knobs, .best = {0.5}, .floor = 100, .depth = 200, .noise = 0.5};
  const outcome o = converge(config, settings_for(config), shape, 20, 8000);
  std::printf("SRE: %.3f -> %.3f, worst seed %.3f\n", o.before, o.after, o.worst);
  EXPECT_LT(o.after, o.before / 10);
}

// ---- adaptive
// ------------------------------------------------------------------------------------------------------------------

TEST(AdaptiveConverges, OnANoisyBowl) {
  governor_config config;
  config.knobs = {unit_knob("x", 0.25), unit_knob("y", 0.75)};
  config.watch_telemetry = false;
  const bowl shape{.knobs = config.knobs, .best = {0.6, 0.4}, .floor = 100, .depth = 100, .noise = 1};
  engine_settings settings = settings_for(config);
  settings.strategy = online_kind::adaptive;
  const outcome o = converge(config, settings, shape, 20, 600);
  std::printf("bowl: %.3f -> %.3f, worst seed %.3f\n", o.before, o.after, o.worst);
  EXPECT_LT(o.after, o.before / 100);
  EXPECT_LT(o.worst, o.before / 20) << "no seed stays at the cap of the distance from the baseline";
}

TEST(AdaptiveConverges, OnMixedScalesAndASwitch) {
  governor_config config;
  knob_spec log = unit_knob("log", 10);
  log.scale = knob_scale::log, log.min = 1, log.max = 1e4;
  knob_spec whole = unit_knob("whole", 10);
  whole.type = knob_type::integer, whole.max = 50;
  knob_spec angle = unit_knob("angle", 350);
  angle.scale = knob_scale::periodic, angle.max = 360;
  knob_spec flag = unit_knob("flag", 0);
  flag.type = knob_type::boolean;
  config.knobs = {log, whole, angle, flag};
  config.watch_telemetry = false;
  const bowl shape{.knobs = config.knobs, .best = {0.6, 0.5, 0.2, 1}, .floor = 100, .depth = 100, .noise = 1};
  engine_settings settings = settings_for(config);
  settings.strategy = online_kind::adaptive;
  const outcome o = converge(config, settings, shape, 20, 1000);
  std::printf("mixed: %.3f -> %.3f, worst seed %.3f\n", o.before, o.after, o.worst);
  EXPECT_LT(o.after, o.before / 100);
  EXPECT_LT(o.worst, o.before / 20);
}

} // namespace
} // namespace homeostat
