#pragma once

#include "policies/time.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace homeostat {

/// How far a pool trusts its model.
enum class rollout_step : std::uint8_t {
  observe,         ///< the model foretells, rules decide
  high_confidence, ///< it decides where its confidence is above the first limit
  lower,           ///< above one of the lower limits, one after the other
  full,            ///< it decides
};
[[nodiscard]] std::string_view name_of(rollout_step step) noexcept;

/// Cases seen, and how many were good.
struct good_share {
  std::uint64_t count{0};
  std::uint64_t good{0};
  [[nodiscard]] double share() const noexcept {
    return count == 0 ? 0 : static_cast<double>(good) / static_cast<double>(count);
  }
  good_share& operator+=(const good_share& t) noexcept {
    count += t.count, good += t.good;
    return *this;
  }
  friend bool operator==(const good_share&, const good_share&) = default;
};

/// What happened lately with the model in its present step.
struct rollout_evidence {
  good_share choices{};    ///< method choices judged; good: the faster method
  good_share latencies{};  ///< latencies foretold; good: within the gate's tolerance
  good_share deliveries{}; ///< transfers the model decided; good: delivered
  friend bool operator==(const rollout_evidence&, const rollout_evidence&) = default;
};

/// One requirement: how much evidence it takes, from which share on a step forward is right, and below which one back.
/// Between the two the step is held, so that noise does not swing it.
struct rollout_rule {
  std::uint64_t count{0}; ///< cases of one judgement, >= 1
  double forward{0};      ///< share above which the next step may come
  double back{0};         ///< share below which the step is taken back, <= forward
  friend bool operator==(const rollout_rule&, const rollout_rule&) = default;
};

struct rollout_settings {
  duration observation{std::chrono::days(7)};     ///< the first time in observe
  duration dwell{std::chrono::days(1)};           ///< in every other step, and in observe after a step back
  std::vector<double> confidences{0.9, 0.8, 0.7}; ///< falling: high_confidence, then lower; each within 0.5..1
  rollout_rule choices{.count = 100, .forward = 0.90, .back = 0.85};
  rollout_rule latencies{.count = 200, .forward = 0.90, .back = 0.80};
  rollout_rule deliveries{.count = 50, .forward = 0.99, .back = 0.95};
  friend bool operator==(const rollout_settings&, const rollout_settings&) = default;
};
[[nodiscard]] std::expected<void, std::string> check(const rollout_settings& s);

struct rollout_state {
  std::size_t stage{0};     ///< 0: observe, then one for each confidence, then full
  instant since{};          ///< when it was entered
  bool gate{false};         ///< the model in use passed it
  bool observed{false};     ///< the first observation is over
  rollout_evidence block{}; ///< not judged yet
  rollout_evidence total{}; ///< judged in this step
  friend bool operator==(const rollout_state&, const rollout_state&) = default;
};

/// A judgement: `from == to` holds, with its reason.
struct rollout_change {
  rollout_step from{rollout_step::observe};
  rollout_step to{rollout_step::observe};
  std::optional<double> above{}; ///< confidence above which the model decides from now on; absent: never
  std::string reason{};
  bool moved{false}; ///< to another limit; lower has several, so a move may stay in it
};

[[nodiscard]] rollout_state fresh_rollout(instant now);
[[nodiscard]] rollout_step step_of(const rollout_state& state, const rollout_settings& settings) noexcept;
/// @returns the confidence above which the model decides; absent in observe; 0 in full.
[[nodiscard]] std::optional<double> confidence_limit(const rollout_state& state,
                                                     const rollout_settings& settings) noexcept;
/// @returns true if a prediction of that confidence decides.
[[nodiscard]] bool may_decide(const rollout_state& state, const rollout_settings& settings, double confidence) noexcept;

/// A training was judged. A refusal leads back to observe at once, however far the rollout was; a pass lets it begin.
rollout_change on_gate(rollout_state& state, const rollout_settings& settings, bool passed, instant now);

/// Adds evidence. Each of the three counts is judged by itself as soon as it has enough cases, on those cases alone: a
/// good week does not dilute a bad hour. One below its `back` takes the step back, to one with a higher limit.
rollout_change on_evidence(rollout_state& state, const rollout_settings& settings, const rollout_evidence& seen,
                           instant now);

/// Asks for the next step: it comes when the time in the present one is over and all evidence since it began suffices.
/// Observe needs no deliveries, because the model decides nothing there.
rollout_change on_review(rollout_state& state, const rollout_settings& settings, instant now);

/// Back to observe for a reason from outside: an operator, a corrupt model, a drift.
rollout_change withdraw(rollout_state& state, const rollout_settings& settings, std::string reason, instant now);

} // namespace homeostat
