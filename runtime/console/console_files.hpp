#pragma once

#include <span>
#include <string_view>

namespace homeostat {

/// One file of the console, as it is compiled in.
struct console_file {
  std::string_view name; ///< "index.html", "main.js", ...
  std::string_view content_type;
  std::string_view bytes;
};

[[nodiscard]] std::span<const console_file> console_files();

} // namespace homeostat
