// Knob specifications and the arithmetic of their scales.
#include "policies/safety/knob.hpp"
#include "tests/policies/row_name.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

namespace homeostat {
namespace {

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double smallest = std::numeric_limits<double>::denorm_min();

knob_spec linear() { return {.name = "x", .min = 0, .max = 10, .initial = 5}; }
knob_spec logarithmic() { return {.name = "x", .scale = knob_scale::log, .min = 1, .max = 1e4, .initial = 100}; }
knob_spec angle() { return {.name = "x", .scale = knob_scale::periodic, .min = 0, .max = 360, .initial = 0}; }
knob_spec whole() { return {.name = "x", .type = knob_type::integer, .min = 0, .max = 10, .initial = 5}; }
knob_spec flag() { return {.name = "x", .type = knob_type::boolean}; }
knob_spec mode() { return {.name = "x", .type = knob_type::categorical, .max = 2, .categories = {"a", "b", "c"}}; }

// ---- check
// ---------------------------------------------------------------------------------------------------------------

struct check_row {
  std::string name;
  std::function<void(knob_spec&)> given; ///< what is changed of a good specification
  std::string expected;                  ///< the message, "" for a good one
  knob_spec from = linear();
};
void PrintTo(const check_row& row, std::ostream* out) { *out << row.name; }

class KnobCheck : public testing::TestWithParam<check_row> {};
TEST_P(KnobCheck, SaysWhatIsWrong) {
  knob_spec spec = GetParam().from;
  GetParam().given(spec);
  const auto result = check(spec);
  EXPECT_EQ(result ? "" : result.error(), GetParam().expected);
}

const std::vector<check_row> check_rows{
    {"LinearIsGood", [](knob_spec&) {}, ""},
    {"LogIsGood", [](knob_spec&) {}, "", logarithmic()},
    {"PeriodicIsGood", [](knob_spec&) {}, "", angle()},
    {"IntegerIsGood", [](knob_spec&) {}, "", whole()},
    {"BooleanIsGood", [](knob_spec&) {}, "", flag()},
    {"CategoricalIsGood", [](knob_spec&) {}, "", mode()},
    {"EmptyName", [](knob_spec& k) { k.name = ""; }, "name is '', expected [a-z][a-z0-9_]*"},
    {"NameWithCapital", [](knob_spec& k) { k.name = "Pool"; }, "name is 'Pool', expected [a-z][a-z0-9_]*"},
    {"NameThatStartsWithADigit", [](knob_spec& k) { k.name = "1a"; }, "name is '1a', expected [a-z][a-z0-9_]*"},
    {"NameWithSpace", [](knob_spec& k) { k.name = "a b"; }, "name is 'a b', expected [a-z][a-z0-9_]*"},
    {"NameWithDigitsAndUnderscoreIsGood", [](knob_spec& k) { k.name = "a_1"; }, ""},
    {"MinNotFinite", [](knob_spec& k) { k.min = nan; }, "min is nan, expected a finite number"},
    {"MaxNotFinite", [](knob_spec& k) { k.max = inf; }, "max is inf, expected a finite number"},
    {"MaxEqualsMin", [](knob_spec& k) { k.max = 0; }, "max is 0, expected more than min 0"},
    {"MaxBelowMin", [](knob_spec& k) { k.max = -1; }, "max is -1, expected more than min 0"},
    {"RangeOverflows", [](knob_spec& k) { k.min = -1e308, k.max = 1e308; },
     "max - min is not a finite number, expected a smaller range"},
    {"LogFromZero", [](knob_spec& k) { k.min = 0; }, "min is 0, expected more than 0 on a log scale", logarithmic()},
    {"LogRatioOverflows", [](knob_spec& k) { k.min = smallest; },
     "max / min is not a finite number, expected a smaller range on a log scale", logarithmic()},
    {"BooleanWithOtherBounds", [](knob_spec& k) { k.max = 2; }, "min and max of a boolean knob are 0 and 1", flag()},
    {"BooleanWithStep", [](knob_spec& k) { k.step = 1; },
     "scale, step and max_delta need a knob with distances (continuous or integer)", flag()},
    {"BooleanWithLogScale", [](knob_spec& k) { k.scale = knob_scale::periodic; },
     "scale, step and max_delta need a knob with distances (continuous or integer)", flag()},
    {"CategoricalWithUnitLimit", [](knob_spec& k) { k.step_limit = unit_step_limit{1, 1}; },
     "scale, step and max_delta need a knob with distances (continuous or integer)", mode()},
    {"OneCategory", [](knob_spec& k) { k.categories = {"a"}; }, "categories has 1 names, expected 2 or more", mode()},
    {"CategoriesAndBoundsDiffer", [](knob_spec& k) { k.max = 3; },
     "min and max of a categorical knob are 0 and the number of categories minus 1", mode()},
    {"CategoriesOnANumber", [](knob_spec& k) { k.categories = {"a", "b"}; }, "categories need type categorical"},
    {"FractionalMinOfInteger", [](knob_spec& k) { k.min = 0.5; },
     "min is 0.5, expected a whole number up to 2^53 for an integer knob", whole()},
    {"FractionalMaxOfInteger", [](knob_spec& k) { k.max = 9.5; },
     "max is 9.5, expected a whole number up to 2^53 for an integer knob", whole()},
    {"IntegerBeyondExactDoubles", [](knob_spec& k) { k.max = 0x1p54; },
     "max is 1.80144e+16, expected a whole number up to 2^53 for an integer knob", whole()},
    {"StepOfZero", [](knob_spec& k) { k.step = 0; }, "step is 0, expected more than 0 and at most max - min"},
    {"StepWiderThanTheRange", [](knob_spec& k) { k.step = 10.5; },
     "step is 10.5, expected more than 0 and at most max - min"},
    {"StepAsWideAsTheRangeIsGood", [](knob_spec& k) { k.step = 10, k.initial = 0; }, ""},
    {"StepNotANumber", [](knob_spec& k) { k.step = nan; }, "step is nan, expected more than 0 and at most max - min"},
    {"FractionalStepOfInteger", [](knob_spec& k) { k.step = 2.5; },
     "step is 2.5, expected a whole number for an integer knob", whole()},
    {"UnitLimitOfZeroUp", [](knob_spec& k) { k.step_limit = unit_step_limit{0, 1}; },
     "max_delta is 0, expected more than 0"},
    {"UnitLimitNegativeDown", [](knob_spec& k) { k.step_limit = unit_step_limit{1, -2}; },
     "max_delta is -2, expected more than 0"},
    {"UnitLimitInfinite", [](knob_spec& k) { k.step_limit = unit_step_limit{inf, 1}; },
     "max_delta is inf, expected more than 0"},
    {"DefaultOutOfBounds", [](knob_spec& k) { k.initial = 11; },
     "default is 11, expected a value the knob can take between 0 and 10"},
    {"DefaultOffTheGrid", [](knob_spec& k) { k.step = 2; },
     "default is 5, expected a value the knob can take between 0 and 10"},
    {"FractionalDefaultOfInteger", [](knob_spec& k) { k.initial = 4.5; },
     "default is 4.5, expected a value the knob can take between 0 and 10", whole()},
};
INSTANTIATE_TEST_SUITE_P(Rows, KnobCheck, testing::ValuesIn(check_rows), by_name);

// ---- scales
// --------------------------------------------------------------------------------------------------------------

struct scale_row {
  std::string name;
  knob_spec spec;
  double value;
  double place;
};
void PrintTo(const scale_row& row, std::ostream* out) { *out << row.name; }

class KnobScale : public testing::TestWithParam<scale_row> {};
TEST_P(KnobScale, PlaceAndValueAgree) {
  const scale_row& row = GetParam();
  EXPECT_NEAR(position_of(row.spec, row.value), row.place, 1e-12);
  EXPECT_NEAR(value_at(row.spec, row.place), row.value, 1e-9 * std::abs(row.value));
  EXPECT_TRUE(is_admissible(row.spec, value_at(row.spec, row.place)));
}
INSTANTIATE_TEST_SUITE_P(Rows, KnobScale,
                         testing::ValuesIn(std::vector<scale_row>{
                             {"LinearMin", linear(), 0, 0},
                             {"LinearMiddle", linear(), 5, 0.5},
                             {"LinearMax", linear(), 10, 1},
                             {"LogMin", logarithmic(), 1, 0},
                             {"LogMiddleIsTheGeometricMean", logarithmic(), 100, 0.5},
                             {"LogQuarter", logarithmic(), 10, 0.25},
                             {"LogMax", logarithmic(), 1e4, 1},
                             {"PeriodicMin", angle(), 0, 0},
                             {"PeriodicQuarter", angle(), 90, 0.25},
                             {"IntegerThird", whole(), 3, 0.3},
                         }),
                         by_name);

TEST(KnobValueAt, RoundsToWhatTheKnobCanTake) {
  EXPECT_EQ(value_at(whole(), 0.34), 3);
  EXPECT_EQ(value_at(whole(), 0.36), 4);
  knob_spec grid = linear();
  grid.step = 3;
  EXPECT_EQ(value_at(grid, 0.4), 3);
  EXPECT_EQ(value_at(grid, 0.5), 6);
  EXPECT_EQ(value_at(grid, 1.0), 9) << "the last grid point lies below max";
  knob_spec rough = whole();
  rough.step = 4;
  EXPECT_EQ(value_at(rough, 1.0), 8);
  EXPECT_EQ(value_at(flag(), 0.6), 1);
  EXPECT_EQ(value_at(mode(), 0.4), 1);
}

TEST(KnobValueAt, PlacesBeyondTheEndsWrapOrStop) {
  EXPECT_EQ(value_at(linear(), -3), 0);
  EXPECT_EQ(value_at(linear(), 1.2), 10);
  EXPECT_NEAR(value_at(angle(), 1.25), 90, 1e-9);
  EXPECT_NEAR(value_at(angle(), -0.25), 270, 1e-9);
  EXPECT_NEAR(value_at(angle(), -7.75), 90, 1e-9);
}

TEST(KnobPosition, StaysFiniteForEveryFiniteValue) {
  for (const knob_spec& spec : {linear(), logarithmic(), angle(), whole(), flag(), mode()})
    for (double value : {-1e308, -1.0, -smallest, 0.0, smallest, 0.5, 1e300, 1e308}) {
      const double place = position_of(spec, value);
      EXPECT_TRUE(std::isfinite(place)) << value;
      EXPECT_LE(std::abs(place), 1e6) << value;
      EXPECT_TRUE(std::isfinite(displacement(spec, -1e308, value))) << value;
      EXPECT_TRUE(std::isfinite(displacement(spec, value, 1e308))) << value;
    }
  const knob_spec tiny{.name = "x", .min = 0, .max = 1e-300};
  EXPECT_TRUE(std::isfinite(displacement(tiny, -1e300, 1e300)));
}

TEST(KnobDisplacement, IsTheSignedFractionOfRange) {
  EXPECT_NEAR(displacement(linear(), 2, 5), 0.3, 1e-12);
  EXPECT_NEAR(displacement(linear(), 5, 2), -0.3, 1e-12);
  EXPECT_NEAR(displacement(logarithmic(), 10, 1000), 0.5, 1e-12);
  EXPECT_NEAR(displacement(angle(), 350, 20), 30.0 / 360, 1e-12) << "the shorter way round";
  EXPECT_NEAR(displacement(angle(), 20, 350), -30.0 / 360, 1e-12);
  EXPECT_NEAR(std::abs(displacement(angle(), 0, 180)), 0.5, 1e-12);
  EXPECT_EQ(displacement(angle(), 0, 360), 0) << "both ends are one place";
  EXPECT_EQ(displacement(flag(), 0, 1), switch_displacement);
  EXPECT_EQ(displacement(flag(), 1, 0), -switch_displacement);
  EXPECT_EQ(displacement(mode(), 0, 2), switch_displacement) << "categories have no distance";
  EXPECT_EQ(displacement(mode(), 1, 1), 0);
}

TEST(KnobAdmissible, TakesWhatTheKnobCanTake) {
  EXPECT_TRUE(is_admissible(linear(), 0));
  EXPECT_TRUE(is_admissible(linear(), 10));
  EXPECT_TRUE(is_admissible(linear(), smallest));
  EXPECT_FALSE(is_admissible(linear(), -smallest));
  EXPECT_FALSE(is_admissible(linear(), std::nextafter(10.0, 11.0)));
  for (double bad : {nan, inf, -inf}) EXPECT_FALSE(is_admissible(linear(), bad));
  EXPECT_TRUE(is_admissible(whole(), 3));
  EXPECT_FALSE(is_admissible(whole(), 3.5));
  EXPECT_FALSE(is_admissible(flag(), 0.5));
  EXPECT_FALSE(is_admissible(mode(), 3));
  knob_spec tenth = linear();
  tenth.step = 0.1;
  EXPECT_TRUE(is_admissible(tenth, 0.1 + 0.2)) << "the grid forgives the rounding of sums";
  EXPECT_FALSE(is_admissible(tenth, 0.35));
}

TEST(KnobSmallestMove, IsOneGridStepWhereThereIsAGrid) {
  EXPECT_EQ(smallest_move(linear(), 5), 0);
  EXPECT_NEAR(smallest_move(whole(), 5), 0.1, 1e-12);
  EXPECT_NEAR(smallest_move(whole(), 10), 0.1, 1e-12) << "downwards from the top";
  knob_spec grid = linear();
  grid.step = 2.5;
  EXPECT_NEAR(smallest_move(grid, 5), 0.25, 1e-12);
  EXPECT_EQ(smallest_move(flag(), 0), switch_displacement);
}

TEST(KnobStepLimit, HoldsOnTheWayBackFromBeyondTheBounds) {
  knob_spec knob = linear();
  knob.step_limit = unit_step_limit{.up = 1, .down = 2};
  EXPECT_NEAR(step_limit_of(knob, 15, 10, 0.5), 0.2, 1e-12);
  EXPECT_NEAR(step_limit_of(knob, -5, 0, 0.5), 0.1, 1e-12);
}

TEST(KnobValues, NeverShortenAnOverlongList) {
  const std::vector<double> many(40, 1.0);
  EXPECT_GT(knob_values(std::span<const double>(many)).size(), max_knobs);
  const std::vector<double> sixteen(16, 1.0);
  EXPECT_EQ(knob_values(std::span<const double>(sixteen)).size(), max_knobs);
}

TEST(KnobValues, CompareByValueAndLength) {
  EXPECT_EQ((knob_values{1, 2}), (knob_values{1, 2}));
  EXPECT_NE((knob_values{1, 2}), (knob_values{1, 2, 0}));
  EXPECT_NE((knob_values{1, 2}), (knob_values{2, 1}));
  EXPECT_EQ(initial_values(std::vector<knob_spec>{linear(), logarithmic()}), (knob_values{5, 100}));
}

} // namespace
} // namespace homeostat
