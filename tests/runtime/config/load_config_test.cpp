#include "runtime/config/config.hpp"
#include "tests/runtime/config/bad_config.hpp"
#include "tests/runtime/config/row_name.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <tuple>

namespace homeostat {
namespace {

std::vector<config_problem> problems_in(const std::string& text) {
  auto result = load_config_text("demo.yaml", text);
  return result ? std::vector<config_problem>{} : std::move(result.error());
}

std::vector<std::string> lines_of(const std::vector<config_problem>& problems) {
  std::vector<std::string> lines;
  for (const auto& p : problems) lines.push_back(to_string(p));
  return lines;
}

std::string with(const std::string& find, const std::string& replace) {
  std::string text(good_config);
  const std::size_t at = text.find(find);
  EXPECT_NE(at, std::string::npos) << find;
  return text.replace(at, find.size(), replace);
}

/// A file that is gone when the test is.
struct scratch_file {
  std::filesystem::path path;
  explicit scratch_file(const std::string& content)
      : path(std::filesystem::temp_directory_path() /
             ("homeostat_config_" + std::to_string(::getpid()) + "_" + std::to_string(content.size()) + ".yaml")) {
    std::ofstream(path, std::ios::binary) << content;
  }
  ~scratch_file() { std::filesystem::remove(path); }
  scratch_file(const scratch_file&) = delete;
  scratch_file& operator=(const scratch_file&) = delete;
};

TEST(LoadConfig, ReadsAFile) {
  const scratch_file file{std::string(good_config)};
  const auto node = load_config(file.path);
  ASSERT_TRUE(node.has_value());
  EXPECT_EQ(node->name, "demo");
}

TEST(LoadConfig, ProblemsNameTheFileAsItWasGiven) {
  const scratch_file file{"kind: 1"};
  const auto node = load_config(file.path);
  ASSERT_FALSE(node.has_value());
  EXPECT_EQ(node.error()[0].file, file.path.string());
}

TEST(LoadConfig, AFileThatIsNotThereIsAProblem) {
  const auto node = load_config("/nonexistent/demo.yaml");
  ASSERT_FALSE(node.has_value());
  EXPECT_THAT(lines_of(node.error()),
              testing::ElementsAre("/nonexistent/demo.yaml: cannot be read: No such file or directory"));
}

TEST(LoadConfig, ADirectoryIsAProblem) {
  const auto node = load_config("/");
  ASSERT_FALSE(node.has_value());
  EXPECT_THAT(lines_of(node.error()), testing::ElementsAre("/: cannot be read: it is a directory"));
}

TEST(LoadConfig, AFileBeyondOneMebibyteIsNotParsed) {
  const scratch_file file{std::string((1U << 20U) + 10, '#')};
  const auto node = load_config(file.path);
  ASSERT_FALSE(node.has_value());
  EXPECT_THAT(lines_of(node.error()),
              testing::ElementsAre(file.path.string() + ": has 1048577 bytes, expected at most 1048576"));
}

TEST(LoadConfig, ATextWithoutADocumentIsAProblem) {
  for (const char* text : {"", "# nothing\n", "---\n---\n"})
    EXPECT_THAT(lines_of(problems_in(text)),
                testing::ElementsAre("demo.yaml: holds no document, expected one or more with apiVersion homeostat/v1"))
        << text;
}

TEST(LoadConfig, ReportsEveryProblemSortedByLine) {
  const auto problems = problems_in(R"(apiVersion: homeostat/v1
kind: Loop
metadata: {name: late}
spec: {source: nowhere, objective: {minimize: "a +"}, knobs: []}
---
apiVersion: homeostat/v1
kind: Node
metadata: {name: N}
spec: {seed: x, api: {listen: "10.0.0.1:1"}}
)");
  EXPECT_THAT(
      lines_of(problems),
      testing::ElementsAre(
          "demo.yaml:4: Loop late: spec.source: is 'nowhere', expected the name of a Source in this file, of "
          "which there is none",
          "demo.yaml:4: Loop late: spec.objective.minimize: is 'a +', which is wrong at character 4: it ends "
          "too early, expected a formula such as latency_p99_ms + 1000 * error_rate",
          "demo.yaml:4: Loop late: spec.knobs: has 0 knobs, expected 1 to 16",
          "demo.yaml:8: Node N: metadata.name: is 'N', expected a name of [a-z][a-z0-9_-]*, at most 63 characters",
          "demo.yaml:9: Node N: spec.seed: is 'x', expected a whole number of 0 or more",
          "demo.yaml:9: Node N: spec.api.listen: is the text '10.0.0.1:1', expected a loopback address, "
          "127.0.0.1 or [::1], as long as the api has no tls and tokens_file"));
}

struct place_row {
  std::string name;
  std::string find;
  std::string replace;
  std::string path;
  int line;
  int column;
};
class PlaceOfAProblem : public testing::TestWithParam<place_row> {};
TEST_P(PlaceOfAProblem, PointsAtTheText) {
  const place_row& row = GetParam();
  const auto problems = problems_in(with(row.find, row.replace));
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems[0].path, row.path);
  EXPECT_EQ(std::tuple(problems[0].line, problems[0].column), std::tuple(row.line, row.column))
      << to_string(problems[0]);
}
const std::string target = "    minimize: latency_p99_ms + 1000 * error_rate";
const std::string target_path = "Loop connections: spec.objective.minimize";
INSTANTIATE_TEST_SUITE_P(
    Places, PlaceOfAProblem,
    testing::Values(
        place_row{"Value", "max: 600", "max: abc", "Loop connections: spec.knobs[1].max", 41, 36},
        place_row{"UnknownKey", "max: 600", "max: 600, x: 1", "Loop connections: spec.knobs[1].x", 41, 41},
        place_row{"EmptyValueAtItsKey", "  pool: web", "  pool:\n", "Loop connections: spec.pool", 34, 3},
        place_row{"MissingKeyAtItsMapping", "{name: spsa}", "{}\n  seed: -1", "Loop connections: spec.seed", 44, 9},
        place_row{"InAPlainFormula", target, "    minimize: a + * b", target_path, 37, 19},
        place_row{"InAQuotedFormula", target, "    minimize: \"a + * b\"", target_path, 37, 20},
        place_row{"InAFormulaOnItsOwnLine", target, "    minimize:\n      a + * b", target_path, 38, 11},
        place_row{"InAFoldedFormula", target, "    minimize: >-\n      a +\n      * b", target_path, 37, 15}),
    row_name);

TEST(LoadConfig, LongAndUnprintableValuesAreShownInOneShortLine) {
  const auto problems = problems_in(with("max: 600", "max: \"" + std::string(500, 'x') + "\\u0007\""));
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems[0].what, "is the text '" + std::string(60, 'x') + "...'");
  EXPECT_EQ(problems_in(with("max: 600", "max: \"a\\u0007b\""))[0].what, "is the text 'a?b'");
  EXPECT_EQ(problems_in(with("max: 600", "max: " + std::string(59, 'x') + "\u00e4\u00e4"))[0].what,
            "is '" + std::string(59, 'x') + "...'"); // cut between characters, not inside one
}

