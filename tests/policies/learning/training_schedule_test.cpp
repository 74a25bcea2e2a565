// When to train, from scratch or on, and how long to pause after failures.
#include "policies/learning/training_schedule.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace homeostat {
namespace {

using testing::HasSubstr;
constexpr instant t0{std::chrono::seconds(1'800'000'000)};
constexpr training_schedule_settings settings{};

training_plan plan(training_schedule& s, instant now, std::size_t samples = 1000, bool has_model = true) {
  return plan_training(s, settings, samples, has_model, now);
}
/// One training from start to end.
training_kind run(training_schedule& s, instant now, training_outcome outcome, bool has_model = true) {
  const training_plan p = plan(s, now, 1000, has_model);
  EXPECT_TRUE(p.train) << p.reason;
  note_started(s, p.kind, now);
  note_ended(s, outcome, now);
  return p.kind;
}

TEST(TrainingSchedule, TheFirstComesWithTheThousandthSample) {
  training_schedule s;
  EXPECT_FALSE(plan(s, t0, 999, false).train);
  EXPECT_THAT(plan(s, t0, 999, false).reason, HasSubstr("999 samples, 1000 needed"));
  const training_plan p = plan(s, t0, 1000, false);
  EXPECT_TRUE(p.train);
  EXPECT_EQ(p.kind, training_kind::scratch);
}

TEST(TrainingSchedule, ThenHourlyOnTheModelInUse) {
  training_schedule s;
  run(s, t0, training_outcome::served, false);
  const training_plan early = plan(s, t0 + 1h - 1us);
  EXPECT_FALSE(early.train);
  EXPECT_EQ(early.look_again, t0 + 1h);
  EXPECT_EQ(run(s, t0 + 1h, training_outcome::served), training_kind::incremental);
}

TEST(TrainingSchedule, DriftComesSoonerAndFromScratch) {
  training_schedule s;
  run(s, t0, training_outcome::served);
  note_drift(s);
  EXPECT_FALSE(plan(s, t0 + 5min - 1us).train) << "a drifting pool must not train all day";
  EXPECT_EQ(run(s, t0 + 5min, training_outcome::served), training_kind::scratch);
  EXPECT_FALSE(plan(s, t0 + 15min).train) << "the drift is dealt with";
}

TEST(TrainingSchedule, DriftSeenDuringATrainingAsksForAnother) {
  training_schedule s;
  note_started(s, training_kind::scratch, t0);
  note_drift(s);
  note_ended(s, training_outcome::served, t0 + 1s);
  EXPECT_TRUE(plan(s, t0 + 6min).train);
}

TEST(TrainingSchedule, AfterARefusalFromScratchAtTheUsualTime) {
  training_schedule s;
  run(s, t0, training_outcome::refused);
  EXPECT_FALSE(plan(s, t0 + 59min).train);
  EXPECT_EQ(run(s, t0 + 1h, training_outcome::served), training_kind::scratch);
}

TEST(TrainingSchedule, FromScratchOnceADay) {
  training_schedule s;
  instant now = t0;
  run(s, now, training_outcome::served);
  for (int i = 0; i < 24; ++i) EXPECT_EQ(run(s, now += 1h, training_outcome::served), training_kind::incremental);
  EXPECT_EQ(run(s, now += 1h, training_outcome::served), training_kind::scratch);
  EXPECT_EQ(run(s, now += 1h, training_outcome::served), training_kind::incremental);
}

TEST(TrainingSchedule, PausesDoubleUpToSixHours) {
  const std::vector<duration> expected{1min, 2min, 4min, 8min, 16min, 32min, 64min, 128min, 256min, 6h, 6h};
  for (std::uint32_t i = 0; i < expected.size(); ++i) EXPECT_EQ(pause_after(settings, i + 1), expected[i]);
  EXPECT_EQ(pause_after(settings, 4'000'000'000U), 6h);
}

TEST(TrainingSchedule, ATrainingThatAlwaysFailsRunsAtMostThirteenTimesADay) {
  training_schedule s;
  int runs = 0;
  for (instant now = t0; now < t0 + 24h; now += 1s) {
    note_drift(s); // and drift does not shorten the pause
    const training_plan p = plan(s, now);
    if (!p.train) continue;
    ++runs;
    note_started(s, p.kind, now);
    note_ended(s, training_outcome::failed, now);
  }
  EXPECT_LE(runs, 13);
  EXPECT_GE(runs, 10);
}

TEST(TrainingSchedule, OneThatIsNeverHeardOfAgainHasFailed) {
  training_schedule s;
  note_started(s, training_kind::scratch, t0);
  EXPECT_THAT(plan(s, t0 + 10min - 1us).reason, HasSubstr("under way"));
  EXPECT_FALSE(plan(s, t0 + 10min).train) << "now it pauses";
  EXPECT_EQ(s.failures, 1U);
  EXPECT_TRUE(plan(s, t0 + 11min).train);
}

TEST(TrainingSchedule, SuccessEndsTheRowOfFailures) {
  training_schedule s;
  run(s, t0, training_outcome::failed);
  run(s, t0 + 1min, training_outcome::failed);
  EXPECT_EQ(s.failures, 2U);
  run(s, t0 + 3min, training_outcome::served);
  EXPECT_EQ(s.failures, 0U);
  EXPECT_FALSE(plan(s, t0 + 30min).train);
}

TEST(TrainingSchedule, AVoidTrainingIsNeitherSuccessNorFailure) {
  training_schedule s;
  run(s, t0, training_outcome::served);
  const training_schedule before = s;
  note_started(s, training_kind::incremental, t0 + 1h);
  note_void(s);
  EXPECT_EQ(s.failures, before.failures);
  EXPECT_EQ(s.ended, before.ended);
  EXPECT_TRUE(plan(s, t0 + 1h).train) << "the next one need not wait";
}

} // namespace
} // namespace homeostat
