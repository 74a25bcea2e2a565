#include "policies/learning/pool_learning.hpp"

#include <cmath>
#include <utility>

namespace homeostat {

namespace {

/// Beyond this the pool learned too much that nobody reads: the log says what is lost.
constexpr std::size_t notes_kept = 64;

} // namespace

pool_learning::pool_learning(const pool_learning_settings& settings, std::uint64_t seed, instant now)
    : settings_(settings), samples_(settings.samples, seed), rollout_(fresh_rollout(now)) {}

void pool_learning::note(const rollout_change& change) {
  if (!change.moved) return;
  limit_changed_ = true;
  if (notes_.size() < notes_kept)
    notes_.push_back("model: " + std::string(name_of(change.from)) + " -> " + std::string(name_of(change.to)) + ": " +
                     change.reason);
}

void pool_learning::observe(const transfer_metrics& done, const transfer_model* serving, instant now) {
  samples_.add(done);
  double predicted = 0;
  if (serving != nullptr) {
    const transfer_prediction said = serving->predict(done.data, done.conditions);
    predicted = said.latency_of(done.method);
    if (!done.failed && done.latency_us > 0) {
      ++evidence_.latencies.count;
      if (std::abs(predicted - done.latency_us) <= settings_.gate.latency_tolerance * done.latency_us)
        ++evidence_.latencies.good;
    }
    if (may_decide(rollout_, settings_.rollout, said.confidence) && said.choice == done.method) {
      ++evidence_.deliveries.count;
      if (!done.failed) ++evidence_.deliveries.good;
    }
    block_.push_back(done);
    if (block_.size() >= settings_.judged_block) {
      for (const judged_choice& choice : judge(*serving, block_, settings_.pairing).choices) {
        ++evidence_.choices.count;
        if (choice.right) ++evidence_.choices.good;
      }
      block_.clear();
    }
  }
  if (const auto found = homeostat::observe(drift_, settings_.drift, done.data.data_size, predicted, done.latency_us)) {
    ++drifts_;
    note_drift(schedule_);
    if (notes_.size() < notes_kept) notes_.push_back("drift: " + found->text);
    // The errors' drift says that the machine is another one: what it was only misleads.
    if (predicted > 0) samples_.forget_before(now - settings_.schedule.after_drift);
  }
}

pool_learning::review_result pool_learning::review(const transfer_model* serving, instant now) {
  if (serving != nullptr) {
    note(on_evidence(rollout_, settings_.rollout, evidence_, now));
    note(on_review(rollout_, settings_.rollout, now));
  }
  evidence_ = {};
  review_result result;
  const training_plan plan = plan_training(schedule_, settings_.schedule, samples_.size(), serving != nullptr, now);
  if (plan.train) result.train = plan.kind;
  result.notes = std::exchange(notes_, {});
  result.limit_changed = std::exchange(limit_changed_, false);
  return result;
}

bool pool_learning::judged(const gate_result& gate, instant now) {
  last_gate_ = gate;
  last_failure_.clear();
  note_ended(schedule_, gate.passed ? training_outcome::served : training_outcome::refused, now);
  if (notes_.size() < notes_kept)
    notes_.push_back((gate.passed ? "training: passed the gate: " : "training: refused by the gate: ") + gate.text());
  note(on_gate(rollout_, settings_.rollout, gate.passed, now));
  if (gate.passed) block_.clear();
  return gate.passed;
}

void pool_learning::failed(const std::string& why, instant now) {
  last_failure_ = why;
  note_ended(schedule_, training_outcome::failed, now);
  if (notes_.size() < notes_kept) notes_.push_back("training failed: " + why);
}

void pool_learning::restored(instant now) { note(on_gate(rollout_, settings_.rollout, true, now)); }

void pool_learning::withdraw_model(const std::string& why, instant now) {
  note(withdraw(rollout_, settings_.rollout, why, now));
  note_void(schedule_);
  block_.clear();
  evidence_ = {};
}

} // namespace homeostat
