// What the engine asks for, and what it makes of the windows that come.
#include "tests/policies/search/lone_engine.hpp"

namespace homeostat {
namespace {

// ---- the cycle
// -----------------------------------------------------------------------------------------------------------

TEST(Engine, WaitsUntilTheLiveConfigurationIsKnown) {
  const engine_settings settings = settings_of({unit_knob()});
  engine_state s = fresh_engine(settings, 1, initial_values(settings.knobs));
  EXPECT_EQ(next_proposal(s, settings, t0).reason, no_change_reason::not_live);
}

TEST(Engine, ProbesBothSidesAndMovesDownhill) {
  lone_engine e(settings_of({unit_knob("x"), unit_knob("y")}));
  const proposal plus = *e.next().ask;
  EXPECT_EQ(plus.kind, proposal_kind::apply_plus);
  EXPECT_EQ(plus.base_generation, 1U);
  EXPECT_EQ(plus.base_revision, 1U);
  const knob_values direction = e.state.spsa.direction;
  for (std::size_t i = 0; i < 2; ++i) EXPECT_NEAR(plus.values[i], 0.5 + 0.05 * direction[i], 1e-12);
  EXPECT_EQ(e.next().reason, no_change_reason::waiting_for_verdict);
  e.accept(plus);
  EXPECT_EQ(e.next().reason, no_change_reason::waiting_for_window);
  e.window(11);
  const proposal minus = *e.next().ask;
  EXPECT_EQ(minus.kind, proposal_kind::apply_minus);
  EXPECT_EQ(minus.base_generation, 2U);
  for (std::size_t i = 0; i < 2; ++i) EXPECT_NEAR(minus.values[i], 0.5 - 0.05 * direction[i], 1e-12);
  e.accept(minus);
  e.window(9);
  const proposal update = *e.next().ask;
  EXPECT_EQ(update.kind, proposal_kind::update);
  EXPECT_EQ(update.evidence, "y+ 11, y- 9");
  ASSERT_EQ(update.gradient.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_GT(update.gradient[i] * direction[i], 0) << "plus was worse";
    EXPECT_LT((update.values[i] - 0.5) * direction[i], 0) << "so it goes the other way";
  }
  e.accept(update);
  EXPECT_EQ(e.state.updates, 1U);
  EXPECT_EQ(e.next().ask->kind, proposal_kind::apply_plus);
}

TEST(Engine, StepIsTheLearningRateTimesTheRelativeGradient) {
  engine_settings settings = settings_of({unit_knob()});
  settings.gradient_memory = 0;
  lone_engine e(settings);
  const proposal update = *e.perturb(101, 99).ask;
  // Both windows make the size 0.8 * 101 + 0.2 * 99 = 100.6; the sides are 0.1 of the range apart.
  const double gradient = 2 / 100.6 / 0.1 * e.state.spsa.direction[0];
  EXPECT_NEAR(update.gradient[0], gradient, 1e-9);
  EXPECT_NEAR(update.values[0], 0.5 - learning_rate_at(settings.spsa, 0) * gradient, 1e-9);
}

TEST(Engine, LargeGradientsAreCutToTheStepLimit) {
  lone_engine e(settings_of({unit_knob()}));
  const proposal update = *e.perturb(1000, 1).ask;
  EXPECT_NEAR(std::abs(update.values[0] - 0.5), 0.1, 1e-9);
  engine_settings careful = settings_of({unit_knob()});
  careful.spsa.max_step = 0.03;
  lone_engine c(careful);
  EXPECT_NEAR(std::abs(c.perturb(1000, 1).ask->values[0] - 0.5), 0.03, 1e-9);
}

TEST(Engine, UsesTheGradientsBefore) {
  engine_settings settings = settings_of({unit_knob()});
  settings.gradient_memory = 0.5;
  lone_engine e(settings);
  e.accept(*e.perturb(101, 99).ask);
  const double first = e.state.gradient[0];
  const engine_decision decision = e.perturb(100, 100);
  EXPECT_NEAR(e.state.gradient[0], first / 2, 1e-12);
  EXPECT_TRUE(decision.ask);
}

// ---- the gate
// ------------------------------------------------------------------------------------------------------------

TEST(EngineGate, ADifferenceInsideTheNoiseMovesNothing) {
  lone_engine e(settings_of({unit_knob()}));
  // Variance 5 over 5 digests on each side: the standard error of the difference is sqrt(2).
  const engine_decision decision = e.perturb(101.4, 100, 5);
  ASSERT_TRUE(decision.ask);
  EXPECT_EQ(decision.ask->kind, proposal_kind::apply_plus) << "on to the next perturbation";
  EXPECT_EQ(decision.reason, no_change_reason::insufficient_evidence);
  EXPECT_EQ(e.state.held_back, 1U);
}

TEST(EngineGate, ADifferenceBeyondTheNoiseMoves) {
  lone_engine e(settings_of({unit_knob()}));
  EXPECT_EQ(e.perturb(101.5, 100, 5).ask->kind, proposal_kind::update);
  EXPECT_EQ(e.state.held_back, 0U);
}

TEST(EngineGate, CanBeSwitchedOff) {
  engine_settings settings = settings_of({unit_knob()});
  settings.evidence_limit = 0;
  lone_engine e(settings);
  EXPECT_EQ(e.perturb(100.001, 100, 1000).ask->kind, proposal_kind::update);
}

TEST(EngineGate, MoreWindowsOnASideMakeItsMeanSurer) {
  engine_settings settings = settings_of({unit_knob()});
  settings.spsa.windows_per_probe = 4;
  lone_engine e(settings);
  e.accept(*e.next().ask);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(e.next().reason, no_change_reason::waiting_for_window);
    e.window(100.8, 5);
  }
  e.accept(*e.next().ask);
  for (int i = 0; i < 4; ++i) e.window(100, 5);
  // The standard error is sqrt(2) / 2 now.
  EXPECT_EQ(e.next().ask->kind, proposal_kind::update);
}

// ---- windows
// -------------------------------------------------------------------------------------------------------------

TEST(EngineWindows, OfOtherGenerationsAreIgnored) {
  lone_engine e(settings_of({unit_knob()}));
  e.accept(*e.next().ask);
  const engine_state before = e.state;
  for (std::int64_t off : {-1, 1, 100}) e.window(1, 0, off);
  EXPECT_EQ(e.state, before);
  e.window(1);
  EXPECT_NE(e.state, before);
}

TEST(EngineWindows, ThatNobodyWaitsForAreIgnored) {
  lone_engine e(settings_of({unit_knob()}));
  const engine_state fresh = e.state;
  e.window(1);
  EXPECT_EQ(e.state, fresh);
  const proposal plus = *e.next().ask;
  const engine_state asking = e.state;
  e.window(1);
  EXPECT_EQ(e.state, asking);
  e.accept(plus);
  e.window(1);
  const engine_state satisfied = e.state;
  e.window(2);
  EXPECT_EQ(e.state, satisfied);
}

TEST(EngineWindows, ThatAreNoNumbersAreIgnored) {
  lone_engine e(settings_of({unit_knob()}));
  e.accept(*e.next().ask);
  const engine_state before = e.state;
  for (double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(), -1e300}) {
    e.window(bad);
    e.window(1, bad);
  }
  EXPECT_EQ(e.state, before);
}

} // namespace
} // namespace homeostat
