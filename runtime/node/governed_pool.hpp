#pragma once

#include "policies/transfer/pool_outcomes.hpp"
#include "runtime/ports/plant.hpp"
#include "runtime/transfer/transfer_pool.hpp"

#include <expected>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

namespace homeostat {

/// A pool as the loop over its policy sees it: what its transfers came to, and its policy as knobs. The one place where
/// a pool's policy changes. Any thread.
class governed_pool final : public plant_sensor, public plant_actuator {
public:
  /// @param pool  outlives this.
  explicit governed_pool(transfer_pool& pool) : pool_(pool) {}

  /// @returns what was recorded since the last call, relative costs by the goal in force.
  std::expected<reading, plant_error> read(instant now, duration patience) override;
  std::expected<named_values, plant_error> apply(const named_values& wanted, duration patience) override;
  std::expected<named_values, plant_error> read_back(duration patience) override;

  /// Takes in one outcome.
  void observe(const transfer_metrics& done);

  using edit = std::function<std::expected<transfer_policy, std::string>(transfer_policy)>;
  /// Changes the policy; one change at a time, each from what the one before left.
  /// @errors  the edit's, check()'s or a rule's sentence; nothing has changed then.
  std::expected<void, std::string> change(const edit& what);

  [[nodiscard]] transfer_pool& pool() const { return pool_; }

private:
  transfer_pool& pool_;
  std::mutex changing_;
  std::mutex observing_; ///< guards what follows
  pool_outcomes outcomes_;
  std::optional<instant> last_reading_;
};

} // namespace homeostat
