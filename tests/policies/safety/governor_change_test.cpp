// One change from intent to commit, and back when it does not come into force (design §10, I2, I3).
#include "tests/policies/row_name.hpp"
#include "tests/policies/safety/governor_rig.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace homeostat {
namespace {

constexpr auto plus = proposal_kind::apply_plus;

governor_config two_knobs() { return config_of({unit_knob("x"), unit_knob("y")}); }

TEST(Change, GoesThroughIntentAuditActuationAndCommit) {
  governor_rig rig(two_knobs());
  rig.propose({0.55, 0.45});
  ASSERT_EQ(rig.last.records.size(), 1U);
  const audit_record intent = rig.last.records[0];
  EXPECT_EQ(intent.kind, audit_kind::intent);
  EXPECT_EQ(intent.generation, 2U);
  EXPECT_EQ(intent.classification, change_class::proposal);
  EXPECT_EQ(intent.source, "test");
  EXPECT_EQ(intent.actor, "homeostat");
  EXPECT_EQ(intent.evidence, "because");
  EXPECT_EQ(intent.before, (knob_values{0.5, 0.5}));
  EXPECT_EQ(intent.after, (knob_values{0.55, 0.45}));
  EXPECT_EQ(intent.time, rig.now);
  EXPECT_TRUE(rig.last.persist);
  ASSERT_TRUE(rig.last.durable_ticket);
  EXPECT_FALSE(rig.last.apply) << "nothing is applied before its intent is durable";
  EXPECT_EQ(rig.state.live, (knob_values{0.5, 0.5}));

  rig.wait(3ms);
  rig.answer_audit();
  ASSERT_TRUE(rig.last.apply);
  EXPECT_EQ(rig.last.apply->generation, 2U);
  EXPECT_EQ(rig.last.apply->values, (knob_values{0.55, 0.45})) << "all knobs at once";
  EXPECT_FALSE(rig.last.live);
  EXPECT_FALSE(rig.last.verdict);

  rig.wait(2ms);
  rig.answer_actuator();
  ASSERT_EQ(rig.last.records.size(), 1U);
  EXPECT_EQ(rig.last.records[0].kind, audit_kind::committed);
  EXPECT_EQ(rig.last.records[0].generation, 2U);
  EXPECT_EQ(rig.last.records[0].revision, 2U);
  ASSERT_TRUE(rig.last.live);
  EXPECT_EQ(rig.last.live->generation, 2U);
  EXPECT_EQ(rig.last.live->revision, 2U);
  EXPECT_EQ(rig.last.live->applied_at, rig.now);
  EXPECT_EQ(rig.last.live->values, (knob_values{0.55, 0.45}));
  EXPECT_EQ(rig.last.live->base, (knob_values{0.55, 0.45}));
  EXPECT_EQ(rig.last.live->baseline, (knob_values{0.5, 0.5}));
  ASSERT_TRUE(rig.last.verdict && rig.last.verdict->accepted);
  EXPECT_EQ(rig.last.verdict->accepted->generation, 2U);
  EXPECT_EQ(rig.last.verdict->accepted->applied_at, rig.now);
  EXPECT_FALSE(rig.state.pending);
}

TEST(Change, ProbeMovesTheLiveValuesButNotTheBasePoint) {
  governor_rig rig(two_knobs());
  ASSERT_TRUE(rig.change({0.55, 0.45}, plus).accepted);
  EXPECT_EQ(rig.state.live, (knob_values{0.55, 0.45}));
  EXPECT_EQ(rig.state.base, (knob_values{0.5, 0.5}));
  EXPECT_EQ(rig.state.generation, 2U);
  EXPECT_EQ(rig.state.revision, 1U) << "a look is no new revision";
  EXPECT_EQ(rig.announced->base, (knob_values{0.5, 0.5}));
}

TEST(Change, KeepsTheClassificationOfItsPattern) {
  governor_rig rig(two_knobs());
  proposal p = rig.draft({0.55, 0.5});
  p.classification = change_class::auto_tune;
  rig.give(p);
  rig.settle();
  EXPECT_EQ(rig.records_of(audit_kind::intent)[0].classification, change_class::auto_tune);
  EXPECT_EQ(rig.records_of(audit_kind::committed)[0].classification, change_class::auto_tune);
}

TEST(Change, AProposerCannotPassForAPersonOrAGuard) {
  for (change_class claimed : {change_class::operator_change, change_class::rollback}) {
    governor_rig rig(two_knobs());
    proposal p = rig.draft({0.55, 0.5});
    p.classification = claimed;
    rig.give(p);
    ASSERT_EQ(rig.records_of(audit_kind::intent).size(), 1U);
    EXPECT_EQ(rig.records_of(audit_kind::intent)[0].classification, change_class::proposal);
    rig.command(operator_action::pause);
    rig.wait(1s);
    p.base_generation = rig.state.generation;
    rig.give(p);
    ASSERT_TRUE(rig.verdict && rig.verdict->refused);
    EXPECT_EQ(rig.verdict->refused->code, violation_code::in_safe_mode);
  }
}

// ---- the audit refuses
// ---------------------------------------------------------------------------------------------------

TEST(AuditFull, RefusesTheProposalAndChangesNothing) {
  governor_rig rig(two_knobs());
  rig.propose({0.55, 0.5});
  rig.answer_audit(audit_status::full);
  ASSERT_TRUE(rig.last.verdict && rig.last.verdict->refused);
  EXPECT_EQ(rig.last.verdict->refused->code, violation_code::audit_queue_full);
  EXPECT_FALSE(rig.last.apply);
  EXPECT_FALSE(rig.frozen()) << "a full queue drains by itself";
  EXPECT_EQ(rig.state.live, (knob_values{0.5, 0.5}));
  ASSERT_TRUE(rig.change({0.55, 0.5}).accepted);
  EXPECT_EQ(rig.state.generation, 3U) << "the lost number is not used again";
}

TEST(AuditFailed, FreezesTheLoopUntilItsCooldown) {
  governor_rig rig(two_knobs());
  rig.propose({0.55, 0.5});
  rig.answer_audit(audit_status::failed);
  EXPECT_TRUE(rig.frozen_for(safe_mode_reason::audit_unavailable));
  EXPECT_TRUE(rig.verdict->refused);
  rig.tick_after(rig.config.safe_mode.cooldown);
  EXPECT_FALSE(rig.frozen());
  EXPECT_TRUE(rig.change({0.55, 0.5}).accepted);
}

TEST(AuditFull, KeepsARollbackWantedWithItsPerson) {
  governor_rig rig(two_knobs());
  rig.change({0.55, 0.5});
  rig.give(operator_command{.action = operator_action::rollback, .actor = "alice", .text = "smoke", .values = {}});
  rig.answer_audit(audit_status::full);
  EXPECT_TRUE(rig.frozen_for(safe_mode_reason::audit_unavailable)) << "retried after a pause, not in a busy loop";
  EXPECT_FALSE(rig.open_audit);
  rig.tick_after(rig.config.safe_mode.cooldown);
  ASSERT_TRUE(rig.open_audit) << "the rollback begins again";
  rig.settle();
  EXPECT_EQ(rig.state.live, (knob_values{0.5, 0.5}));
  const auto commits = rig.records_of(audit_kind::committed);
  EXPECT_EQ(commits.back().actor, "alice");
  EXPECT_EQ(rig.state.rollbacks.accepted.size(), 0U) << "a person's rollback is not an automatic one";
}

TEST(AuditFull, OfAProposalDoesNotTakeOverAWaitingRollback) {
  governor_rig rig(two_knobs());
  rig.change({0.55, 0.5});
  rig.wait(1s);
  rig.propose({0.6, 0.5});
  rig.give(operator_command{.action = operator_action::rollback, .actor = "alice", .text = "smoke", .values = {}});
  rig.answer_audit(audit_status::full);
  rig.tick_after(rig.config.safe_mode.cooldown);
  rig.settle();
  EXPECT_EQ(rig.state.live, (knob_values{0.5, 0.5}));
  EXPECT_EQ(rig.records_of(audit_kind::intent).back().actor, "alice");
  EXPECT_EQ(rig.records_of(audit_kind::intent).back().evidence, "smoke");
}

// ---- the plant refuses
// ---------------------------------------------------------------------------------------------------

struct failing_answer {
  std::string name;
  bool ok;
  knob_values read_back;
  std::string text; ///< of the violation
};
void PrintTo(const failing_answer& row, std::ostream* out) { *out << row.name; }

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
const std::vector<failing_answer> failing_answers{
    {"Failure", false, {}, "ActuatorFailed"},
    {"FailureThatClaimsSuccessInItsValues", false, {0.55, 0.45}, "ActuatorFailed"},
    {"OldValues", true, {0.5, 0.5}, "ActuatorFailed: knob x: 0.5, asked for 0.55"},
    {"HalfOfIt", true, {0.55, 0.5}, "ActuatorFailed: knob y: 0.5, asked for 0.45"},
    {"OtherValues", true, {0.9, 0.9}, "ActuatorFailed: knob x: 0.9, asked for 0.55"},
    {"NaN", true, {0.55, nan}, "ActuatorFailed: knob y: nan, asked for 0.45"},
    {"TooFewValues", true, {0.55}, "ActuatorFailed"},
    {"TooManyValues", true, {0.55, 0.45, 0.5}, "ActuatorFailed"},
    {"NoValues", true, {}, "ActuatorFailed"},
};

class ActuatorFails : public testing::TestWithParam<failing_answer> {};

TEST_P(ActuatorFails, ChangeIsUndone) {
  governor_rig rig(two_knobs());
  rig.propose({0.55, 0.45});
  rig.answer_audit();
  rig.answer_actuator(GetParam().ok, GetParam().read_back);
  ASSERT_TRUE(rig.last.verdict && rig.last.verdict->refused);
  EXPECT_EQ(describe(*rig.last.verdict->refused), GetParam().text);
  EXPECT_FALSE(rig.last.live) << "nobody may believe in values that nobody has seen";
  const auto aborted = rig.records_of(audit_kind::aborted);
  ASSERT_EQ(aborted.size(), 1U);
  EXPECT_EQ(aborted[0].generation, 2U);
  const audit_record undo = rig.records_of(audit_kind::intent).back();
  EXPECT_EQ(undo.classification, change_class::rollback);
  EXPECT_EQ(undo.source, "undo");
  EXPECT_EQ(undo.after, (knob_values{0.5, 0.5}));
  EXPECT_FALSE(rig.state.live_known);
  rig.settle();
  EXPECT_TRUE(rig.state.live_known);
  EXPECT_EQ(rig.state.live, (knob_values{0.5, 0.5}));
  EXPECT_EQ(rig.plant, (knob_values{0.5, 0.5}));
  EXPECT_EQ(rig.state.generation, 3U);
  EXPECT_FALSE(rig.frozen()) << "one failure that could be undone is no reason to stop";
  rig.wait(1s);
  EXPECT_TRUE(rig.change({0.55, 0.45}).accepted);
}

TEST_P(ActuatorFails, FailingUndoFreezesAndIsTriedAgain) {
  governor_rig rig(two_knobs());
  rig.propose({0.55, 0.45});
  rig.answer_audit();
  rig.answer_actuator(false);
  rig.answer_audit();
  const failing_answer& answer = GetParam();
  knob_values read_back = answer.read_back;
  if (answer.ok && read_back == knob_values{0.5, 0.5}) read_back = {0.55, 0.45}; // what would be right for the undo
  rig.answer_actuator(answer.ok, read_back);
  EXPECT_TRUE(rig.frozen_for(safe_mode_reason::actuator_failing));
  EXPECT_FALSE(rig.open_audit);
  EXPECT_FALSE(rig.state.live_known);
  rig.tick_after(rig.config.safe_mode.cooldown - 1us);
  EXPECT_FALSE(rig.open_audit);
  rig.tick_after(1us);
  ASSERT_TRUE(rig.open_audit);
  rig.settle();
  EXPECT_EQ(rig.plant, (knob_values{0.5, 0.5}));
  EXPECT_FALSE(rig.frozen());
  EXPECT_TRUE(rig.state.live_known);
}

INSTANTIATE_TEST_SUITE_P(Rows, ActuatorFails, testing::ValuesIn(failing_answers), by_name);

TEST(ActuatorFails, ThirdFailureInAMinuteFreezesAlthoughEachCouldBeUndone) {
  governor_rig rig(two_knobs());
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(rig.frozen());
    rig.wait(1s);
    rig.propose({0.55, 0.45});
    rig.answer_audit();
    rig.answer_actuator(false);
    if (i < 2) rig.settle();
  }
  EXPECT_TRUE(rig.frozen_for(safe_mode_reason::actuator_failing));
}

