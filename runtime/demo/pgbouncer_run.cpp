#include "runtime/demo/pgbouncer_run.hpp"

#include "messages/json.hpp"
#include "policies/median.hpp"
#include "runtime/cli/interrupt.hpp"
#include "runtime/demo/audit_count.hpp"
#include "runtime/demo/pgbouncer_files.hpp"
#include "runtime/demo/rig.hpp"
#include "runtime/gateway/api.hpp"
#include "runtime/node/node.hpp"
#include "runtime/plants/pgbouncer/pgbouncer_plant.hpp"
#include "runtime/scratch_folder.hpp"

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <vector>

namespace homeostat {

namespace {

using clock = std::chrono::steady_clock;
using seconds = std::chrono::duration<double>;

constexpr std::chrono::microseconds default_phase = std::chrono::seconds(100);
constexpr const char* loop_name = "pool";
constexpr auto settle = std::chrono::milliseconds(1000);
constexpr auto window = std::chrono::milliseconds(3000);

struct workload {
  const char* name;
  const char* text;
};
constexpr workload workloads[] = {{"hot", "hot-row transactions, one counter for all"},
                                  {"think", "transactions with 5 ms client think time"}};

/// One running demo: servers, node and an observer of its own.
class run {
public:
  run(pgbouncer_rig& rig, node& n, const pgbouncer_source& source, int pairs)
      : rig_(rig), node_(n), pairs_(pairs),
        observer_({.console = "host=" + source.host + " port=" + std::to_string(source.port) + " user=" + source.user,
                   .database = source.database,
                   .client_progress = {}}) {}

  /// Tunes under one workload. @returns false when interrupted or failed (problem() then says why).
  bool tune_under(const workload& w, std::chrono::microseconds length) {
    if (auto ok = rig_.load(w.name); !ok) return fail(ok.error());
    fmt::print(stderr, "\n{}: tuning for {:.0f} s\n", w.text, seconds(length).count());
    if (!tune(length)) return false;
    const auto tuned = live_value();
    if (!tuned) return fail(tuned.error());
    tuned_values_[w.name] = *tuned;
    return true;
  }

  /// Compares what the tuning under this workload ended with against the default. Comes after all tuning, because its
  /// changes count against the loop's cumulative cap like any person's.
  bool measure_under(const workload& w, v1::DemoSummary& summary) {
    if (auto ok = rig_.load(w.name); !ok) return fail(ok.error());
    const double tuned = tuned_values_.at(w.name);
    fmt::print(stderr, "\n{}: tuned pool size {:.0f} against the default {:.0f} in {} pairs of alternating windows\n",
               w.text, tuned, initial(), pairs_);
    return measure(w, tuned, summary);
  }

  [[nodiscard]] const std::string& problem() const { return problem_; }

private:
  bool fail(std::string why) {
    problem_ = std::move(why);
    return false;
  }

  [[nodiscard]] double initial() const { return node_.config().loops.front().governor.knobs.front().initial; }

  std::expected<loop_status, std::string> loop() {
    auto status = node_.status();
    if (!status) return std::unexpected(status.error());
    if (status->empty() || status->front().knobs.empty())
      return std::unexpected(std::string("the loop is not running yet"));
    return status->front();
  }

  /// @returns the base point: where the strategy stands without its probes.
  std::expected<double, std::string> live_value() {
    const auto status = loop();
    if (!status) return std::unexpected(status.error());
    return status->knobs.front().base;
  }

