#include "runtime/hotpath/knob_registry.hpp"

#include "policies/number_text.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace homeostat {

namespace {

/// A defect of one declaration: the code, and the sentence without the knob's name.
struct defect {
  registration_code code;
  std::string text;
};

bool is_whole(double value) { return std::nearbyint(value) == value; }

bool is_knob_name(std::string_view name) {
  if (name.empty() || name[0] < 'a' || name[0] > 'z') return false;
  return std::ranges::all_of(name, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

bool has_distances(const knob_shape& shape) {
  return shape.type == knob_type::continuous || shape.type == knob_type::integer;
}

std::optional<defect> check_bounds(const knob_declaration& d, const knob_shape& shape) {
  using enum registration_code;
  const auto bounds = "min " + number_text(d.min) + " and max " + number_text(d.max);
  if (!std::isfinite(d.min) || !std::isfinite(d.max) || !std::isfinite(d.max - d.min))
    return defect{not_finite, bounds + ", expected finite numbers a finite distance apart"};
  if (d.min >= d.max) return defect{inverted_bounds, bounds + ", expected min below max"};
  if (d.min < shape.lowest || d.max > shape.highest)
    return defect{not_representable, bounds + ", expected bounds within " + number_text(shape.lowest) + " and " +
                                         number_text(shape.highest) + ", which is what its C++ type holds exactly"};
  if (shape.type != knob_type::continuous && !(is_whole(d.min) && is_whole(d.max)))
    return defect{not_representable, bounds + ", expected whole numbers for its C++ type"};
  if (shape.type == knob_type::categorical && d.min != 0)
    return defect{not_representable, "min " + number_text(d.min) + ", expected 0 for an enumeration"};
  return std::nullopt;
}

std::optional<defect> check_measure(const knob_declaration& d, const knob_shape& shape) {
  using enum registration_code;
  if (d.scale == knob_scale::log && d.min <= 0)
    return defect{invalid_scale, "min " + number_text(d.min) + ", expected more than 0 on a log scale"};
  if (d.scale != knob_scale::linear && !has_distances(shape))
    return defect{invalid_scale, "a log or periodic scale, expected linear for a boolean or an enumeration"};
  if (d.step) {
    const auto step = "step " + number_text(*d.step);
    if (!has_distances(shape)) return defect{invalid_step, step + ", expected none for a boolean or an enumeration"};
    if (!(*d.step > 0 && *d.step <= d.max - d.min)) // also catches NaN
      return defect{invalid_step,
                    step + ", expected more than 0 and at most max - min = " + number_text(d.max - d.min)};
    if (shape.type == knob_type::integer && !is_whole(*d.step))
      return defect{invalid_step, step + ", expected a whole number for its C++ type"};
  }
  if (!d.categories.empty()) {
    const auto count = std::to_string(d.categories.size()) + " categories";
    if (shape.type != knob_type::categorical)
      return defect{invalid_categories, count + ", expected none unless its C++ type is an enumeration"};
    if (static_cast<double>(d.categories.size()) != d.max + 1)
      return defect{invalid_categories, count + ", expected max + 1 = " + number_text(d.max + 1)};
  }
  return std::nullopt;
}

std::optional<defect> check_initial(const knob_declaration& d, const knob_shape& shape) {
  const auto initial = "initial " + number_text(d.initial);
  const auto refuse = [&](const std::string& expected) {
    return defect{registration_code::initial_not_admissible, initial + ", expected " + expected};
  };
  if (!(d.initial >= d.min && d.initial <= d.max)) // also catches NaN
    return refuse("a value from " + number_text(d.min) + " to " + number_text(d.max));
  if (shape.type != knob_type::continuous && !is_whole(d.initial)) return refuse("a whole number for its C++ type");
  if (d.step) {
    const double steps = (d.initial - d.min) / *d.step;
    if (std::abs(steps - std::nearbyint(steps)) > 1e-6)
      return refuse("a whole number of steps of " + number_text(*d.step) + " above min " + number_text(d.min));
  }
  return std::nullopt;
}

std::optional<defect> check_declaration(const knob_declaration& d, const knob_shape& shape) {
  if (!is_knob_name(d.name)) return defect{registration_code::invalid_name, "expected a name like [a-z][a-z0-9_]*"};
  if (auto found = check_bounds(d, shape)) return found;
  if (auto found = check_measure(d, shape)) return found;
  return check_initial(d, shape);
}

} // namespace

std::expected<std::size_t, registration_error> knob_registry::declare(knob_declaration declaration,
                                                                      const knob_shape& shape) {
  const auto refuse = [&](registration_code code, const std::string& text) {
    return std::unexpected(registration_error{code, declaration.name, "knob '" + declaration.name + "': " + text});
  };
  if (auto found = check_declaration(declaration, shape)) return refuse(found->code, found->text);
  const std::scoped_lock lock(mutex_);
  if (sealed_)
    return refuse(registration_code::sealed, "a loop already runs on the registry, expected registration before that");
  if (std::ranges::any_of(knobs_, [&](const registered_knob& k) { return k.declaration.name == declaration.name; }))
    return refuse(registration_code::duplicate_name, "the registry has this name already, expected another one");
  if (knobs_.size() == max_knobs)
    return refuse(registration_code::too_many_knobs,
                  "the registry has " + std::to_string(max_knobs) + " knobs, expected at most that");
  knobs_.push_back({std::move(declaration), shape.type});
  // Cannot be refused: the value is finite, there is room, and the lock keeps other writers out until seal().
  return config_.append(knobs_.back().declaration.initial, shape.encode).value();
}

atomic_config& knob_registry::seal() {
  const std::scoped_lock lock(mutex_);
  sealed_ = true;
  return config_;
}

bool knob_registry::sealed() const {
  const std::scoped_lock lock(mutex_);
  return sealed_;
}

std::vector<registered_knob> knob_registry::knobs() const {
  const std::scoped_lock lock(mutex_);
  return knobs_;
}

std::optional<std::size_t> knob_registry::find(std::string_view name) const {
  const std::scoped_lock lock(mutex_);
  for (std::size_t i = 0; i < knobs_.size(); ++i)
    if (knobs_[i].declaration.name == name) return i;
  return std::nullopt;
}

} // namespace homeostat
