// What the engine asks for, and what it makes of windows, verdicts and other people's changes.
#include "tests/policies/search/engine_rig.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace homeostat {
namespace {

constexpr instant t0{std::chrono::seconds(1'800'000'000)};

knob_spec unit_knob(std::string name = "x") {
  knob_spec knob;
  knob.name = std::move(name);
  knob.initial = 0.5;
  return knob;
}

engine_settings settings_of(std::vector<knob_spec> knobs) {
  engine_settings settings;
  settings.knobs = std::move(knobs);
  settings.limits.min_interval = 0us;
  return settings;
}

/// An engine that is told what a test wants it to hear.
class lone_engine {
public:
  explicit lone_engine(engine_settings s, std::uint64_t seed = 1)
      : settings(std::move(s)), state(fresh_engine(settings, seed, initial_values(settings.knobs))),
        live_{.generation = 1,
              .revision = 1,
              .applied_at = now,
              .values = initial_values(settings.knobs),
              .base = initial_values(settings.knobs),
              .frozen = false,
              .baseline = initial_values(settings.knobs)} {
    tell_live();
  }
  void tell_live() { on_live(state, settings, live_, now); }
  /// What it asks for, after the least time between two changes.
  engine_decision next() {
    now += settings.limits.min_interval;
    return next_proposal(state, settings, now);
  }

  /// The governor accepts what was asked.
  void accept(const proposal& p) {
    ++live_.generation;
    live_.values = p.values;
    if (!is_probe(p.kind)) live_.base = p.values, ++live_.revision;
    tell_live();
    proposal_verdict v{
        .proposal_id = p.id,
        .accepted =
            receipt{.generation = live_.generation, .revision = live_.revision, .applied_at = now, .values = p.values},
        .refused = {}};
    on_verdict(state, settings, v, now);
  }
  void refuse(const proposal& p, violation_code code, std::optional<instant> retry_at = std::nullopt) {
    on_verdict(state, settings,
               {.proposal_id = p.id, .accepted = {}, .refused = violation{.code = code, .retry_at = retry_at}}, now);
  }
  void window(double mean, double variance = 0, std::int64_t generation_off = 0) {
    objective_window w;
    w.generation = live_.generation + static_cast<std::uint64_t>(generation_off);
    w.digests = 5;
    w.mean = mean;
    w.variance = variance;
    on_window(state, settings, w, now);
  }
  /// Somebody else moves the base point.
  void foreign_change(knob_values values) {
    ++live_.generation, ++live_.revision;
    live_.values = live_.base = values;
    tell_live();
    // Values like those asked for may be its own: then it waits for a verdict, and here none will come.
    if (state.expects == engine_expectation::verdict) {
      on_no_answer(state, settings, now);
      now += settings.retry_pause;
    }
  }
  void freeze(bool frozen) { live_.frozen = frozen, tell_live(); }
  /// Both sides of a perturbation. @returns what is decided then.
  engine_decision perturb(double y_plus, double y_minus, double variance = 0) {
    accept(*next().ask);
    window(y_plus, variance);
    accept(*next().ask);
    window(y_minus, variance);
    return next();
  }

  instant now{t0};
  engine_settings settings;
  engine_state state;

private:
  live_configuration live_;
};

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

// ---- kinds of knobs
// ------------------------------------------------------------------------------------------------------

knob_spec integer_knob(double max, double initial) {
  knob_spec knob = unit_knob();
  knob.type = knob_type::integer;
  knob.max = max;
  knob.initial = initial;
  return knob;
}

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

TEST(EngineResume, AnotherKnobSetIsIgnored) {
  lone_engine one(settings_of({unit_knob()}), 3), two(settings_of({unit_knob("x"), unit_knob("y")}), 4);
  const engine_state before = two.state;
  EXPECT_EQ(resume_engine(two.state, two.settings, one.state).error(), "it is of another set of knobs");
  EXPECT_EQ(two.state, before);
}

} // namespace
} // namespace homeostat
