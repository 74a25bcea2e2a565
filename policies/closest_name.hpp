#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace homeostat {

/// @returns the name that was probably meant, in any case of letters: at most two typing errors away, or one that
///          contains the other; nothing when no name is that close.
[[nodiscard]] std::optional<std::string_view> closest_name(std::string_view typed,
                                                           std::span<const std::string_view> names);

} // namespace homeostat
