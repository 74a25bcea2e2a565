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
  explicit pool_port(transfer_pool& pool) : pool_(pool) {}
  void learn(instant now) override { pool_.learn(now); }

private:
  transfer_pool& pool_;
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

transfer_pools::transfer_pools(const std::vector<pool_config>& pools, std::uint64_t seed) {
  for (const pool_config& pool : pools)
    if (pool.transfer)
      pools_.push_back(std::make_unique<transfer_pool>(pool.name, *pool.transfer, seed + pools_.size()));
  if (!pools_.empty()) sensing_ = std::jthread([this](const std::stop_token& stop) { sense_until(stop, pools_); });
}

transfer_pool* transfer_pools::find(const std::string& name) const {
  const auto found = std::ranges::find(pools_, name, [](const auto& pool) { return pool->name(); });
  return found == pools_.end() ? nullptr : found->get();
}

std::shared_ptr<transfer_port> transfer_pools::port_of(const std::string& name) const {
  transfer_pool* pool = find(name);
  return pool == nullptr ? nullptr : std::make_shared<pool_port>(*pool);
}

} // namespace homeostat