TEST(ActuatorFails, RoundingByThePlantIsNoFailureAndDoesNotCreepIn) {
  knob_spec log = unit_knob("x");
  log.scale = knob_scale::log;
  log.min = 1, log.max = 1e6, log.initial = 1000;
  governor_rig rig(config_of({log}));
  rig.propose({1200});
  rig.answer_audit();
  rig.answer_actuator(true, {1200.001});
  EXPECT_EQ(rig.state.live, (knob_values{1200}));
  EXPECT_EQ(rig.state.base, (knob_values{1200}));
  EXPECT_EQ(rig.records_of(audit_kind::committed)[0].after, (knob_values{1200.001})) << "the audit says what was read";
}

TEST(ActuatorFails, ToleranceIsMeasuredInTheKnobsScale) {
  knob_spec log = unit_knob("x");
  log.scale = knob_scale::log;
  log.min = 1, log.max = 1e6, log.initial = 2;
  governor_rig rig(config_of({log}));
  rig.propose({3});
  rig.answer_audit();
  rig.answer_actuator(true, {60}); // within 0.01 % of the range in the unit, and yet twenty times too much
  ASSERT_TRUE(rig.verdict && rig.verdict->refused);
  EXPECT_EQ(rig.verdict->refused->code, violation_code::actuator_failed);
}

