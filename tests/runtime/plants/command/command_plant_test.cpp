#include "runtime/plants/command/command_plant.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <unistd.h>

namespace homeostat {
namespace {

std::vector<std::string> sh(const std::string& script) { return {"/bin/sh", "-c", script}; }
constexpr instant now{std::chrono::seconds(1'800'000'000)};

/// A file in which a plant made of shell scripts keeps its state; gone when the test is.
struct scratch_file {
  std::string path{testing::TempDir() + "command-plant-" + std::to_string(getpid())};
  scratch_file() { std::filesystem::remove(path); }
  ~scratch_file() { std::filesystem::remove(path); }
  scratch_file(const scratch_file&) = delete;
  scratch_file& operator=(const scratch_file&) = delete;
};

// ---- what programs print ------------------------------------------------------------------------------------------

struct bad_output {
  const char* name;
  const char* text;
  const char* message;
};

class BadOutput : public testing::TestWithParam<bad_output> {};

TEST_P(BadOutput, NamesTheLine) {
  const auto values = parse_named_values(GetParam().text);
  ASSERT_FALSE(values);
  EXPECT_EQ(values.error(), GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, BadOutput,
    testing::Values(bad_output{"NoValue", "a 1\nb\n", "line 2 is 'b', expected: name value"},
                    bad_output{"NoName", "17", "line 1 is '17', expected: name value"},
                    bad_output{"NameThatIsANumber", "1 2", "line 1 is '1 2', expected: name value"},
                    bad_output{"NameWithForeignCharacters", "p-99 2", "line 1 is 'p-99 2', expected: name value"},
                    bad_output{"NotANumber", "a one", "line 1 is 'a one', expected: name value"},
                    bad_output{"NumberWithUnit", "a 5ms", "line 1 is 'a 5ms', expected: name value"},
                    bad_output{"DecimalComma", "a 1,5", "line 1 is 'a 1,5', expected: name value"},
                    bad_output{"HexNumber", "a 0x10", "line 1 is 'a 0x10', expected: name value"},
                    bad_output{"TrailingText", "a 1 2", "line 1 is 'a 1 2', expected: name value"},
                    bad_output{"AnErrorPage", "<html><body>", "line 1 is '<html><body>', expected: name value"},
                    bad_output{"NaN", "# x\n\na nan", "line 3 is 'a nan', expected a finite number"},
                    bad_output{"PrometheusNaN", "a NaN", "line 1 is 'a NaN', expected a finite number"},
                    bad_output{"Infinite", "a inf", "line 1 is 'a inf', expected a finite number"},
                    bad_output{"TooLarge", "a 1e999", "line 1 is 'a 1e999', expected a finite number"},
                    bad_output{"ControlCharacters", "a\x1b[1m 1", "line 1 is 'a?[1m 1', expected: name value"},
                    bad_output{"Twice", "a 1\na 2", "line 2 is 'a 2', expected each name once"}),
    [](const auto& row) { return row.param.name; });

TEST(ParseNamedValues, PassesOverCommentsAndBlanks) {
  const auto values = parse_named_values("# HELP\n  a\t1.5 \r\n\nb -2e3\nnode:c_ratio 0");
  ASSERT_TRUE(values) << values.error();
  EXPECT_EQ(*values, (named_values{{"a", 1.5}, {"b", -2000}, {"node:c_ratio", 0}}));
}

TEST(ParseNamedValues, PassesOverSamplesWithLabels) {
  const auto values =
      parse_named_values("up{job=\"a b\"} 1\nup{job=\"b\"} NaN\nup 3\nquantile {q=\"{}\"} +Inf 1700000000\n");
  ASSERT_TRUE(values) << values.error();
  EXPECT_EQ(*values, (named_values{{"up", 3}}));
}

TEST(ParseNamedValues, NothingIsNothing) { EXPECT_EQ(parse_named_values(""), named_values{}); }

// ---- sensing ------------------------------------------------------------------------------------------------------

TEST(CommandPlant, ReadsMetricsWithTheirInterval) {
  command_plant plant(sh("echo latency_mean_ms 4; echo requests 7"), sh("true"), sh("true"));
  const auto first = plant.read(now, 5s);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->begin, first->end);
  const auto second = plant.read(now + 1s, 5s);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->begin, now);
  EXPECT_EQ(second->end, now + 1s);
  EXPECT_EQ(second->sample_count, 7U);
  EXPECT_EQ(second->metrics, (named_values{{"latency_mean_ms", 4}, {"requests", 7}}));
}

TEST(CommandPlant, AReadingWithoutACountIsOneSample) {
  EXPECT_EQ(command_plant(sh("echo a 1"), sh("true"), sh("true")).read(now, 5s)->sample_count, 1U);
  EXPECT_EQ(command_plant(sh("echo requests 0"), sh("true"), sh("true")).read(now, 5s)->sample_count, 0U);
}

TEST(CommandPlant, AFailedReadingLengthensTheNextInterval) {
  const scratch_file broken;
  command_plant plant(sh("[ ! -e " + broken.path + " ] && echo a 1"), sh("true"), sh("true"));
  ASSERT_TRUE(plant.read(now, 5s));
  std::ofstream(broken.path) << "x";
  EXPECT_EQ(plant.read(now + 1s, 5s).error().what, "/bin/sh: exit code 1, expected 0");
  std::filesystem::remove(broken.path);
  EXPECT_EQ(plant.read(now + 2s, 5s)->begin,
            now); // what happened since the last reading, the failed one's time included
}

struct bad_sense {
  const char* name;
  const char* script;
  const char* message;
};
class BadSense : public testing::TestWithParam<bad_sense> {};
TEST_P(BadSense, IsAnError) {
  command_plant plant(sh(GetParam().script), sh("true"), sh("true"));
  const auto r = plant.read(now, 2s);
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().what, GetParam().message);
}
INSTANTIATE_TEST_SUITE_P(
    Rows, BadSense,
    testing::Values(bad_sense{"NoOutput", "true", "/bin/sh: printed no metrics, expected lines of: name value"},
                    bad_sense{"Garbage", "echo hello", "/bin/sh: line 1 is 'hello', expected: name value"},
                    bad_sense{"NotFinite", "echo a NaN", "/bin/sh: line 1 is 'a NaN', expected a finite number"},
                    bad_sense{"MetricsAndAFailure", "echo a 1; exit 2", "/bin/sh: exit code 2, expected 0"},
                    bad_sense{"Hanging", "echo a 1; sleep 300", "/bin/sh: took longer than 2 s and was killed"},
                    bad_sense{"CountBelowZero", "echo requests -1",
                              "/bin/sh: requests is -1, expected a whole number from 0 to 10^15"},
                    bad_sense{"CountWithFraction", "echo requests 0.5",
                              "/bin/sh: requests is 0.5, expected a whole number from 0 to 10^15"},
                    bad_sense{"CountTooLarge", "echo requests 1e16",
                              "/bin/sh: requests is 10000000000000000, expected a whole number from 0 to 10^15"}),
    [](const auto& row) { return row.param.name; });

// ---- acting -------------------------------------------------------------------------------------------------------

TEST(CommandPlant, AppliesByEnvironmentAndReportsWhatIsInForce) {
  const scratch_file file;
  command_plant plant(sh("true"), sh("echo $HOMEOSTAT_KNOB_POOL_SIZE $HOMEOSTAT_KNOB_TTL_MS > " + file.path),
                      sh("read a b < " + file.path + "; echo pool_size $a; echo ttl_ms $b"));
  const named_values wanted{{"pool_size", 12}, {"ttl_ms", 0.1 + 0.2}};
  EXPECT_EQ(plant.apply(wanted, 5s), wanted); // to the last bit
  EXPECT_EQ(plant.read_back(5s), wanted);
}

TEST(CommandPlant, NumbersAreGivenWithoutExponents) {
  // Whatever a shell compares with -gt or calculates with has to be digits.
  const scratch_file file;
  command_plant plant(sh("true"), sh("echo $HOMEOSTAT_KNOB_A $HOMEOSTAT_KNOB_B $HOMEOSTAT_KNOB_C > " + file.path),
                      sh("echo a 100000; echo b 0.00001; echo c -3e8"));
  ASSERT_TRUE(plant.apply({{"a", 100000}, {"b", 0.00001}, {"c", -3e8}}, 5s));
  std::string line;
  std::getline(std::ifstream(file.path) >> std::ws, line);
  EXPECT_EQ(line, "100000 0.00001 -300000000");
}

TEST(CommandPlant, WaitsUntilThePlantHasTakenItsValuesOver) {
  // It shows the old value twice before it shows the new one, as a service does that reloads by and by.
  const scratch_file file;
  command_plant plant(
      sh("true"), sh("true"),
      sh("echo x >> " + file.path + "; [ $(wc -l < " + file.path + ") -gt 2 ] && echo a 5 || echo a 1"));
  EXPECT_EQ(plant.apply({{"a", 5}}, 60s), (named_values{{"a", 5}}));
}

TEST(CommandPlant, ReportsWhatItFindsAndNotWhatWasWanted) {
  command_plant clamping(sh("true"), sh("true"), sh("echo pool_size 3"));
  EXPECT_EQ(clamping.apply({{"pool_size", 12.5}}, 300ms), (named_values{{"pool_size", 3}}));
}

TEST(CommandPlant, DigitsThatThePlantDoesNotShowAreNotWaitedFor) {
  command_plant rounding(sh("true"), sh("true"), sh("echo a 0.3333333"));
  EXPECT_EQ(rounding.apply({{"a", 1.0 / 3}}, 60s), (named_values{{"a", 0.3333333}}));
}

TEST(CommandPlant, FailuresToActAreErrors) {
  const auto why = [](const std::string& apply, const std::string& read_back, duration patience) {
    return command_plant(sh("true"), sh(apply), sh(read_back)).apply({{"a", 1}, {"b", 2}}, patience).error().what;
  };
  EXPECT_EQ(why("echo no such user >&2; exit 4", "echo a 1; echo b 2", 5s),
            "/bin/sh: exit code 4, expected 0: no such user");
  EXPECT_EQ(why("sleep 300", "echo a 1; echo b 2", 100ms), "/bin/sh: took longer than 0.1 s and was killed");
  EXPECT_EQ(why("true", "echo a 1; exit 1", 5s), "/bin/sh: exit code 1, expected 0");
  EXPECT_EQ(why("true", "echo a 1", 5s), "/bin/sh: printed a, expected a value for knob b");
  EXPECT_EQ(why("true", "true", 5s), "/bin/sh: printed nothing, expected a value for knob a");
  EXPECT_EQ(why("true", "echo a 1; echo b nan", 5s), "/bin/sh: line 2 is 'b nan', expected a finite number");
  EXPECT_EQ(why("true", "echo a", 5s), "/bin/sh: line 1 is 'a', expected: name value");
  command_plant absent(sh("true"), {"/no/such/apply"}, {"/no/such/read-back"});
  EXPECT_EQ(absent.apply({{"a", 1}}, 5s).error().what, "/no/such/apply: cannot be run: No such file or directory");
  EXPECT_EQ(absent.read_back(5s).error().what, "/no/such/read-back: cannot be run: No such file or directory");
}

} // namespace
} // namespace homeostat
