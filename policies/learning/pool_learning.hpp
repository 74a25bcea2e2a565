#pragma once

#include "policies/learning/drift_detection.hpp"
#include "policies/learning/evaluation.hpp"
#include "policies/learning/gate.hpp"
#include "policies/learning/rollout.hpp"
#include "policies/learning/training_schedule.hpp"
#include "policies/learning/training_set.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace homeostat {

struct pool_learning_settings {
  training_set_settings samples{};
  training_schedule_settings schedule{};
  rollout_settings rollout{};
  drift_settings drift{};
  pairing_settings pairing{};
  gate_limits gate{};
  std::size_t judged_block{500}; ///< transfers after which the served model's choices are judged, >= 1
  friend bool operator==(const pool_learning_settings&, const pool_learning_settings&) = default;
};

/// The learning of one pool, decision by decision: what to train on and when, whether the result may be used, how far
/// it is trusted, and when it is taken back. Pure: the runtime trains, stores and serves.
class pool_learning {
public:
  pool_learning(const pool_learning_settings& settings, std::uint64_t seed, instant now);

  /// Takes in a finished transfer. @param serving  the model the pool has, or nullptr.
  void observe(const transfer_metrics& done, const transfer_model* serving, instant now);

  /// What is to be done now.
  struct review_result {
    std::optional<training_kind> train; ///< begin a training, then call started()
    std::vector<std::string> notes;     ///< for log and audit: what changed, and why
    bool limit_changed{false};          ///< confidence_limit() is another one
  };
  [[nodiscard]] review_result review(const transfer_model* serving, instant now);

  void started(training_kind kind, instant now) { note_started(schedule_, kind, now); }
  /// A training is over with a judged model. @returns true if the model is to be stored and served.
  [[nodiscard]] bool judged(const gate_result& gate, instant now);
  /// A training is over without a model.
  void failed(const std::string& why, instant now);
  /// A stored model was loaded at start: it passed its gate once, and is observed again.
  void restored(instant now);
  /// Takes the model back to observe: an operator, a corrupt file. A training under way no longer counts: its model
  /// must not be served.
  void withdraw_model(const std::string& why, instant now);

  /// @returns the confidence from which the model decides; nothing: it only foretells.
  [[nodiscard]] std::optional<double> limit() const { return confidence_limit(rollout_, settings_.rollout); }
  [[nodiscard]] rollout_step step() const { return step_of(rollout_, settings_.rollout); }
  [[nodiscard]] const training_set& samples() const { return samples_; }
  [[nodiscard]] const training_schedule& schedule() const { return schedule_; }
  [[nodiscard]] const gate_result& last_gate() const { return last_gate_; }
  [[nodiscard]] const std::string& last_failure() const { return last_failure_; }
  [[nodiscard]] std::uint64_t drifts() const { return drifts_; }

private:
  void note(const rollout_change& change);

  pool_learning_settings settings_;
  training_set samples_;
  training_schedule schedule_;
  rollout_state rollout_;
  drift_state drift_;
  std::vector<transfer_metrics> block_; ///< not judged yet
  rollout_evidence evidence_;           ///< likewise
  std::vector<std::string> notes_;
  bool limit_changed_{false};
  gate_result last_gate_;
  std::string last_failure_;
  std::uint64_t drifts_{0};
};

} // namespace homeostat
