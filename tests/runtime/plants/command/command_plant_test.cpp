#include "runtime/plants/command/command_plant.hpp"
#include "runtime/plants/command/run_program.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include <sys/wait.h>
#include <unistd.h>

namespace homeostat {
namespace {

std::vector<std::string> sh(const std::string& script) { return {"/bin/sh", "-c", script}; }
constexpr instant now{std::chrono::seconds(1'800'000'000)};

bool has_children() {
  int status = 0;
  return waitpid(-1, &status, WNOHANG) >= 0;
}

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

INSTANTIATE_TEST_SUITE_P(Rows, BadOutput,
                         testing::Values(bad_output{"NoValue", "a 1\nb\n", "line 2 is 'b', expected: name value"},
                                         bad_output{"NotANumber", "a one", "line 1 is 'a one', expected: name value"},
                                         bad_output{"TrailingText", "a 1 2", "line 1 is 'a 1 2', expected: name value"},
                                         bad_output{"NaN", "# x\n\na nan",
                                                    "line 3 is 'a nan', expected a finite number"},
                                         bad_output{"Infinite", "a inf", "line 1 is 'a inf', expected a finite number"},
                                         bad_output{"Twice", "a 1\na 2", "line 2 is 'a 2', expected each name once"}),
                         [](const auto& row) { return row.param.name; });

TEST(ParseNamedValues, PassesOverCommentsAndBlanks) {
  const auto values = parse_named_values("# HELP\n  a\t1.5 \r\n\nb -2e3\n");
  ASSERT_TRUE(values);
  EXPECT_EQ(*values, (named_values{{"a", 1.5}, {"b", -2000}}));
}

TEST(RunProgram, ReturnsWhatIsPrinted) { EXPECT_EQ(run_program(sh("echo $X"), {{"X", "a b; c"}}, 5s), "a b; c\n"); }

TEST(RunProgram, SaysWhyItFailed) {
  EXPECT_EQ(run_program(sh("echo first >&2; echo broken >&2; exit 3"), {}, 5s).error(),
            "/bin/sh: exit code 3, expected 0: broken");
  EXPECT_EQ(run_program({"/no/such/program"}, {}, 5s).error(),
            "/no/such/program: cannot be run: No such file or directory");
  EXPECT_EQ(run_program(sh("kill -9 $$"), {}, 5s).error(), "/bin/sh: ended by signal 9");
  EXPECT_FALSE(has_children());
}

TEST(RunProgram, KillsWhatHangsWithItsChildren) {
  const auto begin = std::chrono::steady_clock::now();
  const auto result = run_program(sh("sleep 300 & sleep 300"), {}, 200ms);
  EXPECT_EQ(result.error(), "/bin/sh: took longer than 0.2 s and was killed");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(60));
  EXPECT_FALSE(has_children());
}

TEST(RunProgram, AChildThatClosesItsOutputAndStaysIsKilledToo) {
  EXPECT_EQ(run_program(sh("exec >&- 2>&-; sleep 300"), {}, 200ms).error(),
            "/bin/sh: took longer than 0.2 s and was killed");
  EXPECT_FALSE(has_children());
}

TEST(RunProgram, EndlessOutputIsCutOff) {
  EXPECT_EQ(run_program(sh("yes"), {}, 20s).error(), "/bin/sh: printed more than 65536 bytes and was killed");
  EXPECT_FALSE(has_children());
}

TEST(RunProgram, OfLongOutputTheEndIsKeptWhereThatIsWhatCounts) {
  const auto printed =
      run_program(sh("head -c 5000000 /dev/zero | tr '\\0' x; echo; echo 2.5"), {}, 60s, {}, output_kept::end);
  ASSERT_TRUE(printed) << printed.error();
  EXPECT_GE(printed->size(), program_output_limit);
  EXPECT_LE(printed->size(), 2 * program_output_limit);
  EXPECT_TRUE(printed->ends_with("x\n2.5\n"));
}

// A grandchild that holds the outputs open, in the group and (setsid) outside of it.
TEST(RunProgram, EndsWithTheProgramWhateverItLeavesRunning) {
  for (const char* left : {"sleep 30", "setsid sleep 30", "setsid sh -c 'sleep 0.2; exec timeout 5 yes'"}) {
    const auto begin = std::chrono::steady_clock::now();
    const auto printed = run_program(sh(std::string(left) + " & echo 1.5"), {}, 25s, {}, output_kept::end);
    ASSERT_TRUE(printed) << left << ": " << printed.error();
    EXPECT_EQ(*printed, "1.5\n") << left;
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20)) << left;
  }
}

TEST(RunProgram, IgnoringSigtermDoesNotHelp) {
  EXPECT_EQ(run_program(sh("trap '' TERM INT HUP; while :; do sleep 1; done"), {}, 200ms).error(),
            "/bin/sh: took longer than 0.2 s and was killed");
  EXPECT_FALSE(has_children());
}

TEST(RunProgram, LeavesNoDescriptorBehind) {
  const auto count = [] { return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}); };
  const auto before = count();
  for (int i = 0; i < 20; ++i) (void)run_program(sh("exit 1"), {}, 5s);
  EXPECT_EQ(count(), before);
}

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
  EXPECT_EQ(second->metrics.at("latency_mean_ms"), 4);
}

TEST(CommandPlant, AppliesByEnvironmentAndReportsWhatIsInForce) {
  const std::string file = testing::TempDir() + "/command-plant-value-" + std::to_string(getpid());
  command_plant plant(sh("true"), sh("echo $HOMEOSTAT_KNOB_POOL_SIZE > " + file),
                      sh("echo pool_size $(cat " + file + ")"));
  EXPECT_EQ(plant.apply({{"pool_size", 12.5}}, 5s), (named_values{{"pool_size", 12.5}}));
  // The actuator reports what it finds, not what it was asked.
  command_plant lying(sh("true"), sh("true"), sh("echo pool_size 3"));
  EXPECT_EQ(lying.apply({{"pool_size", 12.5}}, 5s), (named_values{{"pool_size", 3}}));
  std::filesystem::remove(file);
}

TEST(CommandPlant, FailuresAreErrors) {
  EXPECT_EQ(command_plant(sh("true"), sh("true"), sh("true")).read(now, 5s).error().what,
            "/bin/sh: printed no metrics, expected lines of: name value");
  EXPECT_EQ(command_plant(sh("echo requests -1"), sh("true"), sh("true")).read(now, 5s).error().what,
            "/bin/sh: requests is below 0");
  EXPECT_EQ(command_plant(sh("true"), sh("exit 4"), sh("echo a 1")).apply({{"a", 1}}, 5s).error().what,
            "/bin/sh: exit code 4, expected 0");
  EXPECT_EQ(command_plant(sh("true"), sh("true"), sh("echo a")).read_back(5s).error().what,
            "/bin/sh: line 1 is 'a', expected: name value");
}

} // namespace
} // namespace homeostat
