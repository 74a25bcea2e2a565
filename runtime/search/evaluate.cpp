#include "runtime/search/evaluate.hpp"

#include "runtime/plants/command/run_program.hpp"
#include "runtime/search/result_json.hpp"

#include <charconv>
#include <chrono>
#include <cmath>

namespace homeostat {

namespace {

constexpr std::string_view blanks = " \t\r\n";

} // namespace

std::map<std::string, std::string> environment_of(const search_space& space, const trial& t, std::uint64_t seed) {
  std::map<std::string, std::string> out{{"HOMEOSTAT_TRIAL", std::to_string(t.id)},
                                         {"HOMEOSTAT_SEED", std::to_string(seed)}};
  google::protobuf::Struct params;
  write_params(space, t.values, params);
  out.merge(plain_params(params));
  return out;
}

std::expected<double, std::string> parse_result(const std::string& printed) {
  const auto last = printed.find_last_not_of(blanks);
  if (last == std::string::npos) return std::unexpected(std::string("printed nothing, expected a number"));
  const auto line = printed.find_last_of('\n', last);
  const auto first = printed.find_first_not_of(blanks, line == std::string::npos ? 0 : line + 1);
  const std::string text = printed.substr(first, last - first + 1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value))
    return std::unexpected("printed '" + text.substr(0, 80) + "' last, expected one finite number");
  return value;
}

std::expected<evaluation, std::string> evaluate(const evaluation_settings& settings,
                                                const std::map<std::string, std::string>& environment,
                                                const std::stop_token& stop) {
  std::string why = "was interrupted";
  for (unsigned attempt = 0; attempt <= settings.retries && !stop.stop_requested(); ++attempt) {
    const auto begin = std::chrono::steady_clock::now();
    const auto printed = run_program(settings.argv, environment, settings.patience, stop, output_kept::end);
    const auto value = printed ? parse_result(*printed) : std::unexpected(printed.error());
    if (value)
      return evaluation{.value = *value,
                        .cost = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count()};
    why = printed ? settings.argv.front() + ": " + value.error() : value.error();
  }
  return std::unexpected(why);
}

} // namespace homeostat
