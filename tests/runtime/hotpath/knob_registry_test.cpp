#include "runtime/hotpath/knob_registry.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace homeostat {
namespace {

enum class mode : std::uint8_t { slow, fast };
constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double infinite = std::numeric_limits<double>::infinity();

struct declaration_row {
  std::string name;
  knob_shape shape;
  knob_declaration declaration;
  std::optional<registration_code> refusal;
};

void PrintTo(const declaration_row& row, std::ostream* out) { *out << row.name; }

class Declaration : public testing::TestWithParam<declaration_row> {};

TEST_P(Declaration, IsJudged) {
  const auto& [name, shape, declaration, refusal] = GetParam();
  knob_registry registry;
  const auto result = registry.declare(declaration, shape);
  if (!refusal) {
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(*result, 0U);
    ASSERT_EQ(registry.knobs().size(), 1U);
    EXPECT_EQ(registry.knobs()[0].declaration, declaration);
    EXPECT_EQ(registry.knobs()[0].type, shape.type);
    EXPECT_EQ(registry.config().value(0), declaration.initial);
    return;
  }
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, *refusal) << result.error().message;
  EXPECT_EQ(result.error().knob, declaration.name);
  EXPECT_NE(result.error().message.find("expected"), std::string::npos);
  EXPECT_EQ(registry.config().size(), 0U);
  EXPECT_TRUE(registry.knobs().empty());
}

const knob_shape real = knob_shape_of<double>();
const knob_shape single = knob_shape_of<float>();
const knob_shape whole = knob_shape_of<int>();
const knob_shape byte = knob_shape_of<std::uint8_t>();
const knob_shape large = knob_shape_of<std::uint64_t>();
const knob_shape yes_no = knob_shape_of<bool>();
const knob_shape choice = knob_shape_of<mode>();
using enum registration_code;
using code = registration_code;

