// Each refused configuration with its exact message, and what a good one means.
#include "runtime/search/search_config.hpp"

#include "runtime/search/online_session.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

namespace homeostat {
namespace {

struct row {
  const char* json;
  const char* message; ///< without the file's name
};

// Keep messages whole: they are what a user sees.
constexpr row rows[] = {
    {R"({})", ":1: bounds: is missing, expected a mapping with one entry for each parameter"},
    {R"({"bounds":{}})", ":1: bounds: is an empty mapping, expected a mapping with one entry for each parameter"},
    {R"({"bounds":null})", ":1: bounds: is empty, expected a mapping with one entry for each parameter"},
    {R"({"bounds":{"x":3}})", R"(:1: bounds.x: is '3', expected a mapping such as {"min": 0, "max": 1})"},
    {"{\"bounds\":{\n\"x\":{\"min\":1}}}", ":2: bounds.x.max: is missing, expected a number"},
    {R"({"bounds":{"x":{"min":1,"max":1}}})", ":1: bounds.x.max: is 1, expected more than min 1"},
    {R"({"bounds":{"x":{"min":0,"max":1,"scale":"log"}}})",
     ":1: bounds.x.min: is 0, expected more than 0 on a log scale"},
    {R"({"bounds":{"x":{"min":0,"max":1,"scale":"cubic"}}})",
     ":1: bounds.x.scale: is the text 'cubic', expected one of linear, log, periodic"},
    {R"({"bounds":{"x":{"min":0,"max":1,"typ":"integer"}}})",
     ":1: bounds.x.typ: is not a known key (did you mean 'type'?), expected one of min, max, scale, type, step, "
     "default, categories"},
    {R"({"bounds":{"x":{"min":"NaN","max":1}}})", ":1: bounds.x.min: is the text 'NaN', expected a number"},
    {R"({"bounds":{"x":{"min":NaN,"max":1}}})", ":1: bounds.x.min: is 'NaN', expected a number"},
    {R"({"bounds":{"x":{"min":0,"max":1e999}}})", ":1: bounds.x.max: is '1e999', expected a number"},
    {R"({"bounds":{"x":{"min":0,"max":[1]}}})", ":1: bounds.x.max: is a list, expected a number"},
    {R"({"bounds":{"x":{"min":-1e308,"max":1e308}}})",
     ":1: bounds.x: max - min is not a finite number, expected a smaller range"},
    {R"({"bounds":{"x":{"min":0,"max":1,"default":7}}})",
     ":1: bounds.x.default: is 7, expected a value the knob can take between 0 and 1"},
    {R"({"bounds":{"x":{"min":0,"max":10,"type":"integer","step":0.5}}})",
     ":1: bounds.x.step: is 0.5, expected a whole number for an integer knob"},
    {R"({"bounds":{"m":{"categories":[]}}})", ":1: bounds.m.categories: has 0 names, expected two or more"},
    {R"({"bounds":{"m":{"categories":["a","a"]}}})",
     ":1: bounds.m.categories[1]: is the text 'a' again, expected every category once"},
    {R"({"bounds":{"m":{"categories":["a","b"],"default":"c"}}})",
     ":1: bounds.m.default: is the text 'c', expected one of a, b"},
    {R"({"bounds":{"X y":{"min":0,"max":1}}})", ":1: bounds.X y: name is 'X y', expected [a-z][a-z0-9_]*"},
    {"{\"bounds\":{\"x\":{\"min\":0,\"max\":1},\n\"x\":{\"min\":0,\"max\":2}}}",
     ":2: bounds.x: is given again; the first is in line 1, expected every name once"},
    {"{\"bounds\":{\"x\":{\"min\":0,\"max\":1}},\n\"seed\":1,\n\"seed\":2}",
     ":3: seed: is given again; the first is in line 2, expected every key once"},
    {R"({"bounds":{"x":{"min":0,"max":1}},"budget":-3})",
     ":1: budget: is '-3', expected a whole number from 1 to 1000000"},
    {R"({"bounds":{"x":{"min":0,"max":1}},"budget":0})",
     ":1: budget: is '0', expected a whole number from 1 to 1000000"},
    {R"({"bounds":{"x":{"min":0,"max":1}},"budget":2.5})",
     ":1: budget: is '2.5', expected a whole number from 1 to 1000000"},
    {R"({"bounds":{"x":{"min":0,"max":1}},"budget":60,"history_cap":59})",
     ":1: budget: is '60', expected at most history_cap 59"},
    {R"({"bounds":{"x":{"min":0,"max":1}},"seed":"a"})",
     ":1: seed: is the text 'a', expected a whole number of 0 or more"},
    {R"({"bounds":{"x":{"min":0,"max":1}},"batch_size":0})",
     ":1: batch_size: is '0', expected a whole number from 1 to 4096"},
    {R"({"bounds":{"x":{"min":0,"max":1}},"probe_ratio":1.5})", ":1: probe_ratio: is '1.5', expected 0 to 1"},
    {R"({"bounds":{"x":{"min":0,"max":1}},"strategy":"magic"})",
     ":1: strategy: is the text 'magic', expected one of auto, probe, nelder-mead, tpe, cma-es, quadratic, bayes, "
     "adaptive, spsa"},
    {R"({"bounds":{"x":{"min":0,"max":1}},"strategy":"nelder_mead"})",
     ":1: strategy: is the text 'nelder_mead' (did you mean 'nelder-mead'?), expected one of auto, probe, nelder-mead, "
     "tpe, cma-es, quadratic, bayes, adaptive, spsa"},
    {R"({"bounds":{"x":{"min":0,"max":1}},"strategy_params":{"noisey":1}})",
     ":1: strategy_params.noisey: is not a known key (did you mean 'noisy'?), expected noisy"},
    {R"({"bounds":{"x":{"min":0,"max":1}},"strategy_params":{"noisy":2}})",
     ":1: strategy_params.noisy: is '2', expected a whole number from 0 to 1"},
    {R"({"bounds":{"x":{"min":0,"max":1}},"strategy_params":{"noisy":"yes"}})",
     ":1: strategy_params.noisy: is the text 'yes', expected a number"},
    {R"({"bounds":{"x":{"min":0,"max":1}},"strategy":"probe","strategy_params":{"shard":3,"shards":2}})",
     ":1: strategy_params.shard: is 3, expected less than shards 2"},
    {R"({"bounds":{"x":{"min":0,"max":1}},"strategy":"adaptive","strategy_params":{"max_delta_per_step":1.5}})",
     ":1: strategy_params.max_delta_per_step: is '1.5', expected 1e-06 to 1"},
    {R"({"bounds":{"x":{"min":0,"max":1}},"strategy":"spsa","strategy_params":{"noise_floor":1}})",
     ":1: strategy_params.noise_floor: is not a known key, expected max_delta_per_step"},
    {R"({"bound":{}, "bounds":{"x":{"min":0,"max":1}}})",
     ":1: bound: is not a known key (did you mean 'bounds'?), expected one of bounds, seed, budget, probe_ratio, "
     "batch_size, strategy, strategy_params, history_cap"},
};

class Refused : public testing::TestWithParam<row> {};

TEST_P(Refused, WithItsMessage) {
  const auto settings = read_search_config("c.json", GetParam().json);
  ASSERT_FALSE(settings);
  EXPECT_EQ(lines_of(settings.error()), std::string("c.json") + GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(Rows, Refused, testing::ValuesIn(rows));

TEST(SearchConfig, TextThatIsNoObjectIsRefused) {
  for (const char* text : {"", "[]", "{", "null", "{\"bounds\":", "\xff\xfe", "hello", "{}\n---\n{}"})
    EXPECT_FALSE(read_search_config("c.json", text)) << text;
  const auto open = read_search_config("c.json", "{\"bounds\":\n  {\"x\": {\"min\": 0,");
  ASSERT_FALSE(open);
  EXPECT_TRUE(to_string(open.error().at(0)).starts_with("c.json:2: is neither JSON nor YAML: "))
      << to_string(open.error().at(0));
}

TEST(SearchConfig, EverythingWrongIsSaidAtOnce) {
  const auto settings = read_search_config("c.json", R"({
  "seed": -1,
  "bounds": {
    "a": {"min": 2, "max": 1},
    "b": {"categories": ["only"]},
    "c": {"min": 0}
  },
  "strategy": "auto",
  "strategy_params": {"noisy": 3, "pace": 1}
})");
  ASSERT_FALSE(settings);
  std::vector<int> lines;
  for (const config_problem& problem : settings.error()) lines.push_back(problem.line);
  EXPECT_EQ(lines, (std::vector{2, 4, 5, 6, 9, 9})) << lines_of(settings.error());
}

TEST(SearchConfig, MoreKnobsThanALivePlantMayHaveAreRefusedForOnlineStrategiesOnly) {
  std::string bounds;
  for (int i = 0; i < 17; ++i)
    bounds += (i ? "," : "") + std::string("\"x") + std::to_string(i) + "\":{\"min\":0,\"max\":1}";
  EXPECT_TRUE(read_search_config("c.json", "{\"bounds\":{" + bounds + "}}"));
  const auto online = read_search_config("c.json", R"({"strategy":"spsa","bounds":{)" + bounds + "}}");
  ASSERT_FALSE(online);
  EXPECT_EQ(lines_of(online.error()), "c.json:1: bounds: has 17 entries, expected 1 to 16");
}

// What is accepted here must begin, for every strategy and every one of its parameters at both ends of its range.
TEST(SearchConfig, WhatIsAcceptedBegins) {
  std::vector<std::string_view> names(strategy_names().begin(), strategy_names().end());
  names.insert(names.end(), {"adaptive", "spsa"});
  for (const std::string_view name : names)
    for (const strategy_param& p : strategy_params_of(name))
      for (const double value : {p.min, p.standard, p.max}) {
        char number[32];
        std::snprintf(number, sizeof number, "%.17g", value);
        const std::string text = R"({"bounds":{"x":{"min":0,"max":1}},"strategy":")" + std::string(name) +
                                 R"(","strategy_params":{")" + std::string(p.name) + "\":" + number + "}}";
        const auto settings = read_search_config("c.json", text);
        if (!settings) {
          EXPECT_TRUE(p.name == "shard" || p.name == "last_radius" || p.name == "first_radius")
              << lines_of(settings.error());
          continue;
        }
        EXPECT_EQ(settings->strategy_params.at(std::string(p.name)), value);
        if (online_kind_from(name))
          EXPECT_TRUE(online_session::create(*settings)) << text;
        else
          EXPECT_TRUE(solver::create(*settings)) << text;
      }
}

TEST(SearchConfig, ReadsEverything) {
  const auto s = read_search_config("c.json", R"({"seed":42,"budget":1e2,"strategy":"bayes","probe_ratio":0.1,
    "batch_size":4.0,"history_cap":500,"strategy_params":{"first_edge":0.5},"bounds":{
      "b":{"type":"boolean","default":true}, "c":{"categories":["fast","safe"],"default":"safe"},
      "a":{"min":1,"max":1000,"scale":"Log","type":"integer"}, "d":{"min":0,"max":24,"scale":"periodic","step":0.5},
      "e":{"categories":["on","off"],"default":1}}})");
  ASSERT_TRUE(s) << lines_of(s.error());
  EXPECT_EQ(s->seed, 42U);
  EXPECT_EQ(s->budget, 100U);
  EXPECT_EQ(s->strategy, "bayes");
  EXPECT_DOUBLE_EQ(s->probe_ratio, 0.1);
  EXPECT_EQ(s->batch_size, 4U);
  EXPECT_EQ(s->history_cap, 500U);
  EXPECT_EQ(s->strategy_params.at("first_edge"), 0.5);
  ASSERT_EQ(s->space.size(), 5U);
  EXPECT_EQ(s->space[0].name, "a");
  EXPECT_EQ(s->space[0].scale, knob_scale::log);
  EXPECT_EQ(s->space[0].initial, 32) << "the middle of the scale";
  EXPECT_EQ(s->space[1].type, knob_type::boolean);
  EXPECT_EQ(s->space[1].initial, 1);
  EXPECT_EQ(s->space[2].initial, 1);
  EXPECT_EQ(s->space[3].step, 0.5);
  EXPECT_EQ(s->space[4].initial, 1);
}

TEST(SearchConfig, WhatJsonWritersWriteIsRead) {
  for (const char* text : {"{\n\t\"bounds\": {\n\t\t\"x\":{\"min\":0,\"max\":1}\n\t}\n}", // tabs
                           "{\"bounds\":{\"x\":{\"min\":0,\"max\":1}}}\n\n",
                           "{\r\n \"bounds\" : { \"x\" : { \"min\" : -0.5E+1 , \"max\" : 1 } }\r\n}",
                           R"({"bounds":{"x":{"categories":["a\/b","\u00e9","c:\\d, e"]}}})",
                           "# a comment\nbounds:\n  x: {min: 0, max: 1}\n"}) {
    const auto settings = read_search_config("c.json", text);
    EXPECT_TRUE(settings) << text << '\n' << lines_of(settings.error());
  }
  const auto large = read_search_config("c.json", R"({"bounds":{"x":{"min":0,"max":1}},"seed":18446744073709551615,
    "budget":20000})");
  ASSERT_TRUE(large);
  EXPECT_EQ(large->seed, 18446744073709551615U);
  EXPECT_EQ(large->history_cap, 20000U) << "a cap that is not written grows with the budget";
}

TEST(SearchConfig, IsToldFromANodesConfiguration) {
  for (const char* search : {R"({"bounds":{}})", R"({"bond":1})", "{", "bounds: {x: {min: 0, max: 1}}", "seed: 1"})
    EXPECT_TRUE(looks_like_search_config(search)) << search;
  for (const char* node : {"", "apiVersion: homeostat/v1\nkind: Node", R"({"apiVersion":"homeostat/v1","kind":"Node"})",
                           "a: b", "[]", "a: [", "kind: Loop\n---\nkind: Pool"})
    EXPECT_FALSE(looks_like_search_config(node)) << node;
}

} // namespace
} // namespace homeostat
