// What the engine makes of other people's changes, of refusals and of silence.
#include "tests/policies/search/lone_engine.hpp"

namespace homeostat {
namespace {

// ---- other people's changes
// ----------------------------------------------------------------------------------------------

TEST(EngineForeign, AChangeByOthersEndsThePerturbation) {
  lone_engine e(settings_of({unit_knob()}));
  e.accept(*e.perturb(101, 99).ask);
  e.accept(*e.next().ask);
  e.window(5);
  e.foreign_change({0.8});
  EXPECT_EQ(e.state.spsa.phase, spsa_phase::ready);
  EXPECT_EQ(e.state.gradient[0], 0) << "it was about another place";
  EXPECT_EQ(e.state.base, (knob_values{0.8}));
  const proposal plus = *e.next().ask;
  EXPECT_EQ(plus.kind, proposal_kind::apply_plus);
  EXPECT_NEAR(std::abs(plus.values[0] - 0.8), perturbation_scale_at(e.settings.spsa, 1), 1e-9);
  EXPECT_EQ(plus.base_generation, e.state.generation);
}

TEST(EngineForeign, AnAnnouncementOfTheSameGenerationEndsNothing) {
  lone_engine e(settings_of({unit_knob()}));
  e.accept(*e.next().ask);
  const engine_state before = e.state;
  e.tell_live();
  EXPECT_EQ(e.state, before);
}

TEST(EngineForeign, TheVerdictOfAnEndedProposalIsLate) {
  lone_engine e(settings_of({unit_knob()}));
  const proposal plus = *e.next().ask;
  e.foreign_change({0.8});
  const engine_state before = e.state;
  e.refuse(plus, violation_code::stale_generation);
  EXPECT_EQ(e.state, before);
}

TEST(EngineForeign, VerdictsOfOtherProposalsAreIgnored) {
  lone_engine e(settings_of({unit_knob()}));
  proposal plus = *e.next().ask;
  const engine_state before = e.state;
  plus.id += 1;
  e.refuse(plus, violation_code::delta_too_large);
  EXPECT_EQ(e.state, before);
}

TEST(EngineForeign, ANewBaselineIsTheCentreOfTheDistanceCap) {
  lone_engine e(settings_of({unit_knob()}));
  live_configuration live{.generation = 1,
                          .revision = 1,
                          .applied_at = t0,
                          .values = {0.5},
                          .base = {0.5},
                          .frozen = false,
                          .baseline = {0.9}};
  on_live(e.state, e.settings, live, t0);
  EXPECT_EQ(e.state.baseline, (knob_values{0.9}));
}

TEST(EngineFrozen, AsksNothingAndStartsAfresh) {
  lone_engine e(settings_of({unit_knob()}));
  e.accept(*e.next().ask);
  e.freeze(true);
  EXPECT_EQ(e.next().reason, no_change_reason::frozen);
  EXPECT_FALSE(e.next().ask);
  e.window(5);
  EXPECT_EQ(e.state.spsa.recorded, 0U);
  e.freeze(false);
  EXPECT_EQ(e.next().ask->kind, proposal_kind::apply_plus);
}

// ---- refusals
// ------------------------------------------------------------------------------------------------------------

TEST(EngineRefused, ByTheRateItAsksTheSameAgainAtThatTime) {
  lone_engine e(settings_of({unit_knob()}));
  const proposal plus = *e.next().ask;
  const instant retry = e.now + 3600s;
  e.refuse(plus, violation_code::rate_limit_exceeded, retry);
  e.now = retry - 1us;
  const engine_decision waiting = e.next();
  EXPECT_EQ(waiting.reason, no_change_reason::holding);
  EXPECT_EQ(waiting.look_again, retry);
  e.now = retry;
  EXPECT_EQ(*e.next().ask, plus);
}

TEST(EngineRefused, ByTheRateOnTheSecondSideItKeepsTheFirst) {
  lone_engine e(settings_of({unit_knob()}));
  e.accept(*e.next().ask);
  e.window(11);
  const proposal minus = *e.next().ask;
  e.refuse(minus, violation_code::rate_limit_exceeded, e.now + 100s);
  e.now += 100s;
  EXPECT_EQ(*e.next().ask, minus);
  e.accept(minus);
  e.window(9);
  EXPECT_EQ(e.next().ask->evidence, "y+ 11, y- 9");
}

TEST(EngineRefused, ByAFullAuditItAsksAgainAfterAPause) {
  lone_engine e(settings_of({unit_knob()}));
  const proposal plus = *e.next().ask;
  e.refuse(plus, violation_code::audit_queue_full);
  EXPECT_EQ(e.next().look_again, e.now + e.settings.retry_pause);
  e.now += e.settings.retry_pause;
  EXPECT_EQ(e.next().ask->values, plus.values);
}

TEST(EngineRefused, OtherwiseItBeginsAnewAfterAPause) {
  for (violation_code code :
       {violation_code::delta_too_large, violation_code::cumulative_delta, violation_code::stale_revision,
        violation_code::cooldown_active, violation_code::actuator_failed}) {
    lone_engine e(settings_of({unit_knob()}));
    const proposal plus = *e.next().ask;
    e.refuse(plus, code);
    EXPECT_EQ(e.next().reason, no_change_reason::holding);
    e.now += e.settings.retry_pause;
    const proposal next = *e.next().ask;
    EXPECT_EQ(next.kind, proposal_kind::apply_plus);
    EXPECT_NE(next.id, plus.id);
  }
}

TEST(EngineRefused, AnUpdateThatWasNotAppliedLeavesNoTraceInTheBasePoint) {
  lone_engine e(settings_of({unit_knob()}));
  const proposal update = *e.perturb(1000, 1).ask;
  EXPECT_NE(e.state.base_position[0], 0.5) << "it aims there";
  e.refuse(update, violation_code::actuator_failed);
  EXPECT_EQ(e.state.base_position, (std::vector<double>{0.5}));
  EXPECT_EQ(e.state.base, (knob_values{0.5}));
}

TEST(EngineRefused, AFreezeInstead0fAVerdictLeavesNoTraceEither) {
  lone_engine e(settings_of({unit_knob()}));
  (void)*e.perturb(1000, 1).ask;
  e.freeze(true);
  e.freeze(false);
  EXPECT_EQ(e.state.base_position, (std::vector<double>{0.5}));
}

TEST(EngineNoAnswer, HoldsAndBeginsAnew) {
  lone_engine e(settings_of({unit_knob()}));
  (void)*e.perturb(1000, 1).ask;
  on_no_answer(e.state, e.settings, e.now);
  EXPECT_EQ(e.next().reason, no_change_reason::holding);
  EXPECT_EQ(e.state.base_position, (std::vector<double>{0.5}));
  e.now += e.settings.retry_pause;
  EXPECT_EQ(e.next().ask->kind, proposal_kind::apply_plus);
}

// What the governor counts, and this engine has not seen, would else freeze the loop again and again.
TEST(EngineRefused, AFlipItDidNotKnowOfIsNotAskedForAgain) {
  lone_engine e(settings_of({unit_knob()}));
  const proposal update = *e.perturb(120, 100).ask;
  ASSERT_EQ(update.kind, proposal_kind::update);
  const bool down = update.values[0] < 0.5;
  on_verdict(e.state, e.settings,
             {.proposal_id = update.id,
              .accepted = {},
              .refused = violation{.code = violation_code::direction_flip, .knob = "x", .retry_at = {}}},
             e.now);
  e.now += e.settings.retry_pause;
  for (int i = 0; i < 10; ++i) {
    const double base = e.state.base[0];
    const proposal p = *e.next().ask;
    e.accept(p);
    if (is_probe(p.kind))
      e.window((p.values[0] < base) == down ? 100 : 120);
    else
      EXPECT_LE(std::abs(p.values[0] - base), e.settings.limits.flip_deadband + 1e-9) << "no move with a direction";
  }
  e.now += 61s;
  double farthest = 0;
  for (int i = 0; i < 6; ++i) {
    const double base = e.state.base[0];
    const proposal p = *e.next().ask;
    e.accept(p);
    if (is_probe(p.kind))
      e.window((p.values[0] < base) == down ? 100 : 120);
    else
      farthest = std::max(farthest, std::abs(p.values[0] - base));
  }
  EXPECT_GT(farthest, e.settings.limits.flip_deadband) << "a minute later";
}

} // namespace
} // namespace homeostat
