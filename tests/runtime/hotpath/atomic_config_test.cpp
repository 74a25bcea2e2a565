#include "runtime/hotpath/atomic_config.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace homeostat {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double infinite = std::numeric_limits<double>::infinity();

config_snapshot snapshot_of(std::uint64_t generation, const std::vector<double>& values) {
  return {generation, values};
}

// ---- what a write refuses ----

struct update_row {
  std::string name;
  std::vector<double> values;
  std::optional<std::uint64_t> generation;
  std::optional<config_refusal> refusal;
  std::uint64_t generation_after;
};

void PrintTo(const update_row& row, std::ostream* out) { *out << row.name; }

class UpdateOfTwoKnobsAtGenerationTen : public testing::TestWithParam<update_row> {};

TEST_P(UpdateOfTwoKnobsAtGenerationTen, Decides) {
  const update_row& row = GetParam();
  const std::vector<double> before{1.0, 2.0};
  atomic_config config(before);
  ASSERT_TRUE(config.update(before, 10));
  const auto result = row.generation ? config.update(row.values, *row.generation) : config.update(row.values);
  if (row.refusal) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error(), *row.refusal) << describe(result.error());
    EXPECT_EQ(config.snapshot(), snapshot_of(10, before));
  } else {
    ASSERT_TRUE(result);
    EXPECT_EQ(*result, row.generation_after);
    EXPECT_EQ(config.snapshot(), snapshot_of(row.generation_after, row.values));
  }
  EXPECT_EQ(config.generation(), row.generation_after);
}

INSTANTIATE_TEST_SUITE_P(
    Table, UpdateOfTwoKnobsAtGenerationTen,
    testing::Values(
        update_row{"NextGenerationIsElevenByDefault", {3, 4}, {}, {}, 11},
        update_row{"GivenGenerationElevenIsTaken", {3, 4}, 11, {}, 11},
        update_row{"GenerationMayLeap", {3, 4}, 5000, {}, 5000},
        update_row{
            "LargestGenerationIsTaken", {3, 4}, atomic_config::max_generation, {}, atomic_config::max_generation},
        update_row{"AboveLargestIsRefused",
                   {3, 4},
                   atomic_config::max_generation + 1,
                   config_refusal::generation_too_large,
                   10},
        update_row{"HugeGenerationIsRefused", {3, 4}, ~std::uint64_t{0}, config_refusal::generation_too_large, 10},
        update_row{"SameGenerationIsRefused", {3, 4}, 10, config_refusal::stale_generation, 10},
        update_row{"OlderGenerationIsRefused", {3, 4}, 9, config_refusal::stale_generation, 10},
        update_row{"GenerationZeroIsRefused", {3, 4}, 0, config_refusal::stale_generation, 10},
        update_row{"OneValueTooFewIsRefused", {3}, 11, config_refusal::wrong_size, 10},
        update_row{"OneValueTooManyIsRefused", {3, 4, 5}, 11, config_refusal::wrong_size, 10},
        update_row{"NoValuesAreRefused", {}, {}, config_refusal::wrong_size, 10},
        update_row{"NanIsRefused", {3, nan}, 11, config_refusal::not_finite, 10},
        update_row{"InfinityIsRefused", {infinite, 4}, {}, config_refusal::not_finite, 10},
        update_row{"MinusInfinityIsRefused", {-infinite, 4}, {}, config_refusal::not_finite, 10},
        update_row{"LargestDoubleIsTaken", {std::numeric_limits<double>::max(), -0.0}, {}, {}, 11}),
    [](const auto& row) { return row.param.name; });

TEST(AtomicConfig, GenerationsEndAtTheLargest) {
  atomic_config config(std::vector{1.0});
  ASSERT_TRUE(config.update(std::vector{2.0}, atomic_config::max_generation));
  const auto result = config.update(std::vector{3.0});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error(), config_refusal::generation_too_large);
  EXPECT_EQ(config.value(0), 2.0);
}

TEST(AtomicConfig, StartsAtGenerationZeroWithTheInitialValues) {
  const atomic_config config(std::vector{1.5, -2.5, 0.0});
  EXPECT_EQ(config.snapshot(), snapshot_of(0, {1.5, -2.5, 0.0}));
  EXPECT_EQ(config.size(), 3U);
  EXPECT_EQ(config.value(1), -2.5);
  EXPECT_EQ(atomic_config().snapshot(), config_snapshot{});
}

TEST(AtomicConfig, SnapshotClearsTheEntriesItDoesNotUse) {
  const atomic_config config(std::vector{1.5});
  config_snapshot seen = snapshot_of(9, std::vector<double>(max_knobs, 4.0));
  ASSERT_TRUE(config.try_snapshot(seen, 1));
  EXPECT_EQ(seen, snapshot_of(0, {1.5}));
}

