// The parts of `adaptive`: change detector, regime memory, switch trials, positions within reach.
#include "policies/search/chacha8.hpp"
#include "policies/search/online/change_detector.hpp"
#include "policies/search/online/regime_memory.hpp"
#include "policies/search/online/switch_trial.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace homeostat {
namespace {

const std::vector<knob_spec> two_knobs{{.name = "a", .initial = 0.5}, {.name = "b", .initial = 0.5}};

// ---- change detector
// -------------------------------------------------------------------------------------------------

int steps_to_change(double deviations, int most) {
  change_detector detector;
  const detector_tuning tuning;
  for (std::uint32_t i = 0; i <= tuning.rest; ++i) inspect(detector, 0, 1, tuning);
  for (int i = 1; i <= most; ++i)
    if (inspect(detector, deviations, 7, tuning)) return i;
  return 0;
}

TEST(ChangeDetector, SeesAChangeInEitherDirection) {
  EXPECT_EQ(steps_to_change(3, 100), 3); // (3 - 0.6) * 3 = 7.2 > 5.5
  EXPECT_EQ(steps_to_change(-3, 100), 3);
  EXPECT_EQ(steps_to_change(1, 100), 14); // 0.4 a step
}

TEST(ChangeDetector, OneSpikeIsNotAChange) { EXPECT_EQ(steps_to_change(1000, 1), 0); }

TEST(ChangeDetector, ErrorsInsideTheSlackNeverAddUp) { EXPECT_EQ(steps_to_change(0.6, 10'000), 0); }

TEST(ChangeDetector, NamesTheLevelSinceTheChange) {
  change_detector detector;
  const detector_tuning tuning;
  for (std::uint32_t i = 0; i <= tuning.rest; ++i) inspect(detector, 0, 1, tuning);
  EXPECT_FALSE(inspect(detector, 3, 10, tuning));
  EXPECT_FALSE(is_quiet(detector, 0.3, tuning));
  EXPECT_FALSE(inspect(detector, 3, 12, tuning));
  const auto change = inspect(detector, 3, 14, tuning);
  ASSERT_TRUE(change);
  EXPECT_DOUBLE_EQ(change->level, 12);
  EXPECT_TRUE(is_quiet(detector, 0.3, tuning)) << "evidence starts afresh";
  for (std::uint32_t i = 0; i < tuning.rest; ++i)
    EXPECT_FALSE(inspect(detector, 4, 14, tuning)) << "models settle first";
  EXPECT_TRUE(inspect(detector, 4, 14, tuning));
}

TEST(ChangeDetector, TellsAJumpFromADrift) {
  const detector_tuning tuning;
  const auto change_by = [&](double deviations) {
    change_detector detector;
    for (std::uint32_t i = 0; i <= tuning.rest; ++i) inspect(detector, 0, 1, tuning);
    for (;;)
      if (const auto change = inspect(detector, deviations, 7, tuning)) return change->abrupt;
  };
  EXPECT_TRUE(change_by(4));
  EXPECT_FALSE(change_by(1.5));
}

TEST(ChangeDetector, NoiseBeforeAJumpNeitherHidesItNorBlursItsLevel) {
  change_detector detector;
  const detector_tuning tuning;
  for (int i = 0; i < 20; ++i) ASSERT_FALSE(inspect(detector, i % 2 == 0 ? 0.8 : 0.5, 1, tuning)); // a little evidence
  ASSERT_FALSE(inspect(detector, 4, 20, tuning));
  const auto change = inspect(detector, 4, 20, tuning);
  ASSERT_TRUE(change);
  EXPECT_TRUE(change->abrupt);
  EXPECT_GT(change->level, 15) << "the old values must not count as the new level";
}

// ---- regime memory
// ---------------------------------------------------------------------------------------------------

TEST(RegimeMemory, KeepsOneEntryPerPlaceWithItsVersion) {
  regime_memory memory;
  const memory_tuning tuning;
  const auto first = remember(memory, two_knobs, {0.2, 0.2}, {}, 10, tuning);
  const auto second = remember(memory, two_knobs, {0.8, 0.8}, {}, 20, tuning);
  EXPECT_NE(first, second);
  EXPECT_EQ(remember(memory, two_knobs, {0.25, 0.2}, {}, 30, tuning), first);
  ASSERT_EQ(memory.regimes.size(), 2U);
  EXPECT_EQ(find(memory, first)->version, 2U);
  EXPECT_EQ(find(memory, first)->centre, (online_point{0.25, 0.2}));
}

TEST(RegimeMemory, TheLeastRecentlyUsefulLeavesFirst) {
  regime_memory memory;
  memory_tuning tuning;
  tuning.capacity = 2;
  const auto a = remember(memory, two_knobs, {0.1, 0.1}, {}, 1, tuning);
  const auto b = remember(memory, two_knobs, {0.5, 0.5}, {}, 2, tuning);
  credit(memory, a, true, 3, tuning);
  const auto c = remember(memory, two_knobs, {0.9, 0.9}, {}, 4, tuning);
  EXPECT_NE(find(memory, a), nullptr);
  EXPECT_EQ(find(memory, b), nullptr);
  EXPECT_NE(find(memory, c), nullptr);
}

TEST(RegimeMemory, ForgetsAfterItsLifetime) {
  regime_memory memory;
  memory_tuning tuning;
  tuning.lifetime = 100;
  const auto id = remember(memory, two_knobs, {0.1, 0.1}, {}, 1000, tuning);
  EXPECT_EQ(worth_a_look(memory, two_knobs, {0.9, 0.9}, 1100, false, tuning), std::vector{id});
  EXPECT_TRUE(worth_a_look(memory, two_knobs, {0.9, 0.9}, 1101, false, tuning).empty());
  EXPECT_TRUE(memory.regimes.empty());
}

TEST(RegimeMemory, PassesOverUselessRegimesEverLonger) {
  regime_memory memory;
  const memory_tuning tuning;
  const auto id = remember(memory, two_knobs, {0.1, 0.1}, {}, 0, tuning);
  std::vector<int> pauses;
  for (int round = 0; round < 9; ++round) {
    int pause = 0;
    while (worth_a_look(memory, two_knobs, {0.9, 0.9}, 1, false, tuning).empty()) ++pause;
    pauses.push_back(pause);
    credit(memory, id, false, 1, tuning);
  }
  EXPECT_EQ(pauses, (std::vector{0, 0, 1, 3, 7, 15, 31, 40, 40}));
  credit(memory, id, true, 2, tuning);
  EXPECT_FALSE(worth_a_look(memory, two_knobs, {0.9, 0.9}, 2, false, tuning).empty());
  EXPECT_TRUE(worth_a_look(memory, two_knobs, {0.15, 0.1}, 2, false, tuning).empty()) << "already there";
}

// ---- switch trials
// ---------------------------------------------------------------------------------------------------

const std::vector<knob_spec> one_mode{
    {.name = "mode", .type = knob_type::categorical, .min = 0, .max = 2, .initial = 1, .categories = {"a", "b", "c"}}};

trial_verdict run_trial(double gain, double noise, std::uint64_t seed, int& pairs) {
  switch_trial trial;
  const trial_tuning tuning;
  while (!start_if_due(trial, one_mode, {0.5}, true, tuning)) {}
  chacha8_rng rng(seed);
  for (pairs = 1;; ++pairs) {
    judge(trial, 10 - gain + noise * (2 * rng.uniform() - 1), noise, tuning);
    const trial_verdict verdict = judge(trial, 10 + noise * (2 * rng.uniform() - 1), noise, tuning);
    if (verdict != trial_verdict::open) return verdict;
  }
}

TEST(SwitchTrial, TakesWhatIsClearlyBetterAndLeavesWhatIsWorse) {
  int pairs = 0;
  EXPECT_EQ(run_trial(5, 1, 1, pairs), trial_verdict::take);
  EXPECT_EQ(pairs, 3);
  EXPECT_EQ(run_trial(-10, 1, 1, pairs), trial_verdict::keep);
  EXPECT_EQ(pairs, 1) << "a shock ends it at once";
}

TEST(SwitchTrial, NoDifferenceIsRarelyTaken) {
  int taken = 0, pairs = 0;
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    taken += run_trial(0, 1, seed, pairs) == trial_verdict::take;
    EXPECT_LE(pairs, 12);
  }
  EXPECT_LE(taken, 50);
}

TEST(SwitchTrial, TriesEveryAlternativeInTurnAndSeldomerInVain) {
  switch_trial trial;
  const trial_tuning tuning;
  std::vector<double> tried;
  std::vector<int> pauses;
  for (int round = 0; round < 4; ++round) {
    int pause = 1;
    while (!start_if_due(trial, one_mode, {0.5}, true, tuning)) ++pause;
    pauses.push_back(pause);
    tried.push_back(trial.position);
    judge(trial, 100, 1, tuning);
    EXPECT_EQ(judge(trial, 10, 1, tuning), trial_verdict::keep);
  }
  EXPECT_EQ(tried, (std::vector{0.0, 1.0, 0.0, 1.0}));
  EXPECT_EQ(pauses, (std::vector{40, 60, 120, 120}));
  EXPECT_FALSE(start_if_due(trial, two_knobs, {0.5, 0.5}, true, tuning)) << "nothing to switch";
}

// ---- positions
// -------------------------------------------------------------------------------------------------------

TEST(Reachable, StaysWithinTheLimitOnTheGridAndInBounds) {
  const knob_spec number{.name = "n", .type = knob_type::integer, .min = 0, .max = 20, .initial = 10};
  EXPECT_DOUBLE_EQ(reachable(number, 0.5, 0.9, 0.10), 0.6);
  EXPECT_DOUBLE_EQ(reachable(number, 0.5, 0.9, 0.12), 0.6) << "0.62 is not on the grid";
  EXPECT_DOUBLE_EQ(reachable(number, 0.5, 0.9, 0.08), 0.55) << "0.58 would round beyond the limit";
  EXPECT_DOUBLE_EQ(reachable(number, 0.5, 0.9, 0.04), 0.5) << "no grid point within reach";
  EXPECT_DOUBLE_EQ(reachable(number, 0.5, 2.0, std::nullopt), 1.0);
  const knob_spec angle{.name = "w", .scale = knob_scale::periodic, .min = 0, .max = 360, .initial = 0};
  EXPECT_NEAR(reachable(angle, 0.05, 0.95, 0.06), 0.99, 1e-12) << "the shorter way round";
  const knob_spec flag{.name = "f", .type = knob_type::boolean};
  EXPECT_DOUBLE_EQ(reachable(flag, 0, 1, 0.1), 1) << "no distance, no half way";
}

} // namespace
} // namespace homeostat
