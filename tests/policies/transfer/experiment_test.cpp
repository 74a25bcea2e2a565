#include "policies/transfer/experiment.hpp"

#include "tests/policies/row_name.hpp"
#include "tests/policies/transfer/transfer_rig.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

namespace homeostat {
namespace {

using testing::epoch;

experiment_settings settings_for(double split) {
  experiment_settings s;
  s.name = "lower-threshold";
  s.pool = "ml";
  s.control = {{"zero_copy_threshold", "10485760"}, {"goal", "balanced"}};
  s.treatment = {{"zero_copy_threshold", "5242880"}, {"goal", "balanced"}};
  s.traffic_split = split;
  return s;
}

experiment_state draft(double split) {
  experiment_state e;
  e.settings = settings_for(split);
  return e;
}

/// Sessions that send transfers, with an effect of the treatment and whatever else a test wants of it.
struct traffic {
  experiment_state e;
  chacha8_rng rng{1};
  double effect{0};        ///< of the treatment on log latency
  double noise{0.5};       ///< of one transfer
  double session_noise{0}; ///< of a session's own level
  double failures{0.001}, treatment_failures{0.001};
  double treatment_tail{0}; ///< share of its transfers that take five times as long
  double treatment_memory{1};
  std::uint64_t sessions{2000};
  instant now{epoch};

