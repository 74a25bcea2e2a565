#include "sim/scenarios/runaway.hpp"

#include "policies/search/chacha8.hpp"
#include "sim/scenarios/authority_world.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <functional>

namespace homeostat::sim {

namespace {

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

/// What one side of a scenario showed, name and value.
using measures = std::vector<std::pair<std::string_view, double>>;

/// A plant: what its metrics are, one per rule, given the loop's value and the time since the beginning.
using plant_model = std::function<std::vector<std::optional<double>>(const authority_world&, duration)>;

/// What became of one loop's first knob, minute by minute.
struct course {
  std::vector<double> values;

  [[nodiscard]] double changes() const {
    double n = 0;
    for (std::size_t i = 1; i < values.size(); ++i) n += values[i] != values[i - 1] ? 1 : 0;
    return n;
  }
  [[nodiscard]] double reversals() const {
    double n = 0, direction = 0;
    for (std::size_t i = 1; i < values.size(); ++i) {
      const double way = values[i] - values[i - 1];
      if (way * direction < 0) ++n;
      if (way != 0) direction = way;
    }
    return n;
  }
  [[nodiscard]] double amplitude() const {
    const auto [low, high] = std::ranges::minmax(values);
    return high - low;
  }
};

/// Lets time pass; every loop reports every minute. @returns the courses of the loops' first knobs.
std::map<std::string, course> live(authority_world& w, const std::map<std::string, plant_model>& plants,
                                   duration span) {
  std::map<std::string, course> courses;
  const instant begin = w.now;
  for (const auto& [loop, metrics] : plants) courses[loop].values.push_back(w.in_force(loop)[0]);
  while (w.now - begin < span) {
    w.now += 1min;
    for (const auto& [loop, metrics] : plants) w.observe(loop, metrics(w, w.now - begin));
    w.feed(tick{});
    for (const auto& [loop, metrics] : plants) courses[loop].values.push_back(w.in_force(loop)[0]);
  }
  return courses;
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

// ---- memory and cost drive opposite actions
// --------------------------------------------------------------------------------------------

measures oscillation(bool mitigated) {
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
  const course c = live(w, {{"lambda", metrics}}, 24h).at("lambda");
  return {{"changes a day", c.changes()}, {"reversals a day", c.reversals()}, {"amplitude, MB", c.amplitude()}};
}

// ---- noise is amplified: concurrency and cold starts
// --------------------------------------------------------------------------------------------

measures noise(bool mitigated) {
  governed_loop loop = tuned("api", knob_of("concurrency", 1, 200, 20),
                             {rule("latency", true, 105, 100, 10, mitigated ? duration(30min) : 0us, 1min, 1, 200)});
  loop.total_change_cap = mitigated ? 2 : 1e6;
  authority_world w(node_of({loop}));
  if (!mitigated) w.loops.at("api").config.limits.max_baseline_distance = 1;
  chacha8_rng dice(1, 1, 0);
  double latency = 0;
  const auto metrics = [&](const authority_world& world, duration) -> std::vector<std::optional<double>> {
    // More concurrency means more cold starts, which mean more latency.
    const double cold_starts = std::max(0.0, world.in_force("api")[0] - 20);
    latency = 100 + cold_starts;
    return {latency + 8 * (2 * dice.uniform() - 1)};
  };
  const course c = live(w, {{"api", metrics}}, 24h).at("api");
  return {{"concurrency at the end", c.values.back()}, {"latency at the end, ms", latency}, {"changes", c.changes()}};
}

// ---- the metric is gamed: rejecting slow requests
// --------------------------------------------------------------------------------------------

measures gaming(bool mitigated) {
  governed_loop loop =
      tuned("web", knob_of("timeout", 10, 1000, 1000), {rule("p50", true, 20, 20, -90, 2min, 5min, 10, 1000)});
  loop.total_change_cap = 1e6;
  authority_world w(node_of({loop}));
  auto& g = w.loops.at("web");
  g.config.limits.max_baseline_distance = 1;
  g.config.rollback.max_rollbacks_per_hour = 10;
  double goodput = 0, p50 = 0, minutes = 0;
  const auto rejected = [&] { return std::max(0.0, (600 - w.in_force("web")[0]) / 1000); };
  const auto metrics = [&](const authority_world& world, duration) -> std::vector<std::optional<double>> {
    // Rejecting what is slow makes the median of the rest look good.
    p50 = 10 + world.in_force("web")[0] / 20;
    goodput += 1 - rejected(), ++minutes;
    objective_window window;
    window.generation = g.core.generation;
    window.mean = p50;
    if (mitigated) window.constraint_margin = 0.01 - rejected(); // the invariant: error_rate <= 0.01
    w.sense("web", window);
    return {p50};
  };
  live(w, {{"web", metrics}}, 3h);
  return {{"p50 at the end, ms", p50},
          {"rejected at the end, share", rejected()},
          {"goodput, share of all requests", goodput / minutes}};
}

// ---- a change cascades through three services
// --------------------------------------------------------------------------------------------

measures cascade(bool mitigated) {
  constexpr std::array services{"a", "b", "c"};
  std::vector<governed_loop> chain;
  for (const char* name : services) {
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
  const auto courses =
      live(w, {{"a", slow_after("a", "")}, {"b", slow_after("b", "a")}, {"c", slow_after("c", "b")}}, 6h);
  double moved = 0, needless = 0;
  for (const char* name : services) {
    moved += courses.at(name).changes() > 0 ? 1 : 0;
    needless += *name == 'a' ? 0 : courses.at(name).changes();
  }
  return {{"services that changed", moved}, {"changes that answered a transient", needless}};
}

// ---- away from what was tested
// --------------------------------------------------------------------------------------------

measures drift(bool mitigated) {
  constexpr std::array knobs{"memory", "timeout", "threads"};
  std::vector<governed_loop> loops;
  for (const char* name : knobs) {
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
  const auto courses = live(w, {{"memory", creeping}, {"timeout", creeping}, {"threads", creeping}}, 24h * 14);
  double farthest = 0, returns = 0;
  const std::size_t minutes = courses.at("memory").values.size();
  for (std::size_t i = 0; i < minutes; ++i) {
    double sum = 0;
    for (const char* name : knobs) sum += std::abs(courses.at(name).values[i] - 20) / 100;
    farthest = std::max(farthest, sum);
    for (const char* name : knobs)
      returns += i > 0 && courses.at(name).values[i] == 20 && courses.at(name).values[i - 1] != 20 ? 1 : 0;
  }
  return {{"farthest from the tested set, ranges over three knobs", farthest},
          {"returns to the tested values", returns}};
}

struct entry {
  std::string_view name;
  std::string_view risk;
  std::string_view mitigation;
  measures (*run)(bool mitigated);
};

constexpr std::array<entry, 5> scenarios{{
    {"oscillation", "memory and cost drive opposite actions", "cooldown, hysteresis, and both metrics together",
     oscillation},
    {"noise", "noise asks for concurrency, whose cold starts ask for more", "evidence has to persist; total change cap",
     noise},
    {"gaming", "rejecting slow requests makes the median look good", "an invariant on the error rate vetoes", gaming},
    {"cascade", "each service answers the transient of the one before it", "settling after a change nearby", cascade},
    {"drift", "small reasonable steps lead away from the tested set", "distance and change caps, and the way back",
     drift},
}};

} // namespace

const runaway_figure& runaway_scenario::figure(std::string_view figure_name) const {
  return *std::ranges::find(figures, figure_name, &runaway_figure::name);
}

std::vector<std::string_view> runaway_names() {
  std::vector<std::string_view> names;
  for (const entry& e : scenarios) names.push_back(e.name);
  return names;
}

std::optional<runaway_scenario> run_runaway(std::string_view name) {
  const auto found = std::ranges::find(scenarios, name, &entry::name);
  if (found == scenarios.end()) return std::nullopt;
  runaway_scenario s{.name = found->name, .risk = found->risk, .mitigation = found->mitigation, .figures = {}};
  const measures without = found->run(false), with = found->run(true);
  for (std::size_t i = 0; i < without.size(); ++i)
    s.figures.push_back({.name = without[i].first, .without = without[i].second, .with = with[i].second});
  return s;
}

std::string as_table(const runaway_scenario& s) {
  std::string text =
      std::string(s.name) + ": " + std::string(s.risk) + "\n  mitigation: " + std::string(s.mitigation) + "\n";
  char line[128];
  std::snprintf(line, sizeof line, "  %-54s %12s %12s\n", "", "without", "with");
  text += line;
  for (const runaway_figure& f : s.figures) {
    std::snprintf(line, sizeof line, "  %-54s %12.6g %12.6g\n", std::string(f.name).c_str(), f.without, f.with);
    text += line;
  }
  return text;
}

} // namespace homeostat::sim