TEST(AtomicConfig, HoldsSixteenKnobsAndNoMore) {
  std::vector<double> values(max_knobs, 7.0);
  atomic_config config(values);
  EXPECT_EQ(config.size(), 16U);
  const auto refused = config.append(1.0, &knob_codec<double>::encode);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), config_refusal::full);
  values.push_back(7.0);
  EXPECT_THROW(atomic_config{values}, std::invalid_argument);
}

TEST(AtomicConfig, RefusesInitialValuesThatAreNotFinite) {
  EXPECT_THROW(atomic_config{std::vector{nan}}, std::invalid_argument);
  atomic_config config;
  const auto refused = config.append(infinite, &knob_codec<double>::encode);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), config_refusal::not_finite);
  EXPECT_EQ(config.size(), 0U);
}

TEST(AtomicConfig, EveryRefusalIsDescribed) {
  for (auto refusal : {config_refusal::wrong_size, config_refusal::not_finite, config_refusal::stale_generation,
                       config_refusal::generation_too_large, config_refusal::writer_busy, config_refusal::full})
    EXPECT_NE(describe(refusal).find("expected"), std::string_view::npos);
}

// ---- against a naive twin ----

RC_GTEST_PROP(AtomicConfig, BehavesLikeAVectorWithAGeneration, ()) {
  atomic_config config;
  std::vector<double> twin;
  std::uint64_t generation = 0;
  const auto steps = *rc::gen::inRange(1, 120);
  for (int step = 0; step < steps; ++step) {
    const auto count = *rc::gen::weightedOneOf<std::size_t>(
        {{8, rc::gen::just(twin.size())}, {1, rc::gen::inRange<std::size_t>(0, 18)}});
    const auto values = *rc::gen::container<std::vector<double>>(
        count, rc::gen::map(rc::gen::inRange(-1000, 1000), [](int v) { return v / 8.0; }));
    switch (*rc::gen::inRange(0, 3)) {
    case 0: {
      const double initial = values.empty() ? 1.0 : values[0];
      const auto added = config.append(initial, &knob_codec<double>::encode);
      RC_ASSERT(added.has_value() == (twin.size() < max_knobs));
      if (added) {
        RC_ASSERT(*added == twin.size());
        twin.push_back(initial);
      }
      break;
    }
    case 1: {
      const auto done = config.update(values);
      RC_ASSERT(done.has_value() == (values.size() == twin.size()));
      if (done) {
        twin = values;
        RC_ASSERT(*done == ++generation);
      }
      break;
    }
    default: {
      const auto wanted = generation + *rc::gen::inRange<std::uint64_t>(0, 40) - std::min<std::uint64_t>(generation, 3);
      const auto done = config.update(values, wanted);
      RC_ASSERT(done.has_value() == (values.size() == twin.size() && wanted > generation));
      if (done) {
        twin = values;
        generation = wanted;
      }
    }
    }
    RC_ASSERT(config.snapshot() == snapshot_of(generation, twin));
    RC_ASSERT(config.generation() == generation);
    RC_ASSERT(config.size() == twin.size());
    for (std::size_t i = 0; i < twin.size(); ++i) {
      RC_ASSERT(config.value(i) == twin[i]);
      RC_ASSERT(knob_codec<double>::decode(config.word(i).load()) == twin[i]);
    }
  }
}

// ---- every interleaving point, one at a time ----

/// Calls a function at each step of a write or a snapshot: whatever that function does happens "while the other side is
/// suspended exactly there", without a second thread and without chance.
struct scripted_hook {
  std::function<void(config_step)>* script;
  void reached(config_step step) const {
    if (*script) (*script)(step);
  }
};
using scripted_config = basic_atomic_config<scripted_hook>;

std::vector<double> values_of(std::uint64_t generation, std::size_t count) {
  std::vector<double> values;
  for (std::size_t i = 0; i < count; ++i) values.push_back(static_cast<double>(generation * 100 + i));
  return values;
}

