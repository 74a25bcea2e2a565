#pragma once

#include "policies/transfer/size_class.hpp"

#include <spdlog/fmt/fmt.h>

#include <string>

namespace homeostat {

/// @returns a length of time for people: "3.2 ms".
[[nodiscard]] inline std::string time_words(double us) {
  if (us >= 1e6) return fmt::format("{:.3g} s", us / 1e6);
  if (us >= 1e3) return fmt::format("{:.3g} ms", us / 1e3);
  return fmt::format("{:.3g} us", us);
}

} // namespace homeostat
