#pragma once

#include <expected>
#include <string>

namespace homeostat {

/// @returns the value of an enum by its name; the first one for an empty name.
template <class Enum>
std::expected<Enum, std::string> named(const std::string& name, std::size_t count, const char* what) {
  if (name.empty()) return Enum{};
  std::string known;
  for (std::size_t i = 0; i < count; ++i) {
    const auto candidate = static_cast<Enum>(i);
    if (name_of(candidate) == name) return candidate;
    known += (i == 0 ? "" : i + 1 == count ? " or " : ", ") + std::string(name_of(candidate));
  }
  return std::unexpected(std::string(what) + " is '" + name + "', expected " + known);
}

} // namespace homeostat
