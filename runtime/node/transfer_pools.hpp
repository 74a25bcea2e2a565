#pragma once

#include "actors/ports.hpp"
#include "runtime/config/config.hpp"
#include "runtime/transfer/transfer_pool.hpp"

#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace homeostat {

/// The node's pools that decide on transfers, and the thread that tells them how busy the machine is.
class transfer_pools {
public:
  /// @param pools  those without a transfer section are left out.
  /// @throws std::invalid_argument on a policy that check() or the rules' expressions refuse.
  transfer_pools(const std::vector<pool_config>& pools, std::uint64_t seed);
  transfer_pools(const transfer_pools&) = delete;
  transfer_pools& operator=(const transfer_pools&) = delete;

  /// @returns the pool, or nullptr. It lives as long as this.
  [[nodiscard]] transfer_pool* find(const std::string& name) const;
  [[nodiscard]] const std::vector<std::unique_ptr<transfer_pool>>& all() const { return pools_; }
  /// @returns what a pool's actor works on; empty if there is no such pool.
  [[nodiscard]] std::shared_ptr<transfer_port> port_of(const std::string& name) const;

private:
  std::vector<std::unique_ptr<transfer_pool>> pools_;
  std::jthread sensing_; ///< reads files, so no actor
};

} // namespace homeostat
