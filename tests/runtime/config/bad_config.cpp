#include "tests/runtime/config/bad_config.hpp"

#include "runtime/config/config.hpp"

#include <gmock/gmock.h>

#include <ostream>

std::ostream& operator<<(std::ostream& out, const bad_row& row) { return out << row.name; }

void expect_problems(const bad_row& row) {
  std::string text(good_config);
  const std::size_t at = text.find(row.find);
  ASSERT_NE(at, std::string::npos) << "the row looks for a text that good_config does not have";
  text.replace(at, row.find.size(), row.replace);
  const auto loaded = homeostat::load_config_text("demo.yaml", text);
  ASSERT_FALSE(loaded.has_value());
  std::vector<std::string> lines;
  for (const auto& problem : loaded.error()) lines.push_back(to_string(problem));
  std::vector<std::string> expected;
  for (const auto& problem : row.problems) expected.push_back("demo.yaml:" + problem);
  EXPECT_THAT(lines, testing::ElementsAreArray(expected));
}
