#pragma once

#include "actors/ports.hpp"
#include "policies/transfer/experiment.hpp"
#include "policies/transfer/policy_settings.hpp"
#include "runtime/node/pool_proposals.hpp"
#include "runtime/transfer/transfer_pool.hpp"

#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace homeostat {

/// What was asked for; or why not: 404 no such, 409 not as it stands, 422 cannot be, else what the authority says.
template <class T> using experiment_result = std::expected<T, authority_problem>;

/// A finished transfer of a session that is part of the running experiment.
struct placed_outcome {
  transfer_metrics done;
  experiment_place place;
};

/// Prefix of the keys in the store: `experiment/<pool>/<name>`.
inline constexpr const char* experiment_keys = "experiment/";

/// The experiments of all pools (policies/transfer/experiment.hpp): at most one of a pool runs. Drafts, what running
/// ones have seen, and reports of the last ones survive the process: a phase becomes durable together with its audit
/// record, counts every few seconds. Another policy of the pool, by whomever, ends a running experiment within one
/// look: its control is no longer what it was. Any thread; nothing here blocks on a disk.
class pool_experiments {
public:
  /// @param note  for the log: pool, what happened.
  explicit pool_experiments(std::function<void(const std::string&, const std::string&)> note);
  ~pool_experiments();
  pool_experiments(const pool_experiments&) = delete;
  pool_experiments& operator=(const pool_experiments&) = delete;

  /// Adds a pool. Before restore() and everything else.
  void add(transfer_pool& pool);
  /// Takes up what was kept; an experiment that ran goes on, if the pool's policy still is its control. What cannot be
  /// read is left out, with a line in the log.
  /// @param store  where phases and counts go from now on.  @param kept  by key.
  void restore(std::shared_ptr<store_port> store, const std::map<std::string, std::string>& kept, instant now);

  /// Makes a draft.
  /// @param wanted  name, pool and rules; its treatment holds the keys to change only, its control nothing.
  experiment_result<experiment_state> create(experiment_settings wanted, const std::string& actor,
                                             const std::string& text, instant now);
  /// Compares from now on, with the pool's present policy as control.
  experiment_result<experiment_state> start(const std::string& pool, const std::string& name, const std::string& actor,
                                            const std::string& text, instant now);
  /// Decides for control; a running experiment ends.
  experiment_result<experiment_state> reject(const std::string& pool, const std::string& name, const std::string& actor,
                                             const std::string& text, instant now);
  /// Puts a change before the authority. @returns the proposal's name.
  using proposer = std::function<experiment_result<std::string>(const experiment_promotion&)>;
  /// Decides for a treatment that was found faster: it is promoted once the authority has taken the proposal.
  /// @param propose  may block; called without a lock.
  experiment_result<experiment_state> promote(const std::string& pool, const std::string& name,
                                              const std::string& actor, const std::string& text, instant now,
                                              const proposer& propose);

  [[nodiscard]] experiment_result<experiment_state> find(const std::string& pool, const std::string& name) const;
  /// @returns a pool's experiments, the oldest first.
  [[nodiscard]] std::vector<experiment_state> list(const std::string& pool) const;
  struct running_experiment {
    std::uint64_t number; ///< the pool's, as places of sessions have it
    std::string name;
  };
  [[nodiscard]] std::optional<running_experiment> running(const std::string& pool) const;

  /// Counts finished transfers and follows time: guards, verdict, the pool's policy. Called after each of the pool's
  /// learn(), without its lock.
  void look(transfer_pool& pool, std::span<const placed_outcome> done, instant now);
  /// Hands the counts of everything that runs to the store, which is about to stop.
  void keep_all();

private:
  struct kept_experiment;
  struct one;
  [[nodiscard]] one* pool_of(const std::string& pool) const;
  [[nodiscard]] experiment_result<kept_experiment*> locate(const std::string& pool, const std::string& name) const;
  [[nodiscard]] std::expected<void, std::string> begin(one& of, kept_experiment& e, instant now);
  void take_up(const std::string& key, const std::string& value, instant now);
  void changed(one& of, kept_experiment& e, const std::string& actor, const std::string& text, instant now);
  void keep(kept_experiment& e);
  void forget_oldest(one& of);

  std::function<void(const std::string&, const std::string&)> note_;
  mutable std::mutex mutex_; ///< guards what follows
  std::shared_ptr<store_port> store_;
  std::vector<std::unique_ptr<one>> pools_;
};

} // namespace homeostat
