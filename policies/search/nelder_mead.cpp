#include "policies/search/nelder_mead.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace homeostat {

std::size_t farthest_from(const search_space& space, std::span<const unit_point> candidates,
                          std::span<const unit_point> taken) {
  std::size_t farthest = 0;
  double most = -1;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    double nearest = std::numeric_limits<double>::infinity();
    for (const unit_point& t : taken) nearest = std::min(nearest, space.distance(candidates[i], t));
    if (nearest > most) farthest = i, most = nearest;
  }
  return farthest;
}

nelder_mead_search::nelder_mead_search(const search_space& space, nelder_mead_settings settings)
    : space_(&space), settings_(settings) {
  program_ = run();
}

unit_point nelder_mead_search::wrapped(const unit_point& point) const {
  unit_point p = point;
  for (std::size_t i = 0; i < p.size(); ++i) p[i] = space_->inside(i, p[i]);
  return p;
}

unit_point nelder_mead_search::next_start(const std::vector<corner>& probes, std::vector<unit_point>& taken) {
  std::vector<unit_point> candidates;
  if (starts_ == 0) {
    candidates = {std::ranges::min_element(probes, {}, &corner::value)->point};
  } else if (starts_ < probes.size()) {
    for (const corner& p : probes) candidates.push_back(p.point);
  } else {
    for (int i = 0; i < 8; ++i)
      candidates.push_back(probe_point({.seed = settings_.seed}, probes_used_++, space_->size()));
  }
  ++starts_;
  taken.push_back(candidates[farthest_from(*space_, candidates, taken)]);
  constexpr std::size_t remembered = 64; // older starts no longer keep new ones away
  if (taken.size() > remembered) taken.erase(taken.begin());
  return taken.back();
}

std::vector<unit_point> nelder_mead_search::first_simplex(const unit_point& start) const {
  std::vector<unit_point> corners{start};
  for (std::size_t i = 0; i < start.size(); ++i) {
    corners.push_back(start);
    const bool room = space_->is_periodic(i) || start[i] + settings_.edge <= 1;
    corners.back()[i] += room ? settings_.edge : -settings_.edge;
  }
  return corners;
}

unit_point nelder_mead_search::along(const std::vector<corner>& simplex, double factor) const {
  const std::size_t n = space_->size();
  unit_point point(n);
  for (std::size_t i = 0; i < n; ++i) {
    double centre = 0;
    for (std::size_t k = 0; k < n; ++k) centre += simplex[k].point[i];
    centre /= static_cast<double>(n);
    point[i] = centre + factor * (centre - simplex[n].point[i]);
    if (!space_->is_periodic(i)) point[i] = std::clamp(point[i], 0.0, 1.0);
  }
  return point;
}

double nelder_mead_search::size_of(const std::vector<corner>& simplex) {
  double size = 0;
  for (const corner& c : simplex)
    for (std::size_t i = 0; i < c.point.size(); ++i)
      size = std::max(size, std::abs(c.point[i] - simplex.front().point[i]));
  return size;
}

search_program nelder_mead_search::run() {
  const std::size_t n = space_->size();
  const auto dimensions = static_cast<double>(n);
  const double expansion = 1 + 2 / std::max(2.0, dimensions);
  const double contraction = n == 1 ? 0.5 : 0.75 - 0.5 / dimensions;
  const double shrinkage = n == 1 ? 0.5 : 1 - 1 / dimensions;
  std::vector<unit_point> looks;
  for (std::size_t i = 0; i < settings_.probes; ++i)
    looks.push_back(probe_point({.seed = settings_.seed}, probes_used_++, n));
  const std::vector<double> seen = co_await evaluate_group(looks);
  std::vector<corner> probes;
  for (std::size_t i = 0; i < looks.size(); ++i) probes.push_back({looks[i], seen[i]});
  std::vector<unit_point> taken;
  while (true) {
    const std::vector<unit_point> first = first_simplex(next_start(probes, taken));
    std::vector<unit_point> asked;
    for (const unit_point& p : first) asked.push_back(wrapped(p));
    std::vector<double> values = co_await evaluate_group(asked);
    std::vector<corner> simplex;
    for (std::size_t i = 0; i <= n; ++i) simplex.push_back({first[i], values[i]});
    double best = std::ranges::min(values);
    std::size_t idle = 0;
    while (size_of(simplex) > settings_.last_edge && idle < settings_.patience * n) {
      for (auto it = simplex.begin(); it != simplex.end(); ++it) // few, nearly sorted, and ties keep their order
        std::rotate(std::ranges::upper_bound(simplex.begin(), it, it->value, {}, &corner::value), it, it + 1);
      corner moved{along(simplex, 1), 0};
      const unit_point reflected = wrapped(moved.point);
      moved.value = co_await evaluate_point(reflected);
      const bool inside = moved.value >= simplex[n].value;
      if (moved.value < simplex[0].value || moved.value >= simplex[n - 1].value) {
        const bool expand = moved.value < simplex[0].value;
        corner second{along(simplex, expand ? expansion : (inside ? -contraction : contraction)), 0};
        const unit_point place = wrapped(second.point);
        second.value = co_await evaluate_point(place);
        if (second.value < moved.value) moved = second;
      }
      if (moved.value < simplex[n].value) {
        simplex[n] = moved;
      } else { // nothing on the line helps: draw everything towards the best
        asked.clear();
        for (std::size_t k = 1; k <= n; ++k) {
          for (std::size_t i = 0; i < n; ++i)
            simplex[k].point[i] = simplex[0].point[i] + shrinkage * (simplex[k].point[i] - simplex[0].point[i]);
          asked.push_back(wrapped(simplex[k].point));
        }
        values = co_await evaluate_group(asked);
        for (std::size_t k = 1; k <= n; ++k) simplex[k].value = values[k - 1];
      }
      const double lowest = std::ranges::min_element(simplex, {}, &corner::value)->value;
      idle = lowest < best ? 0 : idle + 1;
      best = std::min(best, lowest);
    }
  }
}

} // namespace homeostat
