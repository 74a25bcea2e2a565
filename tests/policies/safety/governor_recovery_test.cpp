// Starting from what survived a crash (I9, I10, design §3).
#include "tests/policies/row_name.hpp"
#include "tests/policies/safety/governor_rig.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace homeostat {
namespace {

using reason = safe_mode_reason;
constexpr auto plus = proposal_kind::apply_plus;

governor_config two_knobs() { return config_of({unit_knob("x"), unit_knob("y")}); }
const knob_values before{0.5, 0.5}, wanted{0.55, 0.45};

std::vector<std::string> kinds(const std::vector<audit_record>& records) {
  std::vector<std::string> names;
  for (const audit_record& r : records) names.emplace_back(name_of(r.kind));
  return names;
}
using kind_list = std::vector<std::string>;

// ---- with a change in flight
// ---------------------------------------------------------------------------------------------

struct pending_row {
  std::string name;
  std::optional<knob_values> actual;
  kind_list records;
  knob_values live, base;
  std::uint64_t generation;
  std::string frozen_for;
  bool known = true;
};
void PrintTo(const pending_row& row, std::ostream* out) { *out << row.name; }

class RecoverPending : public testing::TestWithParam<pending_row> {
protected:
  static void expect(const governor_rig& rig) {
    const pending_row& row = GetParam();
    EXPECT_EQ(kinds(rig.records), row.records);
    EXPECT_EQ(rig.state.live, row.live);
    EXPECT_EQ(rig.state.base, row.base);
    EXPECT_EQ(rig.state.generation, row.generation);
    EXPECT_EQ(reasons_of(rig.state.safe_mode), row.frozen_for);
    EXPECT_EQ(rig.state.live_known, row.known);
    EXPECT_FALSE(rig.verdict) << "nobody waits for it any more";
    EXPECT_TRUE(rig.last.persist);
    EXPECT_TRUE(rig.state.baseline);
    ASSERT_TRUE(rig.announced);
    EXPECT_EQ(rig.announced->generation, row.generation);
    EXPECT_EQ(rig.announced->frozen, !row.frozen_for.empty());
  }
};

TEST_P(RecoverPending, BeforeItWasApplied) {
  governor_rig rig(two_knobs());
  rig.propose(wanted);
  expect(governor_rig(rig.config, rig.state, GetParam().actual, rig.now + 1s));
}
TEST_P(RecoverPending, WhileItWasApplied) {
  governor_rig rig(two_knobs());
  rig.propose(wanted);
  rig.answer_audit();
  expect(governor_rig(rig.config, rig.state, GetParam().actual, rig.now + 1s));
}
TEST_P(RecoverPending, CountsForTheRate) {
  governor_rig rig(two_knobs());
  rig.propose(wanted);
  rig.answer_audit();
  governor_rig after(rig.config, rig.state, GetParam().actual, rig.now + 1s);
  EXPECT_EQ(events_in(after.state.updates, after.now), 1U);
  EXPECT_EQ(after.state.last_change, after.now);
}

constexpr double inf = std::numeric_limits<double>::infinity();
INSTANTIATE_TEST_SUITE_P(
    Rows, RecoverPending,
    testing::Values(pending_row{"AsWantedIsCommitted", wanted, {"started", "committed"}, wanted, wanted, 2, ""},
                    pending_row{"AsWantedButForRoundingIsCommitted",
                                knob_values{0.55000001, 0.45},
                                {"started", "committed"},
                                wanted,
                                wanted,
                                2,
                                ""},
                    pending_row{"AsBeforeIsAborted", before, {"started", "aborted"}, before, before, 1, ""},
                    pending_row{"HalfDoneIsAbortedAndUndone",
                                knob_values{0.55, 0.5},
                                {"started", "aborted", "intent"},
                                before,
                                before,
                                1,
                                "",
                                false},
                    pending_row{"OtherValuesAreAdopted",
                                knob_values{0.7, 0.7},
                                {"started", "aborted", "drift"},
                                {0.7, 0.7},
                                {0.7, 0.7},
                                3,
                                ""},
                    pending_row{"OutOfBoundsFreezesForAPerson",
                                knob_values{0.7, 7},
                                {"started", "aborted", "drift", "safe_mode_entered"},
                                {0.7, 7},
                                {0.7, 7},
                                3,
                                "Manual"},
                    pending_row{"NoAnswerFreezes",
                                std::nullopt,
                                {"started", "aborted", "safe_mode_entered"},
                                before,
                                before,
                                1,
                                "ActuatorFailing",
                                false},
                    pending_row{"NoNumbersAreNoAnswer",
                                knob_values{0.55, inf},
                                {"started", "aborted", "safe_mode_entered"},
                                before,
                                before,
                                1,
                                "ActuatorFailing",
                                false},
                    pending_row{"TooFewValuesAreNoAnswer",
                                knob_values{0.55},
                                {"started", "aborted", "safe_mode_entered"},
                                before,
                                before,
                                1,
                                "ActuatorFailing",
                                false}),
    by_name);

TEST(RecoverPending, HalfDoneIsUndoneOnAllKnobs) {
  governor_rig rig(two_knobs());
  rig.propose(wanted);
  rig.answer_audit();
  governor_rig after(rig.config, rig.state, knob_values{0.55, 0.5}, rig.now + 1s);
  after.settle();
  EXPECT_EQ(after.plant, before);
  EXPECT_TRUE(after.state.live_known);
  after.wait(1s);
  EXPECT_TRUE(after.change(wanted).accepted);
}

TEST(RecoverPending, ProbeInForceIsTakenBack) {
  governor_rig rig(two_knobs());
  rig.propose(wanted, plus);
  rig.answer_audit();
  governor_rig after(rig.config, rig.state, wanted, rig.now + 1s);
  EXPECT_EQ(after.state.generation, 2U);
  after.settle();
  EXPECT_EQ(after.plant, before);
  EXPECT_EQ(after.state.revision, 1U);
}

TEST(RecoverPending, RollbackIsCarriedOn) {
  governor_rig rig(two_knobs());
  rig.change(wanted);
  rig.give(operator_command{.action = operator_action::rollback, .actor = "alice", .text = {}, .values = {}});
  rig.answer_audit();
  governor_rig after(rig.config, rig.state, wanted, rig.now + 1s);
  after.settle();
  EXPECT_EQ(after.plant, before);
  EXPECT_EQ(after.records_of(audit_kind::intent).back().actor, "alice");
}

TEST(RecoverPending, UnansweredPlantIsRestoredAfterTheCooldown) {
  governor_rig rig(two_knobs());
  rig.propose(wanted);
  rig.answer_audit();
  governor_rig after(rig.config, rig.state, std::nullopt, rig.now + 1s);
  after.tick_after(after.config.safe_mode.cooldown);
  after.settle();
  EXPECT_EQ(after.plant, before);
  EXPECT_FALSE(after.frozen());
}

// ---- at rest
// -------------------------------------------------------------------------------------------------------------

TEST(RecoverResting, AsItWas) {
  governor_rig rig(two_knobs());
  rig.change(wanted);
  governor_rig after(rig.config, rig.state, wanted, rig.now + 1s);
  EXPECT_EQ(kinds(after.records), (kind_list{"started"}));
  EXPECT_EQ(after.state.generation, 2U);
  EXPECT_EQ(after.announced->values, wanted);
}

TEST(RecoverResting, ProbeIsTakenBack) {
  governor_rig rig(two_knobs());
  rig.change(wanted, plus);
  governor_rig after(rig.config, rig.state, wanted, rig.now + 1s);
  after.settle();
  EXPECT_EQ(after.plant, before);
}

TEST(RecoverResting, DriftIsAdoptedWithANewGenerationAndRevision) {
  governor_rig rig(two_knobs());
  rig.change(wanted);
  governor_rig after(rig.config, rig.state, knob_values{0.9, 0.9}, rig.now + 1s);
  ASSERT_EQ(kinds(after.records), (kind_list{"started", "drift"}));
  const audit_record& drift = after.records[1];
  EXPECT_EQ(drift.generation, 3U);
  EXPECT_EQ(drift.revision, 3U);
  EXPECT_EQ(drift.classification, change_class::drift_capture);
  EXPECT_EQ(drift.before, wanted);
  EXPECT_EQ(drift.after, (knob_values{0.9, 0.9}));
  EXPECT_EQ(after.announced->values, (knob_values{0.9, 0.9}));
  EXPECT_NEAR(cumulative_delta(after.state.movement[0], after.now), 0.05 + 0.35, 1e-9)
      << "it uses up the minute's budget";
  EXPECT_TRUE(after.actuations.empty()) << "never reverted in silence";
}

TEST(RecoverResting, DriftOutOfBoundsWaitsForAPerson) {
  governor_rig rig(two_knobs());
  governor_rig after(rig.config, rig.state, knob_values{7, 0.5}, rig.now + 1s);
  EXPECT_TRUE(after.frozen_for(reason::manual));
  EXPECT_FALSE(after.command(operator_action::resume).ok);
  EXPECT_TRUE(after.command(operator_action::rollback).ok);
  EXPECT_EQ(after.plant, before) << "the operator's rollback is not lost on a plant that already should be there";
  EXPECT_TRUE(after.command(operator_action::resume).ok);
}

TEST(RecoverResting, LimitsComeFromTodaysConfiguration) {
  governor_rig rig(two_knobs());
  for (int i = 0; i < 5; ++i, rig.wait(100ms)) rig.change({0.5 + 0.01 * (i + 1), 0.5});
  governor_config stricter = rig.config;
  stricter.limits.max_updates_per_second = 2;
  governor_rig after(stricter, rig.state, rig.plant, rig.now);
  EXPECT_EQ(after.change({0.51, 0.5}).refused->code, violation_code::rate_limit_exceeded);
}

TEST(RecoverResting, NarrowerBoundsForbidTheOldBaseline) {
  governor_rig rig(two_knobs());
  governor_config narrower = rig.config;
  narrower.knobs[0].min = 0.6, narrower.knobs[0].initial = 0.7;
  governor_rig after(narrower, rig.state, rig.plant, rig.now + 1s);
  EXPECT_EQ(after.state.baseline->values, (knob_values{0.7, 0.5}));
  EXPECT_EQ(after.records_of(audit_kind::baseline_set).size(), 1U);
  EXPECT_TRUE(after.frozen_for(reason::manual)) << "the live value is out of bounds now";
  after.command(operator_action::rollback);
  EXPECT_EQ(after.plant, (knob_values{0.7, 0.5}));
}

TEST(RecoverResting, EndsAShutdownThatWasInterrupted) {
  governor_rig rig(two_knobs());
  rig.give(stop_request{});
  governor_rig after(rig.config, rig.state, rig.plant, rig.now + 1s);
  after.wait(1s);
  EXPECT_TRUE(after.change(wanted).accepted);
}

// ---- first start
// ---------------------------------------------------------------------------------------------------------

TEST(FirstStart, FindsTheDefaults) {
  governor_rig rig(two_knobs());
  EXPECT_EQ(kinds(rig.records), (kind_list{"started"}));
  EXPECT_EQ(rig.state.generation, 1U);
  EXPECT_EQ(rig.state.baseline->name, "default");
  EXPECT_EQ(rig.state.baseline->values, before);
  EXPECT_EQ(rig.announced->values, before);
}

TEST(FirstStart, AdoptsWhatThePlantHas) {
  const governor_config config = two_knobs();
  governor_rig rig(config, std::nullopt, knob_values{0.8, 0.2}, instant(1'800'000'000s));
  EXPECT_EQ(kinds(rig.records), (kind_list{"started", "drift"}));
  EXPECT_EQ(rig.state.base, (knob_values{0.8, 0.2}));
  EXPECT_EQ(rig.state.baseline->values, before);
  EXPECT_FALSE(rig.frozen());
  rig.command(operator_action::rollback);
  EXPECT_EQ(rig.plant, before);
}

TEST(FirstStart, NeverWritesToAPlantItHasNotRead) {
  governor_rig rig(two_knobs(), std::nullopt, std::nullopt, instant(1'800'000'000s));
  EXPECT_TRUE(rig.frozen_for(reason::actuator_failing));
  rig.tick_after(1h);
  EXPECT_TRUE(rig.actuations.empty());
  EXPECT_TRUE(rig.frozen());
  governor_rig stopping(rig.config, std::nullopt, std::nullopt, rig.now);
  stopping.give(stop_request{.revert = true});
  EXPECT_TRUE(stopping.last.stopped) << "not even to stop it in good order";
  EXPECT_FALSE(stopping.open_audit);
  governor_rig again(rig.config, rig.state, knob_values{0.8, 0.2}, rig.now + 1s);
  EXPECT_FALSE(again.frozen()) << "it answers now";
  EXPECT_EQ(again.state.base, (knob_values{0.8, 0.2}));
  EXPECT_TRUE(again.state.live_known);
}

TEST(FirstStart, ReadsAgainUntilThePlantAnswers) {
  governor_rig rig(two_knobs(), std::nullopt, std::nullopt, instant(1'800'000'000s));
  rig.tick_after(rig.config.safe_mode.cooldown - 1us);
  EXPECT_FALSE(rig.last.read_plant);
  rig.tick_after(1us);
  EXPECT_TRUE(rig.last.read_plant);
  rig.give(plant_reading{std::nullopt});
  EXPECT_TRUE(rig.frozen_for(reason::actuator_failing));
  rig.tick_after(rig.config.safe_mode.cooldown);
  EXPECT_TRUE(rig.last.read_plant) << "once a cooldown, for ever";
  rig.give(plant_reading{knob_values{0.8, 0.2}});
  EXPECT_FALSE(rig.frozen());
  EXPECT_EQ(rig.state.base, (knob_values{0.8, 0.2})) << "adopted, not written over";
  EXPECT_TRUE(rig.actuations.empty());
  rig.give(plant_reading{knob_values{0.1, 0.1}});
  EXPECT_EQ(rig.state.base, (knob_values{0.8, 0.2})) << "nobody asked";
}

TEST(FirstStart, APersonCannotEndSafeModeBeforeThePlantAnswers) {
  governor_rig rig(two_knobs(), std::nullopt, std::nullopt, instant(1'800'000'000s));
  rig.command(operator_action::reset_safe_mode);
  EXPECT_TRUE(rig.last.read_plant);
  EXPECT_FALSE(rig.answer->ok);
  EXPECT_TRUE(rig.actuations.empty());
  rig.give(plant_reading{before});
  EXPECT_FALSE(rig.frozen());
  EXPECT_TRUE(rig.state.live_known);
}

TEST(Drift, ThatIsOnlyThePlantsRoundingIsTheAdmissibleValueItCameFrom) {
  knob_spec stepped = unit_knob("y");
  stepped.step = 0.1;
  const governor_config config = config_of({unit_knob("x"), stepped});
  const knob_values found{1.00000001, 0.30000001192092896};
  governor_rig rig(config, std::nullopt, found, instant(1'800'000'000s));
  EXPECT_FALSE(rig.frozen()) << "a float is not an override";
  EXPECT_EQ(rig.state.base[0], 1.0);
  EXPECT_EQ(rig.state.base[1], 0.30000001192092896) << "near enough to the grid already";
  EXPECT_TRUE(governor_rig(config, std::nullopt, knob_values{1.01, 0.3}, rig.now).frozen()) << "and this is one";
}

// ---- another set of knobs
// ------------------------------------------------------------------------------------------------

TEST(OtherKnobs, NumbersGoOnAndValuesStartAgain) {
  governor_rig rig(two_knobs());
  rig.change(wanted);
  rig.wait(1s);
  rig.propose({0.6, 0.4}); // generation 3 is used up
  const std::uint64_t ticket = *rig.open_audit;
  governor_rig after(config_of({unit_knob("x")}), rig.state, knob_values{0.5}, rig.now + 1s);
  EXPECT_EQ(kinds(after.records), (kind_list{"started", "aborted"}));
  EXPECT_EQ(after.state.generation, 4U);
  EXPECT_EQ(after.state.revision, 3U);
  EXPECT_GE(after.state.last_ticket, ticket);
  EXPECT_EQ(after.state.base, (knob_values{0.5}));
  EXPECT_EQ(after.state.baseline->revision, 3U);
  EXPECT_FALSE(after.state.pending);
  EXPECT_FALSE(after.open_audit);
  after.wait(1s);
  EXPECT_TRUE(after.change({0.55}).accepted);
}

TEST(OtherKnobs, SetNoFrozenLoopFree) {
  governor_rig rig(two_knobs());
  rig.change(wanted);
  rig.command(operator_action::pause);
  governor_rig after(config_of({unit_knob("x")}), rig.state, knob_values{0.5}, rig.now);
  EXPECT_TRUE(after.frozen_for(reason::manual));
  EXPECT_EQ(after.state.last_change, rig.state.last_change);
  EXPECT_EQ(after.state.updates, rig.state.updates);
}

// A plant that begins with what its configuration says has begun anew when that has changed.
TEST(OtherOrigin, NumbersGoOnAndValuesStartAgain) {
  governor_config config = two_knobs();
  config.origin = "first";
  governor_rig rig(config);
  rig.change(wanted);
  EXPECT_EQ(governor_rig(config, rig.state, wanted, rig.now + 1s).state.base, wanted) << "the same origin";
  config.origin = "second";
  config.knobs[0].initial = 0.7;
  governor_rig after(config, rig.state, initial_values(config.knobs), rig.now + 1s);
  EXPECT_EQ(kinds(after.records), kind_list{"started"}) << "no drift";
  EXPECT_EQ(after.state.base, initial_values(config.knobs));
  EXPECT_EQ(after.state.baseline->values, initial_values(config.knobs)) << "no rollback leads to the old configuration";
  EXPECT_GT(after.state.generation, rig.state.last_generation);
  EXPECT_GT(after.state.revision, rig.state.revision);
  governor_rig again(config, after.state, initial_values(config.knobs), after.now + 1s);
  EXPECT_EQ(again.state.revision, after.state.revision) << "only once";
}

// ---- the clock
// -----------------------------------------------------------------------------------------------------------

class ClockSetBack : public testing::TestWithParam<std::int64_t> {};

// Whatever was left to wait is still left, to the microsecond; sums and flips of the last minute still count.
TEST_P(ClockSetBack, TimersAreNeverShorter) {
  const duration by = std::chrono::microseconds(GetParam());
  governor_config config = two_knobs();
  config.limits.max_updates_per_second = 0.1;
  governor_rig rig(config);
  rig.change({0.6, 0.5});
  rig.wait(300ms);
  rig.propose({0.65, 0.5});
  rig.wait(1234567us);
  rig.command(operator_action::rollback);
  rig.propose(wanted);
  const instant crash = rig.state.last_now;
  const governor_state old = rig.state;
  governor_rig after(config, old, rig.plant, crash - by);
  const auto left = [](std::optional<instant> at, instant now) { return at ? (*at - now).count() : -1; };
  EXPECT_EQ(left(next_allowed(after.state.updates, after.now), after.now),
            left(next_allowed(old.updates, crash), crash));
  EXPECT_EQ(left(after.state.stable_until, after.now), left(old.stable_until, crash));
  EXPECT_EQ(left(after.state.last_change, after.now), left(old.last_change, crash));
  EXPECT_EQ(after.state.last_now, crash - by);
  for (duration later : {duration(0s), duration(30s), duration(59s)})
    EXPECT_GE(cumulative_delta(after.state.movement[0], after.now + later),
              cumulative_delta(old.movement[0], crash + later));
}
INSTANTIATE_TEST_SUITE_P(Jumps, ClockSetBack,
                         testing::Values(1, 999'999, 1'000'000, 1'500'000, 61'000'000, 3'600'000'001,
                                         86'400'000'000 * 365));

TEST(ClockSetBack, FreezesAreAsLongAsBefore) {
  governor_rig rig(two_knobs());
  rig.propose(wanted);
  rig.answer_audit(audit_status::failed);
  rig.tick_after(20s);
  governor_rig after(rig.config, rig.state, rig.plant, rig.now - 1h);
  after.tick_after(40s - 1us);
  EXPECT_TRUE(after.frozen());
  after.tick_after(1us);
  EXPECT_FALSE(after.frozen());
}

TEST(ClockSetForward, OnlyLetsTimersEnd) {
  governor_rig rig(two_knobs());
  rig.change(wanted);
  governor_rig after(rig.config, rig.state, rig.plant, rig.now + 24h);
  EXPECT_EQ(after.state.last_change, rig.now);
  EXPECT_TRUE(after.change({0.6, 0.4}).accepted);
}

} // namespace
} // namespace homeostat
