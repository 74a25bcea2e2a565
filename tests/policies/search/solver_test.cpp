// The ask/tell interface: what it refuses, that it repeats itself bit for bit, what it recommends.
#include "policies/search/solver.hpp"

#include "policies/search/chacha8.hpp"
#include "policies/search/normal.hpp"
#include "tests/policies/row_name.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <ostream>
#include <set>

namespace homeostat {
namespace {

solver_settings box(std::size_t n, std::string strategy = "auto", std::uint64_t budget = 60) {
  solver_settings s;
  for (std::size_t i = 0; i < n; ++i) {
    knob_spec knob;
    knob.name = "x" + std::to_string(i);
    knob.min = -5;
    knob.max = 5;
    s.space.push_back(knob);
  }
  s.strategy = std::move(strategy);
  s.budget = budget;
  s.seed = 5;
  return s;
}

solver made(const solver_settings& settings) {
  auto s = solver::create(settings);
  EXPECT_TRUE(s) << (s ? "" : s.error());
  return std::move(*s);
}

double bowl(const std::vector<double>& x) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += static_cast<double>(i + 1) * std::pow(x[i] - 1.3, 2);
  return sum;
}
double ripples(const std::vector<double>& x) {
  double sum = bowl(x);
  for (double v : x) sum += 10 * (1 - std::cos(6 * (v - 1.3)));
  return sum;
}

void run(solver& s, const std::function<double(const std::vector<double>&)>& f, std::size_t batch = 1) {
  while (true) {
    const std::vector<trial> asked = s.ask(batch);
    if (asked.empty()) return;
    for (const trial& t : asked) ASSERT_TRUE(s.tell(t.id, f(t.values)));
  }
}

struct setting_row {
  const char* name;
  std::function<void(solver_settings&)> change;
  const char* says;
  friend void PrintTo(const setting_row& row, std::ostream* out) { *out << row.name; }
};
class SolverSettings : public testing::TestWithParam<setting_row> {};
TEST_P(SolverSettings, AreRefusedWithKeyValueAndForm) {
  solver_settings s = box(2);
  GetParam().change(s);
  const auto refused = solver::create(s);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().find(GetParam().says), std::string::npos) << refused.error();
}
INSTANTIATE_TEST_SUITE_P(
    Table, SolverSettings,
    testing::Values(
        setting_row{"NoBudget", [](auto& s) { s.budget = 0; }, "budget is 0, expected 1 to history_cap"},
        setting_row{"BudgetAboveTheCap", [](auto& s) { s.history_cap = 59; }, "budget is 60"},
        setting_row{"ProbeRatio", [](auto& s) { s.probe_ratio = 1.1; }, "probe_ratio is 1.1, expected 0 to 1"},
        setting_row{"ProbeRatioNaN", [](auto& s) { s.probe_ratio = NAN; }, "probe_ratio is"},
        setting_row{"BatchSize", [](auto& s) { s.batch_size = 0; }, "batch_size is 0"},
        setting_row{"Strategy", [](auto& s) { s.strategy = "magic"; }, "strategy is 'magic', expected one of auto"},
        setting_row{"StrategyMistyped", [](auto& s) { s.strategy = "nelder_mead"; },
                    "strategy is 'nelder_mead' (did you mean 'nelder-mead'?), expected one of auto"},
        setting_row{"StrategyOnline", [](auto& s) { s.strategy = "adaptive"; },
                    "strategy is 'adaptive', which is online: every candidate is applied to a live plant"},
        setting_row{"ParameterMistyped", [](auto& s) { s.strategy_params["noisey"] = 1; },
                    "noisey is not a parameter of 'auto' (did you mean 'noisy'?), expected one of noisy"},
        setting_row{"ParameterOfAutoOutOfRange", [](auto& s) { s.strategy_params["noisy"] = 1.5; },
                    "noisy is 1.5, expected a whole number from 0 to 1"},
        setting_row{"ParameterNotWhole", [](auto& s) { s.strategy = "tpe", s.strategy_params["candidates"] = 2.5; },
                    "candidates is 2.5, expected a whole number from 1 to 1024"},
        setting_row{"ParameterNaN", [](auto& s) { s.strategy = "cma-es", s.strategy_params["deviation"] = NAN; },
                    "deviation is nan, expected 0.001 to 1"},
        setting_row{"RadiusGrows",
                    [](auto& s) {
                      s.strategy = "quadratic";
                      s.strategy_params = {{"first_radius", 0.01}, {"last_radius", 0.1}};
                    },
                    "last_radius is 0.1, expected at most first_radius 0.01"},
        setting_row{"TooManyKnobs", [](auto& s) { s.space.resize(1001, s.space[0]); }, "knobs has 1001 entries"},
        setting_row{"UnknownParameter", [](auto& s) { s.strategy_params["knack"] = 1; }, "knack is not a parameter"},
        setting_row{"ParameterOutOfRange", [](auto& s) { s.strategy = "tpe", s.strategy_params["good_share"] = 0.6; },
                    "good_share is 0.6, expected 0.01 to 0.5"},
        setting_row{"ShardBeyondShards", [](auto& s) { s.strategy = "probe", s.strategy_params["shard"] = 1; },
                    "expected less than shards 1"},
        setting_row{"Knob", [](auto& s) { s.space[1].max = -6; }, "knob 'x1'"}),
    by_name);

