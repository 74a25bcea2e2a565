#pragma once

#include <algorithm>
#include <memory>
#include <ranges>
#include <string_view>

namespace homeostat {

/// @param all  things with a `name`, which outlive the result.  @returns the one of that name; null if there is none.
template <std::ranges::forward_range Range> [[nodiscard]] auto* find_named(Range& all, std::string_view name) {
  const auto found = std::ranges::find_if(all, [name](const auto& one) { return one.name == name; });
  return found == std::ranges::end(all) ? nullptr : std::addressof(*found);
}

} // namespace homeostat
