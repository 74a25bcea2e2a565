#include "policies/safety/knob.hpp"

#include "policies/number_text.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace homeostat {

namespace {

bool is_name(const std::string& name) {
  if (name.empty() || name[0] < 'a' || name[0] > 'z') return false;
  return std::ranges::all_of(name, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

bool is_integral(double value) { return std::nearbyint(value) == value; }

// Beyond this neighbouring whole numbers are the same double: an integer knob could never move by one.
constexpr double largest_whole = 0x1p53;

bool is_whole_bound(double value) { return is_integral(value) && std::abs(value) <= largest_whole; }

// Far outside every range, and far from where arithmetic overflows: sums of places and ways stay finite.
constexpr double farthest_place = 1e6;

bool on_grid(const knob_spec& spec, double value) {
  if (!spec.step) return true;
  const double steps = (value - spec.min) / *spec.step;
  return std::abs(steps - std::nearbyint(steps)) <= 1e-6;
}

double signed_unit_distance(const knob_spec& spec, double from, double to) {
  double distance = to - from;
  if (spec.scale == knob_scale::periodic) {
    const double range = spec.max - spec.min;
    distance = std::isfinite(distance) ? std::remainder(distance, range) : range / 2;
  }
  return distance;
}

std::expected<void, std::string> check_shape(const knob_spec& spec) {
  const auto fail = [](std::string text) { return std::unexpected(std::move(text)); };
  switch (spec.type) {
  case knob_type::boolean:
    if (spec.min != 0 || spec.max != 1) return fail("min and max of a boolean knob are 0 and 1");
    break;
  case knob_type::categorical:
    if (spec.categories.size() < 2)
      return fail("categories has " + std::to_string(spec.categories.size()) + " names, expected 2 or more");
    if (spec.min != 0 || spec.max != static_cast<double>(spec.categories.size() - 1))
      return fail("min and max of a categorical knob are 0 and the number of categories minus 1");
    break;
  case knob_type::integer:
    for (const auto& [field, bound] : {std::pair{"min", spec.min}, std::pair{"max", spec.max}})
      if (!is_whole_bound(bound))
        return fail(field + (" is " + number_text(bound)) + ", expected a whole number up to 2^53 for an integer knob");
    break;
  case knob_type::continuous: break;
  }
  if (!is_ordered(spec) && (spec.scale != knob_scale::linear || spec.step || spec.step_limit))
    return fail("scale, step and max_delta need a knob with distances (continuous or integer)");
  if (spec.type != knob_type::categorical && !spec.categories.empty()) return fail("categories need type categorical");
  return {};
}

} // namespace

knob_values::knob_values(std::initializer_list<double> values)
    : knob_values(std::span<const double>(values.begin(), values.size())) {}

knob_values::knob_values(std::span<const double> values) {
  for (double value : values) push_back(value);
}

void knob_values::push_back(double value) {
  if (size_ < values_.size()) values_[size_++] = value;
}

bool operator==(const knob_values& a, const knob_values& b) { return std::ranges::equal(a, b); }

bool is_ordered(const knob_spec& spec) { return spec.type == knob_type::continuous || spec.type == knob_type::integer; }

std::expected<void, std::string> check(const knob_spec& spec) {
  const auto fail = [](std::string text) { return std::unexpected(std::move(text)); };
  if (!is_name(spec.name)) return fail("name is '" + spec.name + "', expected [a-z][a-z0-9_]*");
  if (!std::isfinite(spec.min)) return fail("min is " + number_text(spec.min) + ", expected a finite number");
  if (!std::isfinite(spec.max)) return fail("max is " + number_text(spec.max) + ", expected a finite number");
  if (!(spec.min < spec.max))
    return fail("max is " + number_text(spec.max) + ", expected more than min " + number_text(spec.min));
  if (!std::isfinite(spec.max - spec.min)) return fail("max - min is not a finite number, expected a smaller range");
  if (spec.scale == knob_scale::log && !(spec.min > 0))
    return fail("min is " + number_text(spec.min) + ", expected more than 0 on a log scale");
  if (spec.scale == knob_scale::log && !std::isfinite(spec.max / spec.min))
    return fail("max / min is not a finite number, expected a smaller range on a log scale");
  if (auto shape = check_shape(spec); !shape) return shape;
  if (spec.step && !(std::isfinite(*spec.step) && *spec.step > 0 && *spec.step <= spec.max - spec.min))
    return fail("step is " + number_text(*spec.step) + ", expected more than 0 and at most max - min");
  if (spec.step && spec.type == knob_type::integer && !is_integral(*spec.step))
    return fail("step is " + number_text(*spec.step) + ", expected a whole number for an integer knob");
  if (spec.step_limit)
    for (double limit : {spec.step_limit->up, spec.step_limit->down})
      if (!(std::isfinite(limit) && limit > 0))
        return fail("max_delta is " + number_text(limit) + ", expected more than 0");
  if (!is_admissible(spec, spec.initial))
    return fail("default is " + number_text(spec.initial) + ", expected a value the knob can take between " +
                number_text(spec.min) + " and " + number_text(spec.max));
  return {};
}

double position_of(const knob_spec& spec, double value) {
  if (spec.scale == knob_scale::log && value <= 0) return -farthest_place;
  const double place = spec.scale == knob_scale::log ? std::log(value / spec.min) / std::log(spec.max / spec.min)
                                                     : (value - spec.min) / (spec.max - spec.min);
  return std::clamp(place, -farthest_place, farthest_place);
}

double value_at(const knob_spec& spec, double position) {
  position = spec.scale == knob_scale::periodic ? position - std::floor(position) : std::clamp(position, 0.0, 1.0);
  double value = spec.scale == knob_scale::log ? spec.min * std::pow(spec.max / spec.min, position)
                                               : spec.min + position * (spec.max - spec.min);
  if (spec.step) {
    const double last = std::floor((spec.max - spec.min) / *spec.step + 1e-9);
    value = spec.min + std::min(std::nearbyint((value - spec.min) / *spec.step), last) * *spec.step;
  }
  if (spec.type != knob_type::continuous) value = std::nearbyint(value);
  return std::clamp(value, spec.min, spec.max);
}

double displacement(const knob_spec& spec, double from, double to) {
  if (!is_ordered(spec)) return from == to ? 0 : (to > from ? switch_displacement : -switch_displacement);
  if (spec.scale == knob_scale::periodic) return signed_unit_distance(spec, from, to) / (spec.max - spec.min);
  return position_of(spec, to) - position_of(spec, from);
}

bool is_admissible(const knob_spec& spec, double value) {
  if (!std::isfinite(value) || value < spec.min || value > spec.max) return false;
  if (spec.type != knob_type::continuous && !is_integral(value)) return false;
  return on_grid(spec, value);
}

double smallest_move(const knob_spec& spec, double value) {
  if (!is_ordered(spec)) return switch_displacement;
  if (spec.type == knob_type::continuous && !spec.step) return 0;
  const double grid = spec.step.value_or(1.0);
  const double next = value + grid <= spec.max ? value + grid : value - grid;
  return std::abs(displacement(spec, value, next));
}

double step_limit_of(const knob_spec& spec, double from, double to, double max_delta_per_step) {
  if (!is_ordered(spec)) return switch_displacement;
  if (!spec.step_limit) return max_delta_per_step;
  const double way = signed_unit_distance(spec, from, to);
  const double unit_limit = way >= 0 ? spec.step_limit->up : spec.step_limit->down;
  if (spec.scale == knob_scale::periodic) return unit_limit / (spec.max - spec.min);
  // Not beyond the bounds, where a log scale ends; but from a place out there the limit still holds on the way back.
  const double reach =
      std::clamp(from + std::copysign(unit_limit, way), std::min(spec.min, from), std::max(spec.max, from));
  return std::abs(displacement(spec, from, reach));
}

knob_values initial_values(std::span<const knob_spec> knobs) {
  knob_values values;
  for (const knob_spec& knob : knobs) values.push_back(knob.initial);
  return values;
}

} // namespace homeostat
