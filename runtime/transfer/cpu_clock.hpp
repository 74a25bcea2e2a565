#pragma once

#include <cstdint>
#include <ctime>

namespace homeostat {

/// @returns nanoseconds of processor time the calling thread has used.
[[nodiscard]] inline std::uint64_t thread_cpu_ns() noexcept {
  timespec spent{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
  return static_cast<std::uint64_t>(spent.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(spent.tv_nsec);
}

} // namespace homeostat