  bool tune(std::chrono::microseconds length) {
    if (const auto r = node_.command(
            loop_name, {.action = operator_action::resume, .actor = "demo", .text = "tuning phase", .values = {}});
        !r || !r->ok)
      fmt::print(stderr, "  {}\n", r ? r->text : r.error());
    const auto begin = clock::now();
    for (auto next = begin + std::chrono::seconds(2); clock::now() < begin + length; next += std::chrono::seconds(2)) {
      if (wait_for_interrupt(std::min(next, begin + length))) return false;
      const auto status = loop();
      if (!status) continue;
      std::string reasons;
      for (const auto& reason : status->safe_mode_reasons) reasons += " " + reason;
      fmt::print(stderr, "  {:3.0f} s  pool size {:3.0f} (base {:3.0f})  {:6.0f} transactions/s  applied {}{}\n",
                 seconds(clock::now() - begin).count(), status->knobs.front().value, status->knobs.front().base,
                 -status->objective.value_or(0), status->applied, reasons.empty() ? "" : "  SAFE MODE" + reasons);
    }
    const auto paused = node_.command(
        loop_name, {.action = operator_action::pause, .actor = "demo", .text = "measuring", .values = {}});
    if (!paused || !paused->ok) return fail(paused ? paused->text : paused.error());
    // The pause takes a live probe back to the base point; that is a change of its own.
    return !wait_for_interrupt(clock::now() + settle);
  }

  /// A person's change through the governor, like any other: audited, read back.
  bool set(double value) {
    for (const auto limit = clock::now() + std::chrono::seconds(10); clock::now() < limit;) {
      const auto status = loop();
      if (status && status->knobs.front().value == value && status->knobs.front().base == value) return true;
      (void)node_.command(
          loop_name,
          {.action = operator_action::set_values, .actor = "demo", .text = "measuring", .values = knob_values{value}});
      if (wait_for_interrupt(clock::now() + std::chrono::milliseconds(300))) return false;
    }
    return fail("pool size " + std::to_string(value) + " did not come into force within 10 s");
  }

  std::expected<double, std::string> throughput(double value) {
    if (!set(value)) return std::unexpected(problem_);
    if (wait_for_interrupt(clock::now() + settle)) return std::unexpected(std::string());
    const auto now = [this] { return node_.time().at(clock::now()); };
    if (auto begin = observer_.read(now(), 2s); !begin) return std::unexpected(begin.error().what);
    if (wait_for_interrupt(clock::now() + window)) return std::unexpected(std::string());
    const auto end = observer_.read(now(), 2s);
    if (!end) return std::unexpected(end.error().what);
    return end->metrics.at("throughput_per_s");
  }

  bool measure(const workload& w, double tuned_value, v1::DemoSummary& summary) {
    std::vector<double> ratios, tuned, fixed;
    (void)observer_.read(node_.time().at(clock::now()), 2s); // the first reading has no interval
    for (int pair = 0; pair < pairs_; ++pair) {
      // The order alternates too, so that a slow trend favours neither side.
      const bool tuned_first = pair % 2 == 0;
      const auto first = throughput(tuned_first ? tuned_value : initial());
      if (!first) return fail(first.error());
      const auto second = throughput(tuned_first ? initial() : tuned_value);
      if (!second) return fail(second.error());
      tuned.push_back(tuned_first ? *first : *second);
      fixed.push_back(tuned_first ? *second : *first);
      ratios.push_back(tuned.back() / fixed.back());
      fmt::print(stderr, "  pair {}: tuned {:6.0f}, default {:6.0f} transactions/s, ratio {:.2f}\n", pair + 1,
                 tuned.back(), fixed.back(), ratios.back());
    }
    if (!set(tuned_value)) return false;
    auto* part = summary.add_parts();
    part->set_name(w.name);
    part->set_tuned(upper_median(tuned));
    part->set_fixed(upper_median(fixed));
    part->set_gain(upper_median(ratios) - 1);
    part->set_windows(static_cast<std::uint32_t>(2 * pairs_));
    (*summary.mutable_knobs())[std::string("default_pool_size, ") + w.name] = tuned_value;
    return true;
  }

