#include "runtime/plants/command/command_plant.hpp"

#include "runtime/plants/command/run_program.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <thread>

namespace homeostat {

namespace {

using clock = std::chrono::steady_clock;

/// Pauses between two looks at a plant that has not taken its values over yet; each is twice the one before.
constexpr duration first_pause = 20ms;
constexpr duration longest_pause = 1s;

/// The shortest text that reads back as the same number, never with an exponent, which shells cannot calculate with.
std::string decimal_text(double value) {
  std::array<char, 400> text{}; // the longest double has 309 digits, or 1 + 324 behind the point and some sign
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  return error == std::errc() ? std::string(text.data(), end) : std::to_string(value);
}

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

bool is_name(std::string_view name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':'; };
  const auto part = [&](char c) { return letter(c) || (c >= '0' && c <= '9'); };
  return !name.empty() && letter(name.front()) && std::ranges::all_of(name, part);
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  return text;
}

/// @returns true for `name{...`, whatever follows: labels may hold anything, and nothing behind them is used.
bool has_labels(std::string_view line) {
  const auto brace = line.find('{');
  return brace != std::string_view::npos && is_name(trimmed(line.substr(0, brace)));
}

std::string capitals(std::string text) {
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return text;
}

/// As wanted, but for what printing six or more digits may lose. The governor judges for itself; this only ends
/// waiting.
bool agrees(const named_values& wanted, const named_values& found) {
  return std::ranges::all_of(wanted, [&](const auto& knob) {
    const double value = found.at(knob.first);
    return std::abs(value - knob.second) <= 1e-6 * std::abs(knob.second);
  });
}

std::string names_in(const named_values& values) {
  std::string text;
  for (const auto& [name, value] : values) text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? "nothing" : printable(text);
}

std::unexpected<plant_error> failure(const std::vector<std::string>& argv, const std::string& why) {
  return std::unexpected(plant_error{argv.front() + ": " + why});
}

} // namespace

std::expected<named_values, std::string> parse_named_values(std::string_view text) {
  named_values values;
  for (std::size_t line_number = 1; !text.empty(); ++line_number) {
    const std::string_view whole = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), whole.size() + 1));
    const std::string_view line = trimmed(whole);
    if (line.empty() || line.front() == '#' || has_labels(line)) continue;
    const auto fail = [&](const std::string& why) {
      return std::unexpected("line " + std::to_string(line_number) + " is '" + printable(line) + "', " + why);
    };
    const std::string_view name =
        line.substr(0, static_cast<std::size_t>(std::ranges::find_if(line, is_blank) - line.begin()));
    const std::string_view number = trimmed(line.substr(name.size()));
    double value = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
    if (!is_name(name) || number.empty() || error == std::errc::invalid_argument ||
        end != number.data() + number.size())
      return fail("expected: name value");
    if (error != std::errc() || !std::isfinite(value)) return fail("expected a finite number");
    if (!values.emplace(name, value).second) return fail("expected each name once");
  }
  return values;
}

command_plant::command_plant(std::vector<std::string> sense, std::vector<std::string> apply,
                             std::vector<std::string> read_back)
    : sense_(std::move(sense)), apply_(std::move(apply)), read_back_(std::move(read_back)) {}

std::expected<reading, plant_error> command_plant::read(instant now, duration patience) {
  const auto printed = run_program(sense_, {}, patience);
  if (!printed) return std::unexpected(plant_error{printed.error()});
  auto metrics = parse_named_values(*printed);
  if (!metrics) return failure(sense_, metrics.error());
  if (metrics->empty()) return failure(sense_, "printed no metrics, expected lines of: name value");
  reading r{.begin = now, .end = now, .sample_count = 1, .metrics = std::move(*metrics)};
  if (const auto requests = r.metrics.find("requests"); requests != r.metrics.end()) {
    const double count = requests->second;
    if (!(count >= 0 && count <= 1e15 && std::nearbyint(count) == count))
      return failure(sense_, "requests is " + decimal_text(count) + ", expected a whole number from 0 to 10^15");
    r.sample_count = static_cast<std::uint64_t>(count);
  }
  const std::lock_guard lock(mutex_);
  if (was_read_) r.begin = last_read_;
  last_read_ = now;
  was_read_ = true;
  return r;
}

std::expected<named_values, plant_error> command_plant::apply(const named_values& wanted, duration patience) {
  const clock::time_point limit = clock::now() + patience;
  std::map<std::string, std::string> environment;
  for (const auto& [name, value] : wanted) environment["HOMEOSTAT_KNOB_" + capitals(name)] = decimal_text(value);
  if (const auto done = run_program(apply_, environment, patience); !done)
    return std::unexpected(plant_error{done.error()});
  for (duration pause = first_pause;; pause = std::min(2 * pause, longest_pause)) {
    const auto left = std::chrono::floor<duration>(limit - clock::now());
    if (left <= 0us) return failure(read_back_, "no time is left to read back what is in force");
    auto found = read_back(left);
    if (!found) return found;
    for (const auto& [name, value] : wanted)
      if (!found->contains(name))
        return failure(read_back_, "printed " + names_in(*found) + ", expected a value for knob " + name);
    if (agrees(wanted, *found) || clock::now() + 2 * pause >= limit) return found;
    std::this_thread::sleep_for(pause);
  }
}

std::expected<named_values, plant_error> command_plant::read_back(duration patience) {
  const auto printed = run_program(read_back_, {}, patience);
  if (!printed) return std::unexpected(plant_error{printed.error()});
  auto values = parse_named_values(*printed);
  if (!values) return failure(read_back_, values.error());
  return std::move(*values);
}

} // namespace homeostat
