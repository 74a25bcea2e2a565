#pragma once

#include "policies/safety/knob.hpp"

#include <cstddef>
#include <expected>
#include <span>
#include <string>
#include <vector>

namespace homeostat {

/// A point of the unit cube: one coordinate per knob, 0 at min and 1 at max in the knob's scale.
using unit_point = std::vector<double>;

// Maps between the values of any number of knobs and the unit cube in which every strategy works. Knobs with few values
// (booleans, categories, linear whole numbers and grids) own equal cells of their axis, so that a uniform point gives
// every value the same chance; the middle of the cell stands for the value. On a periodic axis 0 and 1 are the same
// place.
class search_space {
public:
  /// @param knobs  at least one; names differ; each passes check(knob_spec).
  /// @returns the space, or one sentence that names the knob and what is wrong with it.
  [[nodiscard]] static std::expected<search_space, std::string> create(std::vector<knob_spec> knobs);

  [[nodiscard]] std::size_t size() const { return axes_.size(); }
  [[nodiscard]] std::span<const knob_spec> knobs() const { return knobs_; }
  [[nodiscard]] bool is_periodic(std::size_t axis) const { return knobs_[axis].scale == knob_scale::periodic; }
  /// @returns true if the axis has distances (false: boolean or categorical).
  [[nodiscard]] bool is_ordered_axis(std::size_t axis) const { return is_ordered(knobs_[axis]); }
  /// @returns how many values the knob can take; 0 = a continuum.
  [[nodiscard]] std::size_t levels(std::size_t axis) const { return axes_[axis].levels; }
  /// @returns true if no axis is stepped coarsely: every one is a continuum or has at least 64 ordered values.
  [[nodiscard]] bool is_smooth() const;
  /// @returns the number of different points, or 0 if it is unlimited or beyond 2^40.
  [[nodiscard]] std::size_t point_count() const;

  /// @param point  any finite numbers; wrapped on periodic axes, else limited to 0..1.
  /// @returns the admissible values at that place.
  [[nodiscard]] std::vector<double> values_at(std::span<const double> point) const;
  /// @param values  admissible values, one per knob.  @returns their place; the middle of the cell for stepped knobs.
  [[nodiscard]] unit_point point_of(std::span<const double> values) const;
  /// @returns the place that stands for whatever the knobs would show at `point`.
  [[nodiscard]] unit_point snapped(std::span<const double> point) const { return point_of(values_at(point)); }

  /// @returns the signed way from one coordinate to another: the shorter one round on a periodic axis.
  [[nodiscard]] double way(std::size_t axis, double from, double to) const;
  /// @returns the Euclidean length of all ways; axes without distances count 0 (same value) or 1.
  [[nodiscard]] double distance(std::span<const double> from, std::span<const double> to) const;
  /// @returns the coordinate brought back into 0..1: wrapped on a periodic axis, else limited.
  [[nodiscard]] double inside(std::size_t axis, double coordinate) const;

private:
  struct axis_cells {
    std::size_t levels{0};
    double step{1}; ///< way between neighbouring values in the unit; cells only
    bool cells{false};
  };
  std::vector<knob_spec> knobs_;
  std::vector<axis_cells> axes_;
};

} // namespace homeostat
