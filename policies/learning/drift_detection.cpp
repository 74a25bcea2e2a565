#include "policies/learning/drift_detection.hpp"

#include "policies/number_text.hpp"

#include <algorithm>
#include <cmath>

namespace homeostat {

std::optional<drift_finding> observe(page_hinkley_state& state, const page_hinkley_settings& settings, double error) {
  if (!std::isfinite(error)) return std::nullopt;
  ++state.count;
  if (state.count <= settings.reference) {
    const double step = error - state.mean;
    state.mean += step / static_cast<double>(state.count);
    state.squares += step * (error - state.mean);
    return std::nullopt;
  }
  // A model that was never wrong has no deviation; a thousandth of a log unit is then taken for one.
  const double deviation = std::max(std::sqrt(state.squares / (settings.reference - 1.0)), 1e-3);
  const double z = std::clamp((error - state.mean) / deviation, -settings.largest, settings.largest);
  state.above = std::max(0.0, state.above + z - settings.slack);
  state.below = std::max(0.0, state.below - z - settings.slack);
  const double statistic = std::max(state.above, state.below);
  if (statistic <= settings.limit) return std::nullopt;
  const bool slower = state.above > state.below;
  drift_finding found{.statistic = statistic,
                      .limit = settings.limit,
                      .text = std::string("Page-Hinkley: transfers are ") + (slower ? "slower" : "faster") +
                              " than foretold (" + number_text(statistic) + " deviations in sum, limit " +
                              number_text(settings.limit) + ")"};
  state = {};
  return found;
}

double kolmogorov_smirnov_distance(std::span<const double> a, std::span<const double> b) {
  if (a.empty() || b.empty()) return 0;
  double largest = 0;
  std::size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    const double x = std::min(a[i], b[j]); // all equal values of both are passed before the gap is taken
    while (i < a.size() && a[i] <= x) ++i;
    while (j < b.size() && b[j] <= x) ++j;
    const double gap =
        static_cast<double>(i) / static_cast<double>(a.size()) - static_cast<double>(j) / static_cast<double>(b.size());
    largest = std::max(largest, std::abs(gap));
  }
  return largest;
}

double kolmogorov_smirnov_limit(std::size_t a, std::size_t b, double alpha) {
  const double n = static_cast<double>(a), m = static_cast<double>(b);
  return std::sqrt(-std::log(alpha / 2) / 2) * std::sqrt((n + m) / (n * m));
}

std::optional<drift_finding> observe(size_shift_state& state, const size_shift_settings& settings,
                                     std::uint64_t bytes) {
  const double size = bytes == 0 ? 0 : std::log2(static_cast<double>(bytes));
  if (state.reference.size() < settings.reference) {
    state.reference.push_back(size);
    if (state.reference.size() == settings.reference) std::ranges::sort(state.reference);
    return std::nullopt;
  }
  state.block.push_back(size);
  if (state.block.size() < settings.block) return std::nullopt;
  std::ranges::sort(state.block);
  const double distance = kolmogorov_smirnov_distance(state.reference, state.block);
  const double limit = kolmogorov_smirnov_limit(state.reference.size(), state.block.size(), settings.alpha);
  state.block.clear();
  state.differing = distance > limit ? state.differing + 1 : 0;
  if (state.differing < settings.in_a_row) return std::nullopt;
  state = {};
  return drift_finding{.statistic = distance,
                       .limit = limit,
                       .text = "Kolmogorov-Smirnov: other sizes come than before (distance " + number_text(distance) +
                               ", limit " + number_text(limit) + ")"};
}

std::optional<drift_finding> observe(drift_state& state, const drift_settings& settings, std::uint64_t bytes,
                                     double predicted_us, double actual_us) {
  auto sizes = observe(state.sizes, settings.sizes, bytes);
  std::optional<drift_finding> errors;
  if (predicted_us > 0 && actual_us > 0)
    errors = observe(state.errors, settings.errors, std::log(actual_us / predicted_us));
  return errors ? errors : sizes;
}

} // namespace homeostat
