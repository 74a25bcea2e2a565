#pragma once

#include "actors/group_supervisor.hpp"
#include "runtime/config/config.hpp"
#include "runtime/node/plants.hpp"
#include "runtime/node/pool_advisor.hpp"
#include "runtime/node/store_adapter.hpp"
#include "runtime/node/transfer_pools.hpp"

#include <caf/actor_system.hpp>

#include <expected>
#include <memory>
#include <string>
#include <vector>

namespace homeostat {

/// A whole node in one object: store, plants, actor tree. What homeostatd, the demos and the embedding API run.
class node {
public:
  /// Opens the store, makes the plants and starts every loop.
  /// @param make  makes plants by source.
  /// @returns the running node, or one sentence on why not; nothing then runs.
  [[nodiscard]] static std::expected<std::unique_ptr<node>, std::string> start(node_config config,
                                                                               const plant_factory& make);

  ~node();
  node(const node&) = delete;
  node& operator=(const node&) = delete;

  /// Stops in order: no new proposals, changes in flight finished or undone, plants at rest, audit written. Ends within
  /// 5 s whatever the plants and the store do. Idempotent.
  /// @returns true if every loop came to rest.
  bool stop();

  /// @returns the loops' status by name; a sentence if the node does not answer within 4 s.
  [[nodiscard]] std::expected<std::vector<loop_status>, std::string> status();
  /// @returns one loop's status. @errors  as of status().
  [[nodiscard]] std::expected<loop_status, std::string> status(const std::string& loop);
  /// Gives a loop a command. @returns what it says to it; a sentence if it does not answer within 4 s: then nobody
  /// knows whether the command was carried out.
  [[nodiscard]] std::expected<command_result, std::string> command(const std::string& loop,
                                                                   const operator_command& command);

  /// Asks the authority. @returns its answer; status 503 if it does not answer.
  [[nodiscard]] authority_reply ask_authority(const authority_call& call);
  /// Appends a record about the node itself to the audit trail, through the same bounded queue and chain as the loops'.
  /// Does not wait: what the queue has no room for is logged and counted (audit_stats). From any thread.
  void record(audit_record record);
  /// @returns the present time of the node's clock.
  [[nodiscard]] instant now() const { return time_.at(system_->clock().now()); }

  [[nodiscard]] const node_config& config() const { return config_; }
  [[nodiscard]] const transfer_pools& transfers() const { return *transfers_; }
  [[nodiscard]] pool_advisor& advisor() const { return *advisor_; }
  [[nodiscard]] store& audit_store() { return store_->target(); }
  [[nodiscard]] group_stats audit_stats() const { return store_->stats(); }
  [[nodiscard]] caf::actor_system& system() { return *system_; }
  [[nodiscard]] supervisor_actor root() const { return root_; }
  [[nodiscard]] const time_line& time() const { return time_; }

private:
  struct loop_ports {
    std::shared_ptr<plant_telemetry_port> telemetry;
    std::shared_ptr<plant_actuator_port> actuator;
    std::string loop;
    std::shared_ptr<rule_metrics> rules;
  };
  [[nodiscard]] authority_settings set_up_authority() const;
  [[nodiscard]] std::optional<proposal_fate> fate_of(const std::string& proposal);
  void alert(const std::string& pool, const std::string& text);
  explicit node(node_config config);
  std::expected<void, std::string> assemble(const plant_factory& make);
  std::expected<void, std::string> restore_experiments();
  std::expected<loop_setup, std::string> set_up_loop(const loop_config& loop, const plant& p,
                                                     const source_config& source);

  node_config config_;
  std::unique_ptr<transfer_pools> transfers_; ///< outlives the actors and ports that work on it
  std::unique_ptr<caf::actor_system_config> system_config_;
  std::unique_ptr<caf::actor_system> system_;
  time_line time_;
  std::shared_ptr<store_adapter> store_;
  std::vector<loop_ports> ports_;
  supervisor_actor root_;
  std::unique_ptr<pool_advisor> advisor_; ///< asks the root
  bool stopped_{false};
  bool clean_{false};
};

} // namespace homeostat
