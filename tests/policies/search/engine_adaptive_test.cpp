// The engine with `adaptive`: how its steps become proposals, and what becomes of verdicts, windows and other people's
// changes.
#include "policies/search/online/adaptive_live.hpp"
#include "tests/policies/search/engine_rig.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace homeostat {
namespace {

constexpr instant t0{std::chrono::seconds(1'800'000'000)};

knob_spec unit_knob(std::string name, double initial = 0.5) {
  knob_spec knob;
  knob.name = std::move(name);
  knob.initial = initial;
  return knob;
}

/// An engine over two knobs, and a governor that does what a test wants.
class adaptive_engine : public ::testing::Test {
protected:
  adaptive_engine() {
    settings.knobs = {unit_knob("x"), unit_knob("y")};
    settings.strategy = online_kind::adaptive;
    settings.limits.min_interval = 0us;
    live = {.generation = 1,
            .revision = 1,
            .applied_at = now,
            .values = {0.5, 0.5},
            .base = {0.5, 0.5},
            .frozen = false,
            .baseline = {0.5, 0.5}};
    state = fresh_engine(settings, 1, {0.5, 0.5});
    tell();
  }
  void tell() { on_live(state, settings, live, now); }
  engine_decision next() { return next_proposal(state, settings, now += 1s); }
  void accept(const proposal& p, const knob_values& in_force) {
    ++live.generation;
    live.values = in_force;
    if (!is_probe(p.kind)) live.base = in_force, ++live.revision;
    tell();
    const receipt r{.generation = live.generation, .revision = live.revision, .applied_at = now, .values = in_force};
    on_verdict(state, settings, {.proposal_id = p.id, .accepted = r, .refused = {}}, now);
  }
  void window(double mean, double variance = 0.05) {
    objective_window w;
    w.generation = live.generation;
    w.digests = 5;
    w.mean = mean;
    w.variance = variance;
    on_window(state, settings, w, now);
  }
  /// A bowl around (0.7, 0.3), measured where the loop is, with a little noise.
  double height() {
    const double x = live.values[0] - 0.7, y = live.values[1] - 0.3;
    return 100 + 100 * (x * x + y * y) + 0.1 * (noise.uniform() - 0.5);
  }
  /// Runs until that many windows are measured; everything asked is applied.
  void run(int windows) {
    for (int measured = 0; measured < windows;) {
      const engine_decision d = next();
      if (d.ask) {
        kinds[static_cast<std::size_t>(d.ask->kind)]++;
        accept(*d.ask, d.ask->values);
      } else {
        ASSERT_EQ(d.reason, no_change_reason::waiting_for_window);
        window(height());
        ++measured;
      }
    }
  }
  /// Somebody else moves the base point.
  void foreign(knob_values values) {
    ++live.generation, ++live.revision;
    live.values = live.base = values;
    tell();
  }
  const adaptive_state& strategy() const { return state.online.adaptive; }

  engine_settings settings;
  engine_state state;
  live_configuration live;
  instant now{t0};
  chacha8_rng noise{3};
  std::array<int, 4> kinds{};
};

TEST_F(adaptive_engine, MeasuresTheDefaultWithoutChangingAnything) {
  for (std::uint64_t i = 0; i < settings.adaptive.first_looks; ++i) {
    const engine_decision d = next();
    EXPECT_FALSE(d.ask);
    EXPECT_EQ(d.reason, no_change_reason::waiting_for_window);
    window(height());
    EXPECT_EQ(state.online.recorded, i + 1);
  }
  const engine_decision d = next();
  ASSERT_TRUE(d.ask);
  EXPECT_EQ(d.ask->kind, proposal_kind::apply_plus);
  EXPECT_EQ(d.ask->source, "adaptive");
  EXPECT_NE(d.ask->evidence.find("level"), std::string::npos) << d.ask->evidence;
}

TEST_F(adaptive_engine, ProbesAroundTheBasePointAndTakesItToTheOptimum) {
  for (int i = 0; i < 150; ++i) {
    run(1);
    for (std::size_t k = 0; k < 2; ++k)
      ASSERT_LE(std::abs(live.values[k] - live.base[k]), settings.limits.max_delta_per_step + 1e-9);
  }
  EXPECT_GT(kinds[static_cast<std::size_t>(proposal_kind::apply_plus)], 50);
  EXPECT_GT(kinds[static_cast<std::size_t>(proposal_kind::update)], 2);
  EXPECT_EQ(state.updates, static_cast<std::uint64_t>(kinds[static_cast<std::size_t>(proposal_kind::update)]));
  EXPECT_NEAR(live.base[0], 0.7, 0.05);
  EXPECT_NEAR(live.base[1], 0.3, 0.05);
}

TEST_F(adaptive_engine, MeasuresOneWindowPerStepAtTheLiveGeneration) {
  run(10);
  engine_decision d = next();
  while (!d.ask) window(height()), d = next();
  const std::uint64_t recorded = state.online.recorded;
  window(height());
  EXPECT_EQ(state.online.recorded, recorded) << "before the verdict: of the configuration before";
  accept(*d.ask, d.ask->values);
  objective_window old;
  old.generation = live.generation - 1;
  old.digests = 5;
  on_window(state, settings, old, now);
  EXPECT_EQ(state.online.recorded, recorded) << "of another generation";
  window(height());
  EXPECT_EQ(state.online.recorded, recorded + 1);
  window(height());
  EXPECT_EQ(state.online.recorded, recorded + 1) << "nothing was asked for that one";
}

TEST_F(adaptive_engine, LearnsWhatWasTrulyApplied) {
  run(10);
  engine_decision d = next();
  while (!d.ask) window(height()), d = next();
  const receipt r{.generation = live.generation + 1, .revision = 1, .applied_at = now, .values = {0.51, 0.49}};
  on_verdict(state, settings, {.proposal_id = d.ask->id, .accepted = r, .refused = {}}, now);
  EXPECT_EQ(state.in_force, (knob_values{0.51, 0.49}));
  ASSERT_TRUE(state.online.asked);
  EXPECT_NEAR(state.online.asked->point[0], 0.51, 1e-12);
  EXPECT_NEAR(state.online.asked->point[1], 0.49, 1e-12);
}

TEST_F(adaptive_engine, GivesUpWhatWasRefusedAndAsksAgainWhatTimeCures) {
  run(10);
  engine_decision d = next();
  while (!d.ask) window(height()), d = next();
  const auto refuse = [&](violation_code code, std::optional<instant> retry_at) {
    on_verdict(state, settings,
               {.proposal_id = d.ask->id, .accepted = {}, .refused = violation{.code = code, .retry_at = retry_at}},
               now);
  };
  refuse(violation_code::rate_limit_exceeded, now + 500ms);
  EXPECT_TRUE(state.online.asked);
  const engine_decision again = next();
  ASSERT_TRUE(again.ask);
  EXPECT_EQ(again.ask->values, d.ask->values);
  refuse(violation_code::stale_revision, std::nullopt);
  EXPECT_FALSE(state.online.asked);
  EXPECT_EQ(state.online.refused, 1U);
}

TEST_F(adaptive_engine, NoiseOfTheWindowReachesTheModels) {
  run(20);
  engine_state loud = state, quiet = state;
  const auto learn = [&](engine_state& s, double variance) {
    engine_decision d = next_proposal(s, settings, now);
    if (d.ask) {
      const receipt r{
          .generation = live.generation + 1, .revision = live.revision, .applied_at = now, .values = d.ask->values};
      on_verdict(s, settings, {.proposal_id = d.ask->id, .accepted = r, .refused = {}}, now);
    }
    objective_window w;
    w.generation = s.generation;
    w.digests = 5;
    w.mean = 130;
    w.variance = variance;
    on_window(s, settings, w, now);
  };
  learn(loud, 1e6);
  learn(quiet, 0);
  EXPECT_TRUE(quiet.online.adaptive.retreating) << "a shock";
  EXPECT_FALSE(loud.online.adaptive.retreating) << "nothing but noise";
}

TEST_F(adaptive_engine, GoesOnWhereARollbackHasTakenTheLoop) {
  run(80);
  ASSERT_GT(std::abs(strategy().centre[0] - 0.5), 0.1);
  foreign({0.5, 0.5});
  EXPECT_EQ(strategy().centre, (online_point{0.5, 0.5}));
  EXPECT_FALSE(state.online.asked);
  EXPECT_LT(strategy().boldness, 1) << "what it had found was taken back";
  engine_decision d = next();
  while (!d.ask) window(height()), d = next();
  for (std::size_t k = 0; k < 2; ++k) EXPECT_LE(std::abs(d.ask->values[k] - 0.5), settings.limits.max_delta_per_step);
  accept(*d.ask, d.ask->values);
  run(200);
  EXPECT_NEAR(live.base[0], 0.7, 0.07) << "and it finds the way again";
}

TEST_F(adaptive_engine, RestsWhileFrozenAndKeepsItsCentre) {
  run(60);
  const online_point centre = strategy().centre;
  live.frozen = true;
  live.values = live.base;
  ++live.generation;
  tell();
  EXPECT_EQ(next().reason, no_change_reason::frozen);
  window(height());
  live.frozen = false;
  tell();
  EXPECT_EQ(strategy().centre, centre);
  EXPECT_NE(next().reason, no_change_reason::frozen);
}

TEST_F(adaptive_engine, StartsWhereTheLoopIsNotAtTheDefault) {
  state = fresh_engine(settings, 1, {0.5, 0.5});
  live.values = live.base = {0.8, 0.2};
  tell();
  run(static_cast<int>(settings.adaptive.first_looks));
  EXPECT_EQ(kinds, (std::array<int, 4>{})) << "measured where it is, without a change";
  EXPECT_NEAR(strategy().centre[0], 0.8, 0.1);
}

TEST_F(adaptive_engine, GoesOnFromAStoredState) {
  run(100);
  engine_state again = fresh_engine(settings, 77, {0.5, 0.5});
  ASSERT_TRUE(resume_engine(again, settings, state));
  on_live(again, settings, live, now);
  EXPECT_EQ(again.online.adaptive.centre, strategy().centre);
  EXPECT_EQ(again.online.adaptive.bank, strategy().bank);
  state = again;
  const knob_values base = live.base;
  run(1);
  for (std::size_t k = 0; k < 2; ++k)
    EXPECT_LE(std::abs(live.values[k] - base[k]), settings.limits.max_delta_per_step + 1e-9);
}

TEST_F(adaptive_engine, AStateOfTheOtherStrategyIsNotUsed) {
  engine_settings other = settings;
  other.strategy = online_kind::spsa;
  engine_state spsa = fresh_engine(other, 1, {0.5, 0.5});
  on_live(spsa, other, live, now);
  run(20);
  const engine_state before = spsa;
  EXPECT_EQ(resume_engine(spsa, other, state).error(), "it is of the strategy adaptive");
  EXPECT_EQ(spsa, before);
  const engine_state mine = state;
  EXPECT_EQ(resume_engine(state, settings, spsa).error(), "it is of the strategy spsa");
  EXPECT_EQ(state, mine);
}

TEST_F(adaptive_engine, DamagedStatesAreNotUsed) {
  run(60);
  const auto refused = [&](auto damage) {
    engine_state stored = state;
    damage(stored.online.adaptive);
    engine_state fresh = fresh_engine(settings, 1, {0.5, 0.5});
    return !resume_engine(fresh, settings, stored);
  };
  EXPECT_FALSE(refused([](adaptive_state&) {}));
  EXPECT_TRUE(refused([](adaptive_state& a) { a.centre.pop_back(); }));
  EXPECT_TRUE(refused([](adaptive_state& a) { a.centre[0] = std::nan(""); }));
  EXPECT_TRUE(refused([](adaptive_state& a) { a.still.push_back(0); }));
  EXPECT_TRUE(refused([](adaptive_state& a) { a.bank.best = a.bank.members.size(); }));
  EXPECT_TRUE(refused([](adaptive_state& a) { a.bank.members[1].filter.covariance.pop_back(); }));
  EXPECT_TRUE(refused([](adaptive_state& a) { a.bank.members[1].filter.dimensions = 1; }));
  EXPECT_TRUE(refused([](adaptive_state& a) { a.bank.members[0].filter.mean[2] = HUGE_VAL; }));
  EXPECT_TRUE(refused([](adaptive_state& a) { a.bank.members[0].noise = 0; }));
  EXPECT_TRUE(refused([](adaptive_state& a) { a.looks.push_back({{0.5}, 0}); }));
  EXPECT_TRUE(refused([](adaptive_state& a) { a.best_look = a.taken.size(); }));
  EXPECT_TRUE(refused([](adaptive_state& a) { a.memory.regimes.push_back({}); }));
  EXPECT_TRUE(refused([](adaptive_state& a) { a.trial.running = true; }));
  EXPECT_TRUE(refused([](adaptive_state& a) { a.level = std::nan(""); }));
}

TEST_F(adaptive_engine, TheCentreDoesNotRunAwayFromTheBasePoint) {
  settings.limits.max_cumulative_delta_per_minute = 0.05; // the base point can hardly follow
  for (int i = 0; i < 100; ++i) {
    run(1);
    now -= 1s; // no time passes: no budget comes back
    for (std::size_t k = 0; k < 2; ++k)
      ASSERT_LE(std::abs(strategy().centre[k] - live.base[k]), settings.limits.max_delta_per_step + 1e-9);
  }
}

// A look farther than one step is a journey of the base point, within the guardrails, or it is not made.
TEST_F(adaptive_engine, TravelsToALookByUpdates) {
  settings.limits.max_cumulative_delta_per_minute = 3;
  run(30);
  const knob_values base = live.base;
  auto& a = state.online.adaptive;
  abandon(state.online, {}, {});
  a.looks = {{{base[0], base[1] - 0.25}, 0}};
  a.taken.clear();
  a.level = 1e6;
  now += 120s;
  std::vector<proposal> asked;
  while (!a.looks.empty()) {
    const engine_decision d = next();
    if (d.ask) {
      asked.push_back(*d.ask);
      accept(*d.ask, d.ask->values);
    } else {
      window(height());
    }
    ASSERT_LT(asked.size(), 10U);
  }
  ASSERT_EQ(asked.size(), 3U);
  EXPECT_EQ(asked[0].kind, proposal_kind::update);
  EXPECT_EQ(asked[0].evidence.substr(0, 6), "travel");
  EXPECT_EQ(asked[1].kind, proposal_kind::update);
  EXPECT_EQ(asked[2].kind, proposal_kind::apply_plus);
  EXPECT_EQ(asked[2].evidence.substr(0, 15), "look_at_default");
  EXPECT_NEAR(asked[2].values[1], base[1] - 0.25, 1e-9);
}

TEST_F(adaptive_engine, ALookOutOfReachOfTheGuardrailsIsGivenUp) {
  settings.limits.max_cumulative_delta_per_minute = 0.3; // not enough for the way there and back
  run(10);
  now += 120s;
  auto& a = state.online.adaptive;
  abandon(state.online, {}, {});
  a.looks = {{{0.5, 0.2}, 0}};
  while (!a.looks.empty()) {
    const engine_decision d = next();
    if (d.ask) {
      EXPECT_NE(d.ask->evidence.substr(0, 6), "travel");
      accept(*d.ask, d.ask->values);
    }
    window(height());
  }
  EXPECT_EQ(state.online.refused, 1U);
}

} // namespace
} // namespace homeostat
