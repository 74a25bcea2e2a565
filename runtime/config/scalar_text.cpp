#include "runtime/config/scalar_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace homeostat::yaml {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::size_t digits_in(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::find_if_not(text, is_digit) - text.begin());
}

/// JSON's grammar of numbers.
bool is_json_number(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  const std::size_t integral = digits_in(text);
  if (integral == 0 || (integral > 1 && text[0] == '0')) return false;
  text.remove_prefix(integral);
  if (text.starts_with('.')) {
    const std::size_t fraction = digits_in(text.substr(1));
    if (fraction == 0) return false;
    text.remove_prefix(1 + fraction);
  }
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1);
    if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
    const std::size_t exponent = digits_in(text);
    if (exponent == 0) return false;
    text.remove_prefix(exponent);
  }
  return text.empty();
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return result;
}

struct time_unit {
  std::string_view name;
  std::int64_t microseconds;
};
constexpr std::array<time_unit, 5> time_units{
    {{"d", 86'400'000'000}, {"h", 3'600'000'000}, {"m", 60'000'000}, {"s", 1'000'000}, {"ms", 1'000}}};

} // namespace

std::optional<double> parse_number(std::string_view text) {
  if (!is_json_number(text)) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> parse_whole(std::string_view text) {
  if (text.empty() || digits_in(text) != text.size() || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<duration> parse_duration(std::string_view text) {
  const std::size_t digits = digits_in(text);
  const auto count = parse_whole(text.substr(0, digits));
  const auto unit = std::ranges::find(time_units, text.substr(digits), &time_unit::name);
  if (!count || unit == time_units.end()) return std::nullopt;
  if (*count > static_cast<std::uint64_t>(longest_duration.count() / unit->microseconds)) return std::nullopt;
  return duration(static_cast<std::int64_t>(*count) * unit->microseconds);
}

std::string duration_text(duration d) {
  for (const time_unit& unit : time_units)
    if (d.count() != 0 && d.count() % unit.microseconds == 0)
      return std::to_string(d.count() / unit.microseconds) + std::string(unit.name);
  return d.count() == 0 ? "0s" : std::to_string(d.count()) + "us";
}

bool is_ambiguous(std::string_view plain) {
  static constexpr std::array<std::string_view, 8> words{"yes", "no", "on", "off", "true", "false", "null", "~"};
  const std::string word = lower(plain);
  if (word.empty() || std::ranges::find(words, word) != words.end()) return true;
  std::string_view rest = word;
  if (rest.starts_with('-') || rest.starts_with('+')) rest.remove_prefix(1);
  if (rest == ".inf" || rest == ".nan") return true;
  if (rest.empty() || !(is_digit(rest[0]) || (rest.size() > 1 && rest[0] == '.' && is_digit(rest[1])))) return false;
  if (rest.starts_with("0x") || rest.starts_with("0o") || rest.starts_with("0b")) return true;
  double value = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
  if (end == rest.data() + rest.size()) return true;
  // 1_000, and 12:30, which YAML 1.1 reads in base 60.
  return std::ranges::all_of(rest, [](char c) { return is_digit(c) || c == '_' || c == ':'; });
}

std::string one_of(std::span<const std::string_view> names) {
  return (names.size() == 1 ? "" : "one of ") + list_of(names);
}

std::string list_of(std::span<const std::string_view> names) {
  std::string text;
  for (std::string_view name : names) {
    if (!text.empty()) text += ", ";
    text += name;
  }
  return text;
}

std::string shown(std::string_view text) {
  constexpr std::size_t longest = 60;
  std::size_t length = std::min(text.size(), longest);
  while (length < text.size() && length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80) --length;
  std::string result(text.substr(0, length)); // never half a UTF-8 character
  for (char& c : result)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  if (length < text.size()) result += "...";
  return result;
}

} // namespace homeostat::yaml
