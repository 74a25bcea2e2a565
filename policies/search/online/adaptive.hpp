#pragma once

#include "policies/search/chacha8.hpp"
#include "policies/search/online/change_detector.hpp"
#include "policies/search/online/model_bank.hpp"
#include "policies/search/online/online_step.hpp"
#include "policies/search/online/regime_memory.hpp"
#include "policies/search/online/switch_trial.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace homeostat {

// The default online strategy: tracks the optimum of a live plant that drifts, with every step applied and paid for.
//
// A bank of local quadratic models around one movable centre forecasts each measurement. The centre goes where the
// best forecaster has its minimum, by small steps; what is applied beside it is drawn from that model's own doubt
// (Thompson sampling inside a small box), so that looking around costs little where much is known. Forecasts that go
// wrong in a row are a change of the plant: the doubt is widened, the place is remembered as a regime, and one look is
// taken at remembered regimes and at the default. Seldom, and seldomer while it goes well, it compares itself with the
// default and returns there when that is better: its first duty is to do no harm.
//
// Refused: two-sided differences (half of the steps are paid for one number per direction, and nothing is kept), a
// time-varying Gaussian process (dearer, and it followed worse), anchors re-measured all the time (they cost more than
// they tell).
// Sources: W. R. Thompson, Biometrika 25, 1933; decision by forecast: A. P. Dawid, "Prequential analysis", JRSS A 147,
// 1984.

struct adaptive_tuning {
  std::uint32_t first_looks{4}; ///< measurements of the default before anything is tried, 2..100: noise and level
  double trust{0.1};            ///< farthest the wanted centre may lie from the present one, fraction of range
  double follow{0.5};           ///< share of that way the centre goes per step, 0..1
  double amplitude{0.1};        ///< farthest a trial lies from the wanted centre, fraction of range
  double trial_cost{1}; ///< noises that one trial may cost by the model's curvature: steep plants get small trials
  double doubt{0.7};    ///< share of the model's standard deviation that trials are drawn with
  double stillness{12}; ///< steps per knob without a visible offset before one is made, so that no knob goes blind
  double stir{0.03};    ///< size of that offset, fraction of range
  double shock{5};      ///< deviations worse than forecast that bring the next step back to the centre
  double flinch{0.5};   ///< ... and multiply boldness by this
  double least_boldness{0.3};          ///< but never below this
  double look_gain{2};                 ///< noises by which a look must be better than the present level
  double recognition{2.5};             ///< deviations within which a looked-at regime counts as the remembered one
  std::uint32_t default_interval{200}; ///< steps before the default is looked at again; doubles while it is worse
  std::uint32_t default_interval_limit{600};
  std::uint32_t default_looks{3}; ///< looks in a row that must be better before the strategy returns to the default
  double proof{2};                ///< noises by which the recent mean must beat the default for full boldness
  double unproven{0.4};           ///< boldness while it does not beat it at all
  std::uint32_t grace{60};        ///< steps after the start and after a change without that demand
  double shyness{0.5}; ///< trust and amplitude are cut to this share after such a return; recovers 1 % a step
  bank_tuning bank;
  detector_tuning detector;
  memory_tuning memory;
  trial_tuning trial;
  friend bool operator==(const adaptive_tuning&, const adaptive_tuning&) = default;
};

/// A place to measure once, on purpose.
struct planned_look {
  online_point place;
  std::uint64_t regime{0}; ///< id in the memory; 0: the default
  friend bool operator==(const planned_look&, const planned_look&) = default;
};

/// Where `adaptive` stands; a plain value. Bounded: the bank has at most 20 members, the memory `capacity` regimes.
struct adaptive_state {
  chacha8_rng rng;
  std::uint64_t step{0};            ///< measurements recorded
  std::vector<double> first;        ///< measurements of the default, until the bank exists
  model_bank bank;                  ///< empty until then
  online_point centre;              ///< the incumbent: continuous positions, one per knob
  online_point quiet_centre;        ///< the centre when nothing spoke for a change
  bank_member quiet_model;          ///< and its chief
  online_point settled_centre;      ///< where the centre has stayed
  std::uint32_t settled{0};         ///< for how many quiet steps
  std::vector<std::uint32_t> still; ///< steps since each knob showed an offset
  change_detector detector;
  std::vector<planned_look> looks;      ///< still to be taken, in order
  std::vector<planned_look> taken;      ///< of the present round
  std::optional<std::size_t> best_look; ///< index into `taken`
  double best_look_value{0};
  double level{0};                  ///< what a look has to beat
  bool comparing{false};            ///< the present round compares with the default only
  std::uint32_t default_wins{0};    ///< in a row, of that comparison
  std::uint32_t default_useless{0}; ///< fruitless looks at the default after changes
  std::uint32_t default_passed_over{0};
  std::uint32_t since_default{0};
  std::uint32_t default_interval{0};
  std::uint32_t averaged{0}; ///< measurements in `recent`
  double recent{0};          ///< running mean of what was measured around the centre
  double default_level{0};   ///< of the default, as last looked at
  double boldness{1};        ///< multiplies trust and amplitude, 0..1
  bool retreating{false};
  regime_memory memory;
  switch_trial trial;
  friend bool operator==(const adaptive_state&, const adaptive_state&) = default;
};

[[nodiscard]] std::expected<void, std::string> check(const adaptive_tuning& tuning);

/// What the strategy works on: given again at each call, never stored.
struct adaptive_frame {
  std::span<const knob_spec> knobs;
  const adaptive_tuning& tuning;
  std::optional<double> max_delta;   ///< per step, fraction of range
  std::optional<double> noise_floor; ///< declared standard deviation of the objective
};

[[nodiscard]] adaptive_state fresh_adaptive(const adaptive_frame& frame, std::uint64_t seed);

/// @param last  what is applied now.  @returns where to measure next and why. Draws random numbers.
[[nodiscard]] online_step propose(adaptive_state& s, const adaptive_frame& frame, const online_point& last);

/// Learns the measurement of `at`, the step proposed last. @returns what it meant.
online_event learn(adaptive_state& s, const adaptive_frame& frame, const online_step& at, double value,
                   std::optional<double> error);

/// The proposed step was not applied: looks and trials that need it are given up.
void abandon(adaptive_state& s);

} // namespace homeostat
