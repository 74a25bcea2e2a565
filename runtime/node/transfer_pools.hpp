#pragma once

#include "actors/ports.hpp"
#include "runtime/config/config.hpp"
#include "runtime/learning/learning_service.hpp"
#include "runtime/node/governed_pool.hpp"
#include "runtime/node/plant_ports.hpp"
#include "runtime/node/pool_experiments.hpp"
#include "runtime/transfer/metrics_service.hpp"
#include "runtime/transfer/transfer_pool.hpp"

#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace homeostat {

/// The node's pools that decide on transfers, with what serves them all: the learning of models, the metrics, and the
/// thread that tells them how busy the machine is.
class transfer_pools {
public:
  /// Blocks while it reads what was kept.
  /// @param pools  those without a transfer section are left out.  @param beside  path of the node's store; models and
  /// metrics lie beside it.  @param store  keeps policies changed at run time and what was learned; nullptr: nobody
  /// does.
  /// @throws std::invalid_argument on a policy that check() or the rules' expressions refuse; std::runtime_error when
  /// the store cannot be read.
  transfer_pools(const std::vector<pool_config>& pools, std::uint64_t seed, const std::string& beside,
                 std::shared_ptr<store_port> store, instant now, pool_notes tell);
  transfer_pools(const transfer_pools&) = delete;
  transfer_pools& operator=(const transfer_pools&) = delete;

  /// Gives what was learned to the store a last time. Does not wait: that is for whoever stops the store.
  void stop_keeping();

  /// @returns the pool, or nullptr. It lives as long as this.
  [[nodiscard]] transfer_pool* find(const std::string& name) const;
  [[nodiscard]] const std::vector<std::unique_ptr<transfer_pool>>& all() const { return pools_; }
  /// @returns the pool as its loop sees it, or nullptr.
  [[nodiscard]] std::shared_ptr<governed_pool> governed(const std::string& name) const;
  /// @returns the plant behind the loop over a pool's policy. @errors  one sentence: there is no such pool.
  [[nodiscard]] std::expected<plant, std::string> plant_of(const std::string& pool) const;
  /// @returns what a pool's actor works on; empty if there is no such pool.
  [[nodiscard]] std::shared_ptr<transfer_port> port_of(const std::string& name) const;
  /// @returns what the node's learning engine works on; empty if there is no pool at all.
  [[nodiscard]] std::shared_ptr<transfer_port> learning_port() const;
  /// @returns what the node's performance analyzer works on; empty if there is no pool at all.
  [[nodiscard]] std::shared_ptr<transfer_port> analysis_port() const;
  /// @pre there is a pool
  [[nodiscard]] learning_service& learning() const { return *learning_; }
  [[nodiscard]] metrics_service& metrics() const { return *metrics_; }
  [[nodiscard]] pool_experiments& experiments() const { return *experiments_; }

private:
  pool_notes tell_;
  std::vector<std::unique_ptr<transfer_pool>> pools_;
  std::vector<std::shared_ptr<governed_pool>> governed_; ///< one per pool
  std::unique_ptr<metrics_service> metrics_;
  std::unique_ptr<learning_service> learning_;
  std::unique_ptr<pool_experiments> experiments_;
  std::jthread sensing_; ///< reads files, so no actor
  std::jthread keeping_; ///< waits for the store, so no actor either
};

} // namespace homeostat