struct tell_row {
  const char* name;
  named_result result;
  tell_refusal_kind kind;
  friend void PrintTo(const tell_row& row, std::ostream* out) { *out << row.name; }
};
class SolverTell : public testing::TestWithParam<tell_row> {};
TEST_P(SolverTell, RefusesAndChangesNothing) {
  solver s = made(box(2));
  const trial first = s.ask(1)[0];
  const named_result done{{{"x0", first.values[0]}, {"x1", first.values[1]}}, 3};
  const std::vector<journal_entry> before(s.journal().begin(), s.journal().end());
  const auto told = s.tell(GetParam().result);
  ASSERT_FALSE(told);
  EXPECT_EQ(told.error().kind, GetParam().kind) << told.error().text;
  EXPECT_TRUE(std::ranges::equal(before, s.journal()));
  EXPECT_EQ(s.told(), 0U);
  EXPECT_TRUE(s.tell(done)) << "the open candidate can still be told";
}
INSTANTIATE_TEST_SUITE_P(
    Table, SolverTell,
    testing::Values(tell_row{"NaN", {{{"x0", 0}, {"x1", 0}}, NAN}, tell_refusal_kind::not_finite},
                    tell_row{"Infinite",
                             {{{"x0", 0}, {"x1", 0}}, std::numeric_limits<double>::infinity()},
                             tell_refusal_kind::not_finite},
                    tell_row{"NegativeCost", {{{"x0", 0}, {"x1", 0}}, 1, -1}, tell_refusal_kind::not_finite},
                    tell_row{"Missing", {{{"x0", 0}}, 1}, tell_refusal_kind::missing_parameter},
                    tell_row{"Unknown", {{{"x0", 0}, {"x1", 0}, {"x2", 0}}, 1}, tell_refusal_kind::unknown_parameter},
                    tell_row{"OutOfBounds", {{{"x0", 0}, {"x1", 5.1}}, 1}, tell_refusal_kind::inadmissible},
                    tell_row{"NeverAsked", {{{"x0", 4.5}, {"x1", -4.5}}, 1}, tell_refusal_kind::never_asked}),
    by_name);

TEST(Solver, TellingTwiceIsADuplicate) {
  solver s = made(box(2));
  const trial t = s.ask(1)[0];
  ASSERT_TRUE(s.tell(t.id, 1));
  EXPECT_EQ(s.tell(t.id, 2).error().kind, tell_refusal_kind::duplicate);
  EXPECT_EQ(s.tell(named_result{{{"x0", t.values[0]}, {"x1", t.values[1]}}, 2}).error().kind,
            tell_refusal_kind::duplicate);
  EXPECT_EQ(s.tell(17, 2).error().kind, tell_refusal_kind::never_asked);
  EXPECT_EQ(s.best()->value, 1);
}

TEST(Solver, SeedsCostNoBudgetAndCountForTheBest) {
  solver s = made(box(2, "auto", 1));
  ASSERT_TRUE(s.add_seed({{{"x0", 1}, {"x1", 1}}, -3}));
  EXPECT_FALSE(s.finished());
  EXPECT_EQ(s.ask(5).size(), 1U);
  EXPECT_EQ(s.best()->value, -3);
  EXPECT_TRUE(s.best()->seed);
}

TEST(Solver, MemoryEndsAtTheHistoryCap) {
  solver_settings settings = box(2, "tpe");
  settings.budget.reset();
  settings.history_cap = 40;
  solver s = made(settings);
  ASSERT_TRUE(s.add_seed({{{"x0", 1}, {"x1", 1}}, 5}));
  run(s, bowl);
  EXPECT_TRUE(s.finished());
  EXPECT_EQ(s.trials().size(), 40U);
  EXPECT_EQ(s.add_seed({{{"x0", 1}, {"x1", 2}}, 5}).error().kind, tell_refusal_kind::history_full);
}

class EveryStrategy : public testing::TestWithParam<std::string_view> {};

TEST_P(EveryStrategy, ReplaysBitForBitAndInBatches) {
  solver s = made(box(3, std::string(GetParam()), 70));
  ASSERT_TRUE(s.add_seed({{{"x0", 1}, {"x1", -2}, {"x2", 0}}, 40}));
  run(s, ripples, 3);
  const auto again = solver::replay(s.settings(), s.journal());
  ASSERT_TRUE(again) << again.error();
  EXPECT_TRUE(std::ranges::equal(again->journal(), s.journal()));
  std::vector<journal_entry> damaged(s.journal().begin(), s.journal().end());
  for (journal_entry& entry : damaged)
    if (entry.kind == journal_kind::ask && entry.id == 5) entry.values[0] = std::nextafter(entry.values[0], 9);
  const auto refused = solver::replay(s.settings(), damaged);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().find("trial 5"), std::string::npos) << refused.error();
}

