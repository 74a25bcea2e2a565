#pragma once

#include "policies/closest_name.hpp"
#include "policies/time.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace homeostat::yaml {

// The forms of single values. Numbers are JSON's, so that a value means the same to every YAML reader: no octal, no
// underscores, no infinity.

/// @returns the number a text like -1, 0.25 or 1e-3 spells; nothing for any other text, or when it is not finite.
[[nodiscard]] std::optional<double> parse_number(std::string_view text);

/// @returns the whole number a text of digits spells; nothing for any other text, or above 2^64-1.
[[nodiscard]] std::optional<std::uint64_t> parse_whole(std::string_view text);

/// Longest duration that may be configured; keeps sums of durations far from overflow.
inline constexpr duration longest_duration{std::chrono::hours{24 * 365}};

/// @returns the duration that digits and one unit of ms, s, m, h, d spell; nothing for any other text, or above
///          longest_duration.
[[nodiscard]] std::optional<duration> parse_duration(std::string_view text);

/// @returns a duration in the largest unit that shows it exactly: 90s, 2m, 1500us.
[[nodiscard]] std::string duration_text(duration d);

/// @returns true for an unquoted scalar that some YAML reader takes for something else than text: a truth value (yes,
/// off,
///          true ...), null, or a number in one of YAML's forms.
[[nodiscard]] bool is_ambiguous(std::string_view plain);

/// @returns "one of a, b", or just "a" when there is no choice.
[[nodiscard]] std::string one_of(std::span<const std::string_view> names);

/// @returns names joined by ", ".
[[nodiscard]] std::string list_of(std::span<const std::string_view> names);

/// @returns a text fit for one line of a message: control characters shown as '?', cut after 60 bytes.
[[nodiscard]] std::string shown(std::string_view text);

} // namespace homeostat::yaml
