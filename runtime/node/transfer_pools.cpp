#include "runtime/node/transfer_pools.hpp"

#include "runtime/transfer/machine_sense.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>

namespace homeostat {

namespace {

/// Pressure reaches decisions within this and one look of the pool's actor: well under a second.
constexpr auto sense_every = std::chrono::milliseconds(250);

/// Says that an engine has been given up, and has its pools do without; the two must not depend on each other.
template <class Withdraw>
void give_up(const pool_notes& tell, const std::string& pool, const std::string& what, Withdraw withdraw) noexcept {
  try {
    tell.alert(pool, what);
  } catch (const std::exception&) { // no memory for the words
  }
  try {
    withdraw();
  } catch (const std::exception&) { // what was published last goes on deciding
  }
}

class pool_port final : public transfer_port {
public:
  pool_port(governed_pool& governed, learning_service& learning, metrics_service& metrics,
            pool_experiments& experiments, pool_notes tell)
      : pool_(governed.pool()), governed_(governed), learning_(learning), metrics_(metrics), experiments_(experiments),
        tell_(std::move(tell)) {}
  void learn(instant now) override {
    seen_ = now;
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
  void abandoned(const std::string& why) override {
    give_up(tell_, pool_.name(), "outcomes are no longer learned from, thresholds and rules decide: " + why, [&] {
      pool_.reset(seen_, "learning from outcomes was given up: " + why);
      experiments_.look(pool_, {}, seen_); // one that ran has ended with it
    });
  }

private:
  transfer_pool& pool_;
  governed_pool& governed_;
  learning_service& learning_;
  metrics_service& metrics_;
  pool_experiments& experiments_;
  std::vector<placed_outcome> placed_;
  pool_notes tell_;
  instant seen_{};
};

/// One of the services that all pools share.
template <class Service> class service_port final : public transfer_port {
public:
  service_port(Service& service, pool_notes tell, std::string lost)
      : service_(service), tell_(std::move(tell)), lost_(std::move(lost)) {}
  void learn(instant now) override { service_.review(now); }
  void abandoned(const std::string& why) override {
    give_up(tell_, "", lost_ + ": " + why, [&] { service_.abandon(why); });
  }

private:
  Service& service_;
  pool_notes tell_;
  std::string lost_;
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
                               std::shared_ptr<store_port> store, instant now, pool_notes tell)
    : tell_(std::move(tell)) {
  for (const pool_config& pool : pools) {
    if (!pool.transfer) continue;
    pools_.push_back(std::make_unique<transfer_pool>(
        pool.name, store ? recalled_policy(*store, pool.name, *pool.transfer, tell_.note) : *pool.transfer,
        seed + pools_.size()));
    governed_.push_back(std::make_shared<governed_pool>(*pools_.back(), *pool.transfer, store));
    governed_.back()->recall_learned(tell_.note);
  }
  experiments_ = std::make_unique<pool_experiments>(tell_.note);
  for (const auto& pool : pools_) experiments_->add(*pool);
  if (pools_.empty()) return;
  metrics_ = std::make_unique<metrics_service>(beside + ".transfers", tell_);
  learning_ = std::make_unique<learning_service>(beside + ".models", pool_learning_settings{}, tell_);
  for (std::size_t i = 0; i < pools_.size(); ++i) {
    metrics_->add(*pools_[i], now);
    learning_->add(*pools_[i], seed + i, now);
  }
  sensing_ = std::jthread([this](const std::stop_token& stop) { sense_until(stop, pools_); });
  if (!store) return;
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
  return found ? std::make_shared<pool_port>(*found, *learning_, *metrics_, *experiments_, tell_) : nullptr;
}

std::shared_ptr<transfer_port> transfer_pools::learning_port() const {
  if (pools_.empty()) return nullptr;
  return std::make_shared<service_port<learning_service>>(*learning_, tell_, "models are no longer used or trained");
}

std::shared_ptr<transfer_port> transfer_pools::analysis_port() const {
  if (pools_.empty()) return nullptr;
  return std::make_shared<service_port<metrics_service>>(*metrics_, tell_, "metrics are no longer written or judged");
}

} // namespace homeostat
