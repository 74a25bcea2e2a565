#pragma once

#include "sim/scenario.hpp"

#include <cstdint>

namespace homeostat::sim {

/// The system under control: its values, what it says about them, and how well it runs.
class plant {
public:
  explicit plant(const scenario& s);

  /// Takes values over, rounded as the plant keeps them. @param generation  what it will name them by from now on.
  void apply(const knob_values& values, std::uint64_t generation);
  /// Names the present values by another generation (somebody adopted them).
  void relabel(std::uint64_t generation) { label_ = generation; }
  /// Back to the defaults, nameless: the process it lived in is gone.
  void restart();
  /// @returns the values as the plant keeps them.
  [[nodiscard]] const knob_values& values() const { return values_; }
  [[nodiscard]] std::uint64_t label() const { return label_; }
  /// Sets values behind everybody's back; the name stays.
  void tamper(const knob_values& values) { values_ = values; }

  /// @returns the true objective of the present values.
  [[nodiscard]] double objective(duration at) const { return scenario_.plant.objective(values_, seconds_of(at)); }
  /// @returns the true objective that the static defaults would have now.
  [[nodiscard]] double default_objective(duration at) const {
    return scenario_.plant.objective(defaults_, seconds_of(at));
  }
  /// Draws what one measurement shows of the present values. Fills objective, samples and measures.
  void measure(telemetry_digest& digest, duration at, draw& noise) const;

private:
  const scenario& scenario_;
  knob_values defaults_;
  knob_values values_;
  std::uint64_t label_{0};
};

/// @returns values that every knob can take, drawn anywhere in their ranges.
[[nodiscard]] knob_values random_values(draw& d, std::span<const knob_spec> knobs);

} // namespace homeostat::sim
