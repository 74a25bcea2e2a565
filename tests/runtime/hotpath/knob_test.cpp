#include "runtime/hotpath/knob.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

namespace homeostat {
namespace {

enum class eviction : std::uint8_t { lru, lfu, random };
enum class wide_mode : int { first, second };
enum old_style { a, b };

static_assert(knob_value<int> && knob_value<bool> && knob_value<double> && knob_value<float> && knob_value<eviction> &&
              knob_value<std::uint64_t> && knob_value<char>);
static_assert(!knob_value<long double> && !knob_value<old_style> && !knob_value<const int> && !knob_value<int*>);
static_assert(std::is_convertible_v<knob<int>, int>);

template <typename T> T through(double value) { return knob_codec<T>::decode(knob_codec<T>::encode(value)); }

// ---- codecs ----

TEST(KnobCodec, IntegersRoundToTheNearestAndHalvesAwayFromZero) {
  EXPECT_EQ(through<int>(7.0), 7);
  EXPECT_EQ(through<int>(7.49), 7);
  EXPECT_EQ(through<int>(7.5), 8);
  EXPECT_EQ(through<int>(-7.5), -8);
  EXPECT_EQ(through<int>(-0.4), 0);
}

TEST(KnobCodec, ValuesBeyondTheTypeStopAtItsLimits) {
  EXPECT_EQ(through<std::uint8_t>(-1), 0);
  EXPECT_EQ(through<std::uint8_t>(255), 255);
  EXPECT_EQ(through<std::uint8_t>(256), 255);
  EXPECT_EQ(through<std::int8_t>(-129), -128);
  EXPECT_EQ(through<std::int32_t>(1e300), std::numeric_limits<std::int32_t>::max());
  EXPECT_EQ(through<std::int32_t>(-1e300), std::numeric_limits<std::int32_t>::min());
  EXPECT_EQ(through<std::uint32_t>(4294967295.0), 4294967295U);
  EXPECT_EQ(through<std::int64_t>(1e300), std::int64_t{1} << 53);
  EXPECT_EQ(through<std::int64_t>(-1e300), -(std::int64_t{1} << 53));
  EXPECT_EQ(through<std::uint64_t>(1e300), std::uint64_t{1} << 53);
  EXPECT_EQ(through<std::uint64_t>(-1e300), 0U);
  EXPECT_EQ(through<float>(1e300), std::numeric_limits<float>::max());
  EXPECT_EQ(through<float>(-1e300), std::numeric_limits<float>::lowest());
  EXPECT_EQ(through<eviction>(2), eviction::random);
  EXPECT_EQ(through<wide_mode>(1), wide_mode::second);
}

TEST(KnobCodec, BooleansTurnAtOneHalf) {
  EXPECT_FALSE(through<bool>(0));
  EXPECT_FALSE(through<bool>(0.49));
  EXPECT_TRUE(through<bool>(0.5));
  EXPECT_TRUE(through<bool>(1));
  EXPECT_FALSE(through<bool>(-3));
}

template <typename T> void expect_exact_or_limited() {
  const auto value = *rc::gen::oneOf(
      rc::gen::arbitrary<double>(),
      rc::gen::map(rc::gen::arbitrary<std::int64_t>(), [](std::int64_t v) { return static_cast<double>(v) / 4; }));
  if (!std::isfinite(value)) return;
  const T got = through<T>(value);
  // The naive twin: search the answer from its definition instead of by a cast.
  if (value <= knob_codec<T>::lowest)
    RC_ASSERT(static_cast<double>(got) == knob_codec<T>::lowest);
  else if (value >= knob_codec<T>::highest)
    RC_ASSERT(static_cast<double>(got) == knob_codec<T>::highest);
  else
    RC_ASSERT(std::abs(static_cast<double>(got) - value) <= 0.5);
}

RC_GTEST_PROP(KnobCodec, Int8IsNearestOrLimited, ()) { expect_exact_or_limited<std::int8_t>(); }
RC_GTEST_PROP(KnobCodec, UInt16IsNearestOrLimited, ()) { expect_exact_or_limited<std::uint16_t>(); }
RC_GTEST_PROP(KnobCodec, IntIsNearestOrLimited, ()) { expect_exact_or_limited<int>(); }
RC_GTEST_PROP(KnobCodec, Int64IsNearestOrLimited, ()) { expect_exact_or_limited<std::int64_t>(); }
RC_GTEST_PROP(KnobCodec, UInt64IsNearestOrLimited, ()) { expect_exact_or_limited<std::uint64_t>(); }

RC_GTEST_PROP(KnobCodec, WholeNumbersOfTheTypeSurvive, (std::int32_t value)) {
  RC_ASSERT(through<std::int32_t>(value) == value);
  RC_ASSERT(through<std::int64_t>(value) == value);
  RC_ASSERT(through<double>(value) == value);
}

RC_GTEST_PROP(KnobCodec, FloatsSurvive, (float value)) {
  if (std::isfinite(value)) RC_ASSERT(through<float>(static_cast<double>(value)) == value);
}

// ---- knobs on a registry ----

TEST(Knob, ReadsItsInitialValueAtOnceAndEveryUpdateAfterwards) {
  knob_registry registry;
  const knob<int> batch{registry, {.name = "batch_size", .unit = "items", .min = 1, .max = 64, .initial = 8}};
  const knob<double> ratio{registry, {.name = "ratio", .initial = 0.25}};
  const knob<float> gain{registry, {.name = "gain", .min = -1, .max = 1, .initial = 0.5}};
  const knob<bool> compress{registry, {.name = "compress", .initial = 1}};
  const knob<eviction> policy{registry,
                              {.name = "policy", .max = 2, .initial = 1, .categories = {"lru", "lfu", "random"}}};
  EXPECT_EQ(batch.get(), 8);
  EXPECT_EQ(ratio.get(), 0.25);
  EXPECT_EQ(gain.get(), 0.5F);
  EXPECT_TRUE(compress.get());
  EXPECT_EQ(policy.get(), eviction::lfu);

  atomic_config& config = registry.seal();
  ASSERT_TRUE(config.update(std::vector{16.0, 0.75, -0.5, 0.0, 2.0}));
  EXPECT_EQ(batch.get(), 16);
  EXPECT_EQ(ratio.get(), 0.75);
  EXPECT_EQ(gain.get(), -0.5F);
  EXPECT_FALSE(compress.get());
  EXPECT_EQ(policy.get(), eviction::random);
  EXPECT_EQ(registry.config().snapshot().generation, 1U);
}

TEST(Knob, StandsWhereAConstantStood) {
  knob_registry registry;
  const knob<int> batch{registry, {.name = "batch_size", .min = 1, .max = 64, .initial = 3}};
  int turns = 0;
  for (int i = 0; i < batch; ++i) ++turns;
  EXPECT_EQ(turns, 3);
  EXPECT_EQ(batch * 2 + 1, 7);
}

TEST(Knob, CopiesReadTheSameKnob) {
  knob_registry registry;
  const knob<int> batch{registry, {.name = "batch_size", .min = 1, .max = 64, .initial = 8}};
  const knob<int> copy = batch;
  ASSERT_TRUE(registry.seal().update(std::vector{9.0}));
  EXPECT_EQ(copy.get(), 9);
  EXPECT_EQ(copy.slot(), batch.slot());
}

TEST(Knob, AnOverrideOutsideTheTypeIsLimitedNotUndefined) {
  knob_registry registry;
  const knob<std::uint8_t> level{registry, {.name = "level", .max = 9, .initial = 1}};
  ASSERT_TRUE(registry.seal().update(std::vector{1000.0}));
  EXPECT_EQ(level.get(), 255);
  EXPECT_EQ(registry.config().value(0), 1000.0);
}

TEST(Knob, TheConstructorThrowsWhatTheFactoryReturns) {
  knob_registry registry;
  const knob_declaration declaration{.name = "batch_size", .min = 64, .max = 1};
  const auto made = knob<int>::make(registry, declaration);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, registration_code::inverted_bounds);
  try {
    const knob<int> batch(registry, declaration);
    FAIL() << "no exception";
  } catch (const registration_failure& failure) {
    EXPECT_EQ(failure.error().code, registration_code::inverted_bounds);
    EXPECT_STREQ(failure.what(), "knob 'batch_size': min 64 and max 1, expected min below max");
  }
  EXPECT_TRUE(registry.knobs().empty());
}

} // namespace
} // namespace homeostat