  pgbouncer_rig& rig_;
  node& node_;
  int pairs_;
  pgbouncer_plant observer_;
  std::map<std::string, double> tuned_values_;
  std::string problem_;
};

/// @returns the user of a libpq connection string.
std::string user_in(const std::string& conninfo) {
  const auto at = conninfo.find("user=");
  if (at == std::string::npos) return "";
  return conninfo.substr(at + 5, conninfo.find(' ', at) - at - 5);
}

void print_table(const v1::DemoSummary& s, store& audit) {
  fmt::print("\nPgBouncer demo: default_pool_size tuned against the default {:g}\n\n",
             s.defaults().at("default_pool_size"));
  fmt::print("  {:<8} {:>10} {:>16} {:>16} {:>8}\n", "workload", "pool size", "tuned tps", "default tps", "gain");
  for (const auto& part : s.parts())
    fmt::print("  {:<8} {:>10g} {:>16.0f} {:>16.0f} {:>+7.1f} %\n", part.name(),
               s.knobs().at("default_pool_size, " + part.name()), part.tuned(), part.fixed(), 100 * part.gain());
  fmt::print("\n  applied {}   rollbacks {}   safe-mode entries {}   bound breaches {}\n", s.applied(), s.rollbacks(),
             s.safe_mode_entries(), s.bound_breaches());
  for (const auto& [reason, count] : s.rejected()) fmt::print("  rejected {:<22} {}\n", reason, count);
  fmt::print("  audit: {} records, chain {}; the latest:\n", s.audit_records(),
             s.chain_verified() ? "verified" : "BROKEN");
  if (const auto tail = audit.tail(12, std::nullopt))
    for (const stored_record& record : *tail) fmt::print("    {}\n", record_line(record));
}

} // namespace

int run_pgbouncer_demo(const pgbouncer_run_options& options) {
  auto config = load_config_text("deploy/demo/pgbouncer.yaml", pgbouncer_demo_config);
  if (!config) {
    for (const auto& problem : config.error()) fmt::print(stderr, "{}\n", to_string(problem));
    return 1;
  }
  catch_interrupts();
  std::optional<scratch_folder> scratch;
  if (options.folder)
    std::filesystem::create_directories(*options.folder);
  else
    scratch.emplace("homeostat-pgbouncer");
  const std::string folder = options.folder ? std::filesystem::absolute(*options.folder).string() : scratch->path();
  const auto failed = [](const std::string& why) {
    fmt::print(stderr, "{}\n", why);
    return 1;
  };
  const auto begin = clock::now();
  fmt::print(stderr, "starting PostgreSQL and PgBouncer in {}\n", folder);
  pgbouncer_rig rig(folder);
  if (auto ok = rig.up(options.clients); !ok) return failed(ok.error());
  auto& source = std::get<pgbouncer_source>(config->sources.front().what);
  source.port = static_cast<std::uint16_t>(std::stoi(rig.value("RIG_PGBOUNCER_PORT")));
  source.user = user_in(rig.value("RIG_ADMIN_CONNINFO"));
  source.database = rig.value("RIG_DATABASE");
  config->store_path = folder + "/homeostat.db";
  spdlog::set_level(spdlog::level::warn);
  // The load must be there before the loop is: silence would be telemetry lost.
  if (auto ok = rig.load(workloads[0].name); !ok) return failed(ok.error());
  auto n = node::start(std::move(*config), make_plant);
  if (!n) return failed(n.error());
  auto api = serve_api(**n);
  if (api) fmt::print(stderr, "API at http://{}:{}\n", (*n)->config().api_host, (*api)->port());

  v1::DemoSummary summary;
  summary.set_demo("pgbouncer");
  summary.set_unit("transactions/s");
  summary.set_higher_is_better(true);
  run r(rig, **n, source, options.pairs);
  bool complete = true;
  for (const workload& w : workloads) complete = complete && r.tune_under(w, options.phase.value_or(default_phase));
  for (const workload& w : workloads) complete = complete && r.measure_under(w, summary);
  if (!r.problem().empty()) fmt::print(stderr, "{}\n", r.problem());
  if (api) (*api)->stop();
  const bool clean = (*n)->stop();
  const auto& knobs = (*n)->config().loops.front().governor.knobs;
  (*summary.mutable_defaults())[knobs.front().name] = knobs.front().initial;
  summary.set_seconds(seconds(clock::now() - begin).count());
  if (auto counted = count_audit((*n)->audit_store(), knobs, summary); !counted)
    fmt::print(stderr, "audit: {}\n", counted.error());
  if (options.json)
    fmt::print("{}\n", to_json(summary));
  else
    print_table(summary, (*n)->audit_store());
  (void)rig.stop_load();
  return complete && clean && summary.chain_verified() && summary.bound_breaches() == 0 ? 0 : 1;
}

} // namespace homeostat
