#pragma once

#include "policies/search/online/quadratic_filter.hpp"

#include <optional>
#include <vector>

namespace homeostat {

/// Numbers of the models of `adaptive`. Lengths and speeds are fractions of a knob's range (per recorded step), sizes
/// are multiples of the noise, unless said otherwise.
struct bank_tuning {
  double slow{0.0005};          ///< speed of the optimum under the three hypotheses without velocity
  double medium{0.004};         ///< ...
  double fast{0.03};            ///< ...
  double wander{0.001};         ///< speed beside the velocity under the hypotheses with velocity
  double gentle_turn{2e-5};     ///< change of that velocity per step
  double sharp_turn{3e-4};      ///< ...
  double prior_gradient{10};    ///< expected |slope| over the whole range
  double prior_curvature{60};   ///< expected curvature, and its uncertainty
  double memory{0.97};          ///< weight kept per step by a hypothesis's record of forecasts, 0..1
  double noise_rate{0.03};      ///< weight of the newest residual in the noise estimate, 0..1
  double locality{0.2};         ///< distance at which a measurement counts half: a quadratic is a local truth
  double shape_change{3};       ///< how much curvature changes over one range of the centre's own movement, relative
  double shift_gradient{0.37};  ///< after a change: the optimum may be this far from where it was
  double shift_curvature{0.77}; ///< ... and curvature may have changed by this share
  double shift_level{10};       ///< ... and the level by this much
  friend bool operator==(const bank_tuning&, const bank_tuning&) = default;
};

/// One hypothesis on how the plant moves, with its model.
struct bank_member {
  quadratic_filter filter;
  bool logarithmic{false}; ///< models the logarithm of the objective: costs that multiply
  double speed{0};         ///< of the optimum, fraction of range per step
  double turn{0};          ///< change of velocity per step; 0: no velocity
  double noise{1};         ///< variance, in the model's own scale
  double record{0};        ///< discounted log likelihood of its one-step forecasts
  friend bool operator==(const bank_member&, const bank_member&) = default;
};

/// Competing models of the same measurements around one centre; the one that forecast best lately is in charge.
/// Bounded: at most 20 members of O(d^4) numbers each, whatever the number of steps.
struct model_bank {
  std::vector<bank_member> members; ///< empty until the first level is known
  std::size_t best{0};
  double scale{1}; ///< |objective| at the start: floors of noise and logarithm
  friend bool operator==(const model_bank&, const model_bank&) = default;

  [[nodiscard]] const bank_member& chief() const { return members[best]; }
};

/// @param values  first measurements at one place, at least 2; @param floor  least noise standard deviation.
[[nodiscard]] model_bank fresh_bank(std::size_t dimensions, const std::vector<double>& values, double floor,
                                    const bank_tuning& tuning);

/// What the chief thought of a measurement before it learned from it.
struct bank_surprise {
  double deviations{0}; ///< (measured - forecast) in standard deviations
};

/// Learns one measurement and chooses the chief. A member that takes logarithms leaves for good when a value is not
/// positive. @param error  standard error of the value, if the caller knows it.
bank_surprise learn(model_bank& bank, const std::vector<double>& offset, double value, std::optional<double> error,
                    const bank_tuning& tuning);

/// Moves the centre; what a local quadratic does not know about the new place becomes uncertainty.
void move_centre(model_bank& bank, const std::vector<double>& by, const bank_tuning& tuning);

/// The plant changed: level, gradient and curvature are uncertain again. @param share  of the tuning's variances.
void expect_change(model_bank& bank, double share, const bank_tuning& tuning);

/// The level is known afresh, for instance after a change.
void set_level(model_bank& bank, double level);

/// Starts over at another place: the level is known, the gradient is not, the curvature is kept.
void restart_at(model_bank& bank, const std::vector<double>& by, double level, const bank_tuning& tuning);

/// @returns the chief's noise as a standard deviation in the objective's unit at this level.
[[nodiscard]] double noise_at(const model_bank& bank, double level);

/// @returns the model's level at its centre, in the objective's unit.
[[nodiscard]] double level_at_centre(const bank_member& m);

/// @returns a value in the model's scale.
[[nodiscard]] double modelled(const bank_member& m, double value, double scale);

/// @returns the curvature used to turn speeds into gradients: the mean one, but never less than `least` noises.
[[nodiscard]] double working_curvature(const bank_member& m, double least);

} // namespace homeostat
