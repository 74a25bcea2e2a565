#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace homeostat {

/// Most knobs one loop may hold: beyond this a perturbation says too little about each knob to learn from (design §1).
inline constexpr std::size_t max_knobs = 16;

/// What a change of a boolean or categorical knob counts for in the cumulative cap, as a fraction of range. Such knobs
/// have no distance, so without it they could switch at the full update rate; at 0.25 the balanced preset allows two a
/// minute.
inline constexpr double switch_displacement = 0.25;

enum class knob_type : std::uint8_t { continuous, integer, boolean, categorical };
enum class knob_scale : std::uint8_t { linear, log, periodic };
/// How much harm a change of the knob can do (design §8).
enum class risk_class : std::uint8_t { low, medium, high };

/// One value per knob of a loop, in the loop's knob order and each knob's unit. Inline storage: no allocation on the
/// hot path. A list with more than max_knobs values keeps max_knobs + 1 of them, so that it never has the length of any
/// loop and is refused instead of being mistaken for a shorter one.
class knob_values {
public:
  knob_values() = default;
  knob_values(std::initializer_list<double> values);
  explicit knob_values(std::span<const double> values);

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] double* begin() { return values_.data(); }
  [[nodiscard]] double* end() { return values_.data() + size_; }
  [[nodiscard]] const double* begin() const { return values_.data(); }
  [[nodiscard]] const double* end() const { return values_.data() + size_; }
  [[nodiscard]] double& operator[](std::size_t i) { return values_[i]; }
  [[nodiscard]] double operator[](std::size_t i) const { return values_[i]; }
  void push_back(double value);

  friend bool operator==(const knob_values& a, const knob_values& b);

private:
  std::array<double, max_knobs + 1> values_{};
  std::uint8_t size_{0};
};

/// Limits of one step in the knob's own unit; they replace the guardrails' fraction for that knob. Up and down may
/// differ.
struct unit_step_limit {
  double up;   ///< > 0
  double down; ///< > 0
  friend bool operator==(const unit_step_limit&, const unit_step_limit&) = default;
};

/// One tunable. Booleans are 0 or 1, categories are their index; min and max are then 0 and count - 1.
struct knob_spec {
  std::string name{};                          ///< [a-z][a-z0-9_]*, unique in its loop
  knob_type type{knob_type::continuous};       ///< which values exist between the bounds
  knob_scale scale{knob_scale::linear};        ///< in which measure distance is taken
  std::string unit{};                          ///< for people; empty = dimensionless
  double min{0};                               ///< smallest allowed value; > 0 on a log scale
  double max{1};                               ///< largest allowed value; > min
  double initial{0};                           ///< the static default: an admissible value
  std::optional<double> step{};                ///< grid from min, in the unit; absent = none
  std::optional<unit_step_limit> step_limit{}; ///< `max_delta` in the knob's unit
  std::vector<std::string> categories{};       ///< names, categorical knobs only
  risk_class risk{risk_class::low};            ///< of a change by itself
  std::string concern{};                       ///< what it is about, such as memory or latency; empty: unnamed
  bool security_relevant{false};               ///< a change is always of HIGH risk
  friend bool operator==(const knob_spec&, const knob_spec&) = default;
};

/// Checks that a specification makes sense.
/// @returns nothing, or one sentence that names the field, its value and the expected form.
[[nodiscard]] std::expected<void, std::string> check(const knob_spec& spec);

/// @returns true if the knob has distances (continuous and integer knobs do).
[[nodiscard]] bool is_ordered(const knob_spec& spec);

/// @param value  any finite number; values beyond the bounds (a human override, drift) have places below 0 or above 1.
/// @returns the place of a value on the knob's scale, 0 at min, 1 at max; always finite, within +-1e6.
[[nodiscard]] double position_of(const knob_spec& spec, double value);

/// @param position  any finite number; wrapped on a periodic scale, else limited to 0..1.
/// @returns the admissible value nearest to that place (on the knob's grid, integral where it must be).
[[nodiscard]] double value_at(const knob_spec& spec, double position);

/// @returns the signed way from one finite value to another as a fraction of range in the knob's scale: the shorter way
///          round on a periodic scale, +-switch_displacement for a change of a knob without distances.
[[nodiscard]] double displacement(const knob_spec& spec, double from, double to);

/// @returns true if value is finite, within bounds, and one the knob can take (integral, on the grid, a known
/// category).
[[nodiscard]] bool is_admissible(const knob_spec& spec, double value);

/// @returns the smallest way the knob can move from `value`, as a fraction of range; 0 for a continuous knob without
/// grid.
[[nodiscard]] double smallest_move(const knob_spec& spec, double value);

/// @returns the largest allowed step from `from` towards `to`, as a fraction of range.
[[nodiscard]] double step_limit_of(const knob_spec& spec, double from, double to, double max_delta_per_step);

/// @returns the initial values of a loop's knobs, in order.
[[nodiscard]] knob_values initial_values(std::span<const knob_spec> knobs);

/// @returns true if a measured amount is above its limit by more than rounding (a billionth).
[[nodiscard]] constexpr bool exceeds(double amount, double limit) { return amount > limit + 1e-9 * (limit + 1e-3); }

} // namespace homeostat
