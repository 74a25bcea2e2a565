#include "policies/search/tpe.hpp"

#include "policies/search/normal.hpp"
#include "policies/search/probe.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <utility>

namespace homeostat {

namespace {

constexpr std::uint64_t tpe_stream = 0x30;
constexpr double narrowest = 0.01; ///< cube edges; narrower kernels would only repeat what is known
constexpr double unordered_change = 0.3;

} // namespace

tpe_search::tpe_search(const search_space& space, tpe_settings settings)
    : space_(&space), settings_(settings), rng_(settings.seed, tpe_stream) {}

// Scott's rule on each axis, from the spread of the centres.
tpe_search::density tpe_search::density_of(std::vector<const unit_point*> centres) const {
  density d{std::move(centres), std::vector<double>(space_->size(), unordered_change)};
  const auto n = static_cast<double>(d.centres.size());
  const double shrink = std::pow(std::max(n, 2.0), -1.0 / (static_cast<double>(space_->size()) + 4));
  for (std::size_t i = 0; i < space_->size(); ++i) {
    if (!space_->is_ordered_axis(i)) continue;
    double squares = 0; // about the first centre: right on a circle too
    double sum = 0;
    for (const unit_point* p : d.centres) {
      const double w = space_->way(i, (*d.centres.front())[i], (*p)[i]);
      sum += w;
      squares += w * w;
    }
    const double variance = std::max(0.0, squares / n - sum * sum / (n * n));
    const double cell = space_->levels(i) > 0 ? 0.5 / static_cast<double>(space_->levels(i)) : 0;
    d.width[i] = std::clamp(shrink * std::sqrt(variance), std::max(narrowest, cell), 0.5);
  }
  return d;
}

unit_point tpe_search::draw(const density& d) {
  const auto count = static_cast<double>(d.centres.size());
  const auto pick = static_cast<std::size_t>(rng_.uniform() * (count + 1));
  unit_point point(space_->size());
  for (std::size_t i = 0; i < point.size(); ++i) {
    const bool uniform = pick >= d.centres.size() || (!space_->is_ordered_axis(i) && rng_.uniform() < d.width[i]);
    if (uniform) {
      point[i] = rng_.uniform();
    } else if (!space_->is_ordered_axis(i)) {
      point[i] = (*d.centres[pick])[i];
    } else {
      double moved = 0;
      int tries = 0;
      do moved = (*d.centres[pick])[i] + d.width[i] * normal(rng_);
      while (!space_->is_periodic(i) && (moved < 0 || moved > 1) && ++tries < 16);
      point[i] = space_->inside(i, moved);
    }
  }
  return space_->snapped(point);
}

double tpe_search::log_density(const density& d, const unit_point& point) const {
  double total = 1; // the uniform part
  for (const unit_point* centre : d.centres) {
    double log_kernel = 0;
    for (std::size_t i = 0; i < point.size(); ++i) {
      if (space_->is_ordered_axis(i)) {
        const double z = space_->way(i, (*centre)[i], point[i]) / d.width[i];
        log_kernel -= 0.5 * z * z + std::log(d.width[i] * std::sqrt(2 * std::numbers::pi));
      } else {
        const auto levels = static_cast<double>(space_->levels(i));
        const double other = d.width[i] / levels;
        log_kernel += std::log(levels * (point[i] == (*centre)[i] ? 1 - d.width[i] + other : other));
      }
    }
    total += std::exp(log_kernel);
  }
  return std::log(total / (static_cast<double>(d.centres.size()) + 1));
}

std::optional<candidate> tpe_search::propose(const search_history& history) {
  const std::uint64_t number = asked_++;
  if (history.told.size() < settings_.probes)
    return candidate{probe_point({.seed = settings_.seed, .stream = 4}, number, space_->size()), 0};
  std::vector<std::size_t> order(history.told.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) { return std::pair(history.told[i].value, i); });
  const auto share = static_cast<std::size_t>(std::ceil(settings_.good_share * static_cast<double>(order.size())));
  const std::size_t good_count = std::clamp<std::size_t>(share, 1, std::min(settings_.most_good, order.size()));
  std::vector<const unit_point*> good;
  for (std::size_t k = 0; k < good_count; ++k) good.push_back(&history.told[order[k]].point);
  std::vector<std::size_t> others(order.begin() + static_cast<std::ptrdiff_t>(good_count), order.end());
  std::ranges::sort(others, std::greater{});
  others.resize(std::min(others.size(), settings_.model_points));
  std::vector<const unit_point*> bad;
  for (std::size_t i : others) bad.push_back(&history.told[i].point);
  for (const unit_point& p : history.pending) bad.push_back(&p);
  const density promising = density_of(std::move(good));
  const density rest = density_of(bad.empty() ? promising.centres : bad);
  const bool countable = space_->point_count() > 0; // then the same point would come again and again
  const auto known = [&](const unit_point& p) {
    return std::ranges::find(history.told, p, &observation::point) != history.told.end() ||
           std::ranges::find(history.pending, p) != history.pending.end();
  };
  unit_point best;
  double top = 0;
  for (std::size_t k = 0; k < settings_.candidates; ++k) {
    unit_point point = draw(promising);
    if (countable && k + 1 < settings_.candidates && known(point)) continue;
    const double gain = log_density(promising, point) - log_density(rest, point);
    if (best.empty() || gain > top) best = std::move(point), top = gain;
  }
  return candidate{std::move(best), 0};
}

} // namespace homeostat