TEST_P(EveryStrategy, StaysInBoundsOnAMixedSpace) {
  solver_settings settings = box(1, std::string(GetParam()), 60);
  knob_spec angle = settings.space[0];
  angle.name = "angle", angle.scale = knob_scale::periodic, angle.min = 0, angle.max = 360;
  knob_spec threads = settings.space[0];
  threads.name = "threads", threads.type = knob_type::integer, threads.min = threads.initial = 1, threads.max = 16;
  knob_spec mode;
  mode.name = "mode", mode.type = knob_type::categorical, mode.max = 2, mode.categories = {"a", "b", "c"};
  settings.space.insert(settings.space.end(), {angle, threads, mode});
  solver s = made(settings);
  run(s, [&](const std::vector<double>& x) {
    for (std::size_t i = 0; i < x.size(); ++i) EXPECT_TRUE(is_admissible(settings.space[i], x[i])) << i << ' ' << x[i];
    return std::pow(x[0] - 2, 2) - 3 * std::cos((x[1] - 350) * 0.01745) + std::abs(x[2] - 11) + (x[3] == 1 ? 0 : 4);
  });
  EXPECT_LT(s.best()->value, 12);
}

// Finite is all that a result has to be: sums, squares and differences of such values are not.
TEST_P(EveryStrategy, TakesAnyFiniteValue) {
  using objective = double (*)(double, std::uint64_t);
  constexpr double huge = std::numeric_limits<double>::max();
  const std::array<objective, 6> objectives{{
      [](double, std::uint64_t i) { return i % 2 ? huge : -huge; },
      [](double, std::uint64_t) { return -huge; },
      [](double x, std::uint64_t) { return x < 0 ? huge : x; },
      [](double, std::uint64_t i) { return i % 3 ? 0.0 : std::numeric_limits<double>::denorm_min(); },
      [](double x, std::uint64_t i) { return std::pow(10, static_cast<double>(5 * (i % 60))) * x; },
      [](double, std::uint64_t) { return 3.0; },
  }};
  const bool may_be_noisy = GetParam() == "auto" || GetParam() == "bayes";
  for (std::size_t k = 0; k < objectives.size() * (may_be_noisy ? 2 : 1); ++k) {
    solver_settings settings = box(2, std::string(GetParam()), 60);
    if (k >= objectives.size()) settings.strategy_params["noisy"] = 1;
    solver s = made(settings);
    for (std::uint64_t i = 0; i < 60 && !s.finished(); ++i)
      for (const trial& t : s.ask(1)) {
        for (std::size_t n = 0; n < 2; ++n) ASSERT_TRUE(is_admissible(s.settings().space[n], t.values[n])) << k;
        ASSERT_TRUE(s.tell(t.id, objectives[k % objectives.size()](t.values[0], i)));
      }
    const auto point = s.recommend();
    ASSERT_TRUE(point) << k;
    for (std::size_t n = 0; n < 2; ++n) EXPECT_TRUE(is_admissible(s.settings().space[n], point->values[n])) << k;
    const auto again = solver::replay(s.settings(), s.journal());
    EXPECT_TRUE(again) << k << ": " << again.error();
  }
}

INSTANTIATE_TEST_SUITE_P(All, EveryStrategy, testing::ValuesIn(strategy_names().begin(), strategy_names().end()),
                         [](const auto& row) {
                           std::string name(row.param);
                           std::erase(name, '-');
                           return name;
                         });

TEST(Solver, AutoFinishesABowlAndKeepsLooking) {
  solver s = made(box(4, "auto", 120));
  run(s, bowl);
  EXPECT_LT(s.best()->value, 1e-8);
  ASSERT_GE(s.switches().size(), 2U);
  EXPECT_EQ(s.switches()[0].to, "quadratic");
  EXPECT_EQ(s.switches()[1].to, "bayes");
  EXPECT_NE(s.switches()[1].why.find("converged"), std::string::npos) << s.switches()[1].why;
}

TEST(Solver, AutoNoticesNoiseAndRecommendsByModel) {
  solver s = made(box(3, "auto", 100));
  chacha8_rng rng(9);
  run(s, [&](const std::vector<double>& x) { return bowl(x) + 3 * normal(rng); });
  const auto noise = std::ranges::find_if(s.switches(), [](const auto& c) { return c.why.starts_with("noise"); });
  EXPECT_NE(noise, s.switches().end());
  const auto point = s.recommend();
  ASSERT_TRUE(point);
  EXPECT_TRUE(point->from_model);
  EXPECT_LT(bowl(point->values), 3.0);
}

} // namespace
} // namespace homeostat
