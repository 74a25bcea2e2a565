#pragma once

#include "policies/safety/knob.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>

namespace homeostat {

/// What a service author may read a knob as: bool, any integer, float, double, or a scoped enumeration. Plain
/// enumerations are left out because a value outside their enumerators is undefined behaviour, and an operator may
/// override bounds.
template <typename T>
concept knob_value =
    std::is_same_v<T, std::remove_cvref_t<T>> &&
    (std::is_integral_v<T> || std::is_same_v<T, float> || std::is_same_v<T, double> || std::is_scoped_enum_v<T>);

/// Turns a knob's value into the bits of its live word; runs on the writer's side.
using knob_encoder = std::uint64_t (*)(double value) noexcept;

/// Beyond 2^53 a double skips integers, so no integer knob reaches further.
inline constexpr double largest_exact_integer = 9007199254740992.0;

namespace detail {

template <typename T> struct integer_limits {
  // The casts are exact where T is narrower than 54 bits; wider ones are cut to where doubles are.
  static constexpr double lowest = std::max(static_cast<double>(std::numeric_limits<T>::min()), -largest_exact_integer);
  static constexpr double highest = std::min(static_cast<double>(std::numeric_limits<T>::max()), largest_exact_integer);
};

} // namespace detail

/// How a knob's value, a double to everybody else, is kept for a reader of type T. All work is done once, by the
/// writer: encode() rounds to the nearest (halves away from zero) and limits to what T holds, so that decode() is a
/// cast that is defined for every word and costs nothing. Values the governor lets through need neither; this is the
/// last line against undefined behaviour in somebody's service.
template <knob_value T> struct knob_codec {
  static constexpr knob_type type = knob_type::integer;
  static constexpr double lowest = detail::integer_limits<T>::lowest;   ///< smallest value T can show
  static constexpr double highest = detail::integer_limits<T>::highest; ///< largest value T can show

  /// @param value  finite.
  [[nodiscard]] static std::uint64_t encode(double value) noexcept {
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(std::round(std::clamp(value, lowest, highest))));
  }
  [[nodiscard]] static T decode(std::uint64_t bits) noexcept { return static_cast<T>(bits); }
};

template <> struct knob_codec<double> {
  static constexpr knob_type type = knob_type::continuous;
  static constexpr double lowest = std::numeric_limits<double>::lowest();
  static constexpr double highest = std::numeric_limits<double>::max();

  [[nodiscard]] static std::uint64_t encode(double value) noexcept { return std::bit_cast<std::uint64_t>(value); }
  [[nodiscard]] static double decode(std::uint64_t bits) noexcept { return std::bit_cast<double>(bits); }
};

template <> struct knob_codec<float> {
  static constexpr knob_type type = knob_type::continuous;
  static constexpr double lowest = std::numeric_limits<float>::lowest();
  static constexpr double highest = std::numeric_limits<float>::max();

  [[nodiscard]] static std::uint64_t encode(double value) noexcept {
    return std::bit_cast<std::uint32_t>(static_cast<float>(std::clamp(value, lowest, highest)));
  }
  [[nodiscard]] static float decode(std::uint64_t bits) noexcept {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits));
  }
};

template <> struct knob_codec<bool> {
  static constexpr knob_type type = knob_type::boolean;
  static constexpr double lowest = 0;
  static constexpr double highest = 1;

  [[nodiscard]] static std::uint64_t encode(double value) noexcept { return value >= 0.5 ? 1 : 0; }
  [[nodiscard]] static bool decode(std::uint64_t bits) noexcept { return bits != 0; }
};

/// An enumeration is kept as its number.
template <knob_value T>
  requires std::is_scoped_enum_v<T>
struct knob_codec<T> {
  using number = knob_codec<std::underlying_type_t<T>>;
  static constexpr knob_type type = knob_type::categorical;
  static constexpr double lowest = number::lowest;
  static constexpr double highest = number::highest;

  [[nodiscard]] static std::uint64_t encode(double value) noexcept { return number::encode(value); }
  [[nodiscard]] static T decode(std::uint64_t bits) noexcept { return static_cast<T>(number::decode(bits)); }
};

} // namespace homeostat
