#pragma once

#include "policies/time.hpp"

#include <expected>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace homeostat {

/// Largest output of a program that is read: room for a whole metrics page. A program that prints more has gone astray.
inline constexpr std::size_t program_output_limit = std::size_t{1} << 20;

/// Runs a program without a shell and waits for its end. Its standard input is empty, it inherits no other descriptor,
/// and signals have their default meaning. It gets a process group of its own; when the time is over or the output too
/// long, the group is killed as a whole and the program reaped. (A process that leaves the group by setsid escapes.)
/// A program that ends in time may leave processes behind in the background, since starting a service is a fair way to
/// apply a configuration: they are neither waited for nor killed, even if they hold the output open.
///
/// Any thread may call it, several at once too.
/// @param argv  program (looked up in PATH) and arguments, not empty.
/// @param environment  variables set besides our own.  @param patience  for the whole run, > 0.
/// @returns what it printed on standard output until its end; one sentence when it could not be run, ended by a signal
///          or with another code than 0 (with the last line of its standard error), took too long, or printed too much.
[[nodiscard]] std::expected<std::string, std::string> run_program(const std::vector<std::string>& argv,
                                                                  const std::map<std::string, std::string>& environment,
                                                                  duration patience);

/// @returns a text fit for one line of a message: control characters shown as '?', cut after 200 bytes.
[[nodiscard]] std::string printable(std::string_view text);

} // namespace homeostat
