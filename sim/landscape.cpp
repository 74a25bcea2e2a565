#include "sim/landscape.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <utility>

namespace homeostat::sim {

namespace {

/// Rows of a random orthonormal matrix (Gram-Schmidt over normal draws).
std::vector<double> random_rotation(draw& d, std::size_t n) {
  std::vector<double> m(n * n);
  for (std::size_t row = 0; row < n; ++row) {
    double length = 0;
    while (length < 1e-6) {
      for (std::size_t i = 0; i < n; ++i) m[row * n + i] = d.normal();
      for (std::size_t other = 0; other < row; ++other) {
        double dot = 0;
        for (std::size_t i = 0; i < n; ++i) dot += m[row * n + i] * m[other * n + i];
        for (std::size_t i = 0; i < n; ++i) m[row * n + i] -= dot * m[other * n + i];
      }
      length = 0;
      for (std::size_t i = 0; i < n; ++i) length += m[row * n + i] * m[row * n + i];
      length = std::sqrt(length);
    }
    for (std::size_t i = 0; i < n; ++i) m[row * n + i] /= length;
  }
  return m;
}

/// A fixed pseudo-random number in -1..1 for the n-th regime: regimes come back, as those of real plants do.
double regime_offset(std::int64_t n) {
  constexpr std::array<double, 5> offsets{0.0, 0.9, -0.7, 0.4, -1.0};
  return offsets[static_cast<std::size_t>(n % 5)];
}

double queue_latency(double capacity, double load) {
  const double utilisation = load / (0.1 + capacity);
  constexpr double cliff = 0.97;
  return utilisation < cliff ? 1 / (1 - utilisation) : 1 / (1 - cliff) + 200 * (utilisation - cliff);
}

} // namespace

std::string_view name_of(landscape_kind kind) {
  constexpr std::array<std::string_view, landscape_kind_count> names{"bowl", "queue", "cache", "valley", "plateau"};
  return names.at(static_cast<std::size_t>(kind));
}

double landscape::wander(double seconds) const {
  switch (drift) {
  case drift_kind::none: return 0;
  case drift_kind::ramp: return std::min(1.0, seconds / drift_period_s);
  case drift_kind::regimes: return regime_offset(static_cast<std::int64_t>(seconds / drift_period_s));
  case drift_kind::periodic: return std::sin(2 * std::numbers::pi * seconds / drift_period_s);
  }
  return 0;
}

double landscape::place(std::size_t knob, double value) const {
  const knob_spec& k = knobs[knob];
  if (!std::isfinite(value)) return 0;
  const double inside = std::clamp(value, k.min, k.max);
  if (k.scale == knob_scale::log) return std::log(inside / k.min) / std::log(k.max / k.min);
  return (inside - k.min) / (k.max - k.min);
}

double landscape::objective(const knob_values& values, double seconds) const {
  const std::size_t n = knobs.size();
  std::array<double, max_knobs> away{};
  double categories = 0;
  const double way = wander(seconds);
  for (std::size_t i = 0; i < n; ++i) {
    const double at = i < values.size() ? values[i] : knobs[i].initial;
    if (!category[i].empty()) {
      const double index = std::isfinite(at) ? std::clamp(at, 0.0, static_cast<double>(category[i].size() - 1)) : 0;
      categories += category[i][static_cast<std::size_t>(index)];
      continue;
    }
    away[i] = place(i, at) - (optimum[i] + shift[i] * way);
    if (knobs[i].scale == knob_scale::periodic) away[i] = std::remainder(away[i], 1.0);
  }
  const bool special = kind == landscape_kind::queue || kind == landscape_kind::cache || kind == landscape_kind::valley;
  const std::size_t from = special ? std::min<std::size_t>(kind == landscape_kind::valley ? 2 : 1, n) : 0;
  double quadratic = 0;
  for (std::size_t row = from; row < n; ++row) {
    double along = 0;
    for (std::size_t i = from; i < n; ++i) along += rotation[row * n + i] * away[i];
    quadratic += curvature[row] * along * along;
  }
  const double x = away[0] + optimum[0]; // the first knob's place, the world having moved instead of the optimum
  double shape = 0;
  switch (kind) {
  case landscape_kind::bowl: shape = 1 + quadratic; break;
  case landscape_kind::plateau: shape = 1 + std::max(0.0, std::sqrt(quadratic) - 0.4); break;
  case landscape_kind::queue:
    shape = 0.2 * queue_latency(std::max(x, 0.0), 0.35) + 2.5 * std::max(x, 0.0) + 0.5 * quadratic;
    break;
  case landscape_kind::cache: shape = 0.2 / (0.05 + std::max(x, 0.0)) + 2 * x * x + 0.5 * quadratic; break;
  case landscape_kind::valley: {
    const double across = n > 1 ? away[1] - 1.5 * away[0] * away[0] : 0;
    shape = 1 + 3 * away[0] * away[0] + 40 * across * across + quadratic;
    break;
  }
  }
  return floor * (shape + categories);
}

std::optional<double> landscape::constraint_margin(const knob_values& values) const {
  if (!margin || values.empty() || !is_ordered(knobs[0])) return std::nullopt;
  return *margin - place(0, values[0]);
}

landscape draw_landscape(draw& d, std::vector<knob_spec> knobs, double run_s) {
  landscape l;
  const std::size_t n = knobs.size();
  l.kind = static_cast<landscape_kind>(d.below(landscape_kind_count));
  if (!is_ordered(knobs[0])) l.kind = landscape_kind::bowl;
  for (std::size_t i = 0; i < n; ++i) {
    l.optimum.push_back(d.uniform(0.15, 0.85));
    l.shift.push_back(d.uniform(-0.25, 0.25));
    l.curvature.push_back(d.log_uniform(0.5, 20));
    auto& costs = l.category.emplace_back();
    if (is_ordered(knobs[i])) continue;
    for (double value = knobs[i].min; value <= knobs[i].max; ++value) costs.push_back(d.uniform(0, 0.3));
  }
  l.rotation = random_rotation(d, n);
  l.knobs = std::move(knobs);
  l.floor = d.log_uniform(0.01, 1000);
  constexpr std::array<drift_kind, 6> drifts{drift_kind::none,    drift_kind::none, drift_kind::none,
                                             drift_kind::regimes, drift_kind::ramp, drift_kind::periodic};
  l.drift = drifts[d.below(drifts.size())];
  l.drift_period_s = run_s * d.uniform(0.3, 1.0);
  if (d.chance(0.2)) l.margin = d.uniform(0.7, 1.1);
  return l;
}

} // namespace homeostat::sim
