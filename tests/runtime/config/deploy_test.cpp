#include "runtime/config/config.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

// Every configuration we ship loads. The count is written down, so that a file that is moved away, or whose apiVersion
// is misspelt, is missed: whoever adds or removes one changes it here.
namespace homeostat {
namespace {

constexpr std::size_t shipped_configurations = 8;

std::string content_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

bool says_homeostat(const std::string& text) {
  const std::string line = "apiVersion: homeostat/v1";
  return text.starts_with(line) || text.find("\n" + line) != std::string::npos;
}

TEST(Deploy, EveryConfigurationLoads) {
  std::set<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(HOMEOSTAT_SOURCE_DIR "/deploy"))
    if (entry.is_regular_file() && entry.path().extension() == ".yaml" && says_homeostat(content_of(entry.path())))
      files.insert(entry.path());
  EXPECT_EQ(files.size(), shipped_configurations);
  for (const auto& file : files) {
    const auto node = load_config(file);
    if (node) {
      EXPECT_FALSE(node->loops.empty() &&
                   std::ranges::none_of(node->pools, [](const pool_config& p) { return p.transfer.has_value(); }))
          << file << " neither tunes nor decides";
      continue;
    }
    for (const auto& problem : node.error()) ADD_FAILURE() << to_string(problem);
  }
}

} // namespace
} // namespace homeostat