TEST(ActuatorFails, IntegersAreReadBackExactly) {
  knob_spec whole = unit_knob("x");
  whole.type = knob_type::integer;
  whole.max = 1e6, whole.initial = 1000;
  governor_rig rig(config_of({whole}));
  rig.propose({2000});
  rig.answer_audit();
  rig.answer_actuator(true, {2001});
  EXPECT_TRUE(rig.verdict->refused);
}

// ---- late and foreign answers
// --------------------------------------------------------------------------------------------

TEST(LateAnswers, OfOtherTicketsAreIgnored) {
  governor_rig rig(two_knobs());
  rig.propose({0.55, 0.5});
  const std::uint64_t ticket = *rig.open_audit;
  const auto expect_ignored = [&](const governor_input& input) {
    const governor_state before = rig.state;
    rig.give(input);
    EXPECT_EQ(rig.state, before);
    EXPECT_TRUE(rig.last.records.empty());
    EXPECT_FALSE(rig.last.apply || rig.last.live || rig.last.verdict || rig.last.durable_ticket);
  };
  for (std::uint64_t other : {ticket - 1, ticket + 1, std::uint64_t{0}, ~std::uint64_t{0}}) {
    expect_ignored(audit_answer{.ticket = other, .status = audit_status::failed, .text = {}});
    expect_ignored(actuation_answer{.ticket = other, .ok = true, .read_back = {0.55, 0.5}, .text = {}});
  }
  expect_ignored(actuation_answer{.ticket = ticket, .ok = true, .read_back = {0.55, 0.5}, .text = {}});
  rig.answer_audit();
  expect_ignored(audit_answer{.ticket = ticket, .status = audit_status::durable, .text = {}});
  expect_ignored(audit_answer{.ticket = ticket, .status = audit_status::failed, .text = {}});
  rig.answer_actuator();
  EXPECT_EQ(rig.state.live, (knob_values{0.55, 0.5}));
  expect_ignored(actuation_answer{.ticket = ticket, .ok = false, .read_back = {}, .text = {}});
}

