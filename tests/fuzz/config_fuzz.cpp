// Any text as a configuration: problems or a node, problems or a search; never a crash.
#include "runtime/config/config.hpp"
#include "runtime/search/search_config.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto config = homeostat::load_config_text("fuzz.yaml", text);
  // A refusal that names nothing would leave the operator alone.
  if (!config && config.error().empty()) std::abort();
  if (!config)
    for (const auto& problem : config.error())
      if (to_string(problem).empty()) std::abort();
  (void)homeostat::looks_like_search_config(text);
  const auto search = homeostat::read_search_config("fuzz.json", text);
  if (!search && homeostat::lines_of(search.error()).empty()) std::abort();
  return 0;
}
