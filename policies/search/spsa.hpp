#pragma once

#include "policies/safety/knob.hpp"
#include "policies/search/chacha8.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>

namespace homeostat {

/// Gain sequences of simultaneous perturbation stochastic approximation.
/// Source: J. C. Spall, "Implementation of the Simultaneous Perturbation Algorithm for Stochastic Optimization", IEEE
/// TAES 34(3), 1998, sections III and IV; defaults: design §6.
struct spsa_settings {
  double learning_rate{0.30};      ///< a0: range fraction per unit of relative gradient, > 0
  double perturbation_scale{0.05}; ///< c0: range fraction, 0..0.5
  double alpha{0.602};             ///< a_k = a0 / (k+1+A)^alpha, > 0
  double gamma{0.101};             ///< c_k = c0 / (k+1)^gamma, >= 0
  double stability{10};            ///< A, >= 0
  /// Gains stop shrinking at this iteration, because a live plant drifts; absent: the textbook's endless decay.
  std::optional<std::uint64_t> last_decay{30};
  /// Largest move of one update, fraction of range, 0..1; the guardrails may be tighter. One loud window must not carry
  /// the base point far: what a step of this size loses, the next few can take back.
  double max_step{0.1};
  std::uint32_t windows_per_probe{1}; ///< evaluation windows averaged for each side, >= 1
  friend bool operator==(const spsa_settings&, const spsa_settings&) = default;
};

[[nodiscard]] std::expected<void, std::string> check(const spsa_settings& s);

enum class spsa_phase : std::uint8_t { ready, waiting_plus, waiting_minus };

/// Where the two-sided estimator stands. Serialisable; with the same windows it goes on bit for bit (I7).
struct spsa_state {
  spsa_phase phase{spsa_phase::ready};
  std::uint64_t iteration{0}; ///< k; also the perturbation's id
  chacha8_rng rng;
  knob_values direction;     ///< +-1 per knob, of the perturbation in progress
  double y_plus{0};          ///< mean objective of the plus side, once known
  double accumulated{0};     ///< sum of the windows of the present side
  std::uint32_t recorded{0}; ///< how many
  std::size_t dimensions{0};
  friend bool operator==(const spsa_state&, const spsa_state&) = default;
};

/// The two sides of a finished perturbation.
struct spsa_difference {
  double y_plus{0};
  double y_minus{0};
};

[[nodiscard]] spsa_state fresh_spsa(std::uint64_t seed, std::size_t dimensions);
[[nodiscard]] double learning_rate_at(const spsa_settings& s, std::uint64_t iteration);
[[nodiscard]] double perturbation_scale_at(const spsa_settings& s, std::uint64_t iteration);

/// Ready -> WaitingPlus: draws +-1 Bernoulli for every knob into `direction`.
void generate_perturbation(spsa_state& state);

/// Adds one evaluation window of the side being waited for. Nothing happens when ready.
void record_objective(spsa_state& state, double objective);
[[nodiscard]] bool has_enough_samples(const spsa_state& state, const spsa_settings& settings);

/// Closes the present side. WaitingPlus -> WaitingMinus returns nothing; WaitingMinus -> Ready returns both sides and
/// counts the iteration. @pre has_enough_samples
std::optional<spsa_difference> complete_eval_window(spsa_state& state);

/// Any phase -> Ready without counting: the perturbation in progress is worthless (somebody else changed the plant).
void abandon(spsa_state& state);

} // namespace homeostat