  explicit traffic(std::uint64_t seed, double split = 0.5) : rng(seed) {
    e.settings = settings_for(split);
    e.settings.name += std::to_string(seed);
    EXPECT_TRUE(start_experiment(e, now));
  }
  /// @returns the transfers it took until the phase changed, or `most`.
  std::uint64_t run(std::uint64_t most) {
    for (std::uint64_t i = 1; i <= most; ++i) {
      now += 10ms;
      const std::string session = "session-" + std::to_string(rng.next() % sessions);
      const experiment_arm arm = arm_of(e, session);
      const bool treated = arm == experiment_arm::treatment;
      double x = 5 + noise * normal(rng) + (treated ? effect : 0);
      if (chacha8_rng own(session_hash("level", session)); session_noise > 0) x += session_noise * normal(own);
      if (treated && rng.uniform() < treatment_tail) x += std::log(5.0);
      transfer_metrics m;
      m.latency_us = std::exp(x);
      m.memory_used = static_cast<std::uint64_t>(1e6 * (treated ? treatment_memory : 1) * (0.5 + rng.uniform()));
      m.failed = rng.uniform() < (treated ? treatment_failures : failures);
      if (record(e, session, arm, m, now)) return i;
    }
    return most;
  }
};

TEST(assignment, IsStickyAndUniformForAnyKindOfName) {
  experiment_state e = draft(0.1);
  EXPECT_EQ(arm_of(e, "x"), experiment_arm::control) << "a draft assigns nobody";
  ASSERT_TRUE(start_experiment(e, epoch));
  const std::array<std::string (*)(int), 4> kinds{
      [](int i) { return std::to_string(i); }, [](int i) { return "user-" + std::to_string(i * 64); },
      [](int i) { return std::string(static_cast<std::size_t>(i % 300), 'a') + std::to_string(i / 300); },
      [](int i) { return std::to_string(i) + "@node-1.example.com"; }};
  for (const auto kind : kinds) {
    constexpr int n = 100'000;
    std::array<int, 64> places{};
    int treated = 0;
    for (int i = 0; i < n; ++i) {
      const std::string session = kind(i);
      treated += arm_of(e, session) == experiment_arm::treatment ? 1 : 0;
      ++places[session_hash(e.settings.name, session) >> 58U];
    }
    double chi2 = 0;
    for (int p : places) chi2 += (p - n / 64.0) * (p - n / 64.0) / (n / 64.0);
    EXPECT_LT(chi2, 120) << kind(1) << ": 63 degrees of freedom, chance below 1e-5";
    EXPECT_NEAR(treated, n * 0.1, 4 * std::sqrt(n * 0.09));
  }
}

TEST(assignment, NobodyLeavesTheTreatmentWhenTheSplitGrows) {
  experiment_state small = draft(0.1), large = draft(0.3);
  ASSERT_TRUE(start_experiment(small, epoch) && start_experiment(large, epoch));
  for (int i = 0; i < 10'000; ++i) {
    const std::string s = std::to_string(i);
    EXPECT_TRUE(arm_of(small, s) == experiment_arm::control || arm_of(large, s) == experiment_arm::treatment);
  }
}

TEST(assignment, TwoExperimentsSplitIndependently) {
  experiment_state a = draft(0.5), b = draft(0.5);
  b.settings.name = "another";
  ASSERT_TRUE(start_experiment(a, epoch) && start_experiment(b, epoch));
  int both = 0;
  for (int i = 0; i < 40'000; ++i) {
    const std::string s = std::to_string(i);
    both += arm_of(a, s) == experiment_arm::treatment && arm_of(b, s) == experiment_arm::treatment ? 1 : 0;
  }
  EXPECT_NEAR(both, 10'000, 4 * std::sqrt(40'000 * 0.25 * 0.75));
}

TEST(assignment, ByHashIsTheSame) {
  experiment_state e = draft(0.3);
  ASSERT_TRUE(start_experiment(e, epoch));
  for (int i = 0; i < 1000; ++i) {
    const std::string s = std::to_string(i);
    EXPECT_EQ(arm_of(session_hash(e.settings.name, s), 0.3), arm_of(e, s));
  }
  experiment_state by_hash = e;
  transfer_metrics m;
  m.latency_us = 5;
  record(e, "x", experiment_arm::treatment, m, epoch);
  record(by_hash, session_hash(e.settings.name, "x"), experiment_arm::treatment, m, epoch);
  EXPECT_EQ(e, by_hash);
}

TEST(abandoned, EndsForNobodyAndOnlyWhatRuns) {
  experiment_state e = draft(0.3);
  EXPECT_FALSE(abandon(e, "x", epoch)) << "a draft";
  ASSERT_TRUE(start_experiment(e, epoch));
  EXPECT_TRUE(abandon(e, "the policy changed", epoch + 1s));
  EXPECT_EQ(e.phase, experiment_phase::rejected);
  EXPECT_EQ(e.reason, "the policy changed");
  EXPECT_EQ(e.ended, epoch + 1s);
  EXPECT_EQ(arm_of(e, "anybody"), experiment_arm::control);
  EXPECT_FALSE(abandon(e, "again", epoch + 2s));
  EXPECT_EQ(e.reason, "the policy changed");
}

/// One kind of traffic without a difference between the arms.
struct null_row {
  const char* name;
  double split, session_noise;
  std::uint64_t sessions;
};
class no_difference : public ::testing::TestWithParam<null_row> {};
TEST_P(no_difference, IsFoundInFewerThanFivePercentOfExperimentsLookedAtAllTheTime) {
  constexpr int experiments = 200;
  int wrong = 0, guarded = 0;
  for (int i = 0; i < experiments; ++i) {
    traffic t(static_cast<std::uint64_t>(1000 + i), GetParam().split);
    t.e.settings.min_samples = 1000; // more looks than the default allows
    t.session_noise = GetParam().session_noise;
    t.sessions = GetParam().sessions;
    t.run(20'000);
    wrong += t.e.phase == experiment_phase::concluded ? 1 : 0;
    guarded += t.e.phase == experiment_phase::stopped_by_guard ? 1 : 0;
  }
  std::printf("A/A %s: %d concluded, %d stopped by a guard, of %d\n", GetParam().name, wrong, guarded, experiments);
  EXPECT_LE(wrong, experiments * 0.05);
  EXPECT_LE(guarded, experiments * 0.05);
}
INSTANTIATE_TEST_SUITE_P(, no_difference,
                         ::testing::Values(null_row{"HalfAndHalf", 0.5, 0, 20'000},
                                           null_row{"TenPercent", 0.1, 0, 20'000},
                                           null_row{"SessionsOfTheirOwnLevel", 0.5, 0.3, 2000}),
                         by_name);

struct power_row {
  const char* name;
  double ratio;
  std::uint64_t most;
};
class power : public ::testing::TestWithParam<power_row> {};
TEST_P(power, FindsNineInTen) {
  int found = 0;
  std::uint64_t spent = 0;
  constexpr int experiments = 40;
  for (int i = 0; i < experiments; ++i) {
    traffic t(static_cast<std::uint64_t>(5000 + i));
    t.effect = std::log(GetParam().ratio);
    spent += t.run(GetParam().most);
    found += t.e.verdict == experiment_verdict::treatment_faster ? 1 : 0;
  }
  std::printf("%s: found in %d of %d, after %.0f transfers in the mean\n", GetParam().name, found, experiments,
              static_cast<double>(spent) / experiments);
  EXPECT_GE(found, experiments * 9 / 10);
}
INSTANTIATE_TEST_SUITE_P(, power,
                         ::testing::Values(power_row{"FivePercentFaster", 0.95, 60'000},
                                           power_row{"TwoPercentFaster", 0.98, 200'000}),
                         by_name);

TEST(experiment, AFasterTreatmentIsPromotedOnce) {
  traffic t(1);
  t.effect = std::log(0.9);
  t.run(100'000);
  ASSERT_EQ(t.e.phase, experiment_phase::concluded) << report_of(t.e);
  EXPECT_GE(std::min(t.e.control.log_latency.count, t.e.treatment.log_latency.count), 10'000U);
  EXPECT_EQ(arm_of(t.e, "session-1"), experiment_arm::control);
  EXPECT_FALSE(promotion_of(t.e));
  ASSERT_TRUE(decide_experiment(t.e, experiment_verb::promote, "ann", t.now));
  const auto p = promotion_of(t.e);
  ASSERT_TRUE(p);
  EXPECT_EQ(p->changes, (std::map<std::string, std::string>{{"zero_copy_threshold", "5242880"}}));
  EXPECT_NEAR(p->gain, 0.1, 0.02);
  EXPECT_LT(p->gain_low, p->gain);
  EXPECT_GT(p->gain_low, 0);
  EXPECT_GT(p->gain_high, p->gain);
  EXPECT_GE(p->confidence, 0.95);
  EXPECT_FALSE(decide_experiment(t.e, experiment_verb::reject, "bob", t.now)) << "decided once";
}

TEST(experiment, TheIntervalHoldsTheTruthAtEveryLook) {
  int missed = 0;
  for (int i = 0; i < 60; ++i) {
    traffic t(static_cast<std::uint64_t>(7000 + i));
    t.effect = std::log(1.03);
    t.e.settings.min_samples = 9'000'000; // never concludes by itself
    bool once = false;
    for (int looks = 0; looks < 40; ++looks) {
      t.run(500);
      const experiment_estimate x = estimate(t.e);
      once = once || (looks >= 3 && (x.ratio_low > 1.03 || x.ratio_high < 1.03));
    }
    missed += once ? 1 : 0;
  }
  EXPECT_LE(missed, 6) << "of 60";
}

struct guard_row {
  const char* name;
  void (*harm)(traffic&);
  const char* reason;
  std::uint64_t within;
};
class guards : public ::testing::TestWithParam<guard_row> {};
TEST_P(guards, StopHarmSoonAndPutEverybodyBackOnControl) {
  traffic t(42);
  GetParam().harm(t);
  EXPECT_LE(t.run(100'000), GetParam().within);
  ASSERT_EQ(t.e.phase, experiment_phase::stopped_by_guard) << report_of(t.e);
  EXPECT_NE(t.e.reason.find(GetParam().reason), std::string::npos) << t.e.reason;
  for (int i = 0; i < 100; ++i) EXPECT_EQ(arm_of(t.e, "session-" + std::to_string(i)), experiment_arm::control);
  EXPECT_FALSE(decide_experiment(t.e, experiment_verb::promote, "ann", t.now));
  const std::uint64_t counted = t.e.control.log_latency.count;
  t.run(100);
  EXPECT_EQ(t.e.control.log_latency.count, counted);
  EXPECT_EQ(t.e.refused, 100U);
  EXPECT_TRUE(decide_experiment(t.e, experiment_verb::reject, "ann", t.now));
}
INSTANTIATE_TEST_SUITE_P(
    , guards,
    ::testing::Values(guard_row{"EverythingFails", [](traffic& w) { w.treatment_failures = 1; }, "in a row", 60},
                      guard_row{"ATenthFails", [](traffic& w) { w.treatment_failures = 0.1; }, "failed share", 2000},
                      guard_row{"TheTailGrows", [](traffic& w) { w.treatment_tail = 0.05; }, "p99", 4000},
                      guard_row{"MemoryGrows", [](traffic& w) { w.treatment_memory = 1.6; }, "memory", 2000}),
    by_name);

TEST(experiment, WithoutADifferenceItEndsWithItsTime) {
  traffic t(9);
  t.e.settings.max_duration = 1h;
  t.run(1000);
  EXPECT_FALSE(look(t.e, epoch + 59min));
  EXPECT_TRUE(look(t.e, epoch + 1h));
  EXPECT_EQ(t.e.verdict, experiment_verdict::no_difference);
  EXPECT_FALSE(decide_experiment(t.e, experiment_verb::promote, "ann", t.now));
  EXPECT_TRUE(decide_experiment(t.e, experiment_verb::reject, "ann", t.now));
  EXPECT_EQ(t.e.phase, experiment_phase::rejected);
}

TEST(experiment, FewSessionsAreNoEvidenceHoweverManyTransfers) {
  traffic t(10);
  t.sessions = 20;
  t.session_noise = 0.5;
  t.e.settings.guard_p99_ratio = 1000; // ten sessions per arm differ by more than any treatment
  t.run(60'000);
  EXPECT_EQ(t.e.phase, experiment_phase::running) << report_of(t.e);
}

TEST(experiment, OnlyADraftStartsAndOnlyWithGoodSettings) {
  experiment_state e = draft(0.1);
  e.settings.treatment = e.settings.control;
  EXPECT_FALSE(start_experiment(e, epoch));
  e.settings = settings_for(0.6);
  EXPECT_FALSE(start_experiment(e, epoch));
  e.settings = settings_for(0.1);
  EXPECT_TRUE(start_experiment(e, epoch));
  EXPECT_FALSE(start_experiment(e, epoch));
  EXPECT_TRUE(decide_experiment(e, experiment_verb::reject, "ann", epoch)) << "a running one may be abandoned";
  EXPECT_EQ(e.phase, experiment_phase::rejected);
}

} // namespace
} // namespace homeostat
