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
  pool_port(transfer_pool& pool, learning_service& learning, metrics_service& metrics, pool_notes tell)
      : pool_(pool), learning_(learning), metrics_(metrics), tell_(std::move(tell)) {}
  void learn(instant now) override {
    seen_ = now;
    done_.clear();
    pool_.learn(now, [&](const transfer_metrics& done) { done_.push_back(done); });
    // Not while the pool is held: the services ask pools while they are held themselves.
    for (const transfer_metrics& done : done_) {
      metrics_.observe(pool_.name(), done, now);
      learning_.observe(pool_.name(), done, now);
    }
  }
  void abandoned(const std::string& why) override {
    give_up(tell_, pool_.name(), "outcomes are no longer learned from, thresholds and rules decide: " + why,
            [&] { pool_.reset(seen_, "learning from outcomes was given up: " + why); });
  }

private:
  transfer_pool& pool_;
  learning_service& learning_;
  metrics_service& metrics_;
  pool_notes tell_;
  instant seen_{};
  std::vector<transfer_metrics> done_;
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

transfer_pools::transfer_pools(const std::vector<pool_config>& pools, std::uint64_t seed, const std::string& store,
                               instant now, pool_notes tell)
    : tell_(std::move(tell)) {
  for (const pool_config& pool : pools)
    if (pool.transfer)
      pools_.push_back(std::make_unique<transfer_pool>(pool.name, *pool.transfer, seed + pools_.size()));
  if (pools_.empty()) return;
  metrics_ = std::make_unique<metrics_service>(store + ".transfers", tell_);
  learning_ = std::make_unique<learning_service>(store + ".models", pool_learning_settings{}, tell_);
  for (std::size_t i = 0; i < pools_.size(); ++i) {
    metrics_->add(*pools_[i], now);
    learning_->add(*pools_[i], seed + i, now);
  }
  sensing_ = std::jthread([this](const std::stop_token& stop) { sense_until(stop, pools_); });
}

transfer_pool* transfer_pools::find(const std::string& name) const {
  const auto found = std::ranges::find(pools_, name, [](const auto& pool) { return pool->name(); });
  return found == pools_.end() ? nullptr : found->get();
}

std::shared_ptr<transfer_port> transfer_pools::port_of(const std::string& name) const {
  transfer_pool* pool = find(name);
  return pool == nullptr ? nullptr : std::make_shared<pool_port>(*pool, *learning_, *metrics_, tell_);
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
