#pragma once

#include <spdlog/fmt/fmt.h>

#include <array>
#include <cstdint>
#include <string>

namespace homeostat {

/// @returns a number of bytes for people: "1.5 MiB".
[[nodiscard]] inline std::string size_words(std::uint64_t bytes) {
  constexpr std::array<const char*, 4> units{"B", "KiB", "MiB", "GiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < units.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.4g} {}", value, units[unit]);
}

/// @returns a length of time for people: "3.2 ms".
[[nodiscard]] inline std::string time_words(double us) {
  if (us >= 1e6) return fmt::format("{:.3g} s", us / 1e6);
  if (us >= 1e3) return fmt::format("{:.3g} ms", us / 1e3);
  return fmt::format("{:.3g} us", us);
}

} // namespace homeostat
