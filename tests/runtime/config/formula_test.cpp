#include "runtime/config/formula.hpp"
#include "tests/runtime/config/row_name.hpp"

#include <gmock/gmock.h>

#include <cfenv>
#include <cmath>
#include <limits>

namespace homeostat {
namespace {

formula compiled(const std::string& text) {
  auto f = formula::compile(text);
  if (!f) throw std::runtime_error(text + ": " + f.error().what);
  return std::move(*f);
}

TEST(Formula, FindsItsMetrics) {
  EXPECT_THAT(compiled("b * max(a, 2) + b - _x1").metrics(), testing::ElementsAre("_x1", "a", "b"));
  EXPECT_THAT(compiled("sin(_pi)").metrics(), testing::IsEmpty());
}

struct value_row {
  std::string text;
  double value;
};
class FormulaValue : public testing::TestWithParam<value_row> {};
TEST_P(FormulaValue, IsCalculated) {
  formula f = compiled(GetParam().text);
  const auto value = f.evaluate({{"a", 4}, {"b", 0.5}, {"zero", 0}, {"unused", std::nan("")}});
  ASSERT_TRUE(value.has_value()) << value.error();
  EXPECT_DOUBLE_EQ(*value, GetParam().value);
}
INSTANTIATE_TEST_SUITE_P(Values, FormulaValue,
                         testing::Values(value_row{"a + 1000 * b", 504}, value_row{"-a ^ 2", -16},
                                         value_row{"max(a, b, 7)", 7}, value_row{"sqrt(a) + ln(1) + log10(100)", 4},
                                         value_row{"a > 3 && b < 1 ? 10 : 20", 10}, value_row{"a == 4", 1},
                                         value_row{"zero > 0 ? a / zero : 3",
                                                   3}, // the branch not taken is not calculated
                                         value_row{"a +\n  b", 4.5}, value_row{"a * 1e-3", 0.004}));

struct fault_row {
  std::string name;
  std::string text;
  std::string error;
};
class FormulaFault : public testing::TestWithParam<fault_row> {};
TEST_P(FormulaFault, IsAnErrorAndNeverAValue) {
  formula f = compiled(GetParam().text);
  const auto value = f.evaluate({{"a", 4},
                                 {"zero", 0},
                                 {"huge", 1e308},
                                 {"nan", std::nan("")},
                                 {"inf", std::numeric_limits<double>::infinity()}});
  ASSERT_FALSE(value.has_value()) << *value;
  EXPECT_EQ(value.error(), "formula '" + GetParam().text + "' " + GetParam().error);
}
const std::string by_zero = "divides by zero or takes the logarithm of 0 with ";
const std::string undefined = "calculates something undefined, such as 0/0 or the root of a negative number";
INSTANTIATE_TEST_SUITE_P(
    Faults, FormulaFault,
    testing::Values(
        fault_row{"MissingMetric", "a + c",
                  "needs the metric c, which the reading lacks; it has a, huge, inf, nan, zero"},
        fault_row{"MetricThatIsNotANumber", "a + nan", "needs the metric nan, which is nan, expected a finite number"},
        fault_row{"MetricThatIsInfinite", "inf - a", "needs the metric inf, which is inf, expected a finite number"},
        fault_row{"DivisionByZero", "a / zero", by_zero + "a = 4, zero = 0"},
        fault_row{"DivisionByZeroInsideMin", "min(a, a / zero)", by_zero + "a = 4, zero = 0"},
        fault_row{"DivisionByZeroInsideAComparison", "a / zero > 1 ? 1 : 2", by_zero + "a = 4, zero = 0"},
        fault_row{"DivisionByZeroBesideAnd", "zero > 0 && a / zero > 1", by_zero + "a = 4, zero = 0"},
        fault_row{"LogarithmOfZero", "ln(zero)", by_zero + "zero = 0"},
        fault_row{"ZeroOverZeroInsideMax", "max(a, zero / zero)", undefined + " with a = 4, zero = 0"},
        fault_row{"ConstantZeroOverZero", "max(a, 0 / 0)", undefined + " with a = 4"},
        fault_row{"RootOfANegativeNumber", "sqrt(-a)", undefined + " with a = 4"},
        fault_row{"LogarithmOfANegativeNumber", "log10(-a)", undefined + " with a = 4"},
        fault_row{"PowerOfANegativeNumber", "(-a) ^ 0.5", undefined + " with a = 4"},
        fault_row{"Overflow", "huge * 10", "exceeds the range of numbers with huge = 1e+308"},
        fault_row{"OverflowInsideMin", "min(a, huge * 10)", "exceeds the range of numbers with a = 4, huge = 1e+308"}),
    row_name);

TEST(Formula, RecoversFromAFault) {
  formula f = compiled("1 / x");
  EXPECT_FALSE(f.evaluate({{"x", 0}}).has_value());
  EXPECT_EQ(f.evaluate({{"x", 4}}), 0.25);
}

TEST(Formula, LeavesTheFloatingPointFlagsAsTheyWere) {
  std::feclearexcept(FE_ALL_EXCEPT);
  formula f = compiled("1 / x");
  (void)f.evaluate({{"x", 0}});
  EXPECT_EQ(std::fetestexcept(FE_DIVBYZERO | FE_INVALID | FE_OVERFLOW), 0);
  std::feraiseexcept(FE_OVERFLOW);
  EXPECT_EQ(f.evaluate({{"x", 2}}), 0.5); // what happened before is not its fault
  EXPECT_NE(std::fetestexcept(FE_OVERFLOW), 0);
  std::feclearexcept(FE_ALL_EXCEPT);
}

TEST(Formula, StaysValidWhenItMoves) {
  formula first = compiled("a * 2");
  formula second = std::move(first);
  std::vector<formula> many;
  for (int i = 0; i < 20; ++i) many.push_back(compiled("a * " + std::to_string(i)));
  EXPECT_EQ(second.evaluate({{"a", 3}}), 6);
  EXPECT_EQ(many[7].evaluate({{"a", 3}}), 21);
}

struct syntax_row {
  std::string name;
  std::string text;
  std::string what;
  std::optional<std::size_t> offset;
};
class FormulaSyntax : public testing::TestWithParam<syntax_row> {};
TEST_P(FormulaSyntax, IsRefusedAtItsPlace) {
  const auto f = formula::compile(GetParam().text);
  ASSERT_FALSE(f.has_value());
  EXPECT_EQ(f.error().what, GetParam().what);
  EXPECT_EQ(f.error().offset, GetParam().offset);
}
INSTANTIATE_TEST_SUITE_P(
    Syntax, FormulaSyntax,
    testing::Values(syntax_row{"Empty", "", "it is empty", {}}, syntax_row{"Blank", " \n", "it is empty", {}},
                    syntax_row{"TwoOperators", "a + * b", "unexpected operator '*'", 4},
                    syntax_row{"NoEnd", "a +", "it ends too early", 3},
                    syntax_row{"UnknownFunction", "a + foo(b)", "unexpected parenthesis '('", 7},
                    syntax_row{"ForeignCharacter", "a + $b", "unknown function or character '$b'", 4},
                    syntax_row{"MissingOperator", "2 a", "unexpected name 'a', an operator is missing", 2},
                    syntax_row{"OpenParenthesis", "(a", "a parenthesis is not closed", 2},
                    syntax_row{"StrayParenthesis", "a)", "unexpected parenthesis ')'", 1},
                    syntax_row{"TooFewArguments", "sqrt()", "too few arguments for the function 'sqrt'", 5},
                    syntax_row{"TooManyArguments", "sqrt(a, b)", "too many arguments for the function 'sqrt'", 9},
                    syntax_row{"Assignment", "a = 3", "'=' assigns, a comparison is '=='", 2},
                    syntax_row{"AssignmentAfterComparison", "a <= b = 3", "'=' assigns, a comparison is '=='", 7},
                    syntax_row{"TwoFormulas", "a, b", "it is a list of 2 formulas", {}},
                    syntax_row{"QuestionWithoutColon", "a ? 1", "'?' without its ':'", {}},
                    syntax_row{"Text", "\"a\"", "unexpected quotation mark", 0},
                    syntax_row{"TooLong", std::string(4001, 'a'), "it has 4001 bytes, at most 4000 are allowed", {}}),
    row_name);

TEST(Formula, DeepNestingIsAnAnswerAndNoCrash) {
  formula f = compiled(std::string(1900, '(') + "a" + std::string(1900, ')'));
  EXPECT_EQ(f.evaluate({{"a", 1}}), 1);
  EXPECT_FALSE(formula::compile(std::string(3900, '(')).has_value());
}

} // namespace
} // namespace homeostat
