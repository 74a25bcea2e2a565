#pragma once

#include <chrono>

namespace homeostat {

/// From here on SIGINT and SIGTERM are noticed by wait_for_interrupt instead of ending the process. Call before threads
/// start.
void catch_interrupts();

/// From here on a file that reached its size limit (RLIMIT_FSIZE) refuses a write, as a full disk does, instead of
/// ending the process.
void survive_size_limits();

/// Waits until a time or an interrupt. @returns true if one has come, also for every later call.
[[nodiscard]] bool wait_for_interrupt(std::chrono::steady_clock::time_point until);

/// Ends the process with `code` after this time, whatever hangs: the last resort of an ordered shutdown.
void end_process_after(std::chrono::seconds limit, int code);

} // namespace homeostat
