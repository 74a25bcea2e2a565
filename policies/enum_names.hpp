#pragma once

#include <array>
#include <cstddef>
#include <expected>
#include <string>
#include <string_view>

namespace homeostat {

/// @returns the names of an enumeration's values 0 .. count - 1, as name_of() gives them.
template <class Enum, std::size_t count> [[nodiscard]] const std::array<std::string_view, count>& names_of() {
  static const auto names = [] {
    std::array<std::string_view, count> made;
    for (std::size_t i = 0; i < count; ++i) made[i] = name_of(static_cast<Enum>(i));
    return made;
  }();
  return names;
}

/// @returns the value of that name; or "is 'x', expected this, that or other".
template <class Enum, std::size_t count> [[nodiscard]] std::expected<Enum, std::string> named(std::string_view name) {
  std::string known;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string_view candidate = names_of<Enum, count>()[i];
    if (candidate == name) return static_cast<Enum>(i);
    known.append(i == 0 ? "" : i + 1 == count ? " or " : ", ").append(candidate);
  }
  return std::unexpected("is '" + std::string(name) + "', expected " + known);
}

} // namespace homeostat
