// Each refused configuration with its exact message, and what a good one means.
#include "runtime/search/search_config.hpp"

#include <gtest/gtest.h>

namespace homeostat {
namespace {

struct row {
  const char* json;
  const char* message;
};

// Keep messages whole: they are what a user sees.
constexpr row rows[] = {
    {R"({})", "bounds is missing, expected an object with one entry for each knob"},
    {R"({"bounds":{}})", "bounds is an object, expected an object with one entry for each knob"},
    {R"({"bounds":{"x":3}})", R"(bounds.x is 3, expected an object such as {"min":0,"max":1})"},
    {R"({"bounds":{"x":{"min":1}}})", "bounds.x.max is missing, expected a number"},
    {R"({"bounds":{"x":{"min":1,"max":1}}})", "bounds.x: max is 1, expected more than min 1"},
    {R"({"bounds":{"x":{"min":0,"max":1,"scale":"log"}}})", "bounds.x: min is 0, expected more than 0 on a log scale"},
    {R"({"bounds":{"x":{"min":0,"max":1,"scale":"cubic"}}})",
     R"(bounds.x.scale is "cubic", expected one of linear, log, periodic)"},
    {R"({"bounds":{"x":{"min":0,"max":1,"typ":"integer"}}})",
     "bounds.x.typ is not a key, expected min, max, scale, type, step, default or categories"},
    {R"({"bounds":{"x":{"min":"NaN","max":1}}})", R"(bounds.x.min is "NaN", expected a finite number)"},
    {R"({"bounds":{"x":{"min":0,"max":1,"default":7}}})",
     "bounds.x: default is 7, expected a value the knob can take between 0 and 1"},
    {R"({"bounds":{"x":{"min":0,"max":10,"type":"integer","step":0.5}}})",
     "bounds.x: step is 0.5, expected a whole number for an integer knob"},
    {R"({"bounds":{"m":{"categories":[]}}})", "bounds.m: categories has 0 names, expected 2 or more"},
    {R"({"bounds":{"m":{"categories":["a","a"]}}})", R"(bounds.m.categories is "a", expected different names)"},
    {R"({"bounds":{"X y":{"min":0,"max":1}}})", "bounds.X y: name is 'X y', expected [a-z][a-z0-9_]*"},
    {R"({"bounds":{"x":{"min":0,"max":1}},"budget":-3})", "budget is -3, expected a whole number from 0 to 2^53"},
    {R"({"bounds":{"x":{"min":0,"max":1}},"budget":2.5})", "budget is 2.5, expected a whole number from 0 to 2^53"},
    {R"({"bounds":{"x":{"min":0,"max":1}},"seed":"a"})", R"(seed is "a", expected a whole number from 0 to 2^53)"},
    {R"({"bound":{}})",
     "bound is not a key, expected bounds, seed, budget, probe_ratio, batch_size, strategy, strategy_params or "
     "history_cap"},
};

class Refused : public testing::TestWithParam<row> {};

TEST_P(Refused, WithItsMessage) {
  const auto settings = read_search_config(GetParam().json);
  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.error(), GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(Rows, Refused, testing::ValuesIn(rows));

TEST(SearchConfig, TextThatIsNoObjectIsRefused) {
  for (const char* text : {"", "[]", "{", "null", "{\"bounds\":", "\xff\xfe"}) {
    const auto settings = read_search_config(text);
    ASSERT_FALSE(settings) << text;
    EXPECT_TRUE(settings.error().starts_with("the configuration is not a JSON object")) << settings.error();
  }
}

TEST(SearchConfig, ReadsEverything) {
  const auto s = read_search_config(R"({"seed":42,"budget":100,"strategy":"bayes","probe_ratio":0.1,"batch_size":4,
    "history_cap":500,"strategy_params":{"first_edge":0.5},"bounds":{
      "b":{"type":"boolean"}, "c":{"categories":["fast","safe"],"default":1},
      "a":{"min":1,"max":1000,"scale":"Log","type":"integer"}, "d":{"min":0,"max":24,"scale":"periodic","step":0.5}}})");
  ASSERT_TRUE(s) << s.error();
  EXPECT_EQ(s->seed, 42U);
  EXPECT_EQ(s->budget, 100U);
  EXPECT_EQ(s->strategy, "bayes");
  EXPECT_DOUBLE_EQ(s->probe_ratio, 0.1);
  EXPECT_EQ(s->batch_size, 4U);
  EXPECT_EQ(s->history_cap, 500U);
  EXPECT_EQ(s->strategy_params.at("first_edge"), 0.5);
  ASSERT_EQ(s->space.size(), 4U);
  EXPECT_EQ(s->space[0].name, "a");
  EXPECT_EQ(s->space[0].scale, knob_scale::log);
  EXPECT_EQ(s->space[0].initial, 32) << "the middle of the scale";
  EXPECT_EQ(s->space[1].type, knob_type::boolean);
  EXPECT_EQ(s->space[2].initial, 1);
  EXPECT_EQ(s->space[3].step, 0.5);
}

} // namespace
} // namespace homeostat