TEST(LateAnswers, OfAFailedChangeDoNotConfirmItsUndo) {
  governor_rig rig(two_knobs());
  rig.propose({0.55, 0.5});
  rig.answer_audit();
  const std::uint64_t ticket = rig.open_actuation->ticket;
  rig.answer_actuator(false); // timed out
  rig.answer_audit();
  rig.give(actuation_answer{.ticket = ticket, .ok = true, .read_back = {0.55, 0.5}, .text = "late"});
  EXPECT_FALSE(rig.state.live_known);
  rig.answer_actuator();
  EXPECT_EQ(rig.state.live, (knob_values{0.5, 0.5}));
}

// ---- time
// ----------------------------------------------------------------------------------------------------------------

TEST(Time, BackwardsIsTakenAsStandingStill) {
  governor_rig rig(two_knobs());
  rig.change({0.51, 0.5});
  const instant applied = rig.now;
  rig.now -= 3600s;
  rig.propose({0.52, 0.5});
  ASSERT_TRUE(rig.verdict && rig.verdict->refused);
  EXPECT_EQ(rig.verdict->refused->code, violation_code::rate_limit_exceeded);
  EXPECT_EQ(rig.verdict->refused->retry_at, applied + rig.config.limits.min_interval);
  EXPECT_EQ(rig.state.last_now, applied);
  EXPECT_EQ(rig.records.back().time, applied);
  rig.now = applied + rig.config.limits.min_interval;
  EXPECT_TRUE(rig.change({0.52, 0.5}).accepted);
}

