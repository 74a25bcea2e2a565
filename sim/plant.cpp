#include "sim/plant.hpp"

#include <cmath>

namespace homeostat::sim {

plant::plant(const scenario& s) : scenario_(s), defaults_(initial_values(s.governor.knobs)), values_(defaults_) {}

void plant::apply(const knob_values& values, std::uint64_t generation) {
  values_ = values;
  if (scenario_.habits.rounds_to_float)
    for (std::size_t i = 0; i < values_.size(); ++i)
      if (scenario_.governor.knobs[i].type == knob_type::continuous)
        values_[i] = static_cast<double>(static_cast<float>(values_[i]));
  label_ = generation;
}

void plant::restart() {
  values_ = defaults_;
  label_ = 0;
}

void plant::measure(telemetry_digest& digest, duration at, draw& noise) const {
  const double truth = objective(at);
  double seen = truth * (1 + scenario_.habits.noise * noise.normal());
  if (scenario_.habits.outliers > 0 && noise.chance(scenario_.habits.outliers))
    seen *= 1 + 0.5 / std::sqrt(1 - noise.uniform()); // Pareto with infinite variance
  digest.objective = seen;
  digest.sample_count = 1 + noise.below(1000);
  if (scenario_.seed % 2 == 0) digest.measures.set(digest_measure::p99_latency_ms, 2 * seen);
  if (scenario_.seed % 3 == 0) digest.measures.set(digest_measure::error_rate, 0.01 * noise.uniform());
  if (auto margin = scenario_.plant.constraint_margin(values_))
    digest.measures.set(digest_measure::constraint_margin, *margin + 0.01 * noise.normal());
}

knob_values random_values(draw& d, std::span<const knob_spec> knobs) {
  knob_values values;
  for (const knob_spec& k : knobs) values.push_back(value_at(k, d.uniform()));
  return values;
}

} // namespace homeostat::sim
