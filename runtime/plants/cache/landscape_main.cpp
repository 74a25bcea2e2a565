// Measures how the objective of the demo plant depends on its knobs: runs several services with fixed knobs on the same
// traffic through whole cycles, and prints the mean objective per regime with the spread of 500 ms windows.
//
//   cache_landscape [--cycle SECONDS] [--cycles N] [--seed N] [--at-once N] [TTL_MS,WORKERS,BATCH_SIZE]...
//
// Without points it measures a star: the shipped defaults, and every knob alone across its range.

#include "runtime/plants/cache/cache_service.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using namespace homeostat;
using namespace homeostat::cache;

struct options {
  double cycle_s{24};
  int cycles{1};
  std::uint64_t seed{1};
  std::size_t at_once{6};
  std::vector<cache_knobs> points;
};

struct spread {
  double sum{0};
  double squares{0};
  int count{0};

  void add(double x) {
    sum += x;
    squares += x * x;
    ++count;
  }
  [[nodiscard]] double mean() const { return count > 0 ? sum / count : std::nan(""); }
  [[nodiscard]] double variation() const {
    if (count < 2) return std::nan("");
    return std::sqrt(std::max(0.0, (squares - sum * sum / count) / (count - 1))) / mean();
  }
};

/// What one point of the landscape gave.
struct outcome {
  cache_knobs knobs;
  std::array<spread, 3> steady; ///< per regime: windows that lie wholly in it, not in its first second
  spread cycle;                 ///< all windows
  std::array<std::map<std::string, spread>, 3> metrics; ///< per regime, over the same windows as `steady`
};

struct instance {
  instance(const cache_knobs& knobs, const plant_clock& clock) : source({}, clock), service({}, knobs, source, clock) {}
  slow_origin source;
  cache_service service;
};

double cpu_seconds() {
  rusage u{};
  getrusage(RUSAGE_SELF, &u);
  auto s = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6; };
  return s(u.ru_utime) + s(u.ru_stime);
}

/// Runs the points together on one traffic.  @returns the CPU time each took, as a share of one core.
double measure(const options& o, std::vector<outcome>& out) {
  constexpr duration window{500'000};
  steady_plant_clock clock;
  traffic_settings settings;
  settings.seed = o.seed;
  settings.cycle = duration(static_cast<std::int64_t>(o.cycle_s * 1e6));
  std::vector<std::unique_ptr<instance>> instances;
  std::vector<request_sink*> sinks;
  for (const auto& point : out) {
    instances.push_back(std::make_unique<instance>(point.knobs, clock));
    sinks.push_back(&instances.back()->service);
  }
  const double cpu_before = cpu_seconds();
  const instant start = clock.now();
  traffic_source traffic(settings, sinks, clock);
  std::vector<service_totals> before(out.size());
  const auto windows = static_cast<int>(o.cycles * settings.cycle / window);
  for (int w = 0; w < windows; ++w) {
    const duration begin = window * w;
    std::this_thread::sleep_for(start + begin + window - clock.now());
    const auto regime_now = conditions_at(settings, begin).kind;
    const bool steady = conditions_at(settings, begin + window - 1us).kind == regime_now && begin >= duration(1s) &&
                        conditions_at(settings, begin - duration(1s)).kind == regime_now;
    for (std::size_t i = 0; i < out.size(); ++i) {
      const auto totals = instances[i]->service.totals();
      const auto metrics = metrics_between(before[i], totals, seconds_of(window));
      before[i] = totals;
      const double value = objective_of(metrics);
      out[i].cycle.add(value);
      if (!steady) continue;
      out[i].steady[static_cast<std::size_t>(regime_now)].add(value);
      for (const auto& [name, metric] : metrics) out[i].metrics[static_cast<std::size_t>(regime_now)][name].add(metric);
    }
  }
  traffic.stop();
  const double took = seconds_of(clock.now() - start);
  return (cpu_seconds() - cpu_before) / took / static_cast<double>(out.size());
}

/// The shipped defaults, and every knob alone, moved by tenths of its range.
std::vector<cache_knobs> star() {
  const auto shipped = named(cache_knobs{});
  std::vector<cache_knobs> points{cache_knobs{}};
  for (const auto& fact : knob_facts) {
    for (const double way : {-0.2, -0.1, 0.1, 0.2, 0.3, 0.4}) {
      auto set = shipped;
      double& value = set[std::string(fact.name)];
      value = fact.log_scale ? value * std::pow(fact.maximum / fact.minimum, way)
                             : value + way * (fact.maximum - fact.minimum);
      if (fact.integer) value = std::round(value);
      if (const auto knobs = parse_knobs(set)) points.push_back(*knobs); // outside the bounds: no such point
    }
  }
  return points;
}

std::optional<cache_knobs> point_from(const char* text) {
  double ttl = 0;
  double workers = 0;
  double batch = 0;
  if (std::sscanf(text, "%lf,%lf,%lf", &ttl, &workers, &batch) != 3) return std::nullopt;
  const auto knobs = parse_knobs({{"cache_ttl_ms", ttl}, {"workers", workers}, {"batch_size", batch}});
  if (!knobs) std::fprintf(stderr, "%s\n", knobs.error().what.c_str());
  return knobs ? std::optional(*knobs) : std::nullopt;
}

std::optional<options> options_from(int argc, char** argv) {
  options o;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    const bool more = i + 1 < argc;
    if (word == "--cycle" && more)
      o.cycle_s = std::atof(argv[++i]);
    else if (word == "--cycles" && more)
      o.cycles = std::atoi(argv[++i]);
    else if (word == "--seed" && more)
      o.seed = std::strtoull(argv[++i], nullptr, 10);
    else if (word == "--at-once" && more)
      o.at_once = std::strtoull(argv[++i], nullptr, 10);
    else if (const auto point = point_from(argv[i]))
      o.points.push_back(*point);
    else
      return std::nullopt;
  }
  if (o.points.empty()) o.points = star();
  if (o.cycle_s < 3 || o.cycles < 1 || o.at_once < 1) return std::nullopt;
  return o;
}

