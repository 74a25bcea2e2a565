#pragma once

#include "policies/time.hpp"

#include <expected>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

namespace homeostat {

/// Largest output of a program that is read; a program that prints more has gone astray.
inline constexpr std::size_t program_output_limit = 64 * 1024;

/// Runs a program without a shell and waits for its end. It gets a process group of its own, which is killed as a whole
/// when the time is over or the output too long; nothing is left behind, not even a zombie.
/// @param argv  program (looked up in PATH) and arguments, not empty.
/// @param environment  variables set besides our own.  @param patience  for the whole run, > 0.
/// @param stop  ends the run early, noticed within 0.1 s.
/// @returns what it printed on standard output; one sentence when it could not be run, ended by a signal or with
/// another
///          code than 0 (with the last line of its standard error), took too long, or printed too much.
[[nodiscard]] std::expected<std::string, std::string> run_program(const std::vector<std::string>& argv,
                                                                  const std::map<std::string, std::string>& environment,
                                                                  duration patience, const std::stop_token& stop = {});

} // namespace homeostat
