// The online interface: its order of calls, its errors, resuming, limits, odd knobs; and what `adaptive` achieves on
// plants that drift.
#include "policies/search/online/online_strategy.hpp"
#include "tests/policies/row_name.hpp"
#include "tests/policies/search/online/drifting_plant.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <ostream>

namespace homeostat {
namespace {

double square(double x) { return x * x; }

/// A bowl whose optimum is at `at(t)` on every axis.
drifting_plant bowl(std::string name, std::size_t dimensions, double noise, std::function<double(int)> at) {
  return {.name = std::move(name),
          .dimensions = dimensions,
          .cost =
              [at](int t, const online_point& x) {
                double sum = 0;
                for (std::size_t i = 0; i < x.size(); ++i) sum += 10 * square(x[i] - (i % 2 == 0 ? at(t) : 1 - at(t)));
                return sum;
              },
          .noise = noise};
}

// ---- calls
// -----------------------------------------------------------------------------------------------------------

TEST(OnlineStrategy, StartsAtTheDefault) {
  for (online_kind kind : {online_kind::adaptive, online_kind::spsa}) {
    online_settings settings = unit_settings(2, 1);
    settings.knobs[0].initial = 0.3;
    settings.kind = kind;
    const online_state state = fresh_online(settings);
    EXPECT_EQ(incumbent(state, settings).point, (online_point{0.3, 0.5})) << name_of(kind);
  }
  const online_settings settings = unit_settings(2, 1);
  online_state state = fresh_online(settings);
  for (std::uint32_t i = 0; i < settings.adaptive.first_looks; ++i) {
    EXPECT_EQ(next_point(state, settings).point, (online_point{0.5, 0.5}));
    ASSERT_TRUE(record(state, settings, 1));
  }
}

TEST(OnlineStrategy, AsksTheSameUntilItIsAnswered) {
  const online_settings settings = unit_settings(3, 4);
  online_state state = fresh_online(settings);
  for (int t = 0; t < 50; ++t) {
    const online_step step = next_point(state, settings);
    const online_state before = state;
    EXPECT_EQ(next_point(state, settings), step);
    EXPECT_EQ(state, before);
    ASSERT_TRUE(record(state, settings, t % 7));
  }
}

TEST(OnlineStrategy, BadResultsAreErrorsAndChangeNothing) {
  const online_settings settings = unit_settings(2, 1);
  online_state state = fresh_online(settings);
  EXPECT_EQ(record(state, settings, 1).error(), "a result was recorded that was not asked for");
  (void)next_point(state, settings);
  const online_state before = state;
  EXPECT_EQ(record(state, settings, std::nan("")).error(), "value is nan, expected a finite number of at most 1e100");
  EXPECT_FALSE(record(state, settings, std::numeric_limits<double>::infinity()));
  EXPECT_FALSE(record(state, settings, 1e101));
  EXPECT_EQ(record(state, settings, 1, -1).error(), "error is -1, expected 0 or more, at most 1e100");
  EXPECT_EQ(state, before);
  EXPECT_TRUE(record(state, settings, 1, 0.5));
  EXPECT_FALSE(record(state, settings, 1)) << "twice";
}

TEST(OnlineStrategy, ARefusedStepIsForgotten) {
  for (online_kind kind : {online_kind::adaptive, online_kind::spsa}) {
    online_settings settings = unit_settings(2, 1);
    settings.kind = kind;
    settings.max_delta_per_step = 0.1;
    online_state state = fresh_online(settings);
    for (int t = 0; t < 200; ++t) {
      const online_point applied = state.applied;
      const online_step step = next_point(state, settings);
      EXPECT_LE(distance_between(settings.knobs, applied, step.point), 0.1 + 1e-9);
      if (t % 3 == 0) {
        abandon(state, settings);
        EXPECT_EQ(state.applied, applied);
        EXPECT_FALSE(record(state, settings, 1));
      } else {
        ASSERT_TRUE(record(state, settings, square(step.point[0] - 0.9)));
      }
    }
    EXPECT_EQ(state.refused, 67U);
    (void)next_point(state, settings);
    abandon(state, settings, online_point{0.0, 1.0}); // an operator moved the plant
    EXPECT_LE(distance_between(settings.knobs, {0.0, 1.0}, next_point(state, settings).point), 0.1 + 1e-9);
  }
}

TEST(OnlineStrategy, GoesOnBitForBitFromACopy) {
  for (online_kind kind : {online_kind::adaptive, online_kind::spsa}) {
    online_settings settings = unit_settings(3, 7);
    settings.kind = kind;
    online_state state = fresh_online(settings);
    chacha8_rng noise(5);
    const auto run = [&](online_state& s, chacha8_rng& rng, int from, int to) {
      for (int t = from; t < to; ++t) {
        const online_point x = next_point(s, settings).point;
        ASSERT_TRUE(record(s, settings, 10 * square(x[0] - (t < 150 ? 0.8 : 0.2)) + 0.3 * test_normal(rng)));
      }
    };
    run(state, noise, 0, 100);
    online_state copy = state;
    chacha8_rng noise_copy = noise;
    run(state, noise, 100, 300);
    EXPECT_NE(state, copy);
    run(copy, noise_copy, 100, 300);
    EXPECT_EQ(state, copy) << name_of(kind);
  }
}

struct settings_row {
  std::string name;
  std::function<void(online_settings&)> given;
  std::string expected;
};
void PrintTo(const settings_row& row, std::ostream* out) { *out << row.name; }
class OnlineSettings : public testing::TestWithParam<settings_row> {};
TEST_P(OnlineSettings, SayWhatIsWrong) {
  online_settings settings = unit_settings(2, 1);
  GetParam().given(settings);
  const auto result = check(settings);
  EXPECT_EQ(result ? "" : result.error(), GetParam().expected);
}
INSTANTIATE_TEST_SUITE_P(
    Rows, OnlineSettings,
    testing::ValuesIn(std::vector<settings_row>{
        {"DefaultsAreGood", [](online_settings&) {}, ""},
        {"NoKnobs", [](online_settings& s) { s.knobs.clear(); }, "knobs has 0 entries, expected 1 to 16"},
        {"ZeroDelta", [](online_settings& s) { s.max_delta_per_step = 0; },
         "max_delta_per_step is 0, expected more than 0, at most 1"},
        {"NegativeNoise", [](online_settings& s) { s.noise_floor = -1; }, "noise_floor is -1, expected 0 or more"},
        {"ZeroTrust", [](online_settings& s) { s.adaptive.trust = 0; }, "trust is 0, expected more than 0, at most 1"},
        {"OneLook", [](online_settings& s) { s.adaptive.first_looks = 1; }, "first_looks is 1, expected 2 to 100"},
        {"NoMemory", [](online_settings& s) { s.adaptive.memory.capacity = 0; },
         "memory.capacity is 0, expected 1 to 64"},
        {"SpsaIsChecked",
         [](online_settings& s) {
           s.kind = online_kind::spsa;
           s.spsa.learning_rate = 0;
         },
         "learning_rate is 0, expected more than 0"},
    }),
    by_name);

// ---- what it achieves
// ------------------------------------------------------------------------------------------------

struct drift_row {
  std::string name;
  drifting_plant plant;
  std::optional<double> max_delta;
  double ratio; ///< most of the default's cumulative excess
};
void PrintTo(const drift_row& row, std::ostream* out) { *out << row.name; }
class AdaptiveOnDrift : public testing::TestWithParam<drift_row> {};
TEST_P(AdaptiveOnDrift, BeatsTheDefault) {
  const drift_row& row = GetParam();
  for (std::uint64_t seed : {11U, 12U, 13U}) {
    online_settings settings = unit_settings(row.plant.dimensions, seed);
    settings.max_delta_per_step = row.max_delta;
    const drift_result result = run_on(row.plant, settings);
    EXPECT_LE(result.ratio, row.ratio) << "seed " << seed;
    EXPECT_LE(result.largest_step, row.max_delta.value_or(1.0) + 1e-9);
  }
}
INSTANTIATE_TEST_SUITE_P(
    Rows, AdaptiveOnDrift,
    testing::ValuesIn(std::vector<drift_row>{
        {"AStillPlant", bowl("", 3, 0.3, [](int) { return 0.75; }), {}, 0.10},
        {"AStillPlantUnderTheBalancedLimit", bowl("", 3, 0.3, [](int) { return 0.75; }), 0.1, 0.12},
        {"AStepChange", bowl("", 2, 0.3, [](int now) { return now < 1000 ? 0.8 : 0.25; }), {}, 0.10},
        {"AMovingOptimum", bowl("", 2, 0.2, [](int now) { return 0.2 + 0.6 * now / 2000.0; }), {}, 0.25},
        {"ADay", bowl("", 2, 0.2, [](int now) { return 0.5 + 0.35 * std::sin(now / 100.0); }), {}, 0.35},
        {"TwoRegimesInTurn", bowl("", 4, 0.3, [](int now) { return now / 250 % 2 == 0 ? 0.8 : 0.2; }), {}, 0.15},
        {"OneKnob", bowl("", 1, 0.3, [](int) { return 0.9; }), 0.1, 0.15},
        {"WithoutNoise", bowl("", 3, 0, [](int) { return 0.8; }), {}, 0.10},
    }),
    by_name);

TEST(Adaptive, LeavesABoundWhenTheOptimumLeaves) {
  const drift_result result = run_on(bowl("", 1, 0.3, [](int t) { return t < 800 ? 0.0 : 0.9; }), unit_settings(1, 3));
  EXPECT_LE(result.late_ratio, 0.15);
}

TEST(Adaptive, RecallsARegimeThatComesBack) {
  const drift_result result =
      run_on(bowl("", 3, 0.2, [](int t) { return t / 250 % 2 == 0 ? 0.85 : 0.15; }), unit_settings(3, 5));
  EXPECT_GE(result.state.changes, 7U);
  EXPECT_GE(result.state.recalls, 3U);
  EXPECT_LE(result.state.adaptive.memory.regimes.size(), 6U);
}

TEST(Adaptive, DoesNoHarmWhereTheDefaultIsGoodAndNoiseIsLoud) {
  for (std::uint64_t seed : {1U, 2U, 3U, 4U}) {
    const drift_result result = run_on(bowl("", 2, 0.6, [](int) { return 0.7; }), unit_settings(2, seed));
    EXPECT_LE(result.ratio, 1.02) << "seed " << seed;
  }
}

TEST(Adaptive, SwitchesABooleanAndACategoryForTheBetter) {
  online_settings settings = unit_settings(1, 2);
  settings.knobs.push_back({.name = "flag", .type = knob_type::boolean, .initial = 0});
  settings.knobs.push_back(
      {.name = "mode", .type = knob_type::categorical, .max = 2, .initial = 0, .categories = {"a", "b", "c"}});
  settings.max_delta_per_step = 0.1;
  online_state state = fresh_online(settings);
  chacha8_rng rng(3);
  for (int t = 0; t < 1500; ++t) {
    const knob_values x = values_of(next_point(state, settings), settings);
    const double cost = 10 * square(x[0] - 0.8) + (x[1] == 0 ? 2 : 0) + (x[2] == 2 ? 0 : 1.5) + 0.2 * test_normal(rng);
    ASSERT_TRUE(record(state, settings, cost));
  }
  const knob_values best = values_of(incumbent(state, settings), settings);
  EXPECT_EQ(best[1], 1);
  EXPECT_EQ(best[2], 2);
  EXPECT_NEAR(best[0], 0.8, 0.07);
}

TEST(Adaptive, FindsTheIntegerAndProposesOnlyIntegers) {
  online_settings settings = unit_settings(1, 2);
  settings.knobs[0] = {.name = "n", .type = knob_type::integer, .min = 1, .max = 32, .initial = 16};
  settings.max_delta_per_step = 0.1;
  online_state state = fresh_online(settings);
  chacha8_rng rng(3);
  for (int t = 0; t < 600; ++t) {
    const double n = values_of(next_point(state, settings), settings)[0];
    EXPECT_EQ(n, std::round(n));
    ASSERT_TRUE(record(state, settings, 0.05 * square(n - 24) + 0.3 * test_normal(rng)));
  }
  EXPECT_NEAR(values_of(incumbent(state, settings), settings)[0], 24, 2);
}

TEST(Adaptive, StaysFiniteOnAnyPlant) {
  for (std::uint64_t seed : {1U, 2U, 3U, 4U, 5U, 6U}) {
    online_settings settings = unit_settings(1 + seed % 3, seed);
    settings.adaptive.default_interval = 20;
    online_state state = fresh_online(settings);
    chacha8_rng rng(seed, 1);
    for (int t = 0; t < 4000; ++t) {
      const online_step step = next_point(state, settings);
      for (double x : step.point) ASSERT_TRUE(x >= 0 && x <= 1) << "step " << t;
      const double kind = rng.uniform();
      double value = seed == 1 ? 5 : 1 + rng.uniform(); // a constant; pure noise
      if (kind < 0.02)
        value = seed % 2 == 0 ? -1e99 : 1e99; // absurd spikes
      else if (kind < 0.04)
        value = 0;
      ASSERT_TRUE(record(state, settings, value));
    }
    for (double x : state.adaptive.centre) EXPECT_TRUE(std::isfinite(x));
    EXPECT_TRUE(std::isfinite(state.adaptive.bank.chief().noise));
  }
}

TEST(SpsaOnline, FollowsTheGradient) {
  online_settings settings = unit_settings(2, 4);
  settings.kind = online_kind::spsa;
  const drift_result result = run_on(bowl("", 2, 0.05, [](int) { return 0.8; }), settings);
  EXPECT_LE(result.late_ratio, 0.3);
}

} // namespace
} // namespace homeostat
