#include "policies/search/noise.hpp"

#include "policies/median.hpp"
#include "policies/search/chacha8.hpp"
#include "policies/search/normal.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>
#include <vector>

namespace homeostat {

namespace {

// How the size of the residuals grows with the level above the lowest mean: |r| ~ a + b * level, from the medians of
// the lower and the upper half, which neither spikes nor a few good points can bend.
std::vector<double> level_factors(std::span<const double> residuals, std::span<const double> levels) {
  const std::size_t n = residuals.size();
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) { return levels[i]; });
  std::vector<double> low_size, high_size, low_level, high_level;
  for (std::size_t k = 0; k < n; ++k) {
    const std::size_t i = order[k];
    (2 * k < n ? low_size : high_size).push_back(std::abs(residuals[i]));
    (2 * k < n ? low_level : high_level).push_back(levels[i]);
  }
  const double a = upper_median(low_size);
  const double rise = upper_median(high_level) - upper_median(low_level);
  const double slope = rise > 0 ? std::max(0.0, upper_median(high_size) - a) / rise : 0;
  const double start = upper_median(low_level);
  std::vector<double> factors(n, 1);
  if (a > 0)
    for (std::size_t i = 0; i < n; ++i) {
      const double sd = std::max(0.5 * a, a + slope * (levels[i] - start)) / a;
      factors[i] = std::clamp(sd * sd, 0.25, 400.0);
    }
  return factors;
}

} // namespace

std::optional<double> repeat_noise(const search_history& history) {
  struct group {
    double count{0};
    double mean{0};
    double squares{0};
  };
  std::map<unit_point, group> groups;
  for (const observation& o : history.told) {
    group& g = groups[o.point];
    g.count += 1;
    const double off = o.value - g.mean;
    g.mean += off / g.count;
    g.squares += off * (o.value - g.mean);
  }
  double squares = 0;
  double degrees = 0;
  for (const auto& [point, g] : groups)
    if (g.count > 1) squares += g.squares, degrees += g.count - 1;
  if (degrees == 0) return std::nullopt;
  return std::sqrt(squares / degrees);
}

void fit_robustly(surrogate& model, std::span<const unit_point> points, std::span<const double> values, int passes,
                  int trials) {
  std::vector<double> factors(points.size(), 1);
  for (int pass = 0; pass < passes; ++pass) {
    surrogate_shape shape = model.shape();
    shape.noise = std::max(shape.noise, 0.05);
    model.set_data(points, values, factors);
    if (!model.condition(shape)) model.condition(surrogate_shape{.noise = 0.3});
    model.improve_shape(trials, true);
    if (pass + 1 == passes || points.size() < 8) break;
    const std::vector<double> residuals = model.residuals();
    std::vector<double> levels(points.size());
    for (std::size_t i = 0; i < levels.size(); ++i) levels[i] = values[i] - residuals[i];
    factors = level_factors(residuals, levels);
    std::vector<double> relative(points.size());
    for (std::size_t i = 0; i < relative.size(); ++i) relative[i] = std::abs(residuals[i]) / std::sqrt(factors[i]);
    const double usual = 1.4826 * upper_median(relative);
    for (std::size_t i = 0; i < relative.size(); ++i)
      if (usual > 0 && relative[i] > 2 * usual) factors[i] *= std::pow(relative[i] / (2 * usual), 2);
  }
}

std::optional<observation> lowest_posterior_mean(const search_space& space, const search_history& history) {
  if (history.told.empty()) return std::nullopt;
  // The whole history if it is small, else its better part: what is high says little about where it is low.
  constexpr std::size_t most = 150;
  std::vector<std::size_t> order(history.told.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) { return std::pair(history.told[i].value, i); });
  order.resize(std::min(order.size(), most));
  std::vector<unit_point> points;
  std::vector<double> values;
  for (std::size_t i : order) points.push_back(history.told[i].point), values.push_back(history.told[i].value);
  surrogate model(space);
  fit_robustly(model, points, values, 4, 15);
  // Pessimistic: where nothing was measured nearby, a low mean is a promise of the trend only.
  const auto worst_case = [&](const unit_point& p) {
    const surrogate_prediction at = model.predict(p);
    return at.mean + at.deviation;
  };
  unit_point best = points.front();
  double lowest = worst_case(best);
  for (const unit_point& p : points)
    if (const double value = worst_case(p); value < lowest) best = p, lowest = value;
  chacha8_rng rng(history.told.size());
  double radius = 0.15;
  for (int i = 0; i < 400; ++i) {
    unit_point tried = best;
    for (std::size_t k = 0; k < tried.size(); ++k)
      if (space.is_ordered_axis(k)) tried[k] = space.inside(k, tried[k] + radius * normal(rng));
    tried = space.snapped(tried);
    const double value = worst_case(tried);
    if (value < lowest)
      best = tried, lowest = value, radius = std::min(0.2, radius * 1.3);
    else
      radius = std::max(1e-4, radius * 0.96);
  }
  return observation{best, model.mean_at(best)};
}

} // namespace homeostat