TEST(Time, BackwardsDoesNotShortenSafeMode) {
  governor_rig rig(two_knobs());
  rig.propose({0.55, 0.5});
  rig.answer_audit(audit_status::failed);
  const instant frozen = rig.now;
  rig.now -= 1s;
  rig.tick_after(rig.config.safe_mode.cooldown);
  EXPECT_TRUE(rig.frozen());
  rig.now = frozen + rig.config.safe_mode.cooldown;
  rig.give(tick{});
  EXPECT_FALSE(rig.frozen());
}

// ---- settings of an SRE
// --------------------------------------------------------------------------------------------------

TEST(SreSettings, UnitsPerTenSeconds) {
  std::vector<knob_spec> knobs{unit_knob("pool_size"), unit_knob("timeout_ms"), unit_knob("cache_mb")};
  const std::vector<double> limits{10, 60, 500};
  for (std::size_t i = 0; i < 3; ++i) {
    knobs[i].max = 20 * limits[i];
    knobs[i].initial = 10 * limits[i];
    knobs[i].step_limit = unit_step_limit{.up = limits[i], .down = limits[i]};
  }
  governor_config config = config_of(knobs);
  config.limits.max_updates_per_second = 0.1;
  config.rollback.on_regression = true;
  governor_rig rig(config);
  rig.windows(100, 10);
  ASSERT_TRUE(rig.change({110, 660, 5500}).accepted);
  rig.wait(10s - 1us);
  ASSERT_TRUE(rig.change({120, 660, 5500}).refused);
  EXPECT_EQ(rig.verdict->refused->code, violation_code::rate_limit_exceeded);
  rig.wait(1us);
  ASSERT_TRUE(rig.change({120.5, 660, 5500}).refused);
  EXPECT_EQ(rig.verdict->refused->code, violation_code::delta_too_large);
  ASSERT_TRUE(rig.change({120, 720, 6000}).accepted);
  rig.windows(150, 12); // three verdicts of four windows each
  EXPECT_EQ(rig.state.live, (knob_values{100, 600, 5000})) << "a lasting regression is rolled back";
}

} // namespace
} // namespace homeostat
