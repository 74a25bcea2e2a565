#include "runtime/embed/embedded_pools.hpp"

#include "runtime/node/transfer_pools.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <set>
#include <stop_token>
#include <thread>

namespace homeostat {

namespace {

constexpr auto look_every = std::chrono::milliseconds(20); // as the daemon's actors
constexpr auto serve_every = std::chrono::seconds(1);
/// Looks that fail in a row before an engine is given up: one that needs memory gets a second for it to come back.
constexpr int most_failures = 10;

instant wall_clock() { return std::chrono::time_point_cast<duration>(std::chrono::system_clock::now()); }

/// What an actor and its keeper do in the daemon: looks now and then, and is given up when looking fails again and
/// again.
struct engine {
  std::shared_ptr<transfer_port> port;
  std::chrono::steady_clock::duration every;
  std::chrono::steady_clock::time_point due{};
  int failures{0};

  void look_when_due(std::chrono::steady_clock::time_point now) {
    if (now < due) return;
    due = now + every;
    look(wall_clock());
  }
  void look(instant now) {
    if (!port) return;
    try {
      port->learn(now);
      failures = 0;
    } catch (const std::exception& e) {
      if (++failures < most_failures) return;
      port->abandoned(std::to_string(failures) + " failures in a row; last: " + e.what());
      port.reset();
    }
  }
};

class running_pools final : public embedded_pools {
public:
  running_pools(const std::vector<pool_config>& pools, const embedded_pools_options& options)
      : pools_(pools, options.seed, options.store, nullptr, wall_clock(), options.notes) {
    std::vector<engine> engines;
    for (const auto& pool : pools_.all())
      engines.push_back({.port = pools_.port_of(pool->name()), .every = look_every});
    engines.push_back({.port = pools_.learning_port(), .every = serve_every});
    engines.push_back({.port = pools_.analysis_port(), .every = serve_every});
    worker_ =
        std::jthread([engines = std::move(engines)](const std::stop_token& stop) mutable { work(engines, stop); });
  }

private:
  static void work(std::vector<engine>& engines, const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any over;
    std::unique_lock hold(mutex);
    do {
      const auto now = std::chrono::steady_clock::now();
      for (engine& one : engines) one.look_when_due(now);
      over.wait_for(hold, stop, look_every, [] { return false; });
    } while (!stop.stop_requested());
    // What was reported before the end is learned and handed to the writer, as if its second were over.
    for (engine& one : engines) one.look(wall_clock() + serve_every);
  }
  [[nodiscard]] transfer_pool* find(const std::string& name) const override { return pools_.find(name); }
  [[nodiscard]] std::vector<std::string> names() const override {
    std::vector<std::string> all;
    for (const auto& pool : pools_.all()) all.push_back(pool->name());
    return all;
  }

  transfer_pools pools_;
  std::jthread worker_; ///< last: it ends before what it works on
};

} // namespace

bool embedded_pool::record(const transfer_outcome& done) const noexcept {
  const auto microseconds = [](std::chrono::nanoseconds t) { return static_cast<double>(t.count()) / 1000; };
  if (done.latency.count() <= 0) return false;
  const transfer_metrics metrics{.timestamp = wall_clock(),
                                 .method = done.decision.method,
                                 .data = done.data,
                                 .conditions = pool_->conditions(),
                                 .latency_us = microseconds(done.latency),
                                 .cpu_time_us = std::max(0.0, microseconds(done.cpu)),
                                 .memory_used = done.memory,
                                 .predicted_latency_us = done.decision.predicted_us(),
                                 .explored = done.decision.reason == decision_reason::exploration,
                                 .failed = done.failed,
                                 .generation = done.decision.generation,
                                 .why = basis_of(done.decision)};
  return pool_->record(metrics, done.decision.place);
}

std::expected<void, std::string> embedded_pool::set_policy(transfer_policy policy) const {
  return pool_->set_policy(std::move(policy), wall_clock());
}

std::expected<std::unique_ptr<embedded_pools>, std::string>
embedded_pools::start(const std::vector<pool_config>& pools, const embedded_pools_options& options) {
  if (options.store.empty())
    return std::unexpected(std::string("store is empty, expected the path that metrics and models lie beside"));
  std::set<std::string> names;
  for (const pool_config& pool : pools) {
    if (!pool.transfer) continue;
    if (!names.insert(pool.name).second) return std::unexpected("pool " + pool.name + " is there twice");
  }
  if (names.empty()) return std::unexpected(std::string("no pool decides on transfers: none has a `transfer` section"));
  try {
    return std::make_unique<running_pools>(pools, options);
  } catch (const std::exception& e) { return std::unexpected(std::string(e.what())); }
}

std::expected<std::unique_ptr<embedded_pools>, std::string>
embedded_pools::load(const std::filesystem::path& file, const embedded_pools_options& options) {
  const auto config = load_config(file);
  if (config) return start(config->pools, options);
  std::string problems;
  for (const config_problem& problem : config.error()) problems += (problems.empty() ? "" : "\n") + to_string(problem);
  return std::unexpected(problems);
}

std::expected<embedded_pool, std::string> embedded_pools::pool(const std::string& name) const {
  if (transfer_pool* found = find(name)) return handle_of(*found);
  std::string known;
  for (const std::string& one : names()) known += (known.empty() ? "" : ", ") + one;
  return std::unexpected("no pool '" + name + "', expected one of " + known);
}

std::expected<transfer_decision, std::string> embedded_pools::decide(const std::string& pool_name,
                                                                     const transfer_characteristics& data) const {
  const auto found = pool(pool_name);
  if (!found) return std::unexpected(found.error());
  return found->decide(data);
}

} // namespace homeostat
