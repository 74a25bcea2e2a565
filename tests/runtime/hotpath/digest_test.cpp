#include "policies/telemetry/digest.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <limits>
#include <optional>

namespace homeostat {
namespace {

constexpr std::array all_measures{digest_measure::p99_latency_ms, digest_measure::throughput_per_s,
                                  digest_measure::error_rate, digest_measure::constraint_margin};
static_assert(all_measures.size() == digest_measure_count);

TEST(TelemetryDigest, HasNoMeasuresUntilTheyAreSet) {
  const telemetry_digest digest;
  EXPECT_EQ(digest.p99_latency_ms(), std::nullopt);
  EXPECT_EQ(digest.throughput_per_s(), std::nullopt);
  EXPECT_EQ(digest.error_rate(), std::nullopt);
  EXPECT_EQ(digest.constraint_margin(), std::nullopt);
}

TEST(TelemetryDigest, TellsEachMeasureByItsName) {
  telemetry_digest digest;
  digest.measures.set(digest_measure::p99_latency_ms, 12.5)
      .set(digest_measure::throughput_per_s, 900)
      .set(digest_measure::error_rate, 0)
      .set(digest_measure::constraint_margin, -3);
  EXPECT_EQ(digest.p99_latency_ms(), 12.5);
  EXPECT_EQ(digest.throughput_per_s(), 900);
  EXPECT_EQ(digest.error_rate(), 0) << "zero is a value, not an absence";
  EXPECT_EQ(digest.constraint_margin(), -3);
}

TEST(TelemetryDigest, DiffersInEachField) {
  const telemetry_digest base{
      .at = instant(1s), .window = 1s, .sequence = 1, .generation = 1, .sample_count = 1, .objective = 1};
  EXPECT_EQ(base, base);
  std::array<telemetry_digest, 7> others;
  others.fill(base);
  others[0].at += 1us;
  others[1].window += 1us;
  others[2].sequence = 2;
  others[3].generation = 2;
  others[4].sample_count = 2;
  others[5].objective = 2;
  others[6].measures.set(digest_measure::error_rate, 0); // present and 0 is not absent
  for (const auto& other : others) EXPECT_NE(base, other);
}

RC_GTEST_PROP(TelemetryDigest, MeasuresBehaveLikeOptionals, ()) {
  digest_measures measures;
  std::array<std::optional<double>, digest_measure_count> twin;
  for (int step = *rc::gen::inRange(0, 30); step > 0; --step) {
    const auto i = *rc::gen::inRange<std::size_t>(0, digest_measure_count);
    if (*rc::gen::arbitrary<bool>()) {
      const double value = *rc::gen::inRange(-5, 5);
      measures.set(all_measures[i], value);
      twin[i] = value;
    } else {
      measures.clear(all_measures[i]);
      twin[i].reset();
    }
    digest_measures rebuilt;
    for (std::size_t m = 0; m < digest_measure_count; ++m) {
      RC_ASSERT(measures.get(all_measures[m]) == twin[m]);
      if (twin[m]) rebuilt.set(all_measures[m], *twin[m]);
    }
    RC_ASSERT(measures == rebuilt); // however it came about
  }
}

TEST(TelemetryDigest, IsFiniteUnlessSomeNumberIsNot) {
  telemetry_digest digest{.objective = 1};
  EXPECT_TRUE(is_finite(digest));
  for (double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    telemetry_digest broken = digest;
    broken.objective = bad;
    EXPECT_FALSE(is_finite(broken));
    for (auto measure : all_measures) {
      broken = digest;
      broken.measures.set(measure, bad);
      EXPECT_FALSE(is_finite(broken));
      broken.measures.clear(measure);
      EXPECT_TRUE(is_finite(broken));
    }
  }
}

} // namespace
} // namespace homeostat
