#pragma once

#include "policies/enum_names.hpp"

#include <cstddef>
#include <expected>
#include <string>

namespace homeostat {

/// @returns the value of an enum by its name in a message; the first one for an empty name.
/// @errors  "what is 'x', expected this, that or other".
template <class Enum, std::size_t count>
[[nodiscard]] std::expected<Enum, std::string> named_or_first(const std::string& name, const char* what) {
  if (name.empty()) return Enum{};
  auto found = named<Enum, count>(name);
  if (!found) return std::unexpected(std::string(what) + " " + found.error());
  return found;
}

} // namespace homeostat
