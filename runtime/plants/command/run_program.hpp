#pragma once

#include "policies/time.hpp"

#include <cstdint>
#include <expected>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

namespace homeostat {

/// Largest output of a program that is read; a program that prints more has gone astray.
inline constexpr std::size_t program_output_limit = 64 * 1024;

/// What is kept of the standard output: all of it, and more than the limit is an error; or its end, of at least the
/// limit, because some programs report at length before the line that counts.
enum class output_kept : std::uint8_t { whole, end };

/// Runs a program without a shell and waits for its end. It gets a process group of its own, which is killed as a whole
/// when the program ends, the time is over or the output too long; nothing of the group is left behind, not even a
/// zombie. Its end is the end of the run, whatever it has started still holds the outputs open.
/// @param argv  program (looked up in PATH) and arguments, not empty.
/// @param environment  variables set besides our own.  @param patience  for the whole run, > 0.
/// @param stop  ends the run early, noticed within 0.1 s.
/// @returns what it printed on standard output; one sentence when it could not be run, ended by a signal or with
/// another
///          code than 0 (with the last line of its standard error), took too long, or printed too much.
[[nodiscard]] std::expected<std::string, std::string> run_program(const std::vector<std::string>& argv,
                                                                  const std::map<std::string, std::string>& environment,
                                                                  duration patience, const std::stop_token& stop = {},
                                                                  output_kept kept = output_kept::whole);

} // namespace homeostat