TEST(AtomicConfigInterleaving, SnapshotSucceedsAtOnceWhereverTheWriterIsSuspended) {
  constexpr std::size_t count = 8;
  std::function<void(config_step)> script;
  scripted_config config(values_of(0, count), scripted_hook{&script});
  for (std::uint64_t generation = 1; generation <= 3 * scripted_config::slot_count; ++generation) {
    int stops = 0;
    script = [&](config_step step) {
      if (step == config_step::tag_loaded || step == config_step::value_loaded) return; // our own snapshot below
      ++stops;
      const std::uint64_t visible = step == config_step::published ? generation : generation - 1;
      config_snapshot seen;
      ASSERT_TRUE(config.try_snapshot(seen, 1)) << "blocked by a writer suspended at stop " << stops;
      ASSERT_EQ(seen, snapshot_of(visible, values_of(visible, count)));
      // A single read after a snapshot is of the snapshot's generation or of the one in flight.
      for (std::size_t i = 0; i < count; ++i) {
        ASSERT_GE(config.value(i), values_of(visible, count)[i]);
        ASSERT_LE(config.value(i), values_of(generation, count)[i]);
      }
    };
    ASSERT_TRUE(config.update(values_of(generation, count)));
    ASSERT_EQ(stops, 1 + 8 + 8 + 1);
  }
}

TEST(AtomicConfigInterleaving, SecondWriterIsRefusedWhereverTheFirstIsSuspended) {
  std::function<void(config_step)> script;
  scripted_config config(values_of(0, 4), scripted_hook{&script});
  int refused = 0;
  script = [&](config_step) {
    const auto result = config.update(values_of(50, 4), 50);
    ASSERT_FALSE(result);
    ASSERT_EQ(result.error(), config_refusal::writer_busy);
    const auto added = config.append(1.0, &knob_codec<double>::encode);
    ASSERT_FALSE(added);
    ASSERT_EQ(added.error(), config_refusal::writer_busy);
    ++refused;
  };
  ASSERT_TRUE(config.update(values_of(1, 4)));
  script = nullptr;
  EXPECT_EQ(refused, 1 + 4 + 4 + 1);
  EXPECT_EQ(config.snapshot(), snapshot_of(1, values_of(1, 4)));
  EXPECT_TRUE(config.update(values_of(2, 4))) << "the claim is given back";
}

/// Suspends a reader at its stop number `stop` (0 = after the tag, i = after value i) while `updates` whole updates
/// pass.
struct overtaking {
  int stop;
  std::uint64_t updates;
};

class ReaderIsOvertaken : public testing::TestWithParam<std::uint64_t> {};

TEST_P(ReaderIsOvertaken, AndNeverReturnsAMixture) {
  constexpr std::size_t count = 8;
  const std::uint64_t updates = GetParam();
  for (int stop = 0; stop <= static_cast<int>(max_knobs); ++stop) {
    std::function<void(config_step)> script;
    scripted_config config(values_of(0, count), scripted_hook{&script});
    int stops = 0;
    bool inside = false; // the updates below reach the hook too
    std::uint64_t generation = 0;
    script = [&](config_step) {
      if (inside || stops++ != stop) return;
      inside = true;
      for (std::uint64_t i = 0; i < updates; ++i) {
        ++generation;
        ASSERT_TRUE(config.update(values_of(generation, count)));
      }
      inside = false;
    };
    config_snapshot seen;
    const bool first = config.try_snapshot(seen, 1);
    // The slot read is the writer's again with update slot_count, and not before. Values read whole are not torn even
    // so, but the check need not know that.
    EXPECT_EQ(first, updates < scripted_config::slot_count) << "stopped at " << stop;
    if (first) { EXPECT_EQ(seen, snapshot_of(0, values_of(0, count))); }
    ASSERT_TRUE(config.try_snapshot(seen, 1));
    EXPECT_EQ(seen, snapshot_of(updates, values_of(updates, count)));
  }
}

INSTANTIATE_TEST_SUITE_P(ByUpdates, ReaderIsOvertaken, testing::Values(1, 2, 14, 15, 16, 17, 31, 32, 33, 160));

TEST(AtomicConfigInterleaving, SnapshotTriesAgainAfterBeingOvertaken) {
  std::function<void(config_step)> script;
  scripted_config config(values_of(0, 3), scripted_hook{&script});
  std::uint64_t generation = 0;
  int attempts = 0;
  bool inside = false;
  script = [&](config_step step) {
    if (inside || step != config_step::tag_loaded || ++attempts > 4) return;
    inside = true;
    for (std::size_t i = 0; i < scripted_config::slot_count; ++i) {
      ++generation;
      ASSERT_TRUE(config.update(values_of(generation, 3)));
    }
    inside = false;
  };
  config_snapshot bounded;
  EXPECT_FALSE(config.try_snapshot(bounded, 3));
  EXPECT_EQ(attempts, 3);
  const config_snapshot seen = config.snapshot(); // overtaken once more, then not
  EXPECT_EQ(seen, snapshot_of(generation, values_of(generation, 3)));
  EXPECT_EQ(generation, 4 * scripted_config::slot_count);
  EXPECT_EQ(attempts, 5);
}

} // namespace
} // namespace homeostat
