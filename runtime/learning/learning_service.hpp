#pragma once

#include "policies/learning/pool_learning.hpp"
#include "runtime/learning/model_store.hpp"
#include "runtime/learning/transfer_training.hpp"
#include "runtime/transfer/pool_notes.hpp"
#include "runtime/transfer/transfer_pool.hpp"

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace homeostat {

/// What is to be seen of a pool's learning.
struct learning_status {
  bool enabled{false};
  std::string step;       ///< observe, high_confidence, lower, full; "" without a model
  std::uint64_t model{0}; ///< id of its file; 0: none
  std::uint64_t parent{0};
  std::size_t samples{0};
  std::uint64_t drifts{0};
  std::string gate;    ///< the latest verdict in words
  std::string failure; ///< of the latest training or load; empty: none
  bool training{false};
};

/// Trains the pools' models and keeps them in files, both on a thread of its own, and serves them to the pools as far
/// as each one's rollout trusts them. Whatever goes wrong here, decisions go on by rules.
///
/// A model is kept first and served then, so that what decides is what a restart finds. One that cannot be kept (a full
/// disk) has passed its gate all the same: it is served, an alert says so, and a restart begins without it.
class learning_service {
public:
  learning_service(std::filesystem::path folder, const pool_learning_settings& settings, pool_notes tell);
  /// Ends the worker; a training under way is waited for (seconds).
  ~learning_service();
  learning_service(const learning_service&) = delete;
  learning_service& operator=(const learning_service&) = delete;

  /// Adds a pool and serves its latest stored model, if there is a sound one. Before the first review.
  void add(transfer_pool& pool, std::uint64_t seed, instant now);
  /// Takes in an outcome of a pool.
  void observe(const std::string& pool, const transfer_metrics& done, instant now);
  /// Looks at every pool: hands trainings to the worker, takes results, moves rollouts. Does not block.
  void review(instant now);
  /// Nobody calls review() any more: models are taken out of service, for nobody would take one back that went bad.
  void abandon(const std::string& why);
  /// Takes a pool's model out of service; it is removed from the disk too, so that it does not come back. A training
  /// under way is void. Does not wait for one that is being saved: the worker removes that as soon as it is.
  void withdraw(const std::string& pool, const std::string& why, instant now);
  [[nodiscard]] std::optional<learning_status> status(const std::string& pool) const;

private:
  struct one;
  struct job {
    one* of;
    training_set::parts samples;
    std::shared_ptr<const stored_model> previous;
    instant now;
    std::uint64_t withdrawals; ///< of the pool when the training was asked for
  };
  struct result {
    one* of;
    std::expected<trained_model, std::string> made;
    std::uint64_t withdrawals;
    std::string unkept{}; ///< why there is no file of it; empty: there is
  };
  [[nodiscard]] one* find(const std::string& pool) const;
  void work(const std::stop_token& stop);
  [[nodiscard]] result train(job next);
  void keep(result& made);
  void take(result done, instant now);
  void serve(one& of);

  std::filesystem::path folder_;
  pool_learning_settings settings_;
  pool_notes tell_;
  mutable std::mutex mutex_; ///< guards the pools' learning
  std::string abandoned_;    ///< why nothing is learned any more
  std::vector<std::unique_ptr<one>> pools_;
  std::mutex queue_mutex_; ///< guards what follows
  std::condition_variable_any wake_;
  std::deque<job> jobs_;
  std::deque<result> results_;
  std::jthread worker_;
};

} // namespace homeostat