INSTANTIATE_TEST_SUITE_P(Names, Declaration,
                         testing::Values(declaration_row{"PlainNameIsTaken", real, {.name = "pool_size_2"}, {}},
                                         declaration_row{"EmptyNameIsRefused", real, {.name = ""}, invalid_name},
                                         declaration_row{
                                             "LeadingDigitIsRefused", real, {.name = "2pool"}, invalid_name},
                                         declaration_row{"CapitalIsRefused", real, {.name = "poolSize"}, invalid_name},
                                         declaration_row{"BlankIsRefused", real, {.name = "pool size"}, invalid_name}),
                         [](const auto& row) { return row.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Bounds, Declaration,
    testing::Values(
        declaration_row{"InvertedIsRefused", real, {.name = "k", .min = 2, .max = 1, .initial = 1}, inverted_bounds},
        declaration_row{"EqualIsRefused", real, {.name = "k", .min = 1, .max = 1, .initial = 1}, inverted_bounds},
        declaration_row{"NanIsRefused", real, {.name = "k", .max = nan}, code::not_finite},
        declaration_row{"InfinityIsRefused", real, {.name = "k", .max = infinite}, code::not_finite},
        declaration_row{
            "InfiniteRangeIsRefused", real, {.name = "k", .min = -1.7e308, .max = 1.7e308}, code::not_finite},
        declaration_row{"ByteUpTo255IsTaken", byte, {.name = "k", .max = 255}, {}},
        declaration_row{"ByteUpTo256IsRefused", byte, {.name = "k", .max = 256}, not_representable},
        declaration_row{"NegativeByteIsRefused", byte, {.name = "k", .min = -1, .max = 1}, not_representable},
        declaration_row{"UInt64UpTo2To53IsTaken", large, {.name = "k", .max = 9007199254740992.0}, {}},
        declaration_row{"UInt64BeyondIsRefused", large, {.name = "k", .max = 9007199254740994.0}, not_representable},
        declaration_row{"FloatUpTo1e38IsTaken", single, {.name = "k", .max = 1e38}, {}},
        declaration_row{"FloatUpTo1e39IsRefused", single, {.name = "k", .max = 1e39}, not_representable},
        declaration_row{
            "FractionForIntegerIsRefused", whole, {.name = "k", .min = 0.5, .max = 3, .initial = 1}, not_representable},
        declaration_row{"BooleanIsTaken", yes_no, {.name = "k", .initial = 1}, {}},
        declaration_row{"BooleanUpToTwoIsRefused", yes_no, {.name = "k", .max = 2}, not_representable},
        declaration_row{
            "EnumerationFromOneIsRefused", choice, {.name = "k", .min = 1, .max = 2, .initial = 1}, not_representable}),
    [](const auto& row) { return row.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Measure, Declaration,
    testing::Values(
        declaration_row{
            "LogAboveZeroIsTaken", real, {.name = "k", .min = 1e-9, .initial = 1, .scale = knob_scale::log}, {}},
        declaration_row{"LogFromZeroIsRefused", real, {.name = "k", .scale = knob_scale::log}, invalid_scale},
        declaration_row{"PeriodicIsTaken", real, {.name = "k", .max = 360, .scale = knob_scale::periodic}, {}},
        declaration_row{
            "PeriodicBooleanIsRefused", yes_no, {.name = "k", .scale = knob_scale::periodic}, invalid_scale},
        declaration_row{"StepOfTheWholeRangeIsTaken", real, {.name = "k", .step = 1.0}, {}},
        declaration_row{"StepBeyondTheRangeIsRefused", real, {.name = "k", .step = 1.01}, invalid_step},
        declaration_row{"StepZeroIsRefused", real, {.name = "k", .step = 0.0}, invalid_step},
        declaration_row{"StepNanIsRefused", real, {.name = "k", .step = nan}, invalid_step},
        declaration_row{"WholeStepIsTaken", whole, {.name = "k", .max = 64, .step = 4.0}, {}},
        declaration_row{"HalfStepForIntegerIsRefused", whole, {.name = "k", .max = 64, .step = 0.5}, invalid_step},
        declaration_row{"StepForBooleanIsRefused", yes_no, {.name = "k", .step = 1.0}, invalid_step},
        declaration_row{"NamedEnumerationIsTaken", choice, {.name = "k", .categories = {"slow", "fast"}}, {}},
        declaration_row{"UnnamedEnumerationIsTaken", choice, {.name = "k"}, {}},
        declaration_row{"MissingCategoryIsRefused", choice, {.name = "k", .categories = {"slow"}}, invalid_categories},
        declaration_row{
            "CategoriesOfANumberAreRefused", whole, {.name = "k", .categories = {"a", "b"}}, invalid_categories}),
    [](const auto& row) { return row.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Initial, Declaration,
    testing::Values(
        declaration_row{"AtMinIsTaken", real, {.name = "k", .min = 2, .max = 4, .initial = 2}, {}},
        declaration_row{"AtMaxIsTaken", real, {.name = "k", .min = 2, .max = 4, .initial = 4}, {}},
        declaration_row{
            "BelowMinIsRefused", real, {.name = "k", .min = 2, .max = 4, .initial = 1.99}, initial_not_admissible},
        declaration_row{
            "AboveMaxIsRefused", real, {.name = "k", .min = 2, .max = 4, .initial = 4.01}, initial_not_admissible},
        declaration_row{"NanIsRefused", real, {.name = "k", .initial = nan}, initial_not_admissible},
        declaration_row{
            "FractionForIntegerIsRefused", whole, {.name = "k", .max = 9, .initial = 1.5}, initial_not_admissible},
        declaration_row{"OnTheGridIsTaken", real, {.name = "k", .min = 0.1, .max = 1, .initial = 0.7, .step = 0.1}, {}},
        declaration_row{"OffTheGridIsRefused",
                        real,
                        {.name = "k", .min = 0.1, .max = 1, .initial = 0.75, .step = 0.1},
                        initial_not_admissible}),
    [](const auto& row) { return row.param.name; });

TEST(KnobRegistry, RefusesASecondKnobOfTheSameName) {
  knob_registry registry;
  ASSERT_TRUE(registry.declare({.name = "k"}, real));
  const auto second = registry.declare({.name = "k", .max = 5}, whole);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, duplicate_name);
  EXPECT_EQ(registry.knobs().size(), 1U);
}

TEST(KnobRegistry, TakesSixteenKnobsAndNoMore) {
  knob_registry registry;
  for (std::size_t i = 0; i < max_knobs; ++i) {
    const auto slot = registry.declare({.name = "k" + std::to_string(i)}, real);
    ASSERT_TRUE(slot);
    EXPECT_EQ(*slot, i);
  }
  const auto seventeenth = registry.declare({.name = "k16"}, real);
  ASSERT_FALSE(seventeenth);
  EXPECT_EQ(seventeenth.error().code, too_many_knobs);
  EXPECT_EQ(registry.config().size(), max_knobs);
}

TEST(KnobRegistry, RefusesKnobsOnceItIsSealed) {
  knob_registry registry;
  ASSERT_TRUE(registry.declare({.name = "early"}, real));
  EXPECT_FALSE(registry.sealed());
  atomic_config& config = registry.seal();
  EXPECT_TRUE(registry.sealed());
  const auto late = registry.declare({.name = "late"}, real);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, code::sealed);
  EXPECT_EQ(&registry.seal(), &config);
  EXPECT_EQ(&registry.config(), &config);
}

TEST(KnobRegistry, FindsKnobsByName) {
  knob_registry registry;
  ASSERT_TRUE(registry.declare({.name = "first"}, real));
  ASSERT_TRUE(registry.declare({.name = "second"}, yes_no));
  EXPECT_EQ(registry.find("first"), 0U);
  EXPECT_EQ(registry.find("second"), 1U);
  EXPECT_EQ(registry.find("third"), std::nullopt);
}

TEST(KnobRegistry, RegistersFromSeveralThreadsBesideReaders) {
  knob_registry registry;
  std::uint64_t inconsistent = 0;
  std::atomic<bool> done{false};
  {
    std::jthread reader([&] {
      while (!done.load()) {
        const config_snapshot seen = registry.config().snapshot();
        for (std::size_t i = 0; i < max_knobs; ++i) inconsistent += seen.values[i] != (i < seen.size ? 0.5 : 0.0);
      }
    });
    std::vector<std::jthread> authors;
    for (int author = 0; author < 2; ++author)
      authors.emplace_back([&registry, author] {
        for (int i = 0; i < 8; ++i) {
          const std::string name = "k" + std::to_string(author) + "_" + std::to_string(i);
          EXPECT_TRUE(registry.declare({.name = name, .initial = 0.5}, real));
        }
      });
    authors.clear();
    done.store(true);
  }
  EXPECT_EQ(inconsistent, 0U);
  EXPECT_EQ(registry.config().snapshot().size, max_knobs);
  EXPECT_EQ(registry.config().generation(), 0U);
}

} // namespace
} // namespace homeostat
