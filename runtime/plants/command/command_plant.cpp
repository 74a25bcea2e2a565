#include "runtime/plants/command/command_plant.hpp"

#include "runtime/plants/command/run_program.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <chrono>
#include <cmath>

namespace homeostat {

namespace {

/// A value as its program gets it: the shortest text that reads back as the same number.
std::string exact_text(double value) {
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof text, value);
  return std::string(text, end);
}

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

} // namespace

std::expected<named_values, std::string> parse_named_values(std::string_view text) {
  named_values values;
  for (std::size_t line_number = 1; !text.empty(); ++line_number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    while (!line.empty() && is_blank(line.back())) line.remove_suffix(1);
    while (!line.empty() && is_blank(line.front())) line.remove_prefix(1);
    if (line.empty() || line.front() == '#') continue;
    const auto fail = [&](const std::string& why) {
      return std::unexpected("line " + std::to_string(line_number) + " is '" + std::string(line.substr(0, 80)) + "', " +
                             why);
    };
    const auto gap = std::ranges::find_if(line, is_blank);
    const std::string name(line.begin(), gap);
    std::string_view number(gap, line.end());
    while (!number.empty() && is_blank(number.front())) number.remove_prefix(1);
    double value = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
    if (number.empty() || error != std::errc() || end != number.data() + number.size())
      return fail("expected: name value");
    if (!std::isfinite(value)) return fail("expected a finite number");
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
  if (!metrics) return std::unexpected(plant_error{sense_.front() + ": " + metrics.error()});
  if (metrics->empty())
    return std::unexpected(plant_error{sense_.front() + ": printed no metrics, expected lines of: name value"});
  const std::lock_guard lock(mutex_);
  reading r{.begin = was_read_ ? last_read_ : now, .end = now, .sample_count = 1, .metrics = std::move(*metrics)};
  if (const auto requests = r.metrics.find("requests"); requests != r.metrics.end()) {
    if (requests->second < 0) return std::unexpected(plant_error{sense_.front() + ": requests is below 0"});
    r.sample_count = static_cast<std::uint64_t>(std::min(requests->second, 1e18));
  }
  last_read_ = now;
  was_read_ = true;
  return r;
}

std::expected<named_values, plant_error> command_plant::apply(const named_values& wanted, duration patience) {
  const auto begin = std::chrono::steady_clock::now();
  std::map<std::string, std::string> environment;
  for (const auto& [name, value] : wanted) {
    std::string variable = "HOMEOSTAT_KNOB_" + name;
    std::ranges::transform(variable, variable.begin(),
                           [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    environment[variable] = exact_text(value);
  }
  if (const auto done = run_program(apply_, environment, patience); !done)
    return std::unexpected(plant_error{done.error()});
  const auto left = patience - std::chrono::duration_cast<duration>(std::chrono::steady_clock::now() - begin);
  return read_back(std::max(left, duration(1000)));
}

std::expected<named_values, plant_error> command_plant::read_back(duration patience) {
  const auto printed = run_program(read_back_, {}, patience);
  if (!printed) return std::unexpected(plant_error{printed.error()});
  auto values = parse_named_values(*printed);
  if (!values) return std::unexpected(plant_error{read_back_.front() + ": " + values.error()});
  return std::move(*values);
}

} // namespace homeostat
