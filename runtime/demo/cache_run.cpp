#include "runtime/demo/cache_run.hpp"

#include "messages/json.hpp"
#include "runtime/cli/interrupt.hpp"
#include "runtime/demo/audit_count.hpp"
#include "runtime/demo/cache_config.hpp"
#include "runtime/demo/live_view.hpp"
#include "runtime/gateway/api.hpp"
#include "runtime/node/node.hpp"
#include "runtime/plants/cache/cache_demo.hpp"
#include "runtime/scratch_folder.hpp"

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include <cmath>
#include <map>
#include <optional>

namespace homeostat {

namespace {

using cache::cache_demo;
using clock = std::chrono::steady_clock;

constexpr auto sample_interval = std::chrono::milliseconds(500);

/// Tuned against control on the same traffic, window by window.
struct comparison_sums {
  double tuned{0};
  double fixed{0};
  std::uint32_t windows{0};

  void add(double t, double f) { tuned += t, fixed += f, ++windows; }
  [[nodiscard]] double gain() const { return fixed > 0 ? (fixed - tuned) / fixed : 0; }
};

class sampler {
public:
  explicit sampler(cache_demo& demo)
      : demo_(demo), tuned_(demo.tuned().totals()), fixed_(demo.control()->totals()), last_(clock::now()) {}

  /// Measures both services since the last call.
  void sample(demo_view& view) {
    const auto now = clock::now();
    const double seconds = std::chrono::duration<double>(now - last_).count();
    const auto tuned = demo_.tuned().totals();
    const auto fixed = demo_.control()->totals();
    const double t = cache::objective_of(cache::metrics_between(tuned_, tuned, seconds));
    const double f = cache::objective_of(cache::metrics_between(fixed_, fixed, seconds));
    tuned_ = tuned, fixed_ = fixed, last_ = now;
    view.traffic = name_of(demo_.conditions().kind);
    if (!std::isfinite(t) || !std::isfinite(f)) return; // nothing was asked in this window
    all.add(t, f);
    by_regime[view.traffic].add(t, f);
    view.tuned = view.tuned == 0 ? t : 0.7 * view.tuned + 0.3 * t;
    view.fixed = view.fixed == 0 ? f : 0.7 * view.fixed + 0.3 * f;
    view.gain_total = all.gain();
    view.gains.push_back((view.fixed - view.tuned) / view.fixed);
    if (view.gains.size() > 40) view.gains.pop_front();
  }