TEST(LoadConfig, AliasesThatContainThemselvesEnd) {
  EXPECT_THAT(problems_in("&a {apiVersion: homeostat/v1, kind: Pool, metadata: {name: p}, spec: *a}"),
              testing::Not(testing::IsEmpty()));
  EXPECT_THAT(problems_in(with("constraints: [error_rate <= 0.01]", "constraints: &c [*c]")),
              testing::Not(testing::IsEmpty()));
}

TEST(LoadConfig, DeepNestingIsRefusedWithoutOverflowingTheStack) {
  EXPECT_THAT(problems_in(std::string(200'000, '[')), testing::Not(testing::IsEmpty()));
}

/// Whatever is in the file, the answer is a configuration or a list of problems with places inside the file.
TEST(LoadConfig, DamagedTextsAreAnswered) {
  std::mt19937 random(20240607); // its sequence is fixed by the standard; no distributions, whose are not
  const std::string bytes = "{}[]:,-#&*!|>'\"%@` \n\t~0aZ\\?";
  std::size_t refused = 0;
  for (int round = 0; round < 1500; ++round) {
    std::string text(good_config);
    for (std::uint32_t damage = random() % 4 + 1; damage > 0; --damage) {
      const std::size_t at = random() % text.size();
      switch (random() % 3) {
      case 0: text[at] = bytes[random() % bytes.size()]; break;
      case 1: text.erase(at, random() % 20); break;
      default: text.insert(at, 1, bytes[random() % bytes.size()]);
      }
    }
    const auto problems = problems_in(text);
    refused += problems.empty() ? 0 : 1;
    const auto lines = std::ranges::count(text, '\n') + 2;
    for (const auto& p : problems) {
      ASSERT_FALSE(p.what.empty()) << text;
      ASSERT_LE(p.line, lines) << to_string(p) << "\n" << text;
    }
  }
  EXPECT_GT(refused, 1000U);
}

/// yaml-cpp finds one empty document after another there, until the memory is gone.
TEST(LoadConfig, TextBehindADocumentEndsTheReading) {
  EXPECT_THAT(lines_of(problems_in("{},")),
              testing::ElementsAre("demo.yaml:1: is not YAML: unexpected text after a document"));
  EXPECT_THAT(lines_of(problems_in(",")),
              testing::ElementsAre("demo.yaml:1: is not YAML: unexpected text after a document"));
  EXPECT_THAT(lines_of(problems_in("{a: 1}\n---\n{b: 2},\n")),
              testing::ElementsAre("demo.yaml:3: is not YAML: unexpected text after a document"));
}

} // namespace
} // namespace homeostat