void print(const outcome& row) {
  std::printf("%7.1f %7zu %6zu |", row.knobs.ttl_ms, row.knobs.workers, row.knobs.batch_size);
  for (const auto& s : row.steady) std::printf(" %6.2f %4.0f%% |", s.mean(), 100 * s.variation());
  std::printf(" %6.2f |", row.cycle.mean());
  for (const auto& metrics : row.metrics) {
    auto mean = [&](const char* name) { return metrics.contains(name) ? metrics.at(name).mean() : 0.0; };
    std::printf(" %5.1f %3.0f%% %4.1f%% %4.1f%% %4.0f %4.1f |", mean("latency_mean_ms"), 100 * mean("hit_ratio"),
                100 * mean("stale_ratio"), 100 * mean("error_rate"), mean("origin_items_per_s"), mean("origin_load"));
  }
  std::printf("\n");
  std::fflush(stdout);
}

} // namespace

int main(int argc, char** argv) {
  const auto o = options_from(argc, argv);
  if (!o) {
    std::fprintf(stderr, "usage: cache_landscape [--cycle SECONDS>=3] [--cycles N] [--seed N] [--at-once N] "
                         "[TTL_MS,WORKERS,BATCH_SIZE]...\n");
    return 2;
  }
  std::printf("objective: %s\n", std::string(objective_formula).c_str());
  std::printf("%22s |%14s|%14s|%14s|        | per regime: latency_mean_ms hit stale error items/s origin_load\n", "",
              " quiet   noise", "  peak   noise", " flash   noise");
  std::printf(" ttl_ms workers  batch |   mean   cv  |   mean   cv  |   mean   cv  |  cycle |\n");
  double cpu = 0;
  int groups = 0;
  for (std::size_t first = 0; first < o->points.size(); first += o->at_once) {
    std::vector<outcome> group;
    for (std::size_t i = first; i < std::min(first + o->at_once, o->points.size()); ++i) {
      group.emplace_back();
      group.back().knobs = o->points[i];
    }
    cpu += measure(*o, group);
    ++groups;
    for (const auto& row : group) print(row);
  }
  std::printf("CPU per service: %.1f %% of one core\n", 100 * cpu / groups);
  return 0;
}
