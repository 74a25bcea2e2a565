#include "policies/search/bayes_search.hpp"

#include "policies/search/noise.hpp"
#include "policies/search/normal.hpp"
#include "policies/search/probe.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <utility>

namespace homeostat {

namespace {

constexpr std::uint64_t bayes_stream = 0x10;
constexpr double zoom_edge = 0.4; // a smaller region is modelled by itself

// Expected improvement of a normal variable below `best`.
double expected_improvement(double mean, double deviation, double best) {
  const double z = (best - mean) / deviation;
  const double density = std::exp(-0.5 * z * z) / std::sqrt(2 * std::numbers::pi);
  return (best - mean) * 0.5 * std::erfc(-z / std::numbers::sqrt2) + deviation * density;
}

} // namespace

bayes_search::bayes_search(const search_space& space, bayes_settings settings)
    : space_(&space), settings_(settings), rng_(settings.seed, bayes_stream), model_(space),
      edge_(settings.first_edge) {}

// While the region is wide: all, or the nearest to the incumbent and every so-manyth of the others, so that the model
// does not forget the rest. Once it is small: what lies in it, and enough around it for a quadratic.
std::vector<std::size_t> bayes_search::chosen(const search_history& history) const {
  std::vector<std::size_t> order(history.told.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  // Noise averages out over points, so that under noise every one of them counts.
  const std::size_t most = settings_.noisy ? settings_.model_points * 5 / 4 : settings_.model_points;
  const bool zoomed = !settings_.noisy && edge_ < zoom_edge;
  if (order.size() <= most && !zoomed) return order;
  const unit_point& centre = history.told[history.best].point;
  std::vector<double> away(order.size());
  for (std::size_t i : order) away[i] = space_->distance(centre, history.told[i].point);
  std::ranges::sort(order, {}, [&](std::size_t i) { return std::pair(away[i], i); });
  if (zoomed) {
    const double reach = edge_ * std::sqrt(static_cast<double>(space_->size()));
    const auto inside = static_cast<std::size_t>(std::ranges::count_if(away, [&](double a) { return a <= reach; }));
    const std::size_t enough = 3 * space_->size() + 5;
    order.resize(std::min({order.size(), settings_.model_points, std::max(inside, enough)}));
    return order;
  }
  const std::size_t near = most * 3 / 4;
  std::vector<std::size_t> kept(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(near));
  const std::size_t places = most - near;
  for (std::size_t k = 0; k < places; ++k) kept.push_back(order[near + k * (order.size() - near) / places]);
  std::ranges::sort(kept);
  return kept;
}

surrogate_frame bayes_search::frame_of(std::span<const unit_point> points, const unit_point& centre) const {
  if (settings_.noisy || edge_ >= zoom_edge) return {};
  double half = 0.5 * edge_;
  for (const unit_point& p : points)
    for (std::size_t i = 0; i < p.size(); ++i)
      if (space_->is_ordered_axis(i)) half = std::max(half, std::abs(space_->way(i, centre[i], p[i])));
  return {centre, half};
}

bayes_search::incumbent bayes_search::fit(const search_history& history) {
  std::vector<unit_point> points;
  std::vector<double> values;
  for (std::size_t i : chosen(history))
    points.push_back(history.told[i].point), values.push_back(history.told[i].value);
  incumbent best{history.told[history.best].point, history.told[history.best].value};
  if (settings_.noisy) {
    fit_robustly(model_, points, values, 2, 1);
    const std::vector<double> residuals = model_.residuals();
    std::size_t lowest = 0;
    for (std::size_t i = 0; i < points.size(); ++i)
      if (values[i] - residuals[i] < values[lowest] - residuals[lowest]) lowest = i;
    best = {points[lowest], values[lowest] - residuals[lowest]};
  } else {
    // What lies far above the middle need not be modelled in full: it would set the scale of everything.
    std::vector<double> sorted = values;
    std::ranges::sort(sorted);
    const double top = sorted[sorted.size() / 2] + 3 * (sorted[sorted.size() / 2] - sorted.front());
    if (top > sorted.front())
      for (double& v : values)
        if (v > top) v = top + (top - sorted.front()) * std::log1p((v - top) / (top - sorted.front()));
    model_.set_data(points, values, {}, frame_of(points, best.point));
    surrogate_shape shape = model_.shape();
    shape.noise = 1e-4;
    // Points on top of each other make the system singular; with enough noise it never is.
    bool sound = model_.condition(shape);
    for (const double noise : {1e-2, 1.0, 100.0}) sound = sound || model_.condition(surrogate_shape{.noise = noise});
    model_.improve_shape(2, false);
  }
  return best;
}

bool bayes_search::improve(std::span<const unit_point> tried, double incumbent_value, unit_point& best,
                           double& top) const {
  const std::vector<surrogate_prediction> predictions = model_.predict(tried);
  bool better = false;
  for (std::size_t i = 0; i < tried.size(); ++i) {
    const auto& [mean, deviation] = predictions[i];
    const double score = settings_.noisy ? caution_ * deviation - mean
                                         : std::log(expected_improvement(mean, deviation, incumbent_value) + 1e-300);
    if (best.empty() || score > top) best = tried[i], top = score, better = true;
  }
  return better;
}

unit_point bayes_search::random_near(const unit_point& centre, double edge, double share) {
  unit_point point = centre;
  bool moved = false;
  const auto lucky = static_cast<std::size_t>(rng_.uniform() * static_cast<double>(point.size()));
  for (std::size_t i = 0; i < point.size(); ++i) {
    if (rng_.uniform() >= share && i != lucky) continue;
    moved = true;
    if (space_->is_ordered_axis(i))
      point[i] = space_->inside(i, point[i] + edge * (rng_.uniform() - 0.5));
    else if (rng_.uniform() < std::max(edge, 0.2))
      point[i] = rng_.uniform();
  }
  return moved ? space_->snapped(point) : point;
}

unit_point bayes_search::best_candidate(const search_history& history, const incumbent& centre) {
  // Under noise evaluations are worth more care than in a search that a polish finishes anyway.
  const int scouts = settings_.noisy ? 48 : 32;
  const int rounds = settings_.noisy ? 6 : 5;
  const int climbers = settings_.noisy ? 8 : 6; // in each round
  const double share = std::min(1.0, 4.0 / static_cast<double>(space_->size()));
  unit_point best;
  double top = 0;
  std::vector<unit_point> tried;
  for (int i = 0; i < scouts; ++i) tried.push_back(random_near(centre.point, edge_, i % 3 == 0 ? 1.0 : share));
  improve(tried, centre.value, best, top);
  double radius = 0.25 * edge_;
  for (int round = 0; round < rounds; ++round) { // hill climbing on the score, inside the region
    tried.assign(static_cast<std::size_t>(climbers), best);
    for (int i = 0; i < climbers; ++i) {
      unit_point& point = tried[static_cast<std::size_t>(i)];
      for (std::size_t k = 0; k < point.size(); ++k) {
        if (!space_->is_ordered_axis(k) || (i % 2 != 0 && rng_.uniform() >= share)) continue;
        const double moved = point[k] + radius * normal(rng_);
        const double off = std::clamp(space_->way(k, centre.point[k], moved), -0.5 * edge_, 0.5 * edge_);
        point[k] = space_->inside(k, centre.point[k] + off);
      }
      point = space_->snapped(point);
    }
    radius *= improve(tried, centre.value, best, top) ? 1.1 : 0.55;
  }
  const auto known = [&](const unit_point& p) {
    return std::ranges::any_of(history.told, [&](const observation& o) { return o.point == p; }) ||
           std::ranges::find(history.pending, p) != history.pending.end();
  };
  for (int i = 0; i < 20 && !settings_.noisy && known(best); ++i)
    best = random_near(centre.point, std::max(edge_, 0.3), 1);
  return best;
}

std::optional<candidate> bayes_search::propose(const search_history& history) {
  const std::uint64_t number = asked_++;
  if (history.told.size() < std::max<std::size_t>(settings_.probes, 3))
    return candidate{probe_point({.seed = settings_.seed, .stream = 3}, number, space_->size()), number};
  const incumbent centre = fit(history);
  target_ = centre.value;
  caution_ = settings_.noisy ? (number % 3 == 0 ? 0.5 : number % 3 == 1 ? 1.0 : 2.0) : 1;
  return candidate{best_candidate(history, centre), number};
}

void bayes_search::learn(std::size_t /*ticket*/, double value, const search_history& history) {
  const double worth = 1e-3 * model_.scale();
  const bool success = value < target_ - (settings_.noisy ? 0.0 : std::min(worth, 1e-3 * std::abs(target_)));
  (success ? successes_ : failures_) += 1;
  (success ? failures_ : successes_) = 0;
  const int patience = settings_.noisy ? 8 : std::max(3, static_cast<int>(space_->size()) / 2 + 2);
  if (successes_ >= 3) edge_ = std::min(1.0, 2 * edge_), successes_ = 0;
  if (failures_ >= patience) edge_ *= 0.5, failures_ = 0;
  const double smallest = settings_.noisy ? 0.1 : settings_.last_edge;
  if (edge_ < smallest) edge_ = settings_.noisy ? smallest : settings_.first_edge;
  (void)history;
}

} // namespace homeostat
