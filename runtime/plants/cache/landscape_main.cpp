// Measures how the objective of the demo plant depends on its knobs: runs several services with fixed knobs on the same
// traffic through whole cycles, and prints the mean objective per regime with the spread of 500 ms windows.
//
//   cache_landscape [--cycle SECONDS] [--cycles N] [--seed N] [--at-once N] [TTL_MS,WORKERS,BATCH_SIZE]...
//
// Without points it measures a star: the shipped defaults, and every knob alone across its range.

#include "runtime/plants/cache/cache_service.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
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
  std::array<service_totals, 3> sums_begin, sums; ///< unused regimes stay zero
  std::array<std::map<std::string, spread>, 3> metrics;
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

std::vector<cache_knobs> star() {
  std::vector<cache_knobs> points{cache_knobs{}};
  for (const double ttl : {40.0, 160.0, 250.0, 400.0, 700.0}) points.push_back({ttl, 4, 16});
  return points;
}

} // namespace