  comparison_sums all;
  std::map<std::string, comparison_sums> by_regime;

private:
  cache_demo& demo_;
  cache::service_totals tuned_;
  cache::service_totals fixed_;
  clock::time_point last_;
};

void show_decisions(node& n, demo_view& view) {
  if (const auto tail = n.audit_store().tail(8, std::nullopt)) {
    view.decisions.clear();
    for (const auto& record : *tail) view.decisions.push_back(record_line(record));
  }
}

/// Runs until the time is over or somebody interrupts.
void watch(node& n, sampler& samples, const cache_run_options& options, demo_view& view) {
  live_screen screen;
  const auto begin = clock::now();
  auto next = begin;
  view.length_s = options.length ? std::chrono::duration<double>(*options.length).count() : 0;
  while (!options.length || clock::now() - begin < *options.length) {
    next += sample_interval;
    if (wait_for_interrupt(next)) break;
    view.elapsed_s = std::chrono::duration<double>(clock::now() - begin).count();
    samples.sample(view);
    if (const auto status = n.status(); status && !status->empty()) view.loop = status->front();
    show_decisions(n, view);
    screen.draw(view);
  }
}

v1::DemoSummary sum_up(node& n, const sampler& samples, const demo_view& view) {
  v1::DemoSummary summary;
  summary.set_demo("cache");
  summary.set_seconds(view.elapsed_s);
  summary.set_unit("objective");
  const double windows = std::max(1U, samples.all.windows);
  summary.set_tuned(samples.all.tuned / windows);
  summary.set_fixed(samples.all.fixed / windows);
  summary.set_gain(samples.all.gain());
  for (const auto& [regime, sums] : samples.by_regime) {
    auto* part = summary.add_parts();
    part->set_name(regime);
    part->set_tuned(sums.tuned / std::max(1U, sums.windows));
    part->set_fixed(sums.fixed / std::max(1U, sums.windows));
    part->set_gain(sums.gain());
    part->set_windows(sums.windows);
  }
  for (const knob_status& knob : view.loop.knobs) (*summary.mutable_knobs())[knob.name] = knob.value;
  const auto& knobs = n.config().loops.front().governor.knobs;
  for (const knob_spec& knob : knobs) (*summary.mutable_defaults())[knob.name] = knob.initial;
  if (auto counted = count_audit(n.audit_store(), knobs, summary); !counted)
    fmt::print(stderr, "audit: {}\n", counted.error());
  return summary;
}

void print_table(const v1::DemoSummary& s, const std::string& store) {
  fmt::print("\nembedded cache demo, {:.0f} s of drifting traffic\n\n", s.seconds());
  fmt::print("  {:<12} {:>10} {:>10} {:>8}\n", "traffic", "tuned", "static", "gain");
  for (const auto& part : s.parts())
    fmt::print("  {:<12} {:>10.2f} {:>10.2f} {:>+7.1f} %\n", part.name(), part.tuned(), part.fixed(),
               100 * part.gain());
  fmt::print("  {:<12} {:>10.2f} {:>10.2f} {:>+7.1f} %\n\n", "all", s.tuned(), s.fixed(), 100 * s.gain());
  fmt::print("  applied {}   rollbacks {}   safe-mode entries {}   bound breaches {}\n", s.applied(), s.rollbacks(),
             s.safe_mode_entries(), s.bound_breaches());
  for (const auto& [reason, count] : s.rejected()) fmt::print("  rejected {:<22} {}\n", reason, count);
  fmt::print("  audit: {} records, chain {}{}\n", s.audit_records(), s.chain_verified() ? "verified" : "BROKEN",
             store.empty() ? "" : " (" + store + ")");
}

} // namespace

int run_cache_demo(const cache_run_options& options) {
  auto config = load_config_text("deploy/demo/cache.yaml", cache_demo_config);
  if (!config) {
    for (const auto& problem : config.error()) fmt::print(stderr, "{}\n", to_string(problem));
    return 1;
  }
  const scratch_folder scratch("homeostat-demo");
  config->store_path = options.store.value_or(scratch.path() + "/homeostat.db");
  auto& source = std::get<cache_demo_source>(config->sources.front().what);
  if (options.strategy) config->loops.front().engine.strategy = *options.strategy;
  if (options.seed) source.seed = *options.seed, config->loops.front().seed = *options.seed;
  catch_interrupts();
  const auto demo = std::make_shared<cache_demo>(cache::demo_settings{
      .rate_scale = source.rate_scale, .cycle = source.cycle, .seed = source.seed, .with_control = true});
  const auto make = [&](const source_config&) -> std::expected<plant, std::string> {
    return plant{.sensor = std::shared_ptr<plant_sensor>(demo, &demo->tuned()),
                 .actuator = std::shared_ptr<plant_actuator>(demo, &demo->tuned())};
  };
  spdlog::set_level(spdlog::level::err);
  auto n = node::start(std::move(*config), make);
  if (!n) {
    fmt::print(stderr, "{}\n", n.error());
    return 1;
  }
  // A second demo on the machine is no reason to fail: the API is a convenience here.
  auto api = serve_api(**n);
  demo_view view{.title = "Homeostat: embedded cache demo", .traffic = {}, .gains = {}, .loop = {}, .decisions = {}};
  if (api) view.title += fmt::format("   API http://{}:{}", (*n)->config().api_host, (*api)->port());
  sampler samples(*demo);
  watch(**n, samples, options, view);
  if (api) (*api)->stop();
  const bool clean = (*n)->stop();
  const v1::DemoSummary summary = sum_up(**n, samples, view);
  if (options.json)
    fmt::print("{}\n", to_json(summary));
  else
    print_table(summary, options.store.value_or(""));
  if (!clean) fmt::print(stderr, "the loop did not come to rest in time\n");
  return clean && summary.chain_verified() && summary.bound_breaches() == 0 ? 0 : 1;
}

} // namespace homeostat
