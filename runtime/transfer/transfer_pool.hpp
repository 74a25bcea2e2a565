#pragma once

#include "policies/transfer/experiment_place.hpp"
#include "policies/transfer/transfer_learner.hpp"
#include "runtime/hotpath/bounded_queue.hpp"
#include "runtime/hotpath/published.hpp"
#include "runtime/transfer/rule_conditions.hpp"

#include <atomic>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace homeostat {

/// What a model adds to a pool's decisions. Implementations are immutable: a decision reads one without waiting.
class transfer_advisor {
public:
  virtual ~transfer_advisor() = default;
  /// @returns what it says of one transfer.
  [[nodiscard]] virtual model_prediction predict(const transfer_characteristics& data,
                                                 const system_conditions& now) const noexcept = 0;
};

/// What there is to see of a pool, without the costs it learned: a few KB.
struct pool_stats {
  transfer_policy policy;
  threshold_manager thresholds;
  transfer_totals totals;
  pressure under{pressure::none};
  double slowdown{1}; ///< moving mean of actual over expected latency
};

/// One pool's decisions: any number of threads ask and report, one at a time learns.
///
/// decide() reads an immutable view and waits for nobody. record() puts the outcome into a bounded queue; when that is
/// full the outcome is counted and lost, the transfer is not held up. learn() is called by whoever owns the pool (an
/// actor, or the worker of an embedding program), a few dozen times a second.
///
/// While an experiment runs, the sessions of its treatment are decided by another policy. Both policies' learners take
/// in every outcome, for what a method costs is a fact of both; thresholds, goal and exploration are each one's own.
class transfer_pool {
public:
  /// @param policy  as check() passes it.  @param seed  of exploration.
  /// @throws std::invalid_argument with check()'s sentence, or the expression's error.
  transfer_pool(std::string name, transfer_policy policy, std::uint64_t seed = 0);
  transfer_pool(const transfer_pool&) = delete;
  transfer_pool& operator=(const transfer_pool&) = delete;

  // ---- any thread ----

  /// @returns the method for a transfer, with its rationale. Never fails: where nothing can decide it says grpc.
  [[nodiscard]] transfer_decision decide(const transfer_characteristics& data) noexcept;
  /// The same for a transfer of a session, which an experiment may have given another policy; the decision's place says
  /// so. @param session  its name; empty: of none, and never part of an experiment.
  [[nodiscard]] transfer_decision decide(const transfer_characteristics& data, std::string_view session) noexcept;
  /// @returns where a session stands in the experiment that runs now.
  [[nodiscard]] experiment_place place_of(std::string_view session) const noexcept;
  /// Reports how a transfer went. @param place  the decision's, for the experiment.
  /// @returns false when it was lost because the queue is full.
  bool record(const transfer_metrics& done, const experiment_place& place = {}) noexcept;
  /// Marks a transfer as under way for as long as it lives.
  class under_way {
  public:
    explicit under_way(transfer_pool& pool) noexcept : pool_(pool) {
      pool_.in_flight_.fetch_add(1, std::memory_order_relaxed);
    }
    under_way(const under_way&) = delete;
    under_way& operator=(const under_way&) = delete;
    ~under_way() { pool_.in_flight_.fetch_sub(1, std::memory_order_relaxed); }

  private:
    transfer_pool& pool_;
  };
  /// @returns the conditions as of the last sense(), with the transfers now under way.
  [[nodiscard]] system_conditions conditions() const noexcept;
  [[nodiscard]] std::uint64_t decisions() const noexcept { return decisions_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t lost() const noexcept { return lost_.load(std::memory_order_relaxed); }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] std::string explain(const transfer_decision& decision, const transfer_characteristics& data) const;

  // ---- the owner: any thread, one waits for the other ----

  /// Takes in how busy the machine is.
  void sense(const system_conditions& now);
  /// Learns from what was reported and publishes the next view.
  /// @param each  called with every outcome, for whoever keeps them.  @param in_experiment  likewise with those that
  /// have a place in the experiment that runs now. Both may ask the pool.
  void learn(instant now, const std::function<void(const transfer_metrics&)>& each = {},
             const std::function<void(const transfer_metrics&, const experiment_place&)>& in_experiment = {});
  /// @returns nothing; or why the policy was not taken, and the old one goes on. Another policy than the present one
  /// ends an experiment, for its control is then no longer what it was; reset() does too.
  [[nodiscard]] std::expected<void, std::string> set_policy(transfer_policy policy, instant now);
  /// Serves decisions from a model from now on; nullptr takes the present one away: rules again.
  void set_model(std::shared_ptr<const transfer_advisor> model);
  /// Forgets what was learned and takes the model away.
  void reset(instant now, const std::string& why);
  /// Decides by another policy for a part of the sessions from now on.
  /// @param name  salts the assignment.  @param split  share of sessions on treatment.
  /// @returns the experiment's number, from 1. @errors one sentence: another one runs, or the policy cannot be.
  [[nodiscard]] std::expected<std::uint64_t, std::string> begin_experiment(const std::string& name, double split,
                                                                           transfer_policy treatment, instant now);
  /// All sessions are decided by the pool's policy again. Does nothing if that experiment does not run.
  void end_experiment(std::uint64_t number);
  /// @returns the number of the experiment that runs; 0: none.
  [[nodiscard]] std::uint64_t experiment() const;
  [[nodiscard]] transfer_policy policy() const;
  [[nodiscard]] pool_stats stats() const;
  /// @returns what is worth keeping of what was learned.
  [[nodiscard]] transfer_memory memory() const;
  /// Takes it up again. @returns as transfer_learner::remember.
  std::expected<void, std::string> remember(const transfer_memory& kept, instant now);
  /// @returns a copy of all that was learned, some 300 KB: for whoever shows it.
  [[nodiscard]] transfer_learner state() const;

private:
  struct outcome {
    transfer_metrics done;
    experiment_place place;
  };
  /// What a policy decides by.
  struct lookup {
    transfer_view view;
    rule_conditions conditions;
  };
  struct split_sessions {
    std::uint64_t number;
    std::string name;
    double split;
    lookup treatment;
    [[nodiscard]] experiment_place place_of(std::string_view session) const noexcept;
  };
  struct served {
    lookup control;
    std::shared_ptr<const transfer_advisor> model;
    std::optional<split_sessions> experiment;
  };
  /// An experiment as its owner knows it.
  struct trial {
    std::uint64_t number;
    std::string name;
    double split;
    rule_conditions conditions;
    transfer_learner learner; ///< by the treatment's policy
  };
  [[nodiscard]] transfer_decision decide_by(const lookup& by, const transfer_advisor* model,
                                            const transfer_characteristics& data, std::uint64_t number) const noexcept;
  void look(instant now);
  void drop_trial();

  std::string name_;
  std::uint64_t seed_;
  bounded_queue<outcome> outcomes_;
  std::atomic<std::uint32_t> in_flight_{0};
  std::atomic<std::uint64_t> decisions_{0};
  std::atomic<std::uint64_t> lost_{0};
  published<system_conditions> sensed_;

  mutable std::mutex owning_; ///< guards what follows
  transfer_learner learner_;
  rule_conditions conditions_;
  instant last_look_{};
  bool stale_{true}; ///< something happened that another look would answer to
  std::shared_ptr<const transfer_advisor> model_;
  std::optional<trial> trial_;
  std::uint64_t experiments_{0}; ///< begun so far
  std::unique_ptr<published<served>> served_;
};

} // namespace homeostat
