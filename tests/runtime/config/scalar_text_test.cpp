#include "runtime/config/scalar_text.hpp"

#include <gtest/gtest.h>

#include <array>

namespace homeostat::yaml {
namespace {

TEST(ScalarText, NumbersAreJsons) {
  EXPECT_EQ(parse_number("0"), 0.0);
  EXPECT_EQ(parse_number("-12.50"), -12.5);
  EXPECT_EQ(parse_number("1e-3"), 0.001);
  EXPECT_EQ(parse_number("2E+2"), 200.0);
  for (const char* text : {"",    "-",   "+1",   "01", "1.", ".5",  "1e",    "1e+",    "0x10", "1_000",
                           "inf", "nan", ".inf", "1 ", " 1", "1,5", "1e400", "-1e400", "1:30", "--1"})
    EXPECT_EQ(parse_number(text), std::nullopt) << text;
}

TEST(ScalarText, WholeNumbersHaveOneForm) {
  EXPECT_EQ(parse_whole("0"), 0U);
  EXPECT_EQ(parse_whole("18446744073709551615"), 18446744073709551615U);
  for (const char* text : {"", "-1", "+1", "007", "1.0", "1e3", "18446744073709551616", "1 "})
    EXPECT_EQ(parse_whole(text), std::nullopt) << text;
}

TEST(ScalarText, DurationsHaveAWholeNumberAndOneUnit) {
  EXPECT_EQ(parse_duration("500ms"), 500ms);
  EXPECT_EQ(parse_duration("5s"), 5s);
  EXPECT_EQ(parse_duration("2m"), 2min);
  EXPECT_EQ(parse_duration("1h"), 1h);
  EXPECT_EQ(parse_duration("7d"), 168h);
  EXPECT_EQ(parse_duration("0s"), 0s);
  EXPECT_EQ(parse_duration("365d"), longest_duration);
  for (const char* text : {"", "5", "s", "5 s", "1.5s", "-1s", "5sec", "5S", "5us", "1h30m", "366d", "31536001s", "05s",
                           "99999999999999999999s"})
    EXPECT_EQ(parse_duration(text), std::nullopt) << text;
}

TEST(ScalarText, DurationsAreShownInTheLargestExactUnit) {
  EXPECT_EQ(duration_text(0us), "0s");
  EXPECT_EQ(duration_text(1500ms), "1500ms");
  EXPECT_EQ(duration_text(90s), "90s");
  EXPECT_EQ(duration_text(120s), "2m");
  EXPECT_EQ(duration_text(48h), "2d");
  EXPECT_EQ(duration_text(10us), "10us");
}

TEST(ScalarText, WordsThatReadersDisagreeOn) {
  for (const char* text : {"yes", "No", "ON",   "off",  "true", "False", "null",  "~",    "",      "12",   "-1.5",
                           "1e3", ".5", "0x1F", "0o17", "012",  "1_000", "12:30", ".inf", "-.INF", ".nan", "+1"})
    EXPECT_TRUE(is_ambiguous(text)) << text;
  for (const char* text : {"lru", "yesterday", "n1", "127.0.0.1", "127.0.0.1:80", "5s", "1.2.3", "-", "--now", "a:b",
                           "none", "/bin/x", "error_rate <= 0.01"})
    EXPECT_FALSE(is_ambiguous(text)) << text;
}

TEST(ScalarText, SuggestsWhatWasProbablyMeant) {
  constexpr std::array<std::string_view, 4> names{"max_delta", "min", "max", "default"};
  EXPECT_EQ(closest_name("max_dleta", names), "max_delta");
  EXPECT_EQ(closest_name("maxdelta", names), "max_delta");
  EXPECT_EQ(closest_name("defalt", names), "default");
  EXPECT_EQ(closest_name("Default", names), "default");
  EXPECT_EQ(closest_name("mx", names), "max");
  EXPECT_EQ(closest_name("max_delta_percent", names), "max_delta");
  EXPECT_EQ(closest_name("colour", names), std::nullopt);
  EXPECT_EQ(closest_name("", names), std::nullopt);
  EXPECT_EQ(closest_name(std::string(100'000, 'm'), names), std::nullopt);
}

} // namespace
} // namespace homeostat::yaml
