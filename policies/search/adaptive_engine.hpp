#pragma once

#include "policies/safety/governor.hpp"
#include "policies/safety/movement.hpp"
#include "policies/search/online/online_strategy.hpp"
#include "policies/search/spsa.hpp"

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace homeostat {

// Joins objective windows, an online strategy and proposals for a live plant (design §6; source: Hotpath API,
// "AdaptiveEngine"). The strategy is one of two:
//
// `spsa` does four things beside the textbook that a live plant needs. The gradient is taken relative to the size of
// the objective, so that one learning rate serves milliseconds and requests per second. The base point is kept as a
// continuous place on each knob's scale, so that steps smaller than an integer knob's grid add up. A difference inside
// the noise moves nothing. And it asks the governor's own movement rules before it proposes, so that it never argues
// with its guardrails.
//
// `adaptive` (policies/search/online) measures one window per step, wherever the loop really is. Its steps beside the
// base point are probes; when its incumbent has moved away from the base point, an update takes the loop there, as far
// and as fast as the guardrails let it. The default it compares itself with is the tested baseline.

struct engine_settings {
  std::vector<knob_spec> knobs;
  guardrails limits; ///< the loop's; the engine stays inside them by itself
  online_kind strategy{online_kind::spsa};
  adaptive_tuning adaptive;    ///< of that strategy only
  spsa_settings spsa;          ///< of that strategy only, with the next two
  double evidence_limit{1.0};  ///< |y+ - y-| below this many standard errors moves nothing, >= 0
  double gradient_memory{0.5}; ///< weight of earlier gradients, 0 (textbook) to below 1
  duration retry_pause{1s};    ///< hold after a refusal that names no time
};

enum class no_change_reason : std::uint8_t {
  not_live, ///< the live configuration is not known yet
  frozen,   ///< safe mode
  holding,  ///< refused before; waits for its time
  waiting_for_window,
  waiting_for_verdict,
  insufficient_evidence,
};
[[nodiscard]] std::string_view name_of(no_change_reason reason);

/// What the engine asked for and has not been answered on.
enum class engine_expectation : std::uint8_t { nothing, verdict, window };

struct engine_state {
  online_kind strategy{online_kind::spsa};
  spsa_state spsa;
  online_state online; ///< of `adaptive`; its step is the one that is being measured
  bool live{false};    ///< generation, revision, base are known
  bool frozen{false};
  std::uint64_t generation{0};
  std::uint64_t revision{0};
  std::uint64_t epoch{0};
  knob_values in_force;              ///< the live values: the base point's, or a probe's
  knob_values base;                  ///< the base point's values
  std::vector<double> base_position; ///< its places, continuous
  knob_values baseline;              ///< tested baseline, for the distance cap
  knob_values plus;                  ///< values of the plus side in force
  knob_values minus;
  proposal asked;        ///< the open proposal
  std::uint64_t asks{0}; ///< proposals made; identifies their verdicts
  engine_expectation expects{engine_expectation::nothing};
  std::optional<instant> held_until;
  bool ask_again{false};               ///< after the hold, the same proposal again
  double plus_error{0};                ///< variance of the means of the sides measured so far
  double objective_size{0};            ///< smoothed |objective|: the unit of the relative gradient; 0 = not known
  std::vector<double> gradient;        ///< smoothed, relative objective per range
  std::vector<knob_movement> movement; ///< of the base point, as the governor counts it
  std::uint64_t updates{0};
  std::uint64_t held_back{0}; ///< differences inside the noise
  friend bool operator==(const engine_state&, const engine_state&) = default;
};

/// What the engine says after each input: a proposal, or why there is none ("hold" is a decision too).
struct engine_decision {
  std::optional<proposal> ask;
  no_change_reason reason{no_change_reason::waiting_for_window};
  std::optional<instant> look_again;
};

[[nodiscard]] engine_state fresh_engine(const engine_settings& settings, std::uint64_t seed,
                                        const knob_values& baseline);

/// Goes on from a stored state: what was learned is kept, the step in progress and what was asked are not, because
/// nobody knows what became of them.
/// @errors one sentence; `state` is then as it was: the stored one is of another strategy or set of knobs, or damaged.
[[nodiscard]] std::expected<void, std::string> resume_engine(engine_state& state, const engine_settings& settings,
                                                             const engine_state& stored);

/// The live configuration changed, by us or by others. Another's change ends the perturbation in progress.
void on_live(engine_state& state, const engine_settings& settings, const live_configuration& live, instant now);
/// One validated window. Of another generation: ignored.
void on_window(engine_state& state, const engine_settings& settings, const objective_window& window, instant now);
/// The governor's answer to the last proposal; others are late and ignored.
void on_verdict(engine_state& state, const engine_settings& settings, const proposal_verdict& verdict, instant now);
/// Nobody answered the last proposal in time.
void on_no_answer(engine_state& state, const engine_settings& settings, instant now);

/// Decides what to ask now. Call after every input and at `look_again`.
[[nodiscard]] engine_decision next_proposal(engine_state& state, const engine_settings& settings, instant now);

/// @returns a number that changes when the state has learned enough to be worth saving.
[[nodiscard]] std::uint64_t progress_of(const engine_state& state);

} // namespace homeostat
