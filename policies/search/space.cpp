#include "policies/search/space.hpp"

#include <algorithm>
#include <cmath>
#include <set>

namespace homeostat {

namespace {

constexpr std::size_t fine_levels = 64;
constexpr double most_points = 0x1p40;
constexpr std::size_t largest_space = 1000; ///< knobs: models of all pairs then take 8 MB

} // namespace

std::expected<search_space, std::string> search_space::create(std::vector<knob_spec> knobs) {
  if (knobs.empty()) return std::unexpected("the space has no knobs, expected at least one");
  if (knobs.size() > largest_space)
    return std::unexpected("knobs has " + std::to_string(knobs.size()) + " entries, expected 1 to " +
                           std::to_string(largest_space));
  std::set<std::string> names;
  for (const knob_spec& knob : knobs) {
    if (auto sound = check(knob); !sound) return std::unexpected("knob '" + knob.name + "': " + sound.error());
    if (!names.insert(knob.name).second)
      return std::unexpected("knob '" + knob.name + "' appears twice, expected different names");
  }
  search_space space;
  for (const knob_spec& knob : knobs) {
    axis_cells a;
    const bool stepped = knob.type != knob_type::continuous || knob.step.has_value();
    if (stepped) {
      a.step = knob.step.value_or(1.0);
      const double count = std::floor((knob.max - knob.min) / a.step + 1e-9) + 1;
      a.levels = static_cast<std::size_t>(std::min(count, most_points));
      // On a log scale the cells would not be equal; so many linear ones that their size does not matter need none.
      a.cells = knob.scale == knob_scale::linear && count < most_points;
    }
    space.axes_.push_back(a);
  }
  space.knobs_ = std::move(knobs);
  return space;
}

bool search_space::is_smooth() const {
  for (std::size_t i = 0; i < size(); ++i)
    if (!is_ordered_axis(i) || (axes_[i].levels != 0 && axes_[i].levels < fine_levels)) return false;
  return true;
}

std::size_t search_space::point_count() const {
  double count = 1;
  for (const axis_cells& a : axes_) {
    if (a.levels == 0) return 0;
    count *= static_cast<double>(a.levels);
  }
  return count > most_points ? 0 : static_cast<std::size_t>(count);
}

std::vector<double> search_space::values_at(std::span<const double> point) const {
  std::vector<double> values(size());
  for (std::size_t i = 0; i < size(); ++i) {
    if (!axes_[i].cells) {
      values[i] = value_at(knobs_[i], point[i]);
      continue;
    }
    const auto levels = static_cast<double>(axes_[i].levels);
    const double cell = std::clamp(std::floor(point[i] * levels), 0.0, levels - 1);
    values[i] = std::min(knobs_[i].min + cell * axes_[i].step, knobs_[i].max);
  }
  return values;
}

unit_point search_space::point_of(std::span<const double> values) const {
  unit_point point(size());
  for (std::size_t i = 0; i < size(); ++i) {
    if (axes_[i].cells)
      point[i] =
          (std::nearbyint((values[i] - knobs_[i].min) / axes_[i].step) + 0.5) / static_cast<double>(axes_[i].levels);
    else
      point[i] = inside(i, position_of(knobs_[i], values[i]));
  }
  return point;
}

double search_space::way(std::size_t axis, double from, double to) const {
  const double way = to - from;
  return is_periodic(axis) ? way - std::nearbyint(way) : way;
}

double search_space::distance(std::span<const double> from, std::span<const double> to) const {
  double sum = 0;
  for (std::size_t i = 0; i < size(); ++i) {
    const double w = way(i, from[i], to[i]);
    sum += is_ordered_axis(i) ? w * w : (w == 0 ? 0.0 : 1.0);
  }
  return std::sqrt(sum);
}

double search_space::inside(std::size_t axis, double coordinate) const {
  return is_periodic(axis) ? coordinate - std::floor(coordinate) : std::clamp(coordinate, 0.0, 1.0);
}

} // namespace homeostat
