#include "runtime/search/evaluate.hpp"

#include <gtest/gtest.h>

#include <cstdio>

#include <unistd.h>

namespace homeostat {
namespace {

TEST(ParseResult, TakesTheLastLineThatIsNotBlank) {
  for (const char* text : {"1.5", "1.5\n", "noise\n1.5\n\n", "1 2 3\n  1.5 \r\n", "\n1.5"})
    EXPECT_EQ(parse_result(text), 1.5) << text;
  EXPECT_EQ(parse_result("-3e-300"), -3e-300);
}

TEST(ParseResult, NamesWhatIsNoNumber) {
  EXPECT_EQ(parse_result("").error(), "printed nothing, expected a number");
  EXPECT_EQ(parse_result(" \n\t\n").error(), "printed nothing, expected a number");
  for (const char* text : {"abc", "1.5x", "1,5", "nan", "inf", "1e999", "0x10", "1 2"})
    EXPECT_EQ(parse_result(text).error(), "printed '" + std::string(text) + "' last, expected one finite number");
}

TEST(Environment, NamesEveryParameter) {
  const auto space =
      search_space::create({{.name = "x", .min = 0, .max = 1},
                            {.name = "flag", .type = knob_type::boolean},
                            {.name = "mode", .type = knob_type::categorical, .max = 1, .categories = {"fast", "safe"}},
                            {.name = "n", .type = knob_type::integer, .min = 1, .max = 1e9, .initial = 1}});
  ASSERT_TRUE(space) << space.error();
  const auto e = environment_of(*space, {.id = 7, .values = {0.1, 1, 1, 123456789}, .value = {}}, 42);
  EXPECT_EQ(e.at("x"), "0.1");
  EXPECT_EQ(e.at("flag"), "true");
  EXPECT_EQ(e.at("mode"), "safe");
  EXPECT_EQ(e.at("n"), "123456789");
  EXPECT_EQ(e.at("HOMEOSTAT_TRIAL"), "7");
  EXPECT_EQ(e.at("HOMEOSTAT_SEED"), "42");
}

TEST(Evaluate, TriesAgain) {
  const std::string flag = testing::TempDir() + "homeostat-evaluate-" + std::to_string(getpid());
  const evaluation_settings settings{
      .argv = {"/bin/sh", "-c", "[ -e \"$flag\" ] && echo 2.5 || { touch \"$flag\"; exit 1; }"},
      .patience = 10s,
      .retries = 1};
  const auto once = evaluate({settings.argv, settings.patience, 0}, {{"flag", flag + "-never/x"}}, {});
  EXPECT_FALSE(once);
  const auto twice = evaluate(settings, {{"flag", flag}}, {});
  ASSERT_TRUE(twice) << twice.error();
  EXPECT_EQ(twice->value, 2.5);
  EXPECT_GE(twice->cost, 0);
  std::remove(flag.c_str());
}

TEST(Evaluate, EndsWhenAsked) {
  std::stop_source stop;
  stop.request_stop();
  const auto ended = evaluate({.argv = {"sleep", "60"}}, {}, stop.get_token());
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error(), "was interrupted");
}

} // namespace
} // namespace homeostat
