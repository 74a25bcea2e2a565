#include "runtime/node/transfer_pools.hpp"

#include "runtime/transfer/machine_sense.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>

namespace homeostat {

namespace {

/// Pressure reaches decisions within this and one look of the pool's actor: well under a second.
constexpr auto sense_every = std::chrono::milliseconds(250);

class pool_port final : public transfer_port {
public:
  pool_port(governed_pool& governed, learning_service& learning, metrics_service& metrics,
            pool_experiments& experiments)
      : pool_(governed.pool()), governed_(governed), learning_(learning), metrics_(metrics), experiments_(experiments) {
  }
  void learn(instant now) override {
    placed_.clear();
    pool_.learn(
        now,
        [&](const transfer_metrics& done) {
          governed_.observe(done);
          metrics_.observe(pool_.name(), done, now);
          learning_.observe(pool_.name(), done, now);
        },
        [&](const transfer_metrics& done, const experiment_place& place) { placed_.push_back({done, place}); });
    experiments_.look(pool_, placed_, now);
  }

private:
  transfer_pool& pool_;
  governed_pool& governed_;
  learning_service& learning_;
  metrics_service& metrics_;
  pool_experiments& experiments_;
  std::vector<placed_outcome> placed_;
};

class services_port final : public transfer_port {
public:
  services_port(learning_service& learning, metrics_service& metrics) : learning_(learning), metrics_(metrics) {}
  void learn(instant now) override {
    learning_.review(now);
    metrics_.review(now);
  }

private:
  learning_service& learning_;
  metrics_service& metrics_;
};

/// What was learned is given to the store this often: at most so much is learned again after a crash.
constexpr auto keep_every = std::chrono::minutes(1);

void keep_until(const std::stop_token& stop, const std::vector<std::shared_ptr<governed_pool>>& pools) {
  std::mutex mutex;
  std::condition_variable_any over;
  std::unique_lock hold(mutex);
  while (!over.wait_for(hold, stop, keep_every, [] { return false; })) {
    if (stop.stop_requested()) return;
    for (const auto& pool : pools) pool->keep_learned();
  }
}

void sense_until(const std::stop_token& stop, const std::vector<std::unique_ptr<transfer_pool>>& pools) {
  machine_sense sense;
  std::mutex mutex;
  std::condition_variable_any over;
  std::unique_lock hold(mutex);
  while (!over.wait_for(hold, stop, sense_every, [] { return false; })) {
    if (stop.stop_requested()) return;
    const auto now = sense.read(std::chrono::time_point_cast<duration>(std::chrono::system_clock::now()));
    for (const auto& pool : pools) pool->sense(now);
  }
}

} // namespace

transfer_pools::transfer_pools(const std::vector<pool_config>& pools, std::uint64_t seed, const std::string& beside,
                               std::shared_ptr<store_port> store, instant now, pool_note note) {
  for (const pool_config& pool : pools) {
    if (!pool.transfer) continue;
    pools_.push_back(std::make_unique<transfer_pool>(
        pool.name, recalled_policy(*store, pool.name, *pool.transfer, note), seed + pools_.size()));
    governed_.push_back(std::make_shared<governed_pool>(*pools_.back(), *pool.transfer, store));
    governed_.back()->recall_learned(note);
  }
  experiments_ = std::make_unique<pool_experiments>(note);
  for (const auto& pool : pools_) experiments_->add(*pool);
  if (pools_.empty()) return;
  metrics_ = std::make_unique<metrics_service>(beside + ".transfers", note);
  learning_ = std::make_unique<learning_service>(beside + ".models", pool_learning_settings{}, std::move(note));
  for (std::size_t i = 0; i < pools_.size(); ++i) {
    metrics_->add(*pools_[i], now);
    learning_->add(*pools_[i], seed + i, now);
  }
  sensing_ = std::jthread([this](const std::stop_token& stop) { sense_until(stop, pools_); });
  keeping_ = std::jthread([this](const std::stop_token& stop) { keep_until(stop, governed_); });
}

void transfer_pools::stop_keeping() {
  if (!keeping_.joinable()) return;
  keeping_.request_stop();
  keeping_.join();
  for (const auto& pool : governed_) pool->keep_learned();
}

transfer_pool* transfer_pools::find(const std::string& name) const {
  const auto found = std::ranges::find(pools_, name, [](const auto& pool) { return pool->name(); });
  return found == pools_.end() ? nullptr : found->get();
}

std::shared_ptr<governed_pool> transfer_pools::governed(const std::string& name) const {
  const auto found = std::ranges::find(governed_, name, [](const auto& one) { return one->pool().name(); });
  return found == governed_.end() ? nullptr : *found;
}

std::expected<plant, std::string> transfer_pools::plant_of(const std::string& pool) const {
  const auto found = governed(pool);
  if (!found) return std::unexpected("no pool " + pool + " decides on transfers");
  return plant{.sensor = found, .actuator = found};
}

std::shared_ptr<transfer_port> transfer_pools::port_of(const std::string& name) const {
  const auto found = governed(name);
  return found ? std::make_shared<pool_port>(*found, *learning_, *metrics_, *experiments_) : nullptr;
}

std::shared_ptr<transfer_port> transfer_pools::learning_port() const {
  return pools_.empty() ? nullptr : std::make_shared<services_port>(*learning_, *metrics_);
}

} // namespace homeostat
