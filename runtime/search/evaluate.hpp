#pragma once

#include "policies/search/space.hpp"
#include "policies/search/trial.hpp"
#include "policies/time.hpp"

#include <expected>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

namespace homeostat {

/// How candidates are evaluated by somebody's program.
struct evaluation_settings {
  std::vector<std::string> argv; ///< program and arguments, not empty
  duration patience{3600s};      ///< longest run of one evaluation, > 0
  unsigned retries{1};           ///< further attempts after a failure
};

struct evaluation {
  double value{0}; ///< what the program printed
  double cost{0};  ///< seconds it took
};

/// @returns the environment of one evaluation: each parameter under its own name (categories by name, booleans as true
///          or false, numbers in the shortest form that reads back exactly), HOMEOSTAT_TRIAL and HOMEOSTAT_SEED.
[[nodiscard]] std::map<std::string, std::string> environment_of(const search_space& space, const trial& t,
                                                                std::uint64_t seed);

/// Reads an evaluation's result: its last line that is not blank must be one finite number.
[[nodiscard]] std::expected<double, std::string> parse_result(const std::string& printed);

/// Runs the program, with retries.  @returns the result, or what went wrong the last time.
[[nodiscard]] std::expected<evaluation, std::string> evaluate(const evaluation_settings& settings,
                                                              const std::map<std::string, std::string>& environment,
                                                              const std::stop_token& stop);

} // namespace homeostat
