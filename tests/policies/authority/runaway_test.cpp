// The five ways in which feedback runs away (source: Feedback Loops, "Risks of Runaway Feedback"). Each plant really
// runs away when its mitigation is taken out, and does not with it: a mitigation whose absence changes nothing proves
// nothing.
#include "authority_world.hpp"

#include "policies/search/chacha8.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

namespace homeostat {
namespace {

using testing::authority_world;

knob_spec knob_of(const char* name, double min, double max, double initial) {
  return {.name = name, .min = min, .max = max, .initial = initial, .concern = name};
}

governed_loop tuned(const char* name, knob_spec knob, std::vector<tuning_rule> rules) {
  governed_loop loop;
  loop.name = name;
  loop.pool = "default";
  loop.pattern = feedback_pattern::auto_tune;
  loop.knobs = {std::move(knob)};
  loop.rules = std::move(rules);
  loop.settle_after_neighbours = 0us;
  return loop;
}

authority_config node_of(std::vector<governed_loop> loops) {
  authority_config config;
  config.loops = std::move(loops);
  config.changes_per_hour = 100'000;
  return config;
}

/// A plant: what its metrics are, one per rule, given the loop's value and the time since the beginning.
using plant_model = std::function<std::vector<std::optional<double>>(const authority_world&, duration)>;

/// @returns how often the loops' values changed.
std::size_t live(authority_world& w, const std::map<std::string, plant_model>& plants, duration span) {
  const instant begin = w.now;
  while (w.now - begin < span) {
    w.now += 1min;
    for (const auto& [loop, metrics] : plants) w.observe(loop, metrics(w, w.now - begin));
    w.feed(tick{});
  }
  std::size_t changes = 0;
  for (const auto& [name, g] : w.loops) changes += g.applied.size();
  return changes;
}

tuning_rule rule(const char* name, bool above, double threshold, double release, double step, duration sustained,
                 duration cooldown, double min, double max) {
  return {.name = name,
          .metric = name,
          .above = above,
          .threshold = threshold,
          .release = release,
          .sustained = sustained,
          .knob = 0,
          .step = step,
          .min = min,
          .max = max,
          .cooldown = cooldown};
}

// ---- 1: memory and cost drive opposite actions
// -----------------------------------------------------------------------

std::size_t oscillation(bool mitigated) {
  const duration sustained = mitigated ? duration(30min) : 0us, cooldown = mitigated ? duration(1h) : 1min;
  authority_world w(node_of({tuned("lambda", knob_of("memory", 128, 1152, 256),
                                   {rule("utilization", true, 90, 80, 64, sustained, cooldown, 128, 512),
                                    rule("cost", true, 300, 300, -64, sustained, cooldown, 128, 512)})}));
  const auto metrics = [mitigated](const authority_world& world, duration) -> std::vector<std::optional<double>> {
    const double memory = world.in_force("lambda")[0];
    const double utilization = 100 * 235 / memory;
    // Both metrics together: what is needed is not too expensive.
    const double cost = mitigated && utilization > 60 ? 0 : memory;
    return {utilization, cost};
  };
  return live(w, {{"lambda", metrics}}, 24h);
}

TEST(Runaway, OscillationBetweenTwoMetrics) {
  EXPECT_GT(oscillation(false), 200U) << "without cooldown, hysteresis and a look at both metrics";
  EXPECT_LE(oscillation(true), 2U);
}

// ---- 2: noise is amplified
// -------------------------------------------------------------------------------------------

double amplification(bool mitigated) {
  governed_loop loop = tuned("api", knob_of("concurrency", 1, 200, 20),
                             {rule("latency", true, 105, 100, 10, mitigated ? duration(30min) : 0us, 1min, 1, 200)});
  loop.total_change_cap = mitigated ? 2 : 1e6;
  authority_world w(node_of({loop}));
  if (!mitigated) w.loops.at("api").config.limits.max_baseline_distance = 1;
  chacha8_rng noise(1, 1, 0);
  const auto metrics = [&](const authority_world& world, duration) -> std::vector<std::optional<double>> {
    // More concurrency means more cold starts, which mean more latency.
    const double beyond = std::max(0.0, world.in_force("api")[0] - 20);
    return {100 + beyond + 8 * (2 * noise.uniform() - 1)};
  };
  live(w, {{"api", metrics}}, 24h);
  return w.in_force("api")[0];
}

TEST(Runaway, NoiseIsAmplified) {
  EXPECT_EQ(amplification(false), 200) << "one noisy reading is enough, and each step makes the next";
  EXPECT_EQ(amplification(true), 20) << "noise does not persist";
}

// ---- 3: the metric is gamed
// ------------------------------------------------------------------------------------------

double gaming(bool mitigated) {
  governed_loop loop =
      tuned("web", knob_of("timeout", 10, 1000, 1000), {rule("p50", true, 20, 20, -90, 2min, 5min, 10, 1000)});
  loop.total_change_cap = 1e6;
  authority_world w(node_of({loop}));
  auto& g = w.loops.at("web");
  g.config.limits.max_baseline_distance = 1;
  g.config.rollback.max_rollbacks_per_hour = 10;
  const auto metrics = [&](const authority_world& world, duration) -> std::vector<std::optional<double>> {
    // Rejecting what is slow makes the median of the rest look good.
    const double timeout = world.in_force("web")[0], p50 = 10 + timeout / 20,
                 errors = std::max(0.0, (600 - timeout) / 1000);
    objective_window window;
    window.generation = g.core.generation;
    window.mean = p50;
    if (mitigated) window.constraint_margin = 0.01 - errors; // the invariant: error_rate <= 0.01
    w.sense("web", window);
    return {p50};
  };
  live(w, {{"web", metrics}}, 3h);
  return std::max(0.0, (600 - w.in_force("web")[0]) / 1000);
}

TEST(Runaway, TheMetricIsGamed) {
  EXPECT_GT(gaming(false), 0.4) << "p50 looks great, four in ten are rejected";
  EXPECT_LE(gaming(true), 0.01) << "the governor takes back what breaks the invariant";
}

// ---- 4: a change cascades
// --------------------------------------------------------------------------------------------

std::size_t cascade(bool mitigated) {
  std::vector<governed_loop> chain;
  for (const char* name : {"a", "b", "c"}) {
    chain.push_back(tuned(name, knob_of(name, 1, 100, 20), {rule("latency", true, 100, 90, 5, 3min, 30min, 1, 100)}));
    chain.back().settle_after_neighbours = mitigated ? duration(15min) : 0us;
  }
  authority_world w(node_of(chain));
  std::map<std::string, instant> changed;
  std::map<std::string, double> last{{"a", 20}, {"b", 20}, {"c", 20}};
  // Each is slow for ten minutes while the one it depends on changes.
  const auto slow_after = [&](const char* self, const char* upstream) {
    return [&, self, upstream](const authority_world& world, duration since) -> std::vector<std::optional<double>> {
      if (world.in_force(self)[0] != last[self]) last[self] = world.in_force(self)[0], changed[self] = world.now;
      if (*upstream == 0) return {since > 1h && since < 65min ? 150.0 : 50.0}; // one burst of real load
      const auto at = changed.find(upstream);
      return {at != changed.end() && world.now - at->second < 10min ? 150.0 : 50.0};
    };
  };
  live(w, {{"a", slow_after("a", "")}, {"b", slow_after("b", "a")}, {"c", slow_after("c", "b")}}, 6h);
  std::size_t moved = 0;
  for (const char* name : {"a", "b", "c"}) moved += w.in_force(name)[0] != 20 ? 1U : 0U;
  return moved;
}

TEST(Runaway, AChangeCascadesThroughThreeServices) {
  EXPECT_EQ(cascade(false), 3U) << "b and c react to nothing but transients";
  EXPECT_EQ(cascade(true), 1U) << "only the service that really had the load";
}

// ---- 5: away from what was tested
// ------------------------------------------------------------------------------------

double distance_from_tested(bool mitigated) {
  std::vector<governed_loop> loops;
  for (const char* name : {"memory", "timeout", "threads"}) {
    // Every metric creeps: each single step looks reasonable, the combination was never tested.
    loops.push_back(tuned(name, knob_of(name, 0, 100, 20), {rule("load", true, 1, 1, 2, 1h, 6h, 0, 100)}));
    loops.back().total_change_cap = mitigated ? 2 : 1e6;
    if (mitigated) loops.back().return_to_baseline = 24h * 3;
  }
  authority_world w(node_of(loops));
  for (auto& [name, g] : w.loops) g.config.limits.max_baseline_distance = mitigated ? 0.3 : 1;
  const plant_model creeping = [](const authority_world&, duration) -> std::vector<std::optional<double>> {
    return {2};
  };
  double farthest = 0;
  for (int day = 0; day < 14; ++day) {
    live(w, {{"memory", creeping}, {"timeout", creeping}, {"threads", creeping}}, 24h);
    double sum = 0;
    for (const auto& [name, g] : w.loops) sum += std::abs(g.plant[0] - 20) / 100;
    farthest = std::max(farthest, sum);
  }
  return farthest;
}

TEST(Runaway, DriftAwayFromTheTestedSet) {
  EXPECT_GT(distance_from_tested(false), 1.5) << "three knobs, each more than half of its range away";
  EXPECT_LT(distance_from_tested(true), 0.75) << "caps, and the way back every three days";
}

} // namespace
} // namespace homeostat
