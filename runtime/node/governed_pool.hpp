#pragma once

#include "actors/ports.hpp"
#include "policies/transfer/pool_outcomes.hpp"
#include "runtime/ports/plant.hpp"
#include "runtime/transfer/transfer_pool.hpp"

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace homeostat {

/// Told what should be in the log: pool, one sentence.
using pool_note = std::function<void(const std::string&, const std::string&)>;

/// Takes up a pool's policy again as it was changed at run time, unless the configuration has changed since: then that
/// holds, and what was kept is forgotten. Blocks.
/// @param configured  the transfer section of the configuration.
/// @returns the policy to begin with. @throws std::runtime_error when the store cannot be read: beginning without what
/// an operator changed would be a guess.
[[nodiscard]] transfer_policy recalled_policy(store_port& store, const std::string& pool,
                                              const transfer_policy& configured, const pool_note& note);

/// A pool as the loop over its policy sees it: what its transfers came to, and its policy as knobs. The one place where
/// a pool's policy changes, and where the policy and what was learned are kept. Any thread, but no actor's: calls block
/// on the store.
class governed_pool final : public plant_sensor, public plant_actuator {
public:
  /// @param pool  outlives this.  @param configured  its policy in the configuration.  @param store  keeps the policy;
  /// nullptr: nobody does.
  governed_pool(transfer_pool& pool, transfer_policy configured, std::shared_ptr<store_port> store);

  /// @returns what was recorded since the last call, relative costs by the goal in force.
  std::expected<reading, plant_error> read(instant now, duration patience) override;
  std::expected<named_values, plant_error> apply(const named_values& wanted, duration patience) override;
  std::expected<named_values, plant_error> read_back(duration patience) override;

  /// Takes in one outcome. Does not block.
  void observe(const transfer_metrics& done);

  /// @returns nothing, or one sentence on why no pool can have this policy: check()'s, or a rule's.
  [[nodiscard]] static std::expected<void, std::string> check(const transfer_policy& policy);

  using edit = std::function<std::expected<transfer_policy, std::string>(transfer_policy)>;
  /// Changes the policy; one change at a time, each from what the one before left. Durable before it is in force.
  /// @param patience  how long the store may take.
  /// @errors  the edit's, check()'s, a rule's or the store's sentence; nothing is in force then.
  std::expected<void, std::string> change(const edit& what, duration patience = 5s);

  /// Takes up what the pool had learned before a restart, unless learning is off. What is damaged is left out, with a
  /// note.
  void recall_learned(const pool_note& note);
  /// Gives what the pool has learned to the store, unless that has it already. Does not wait until it is durable.
  void keep_learned();
  /// Forgets what the pool has learned, here and in the store. @errors  the store's sentence: it may then come back.
  std::expected<void, std::string> forget_learned(const std::string& why);

  [[nodiscard]] transfer_pool& pool() const { return pool_; }

private:
  transfer_pool& pool_;
  const transfer_policy configured_;
  const std::shared_ptr<store_port> store_;
  std::mutex changing_;
  bool uncertain_{false}; ///< the store may have another policy than the pool; guarded by changing_
  std::mutex keeping_;    ///< what is kept goes to the store in the order in which it was true; guards what follows
  std::uint64_t kept_{0}; ///< fingerprint of what the store has
  std::mutex observing_;  ///< guards what follows
  pool_outcomes outcomes_;
  std::optional<instant> last_reading_;
};

} // namespace homeostat
