#pragma once

#include "policies/safety/knob.hpp"
#include "runtime/hotpath/atomic_config.hpp"
#include "runtime/hotpath/knob_codec.hpp"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace homeostat {

/// What a service author says about one knob. Written with designated initialisers: {.name = "batch_size", .max = 64}.
struct knob_declaration {
  std::string name{};                    ///< [a-z][a-z0-9_]*, unique in its registry
  std::string unit{};                    ///< for people; empty = dimensionless
  double min{0};                         ///< smallest allowed value; > 0 on a log scale; 0 for an enumeration
  double max{1};                         ///< largest allowed value; > min
  double initial{0};                     ///< the value until somebody tunes it, within the bounds and on the grid
  knob_scale scale{knob_scale::linear};  ///< in which measure distance is taken
  std::optional<double> step{};          ///< grid from min, in the unit; absent = none
  std::vector<std::string> categories{}; ///< names of an enumeration's values 0..max; empty = they have only numbers
  friend bool operator==(const knob_declaration&, const knob_declaration&) = default;
};

/// Why a knob was not registered; the registry is as it was.
enum class registration_code : std::uint8_t {
  sealed,                ///< a loop already runs on the registry
  invalid_name,          ///< not [a-z][a-z0-9_]*
  duplicate_name,        ///< the registry has a knob of this name
  too_many_knobs,        ///< it has 16 already
  not_finite,            ///< a bound, or their distance, is NaN or infinite
  inverted_bounds,       ///< min is not below max
  not_representable,     ///< the bounds do not fit the C++ type, or are fractions for a whole-numbered one
  invalid_scale,         ///< log with min <= 0, or any but linear where values have no distance
  invalid_step,          ///< not in (0, max - min], a fraction for an integer, or on a knob without distances
  invalid_categories,    ///< not one name per value, or on something else than an enumeration
  initial_not_admissible ///< outside the bounds, off the grid, or a fraction for a whole-numbered type
};

/// A refused declaration.
struct registration_error {
  registration_code code{};
  std::string knob;    ///< the declared name
  std::string message; ///< one sentence: the knob, the field, its value, the expected form
};

/// A refused declaration, for setup code that prefers exceptions.
class registration_failure : public std::invalid_argument {
public:
  explicit registration_failure(registration_error error)
      : std::invalid_argument(error.message), error_(std::move(error)) {}
  [[nodiscard]] const registration_error& error() const noexcept { return error_; }

private:
  registration_error error_;
};

/// How the C++ type of a knob constrains it; knob_shape_of<T>() gives it.
struct knob_shape {
  knob_type type{};
  double lowest{0};
  double highest{0};
  knob_encoder encode{nullptr};
};

template <knob_value T> [[nodiscard]] constexpr knob_shape knob_shape_of() {
  using codec = knob_codec<T>;
  return {.type = codec::type, .lowest = codec::lowest, .highest = codec::highest, .encode = &codec::encode};
}

/// A registered knob, in slot order.
struct registered_knob {
  knob_declaration declaration;
  knob_type type{};
};

/// The knobs of one service: names to slots of one atomic_config. Knobs are added during setup, from any thread, and
/// can be read at once. When a loop takes over it seals the registry: from then on the set is fixed and the loop's
/// governor is the only writer. The registry stays at its address and must outlive its knobs.
class knob_registry {
public:
  knob_registry() = default;
  knob_registry(const knob_registry&) = delete;
  knob_registry& operator=(const knob_registry&) = delete;

  /// Adds a knob; service authors construct a knob<T>, which calls this.
  /// @returns its slot, 0..15; the refusal otherwise, without any effect.
  [[nodiscard]] std::expected<std::size_t, registration_error> declare(knob_declaration declaration,
                                                                       const knob_shape& shape);

  /// Ends registration, once and for all, and hands out the writing side. Only the governor may write.
  /// @returns the configuration, the same at each call.
  atomic_config& seal();

  [[nodiscard]] bool sealed() const;

  /// @returns all knobs so far, in slot order.
  [[nodiscard]] std::vector<registered_knob> knobs() const;

  /// @returns the slot of a knob; nothing if the name is unknown.
  [[nodiscard]] std::optional<std::size_t> find(std::string_view name) const;

  /// @returns the reading side.
  [[nodiscard]] const atomic_config& config() const noexcept { return config_; }

private:
  mutable std::mutex mutex_; // setup only: no read of a knob comes here
  bool sealed_{false};
  std::vector<registered_knob> knobs_;
  atomic_config config_;
};

} // namespace homeostat
