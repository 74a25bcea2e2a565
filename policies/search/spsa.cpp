#include "policies/search/spsa.hpp"

#include "policies/number_text.hpp"

#include <algorithm>
#include <cmath>

namespace homeostat {

namespace {

double decayed(const spsa_settings& s, std::uint64_t iteration) {
  return static_cast<double>(s.last_decay ? std::min(iteration, *s.last_decay) : iteration);
}

} // namespace

std::expected<void, std::string> check(const spsa_settings& s) {
  const auto wrong = [](const char* name, double value, const char* expected) {
    return std::unexpected(std::string(name) + " is " + number_text(value) + ", expected " + expected);
  };
  if (!(std::isfinite(s.learning_rate) && s.learning_rate > 0))
    return wrong("learning_rate", s.learning_rate, "more than 0");
  if (!(s.perturbation_scale > 0 && s.perturbation_scale <= 0.5))
    return wrong("perturbation_scale", s.perturbation_scale, "more than 0, at most 0.5");
  if (!(std::isfinite(s.alpha) && s.alpha > 0)) return wrong("alpha", s.alpha, "more than 0");
  if (!(std::isfinite(s.gamma) && s.gamma >= 0)) return wrong("gamma", s.gamma, "0 or more");
  if (!(std::isfinite(s.stability) && s.stability >= 0)) return wrong("stability", s.stability, "0 or more");
  if (!(s.max_step > 0 && s.max_step <= 1)) return wrong("max_step", s.max_step, "more than 0, at most 1");
  if (s.windows_per_probe < 1 || s.windows_per_probe > 1000)
    return wrong("windows_per_probe", s.windows_per_probe, "1 to 1000");
  return {};
}

spsa_state fresh_spsa(std::uint64_t seed, std::size_t dimensions) {
  spsa_state s;
  s.rng = chacha8_rng(seed);
  s.dimensions = std::min(dimensions, max_knobs);
  return s;
}

double learning_rate_at(const spsa_settings& s, std::uint64_t iteration) {
  return s.learning_rate / std::pow(decayed(s, iteration) + 1 + s.stability, s.alpha);
}

double perturbation_scale_at(const spsa_settings& s, std::uint64_t iteration) {
  return s.perturbation_scale / std::pow(decayed(s, iteration) + 1, s.gamma);
}

void generate_perturbation(spsa_state& state) {
  if (state.phase != spsa_phase::ready) return;
  state.direction = {};
  for (std::size_t i = 0; i < state.dimensions; ++i) state.direction.push_back(state.rng.sign());
  state.phase = spsa_phase::waiting_plus;
  state.accumulated = 0;
  state.recorded = 0;
}

void record_objective(spsa_state& state, double objective) {
  if (state.phase == spsa_phase::ready) return;
  state.accumulated += objective;
  ++state.recorded;
}

bool has_enough_samples(const spsa_state& state, const spsa_settings& settings) {
  return state.recorded >= settings.windows_per_probe;
}

std::optional<spsa_difference> complete_eval_window(spsa_state& state) {
  if (state.recorded == 0) return std::nullopt;
  const double mean = state.accumulated / state.recorded;
  state.accumulated = 0;
  state.recorded = 0;
  if (state.phase == spsa_phase::waiting_plus) {
    state.y_plus = mean;
    state.phase = spsa_phase::waiting_minus;
    return std::nullopt;
  }
  state.phase = spsa_phase::ready;
  ++state.iteration;
  return spsa_difference{.y_plus = state.y_plus, .y_minus = mean};
}

void abandon(spsa_state& state) {
  state.phase = spsa_phase::ready;
  state.accumulated = 0;
  state.recorded = 0;
}

} // namespace homeostat
