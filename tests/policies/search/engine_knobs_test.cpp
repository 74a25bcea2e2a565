// Kinds of knobs, replay, and what an engine goes on from.
#include "tests/policies/search/lone_engine.hpp"

namespace homeostat {
namespace {

// ---- kinds of knobs
// ------------------------------------------------------------------------------------------------------

TEST(EngineKnobs, SmallStepsOfAnIntegerAddUp) {
  engine_settings settings = settings_of({integer_knob(10, 5)});
  settings.limits.max_delta_per_step = 0.2;
  settings.gradient_memory = 0;
  settings.spsa.last_decay = 0;
  lone_engine e(settings);
  // The true slope is +1 % of the objective per step of the integer: the base point must sink, though one update is a
  // fraction of a step.
  int updates = 0, perturbations = 0;
  while (e.state.base[0] > 3 && perturbations < 100) {
    ++perturbations;
    for (engine_decision d = e.next();;) {
      if (!d.ask) break;
      const proposal p = *d.ask;
      e.accept(p);
      if (p.kind == proposal_kind::update) {
        EXPECT_NEAR(std::abs(p.values[0] - 5) + 0.0, std::abs(p.values[0] - 5), 0);
        ++updates;
        break;
      }
      e.window(100 + p.values[0]);
      if (p.kind == proposal_kind::apply_minus) break;
      d = e.next();
    }
  }
  EXPECT_EQ(e.state.base[0], 3);
  EXPECT_EQ(updates, 2) << "one update for each step of the knob";
  EXPECT_GT(perturbations, 10);
}

TEST(EngineKnobs, ProbesOfACoarseKnobShowSomething) {
  for (double max : {3.0, 8.0, 9.0, 12.0, 25.0, 1000.0})
    for (double initial : {0.0, 1.0, 2.0, 3.0}) {
      engine_settings settings = settings_of({integer_knob(max, initial)});
      settings.limits.max_delta_per_step = 0.4;
      settings.spsa.perturbation_scale = 0.1;
      lone_engine e(settings);
      for (int i = 0; i < 20; ++i) {
        const proposal plus = *e.next().ask;
        e.accept(plus);
        e.window(1);
        const proposal minus = *e.next().ask;
        EXPECT_NE(plus.values, minus.values) << max << " from " << initial;
        for (const proposal& p : {plus, minus}) EXPECT_TRUE(is_admissible(settings.knobs[0], p.values[0]));
        e.foreign_change({initial});
      }
    }
}

TEST(EngineKnobs, ProbesStayInsideUnitLimits) {
  knob_spec knob = unit_knob();
  knob.max = 1000, knob.initial = 500;
  knob.step_limit = unit_step_limit{.up = 10, .down = 4};
  lone_engine e(settings_of({knob}));
  for (int i = 0; i < 20; ++i) {
    const proposal p = *e.next().ask;
    EXPECT_TRUE(std::abs(p.values[0] - 510) < 1e-9 || std::abs(p.values[0] - 496) < 1e-9) << p.values[0];
    e.foreign_change({500});
  }
}

TEST(EngineKnobs, NothingIsProbedBeyondTheBounds) {
  knob_spec low = unit_knob("low"), high = unit_knob("high");
  low.initial = 0, high.initial = 1;
  lone_engine e(settings_of({low, high}));
  for (int i = 0; i < 50; ++i) {
    const engine_decision d = e.perturb(100 + i, 50);
    ASSERT_TRUE(d.ask);
    for (std::size_t k = 0; k < 2; ++k) {
      EXPECT_GE(d.ask->values[k], 0);
      EXPECT_LE(d.ask->values[k], 1);
    }
    e.foreign_change({0, 1});
  }
}

TEST(EngineKnobs, SwitchesAndCategoriesAreLeftAlone) {
  knob_spec flag = unit_knob("flag"), mode = unit_knob("mode");
  flag.type = knob_type::boolean, flag.initial = 1;
  mode.type = knob_type::categorical, mode.max = 2, mode.initial = 2, mode.categories = {"a", "b", "c"};
  lone_engine e(settings_of({flag, unit_knob(), mode}));
  for (int i = 0; i < 10; ++i) {
    const engine_decision d = e.perturb(100 + i, 90);
    ASSERT_TRUE(d.ask);
    EXPECT_EQ(d.ask->values[0], 1);
    EXPECT_EQ(d.ask->values[2], 2);
    e.foreign_change({1, 0.5, 2});
  }
}

TEST(EngineKnobs, ALoopWithoutDistancesIsLeftAlone) {
  knob_spec flag = unit_knob();
  flag.type = knob_type::boolean, flag.initial = 0;
  lone_engine e(settings_of({flag}));
  const engine_decision d = e.next();
  EXPECT_FALSE(d.ask);
  EXPECT_EQ(d.reason, no_change_reason::holding);
  EXPECT_EQ(d.look_again, e.now + e.settings.retry_pause) << "it does not spin";
}

// ---- determinism
// ---------------------------------------------------------------------------------------------------------

TEST(EngineReplay, SameInputsSameProposals) {
  lone_engine a(settings_of({unit_knob("x"), integer_knob(100, 50)}), 9);
  lone_engine b = a;
  for (int i = 0; i < 50; ++i) {
    const engine_decision da = a.perturb(100 + i % 7, 100), db = b.perturb(100 + i % 7, 100);
    EXPECT_EQ(da.ask, db.ask);
    EXPECT_EQ(a.state, b.state);
    if (i == 20) b.state = engine_state(a.state); // what a crash would go on from
    for (lone_engine* e : {&a, &b}) e->foreign_change({0.5, 50});
  }
}

TEST(EngineReplay, OtherSeedsGoOtherWays) {
  lone_engine a(settings_of({unit_knob("x"), unit_knob("y")}), 1), b(settings_of({unit_knob("x"), unit_knob("y")}), 2);
  bool differ = false;
  for (int i = 0; i < 20; ++i) {
    differ = differ || a.perturb(1, 2).ask->values != b.perturb(1, 2).ask->values;
    for (lone_engine* e : {&a, &b}) e->foreign_change({0.5, 0.5});
  }
  EXPECT_TRUE(differ);
}

TEST(EngineResume, KeepsWhatWasLearnedAndForgetsWhatWasAsked) {
  lone_engine e(settings_of({unit_knob()}), 3);
  e.accept(*e.perturb(101, 99).ask);
  e.accept(*e.next().ask);
  e.window(5);
  lone_engine again(e.settings, 77);
  ASSERT_TRUE(resume_engine(again.state, again.settings, e.state));
  EXPECT_EQ(again.next().reason, no_change_reason::not_live);
  EXPECT_EQ(again.state.spsa.iteration, e.state.spsa.iteration);
  EXPECT_EQ(again.state.spsa.rng, e.state.spsa.rng);
  EXPECT_EQ(again.state.spsa.phase, spsa_phase::ready);
  EXPECT_EQ(again.state.gradient, e.state.gradient);
  again.tell_live();
  EXPECT_EQ(again.next().ask->kind, proposal_kind::apply_plus);
}

TEST(EngineResume, RefusesNumbersItWouldNeverGetRidOf) {
  lone_engine good(settings_of({unit_knob()}), 3);
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()})
    for (const auto& damage : std::vector<std::function<void(engine_state&)>>{
             [&](engine_state& s) { s.base[0] = bad; }, [&](engine_state& s) { s.gradient[0] = bad; },
             [&](engine_state& s) { s.objective_size = bad; }, [&](engine_state& s) { s.plus_error = bad; },
             [&](engine_state& s) { s.spsa.y_plus = bad; }, [&](engine_state& s) { s.spsa.accumulated = bad; },
             [&](engine_state& s) { s.movement[0].totals = {{.second = 1, .distance = bad}}; }}) {
      engine_state stored = good.state;
      damage(stored);
      lone_engine again(good.settings, 77);
      const auto resumed = resume_engine(again.state, again.settings, stored);
      ASSERT_FALSE(resumed);
      EXPECT_EQ(resumed.error(), "it has a number that is not finite");
    }
}

TEST(EngineResume, CountsTheMovesItMissed) {
  lone_engine e(settings_of({unit_knob()}), 3);
  lone_engine again(e.settings, 77);
  engine_state stored = e.state;
  stored.base = {0.2};
  ASSERT_TRUE(resume_engine(again.state, again.settings, stored));
  again.tell_live();
  EXPECT_NEAR(cumulative_delta(again.state.movement[0], again.now), 0.3, 1e-9);
}

TEST(EngineResume, AnotherKnobSetIsIgnored) {
  lone_engine one(settings_of({unit_knob()}), 3), two(settings_of({unit_knob("x"), unit_knob("y")}), 4);
  const engine_state before = two.state;
  EXPECT_EQ(resume_engine(two.state, two.settings, one.state).error(), "it is of another set of knobs");
  EXPECT_EQ(two.state, before);
}

} // namespace
} // namespace homeostat
