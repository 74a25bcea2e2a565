// The simulator itself: same seed, same history; faults that really strike; reports that say how to replay.
#include "sim/campaign.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mutants.hpp"

namespace homeostat::sim {
namespace {

using testing::HasSubstr;

// ---- scenarios
// -----------------------------------------------------------------------------------------------------------

TEST(Scenario, EverySettingDrawnIsValid) {
  for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
    const scenario s = draw_scenario(seed);
    const auto expect_valid = [&](const auto& checked) {
      EXPECT_TRUE(checked.has_value()) << "seed " << seed << ": " << checked.error();
    };
    for (const knob_spec& k : s.governor.knobs) expect_valid(check(k));
    expect_valid(check(s.governor.limits));
    expect_valid(check(s.governor.rollback));
    expect_valid(check(s.governor.safe_mode));
    expect_valid(check(s.engine.spsa));
    EXPECT_GE(s.window.digests, 1U);
  }
}

TEST(Scenario, FaultFreeMeansThatNothingInterferes) {
  std::uint64_t found = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    const scenario s = draw_scenario(seed);
    if (!s.fault_free) continue;
    ++found;
    EXPECT_FALSE(s.operators || s.rival || s.clock_goes_back || s.habits.starts_elsewhere) << seed;
    for (const fault_plan& plan : s.faults) EXPECT_EQ(plan.rate, 0) << seed;
  }
  EXPECT_GT(found, 20U);
}

// ---- landscapes
// ----------------------------------------------------------------------------------------------------------

TEST(Landscape, IsPositiveEverywhere) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    const scenario s = draw_scenario(seed);
    draw d(seed, 99);
    for (int i = 0; i < 20; ++i) {
      knob_values values;
      for (const knob_spec& k : s.governor.knobs) values.push_back(value_at(k, d.uniform()));
      EXPECT_GT(s.plant.objective(values, d.uniform(0, 3600)), 0) << seed;
    }
  }
}

TEST(Landscape, ABowlIsLowestAtItsOptimumAndTurnsWithIt) {
  draw d(7, 1);
  knob_spec k;
  k.name = "x";
  landscape l = draw_landscape(d, {k, k}, 600);
  l.kind = landscape_kind::bowl;
  l.drift = drift_kind::none;
  const double best = l.objective({l.optimum[0], l.optimum[1]}, 0);
  for (double dx : {-0.1, 0.1})
    for (double dy : {-0.1, 0.1}) EXPECT_GT(l.objective({l.optimum[0] + dx, l.optimum[1] + dy}, 0), best);
  // Rotated: a step along both knobs costs otherwise than the two steps one by one.
  const double both = l.objective({l.optimum[0] + 0.1, l.optimum[1] + 0.1}, 0) - best;
  const double apart = l.objective({l.optimum[0] + 0.1, l.optimum[1]}, 0) +
                       l.objective({l.optimum[0], l.optimum[1] + 0.1}, 0) - 2 * best;
  EXPECT_GT(std::abs(both - apart), 1e-6 * best);
}

TEST(Landscape, AQueueHasACliffWhereCapacityRunsOut) {
  draw d(7, 1);
  knob_spec k;
  k.name = "servers";
  landscape l = draw_landscape(d, {k}, 600);
  l.kind = landscape_kind::queue;
  l.drift = drift_kind::none;
  EXPECT_GT(l.objective({0.20}, 0), 5 * l.objective({0.45}, 0));
  EXPECT_GT(l.objective({1.0}, 0), l.objective({0.45}, 0)) << "capacity costs";
}

TEST(Landscape, DriftMovesTheOptimum) {
  draw d(7, 1);
  knob_spec k;
  k.name = "x";
  landscape l = draw_landscape(d, {k}, 600);
  l.kind = landscape_kind::bowl;
  l.drift = drift_kind::ramp;
  l.drift_period_s = 100;
  l.shift[0] = 0.2;
  EXPECT_LT(l.objective({l.optimum[0]}, 0), l.objective({l.optimum[0]}, 100));
  EXPECT_LT(l.objective({l.optimum[0] + 0.2}, 100), l.objective({l.optimum[0] + 0.2}, 0));
}

// ---- the checkers' own measure
// -------------------------------------------------------------------------------------------

TEST(KnobRange, MeasuresAsTheDesignSays) {
  knob_spec k;
  k.name = "x";
  k.min = 0, k.max = 100;
  EXPECT_DOUBLE_EQ(knob_range(k).fraction(20, 35), 0.15);
  k.scale = knob_scale::periodic;
  EXPECT_DOUBLE_EQ(knob_range(k).fraction(95, 5), 0.10);
  EXPECT_DOUBLE_EQ(knob_range(k).fraction(5, 95), -0.10);
  k.scale = knob_scale::log, k.min = 1, k.max = 1000;
  EXPECT_NEAR(knob_range(k).fraction(10, 100), 1.0 / 3, 1e-12);
  EXPECT_FALSE(knob_range(k).step_allowed(-1, 10, 1.0)) << "a value without a place on the scale has no way from it";
  k = {};
  k.type = knob_type::boolean;
  EXPECT_EQ(knob_range(k).fraction(0, 1), 0.25);
  EXPECT_FALSE(knob_range(k).takes(0.5));
}

TEST(KnobRange, TakesItsOwnUnitForALimitInUnits) {
  knob_spec k;
  k.name = "x";
  k.min = 0, k.max = 100;
  k.step_limit = unit_step_limit{.up = 5, .down = 2};
  EXPECT_TRUE(knob_range(k).step_allowed(50, 55, 0.01));
  EXPECT_FALSE(knob_range(k).step_allowed(50, 55.1, 1));
  EXPECT_TRUE(knob_range(k).step_allowed(50, 48, 0.01));
  EXPECT_FALSE(knob_range(k).step_allowed(50, 47.9, 1));
}

// ---- time and mail
// -------------------------------------------------------------------------------------------------------

TEST(Kernel, DeliversInOrderOfTimeAndOfSending) {
  const scenario s = draw_scenario(1);
  kernel k(s, {});
  k.arm(party::world, 5ms, alarm::turn, 2);
  k.arm(party::world, 1ms, alarm::turn, 1);
  k.arm(party::world, 5ms, alarm::turn, 3);
  for (std::uint64_t expected : {1U, 2U, 3U}) {
    const auto d = k.next();
    ASSERT_TRUE(d);
    EXPECT_EQ(std::get<alarm_mail>(d->content).token, expected);
  }
  EXPECT_EQ(k.at(), 5ms);
  EXPECT_FALSE(k.next());
}

TEST(Kernel, AChannelKeepsItsOrderWhateverTheDelays) {
  const scenario s = draw_scenario(1);
  kernel k(s, {});
  for (std::uint64_t i = 0; i < 100; ++i) k.send(party::engine, party::governor, alarm_mail{alarm::turn, i});
  for (std::uint64_t i = 0; i < 100; ++i) EXPECT_EQ(std::get<alarm_mail>(k.next()->content).token, i);
}

TEST(Kernel, TheDeadGetNoMail) {
  const scenario s = draw_scenario(1);
  kernel k(s, {});
  k.arm(party::sensor, 1ms, alarm::turn, 1);
  k.kill(party::sensor);
  k.arm(party::sensor, 1ms, alarm::turn, 2);
  k.bear(party::sensor);
  k.arm(party::sensor, 1ms, alarm::turn, 3);
  EXPECT_EQ(std::get<alarm_mail>(k.next()->content).token, 3U);
  EXPECT_FALSE(k.next());
}

TEST(FaultSchedule, StrikesInsideItsPeriodsOnly) {
  fault_plans plans;
  plans[static_cast<std::size_t>(fault::audit_slow)] = {
      .rate = 1, .periods = {{.begin = 10s, .end = 20s}, {.begin = 15s, .end = 30s}}};
  fault_schedule f(plans, draw(1, 1));
  EXPECT_FALSE(f.strikes(fault::audit_slow, 9s));
  EXPECT_TRUE(f.strikes(fault::audit_slow, 10s));
  EXPECT_FALSE(f.strikes(fault::audit_slow, 30s));
  EXPECT_FALSE(f.strikes(fault::audit_full, 15s));
  EXPECT_EQ(f.calm_since(25s), 25s);
  EXPECT_EQ(f.calm_since(40s), 30s);
  EXPECT_EQ(f.calm_since(5s), 0s);
}

// ---- runs
// ----------------------------------------------------------------------------------------------------------------

TEST(Run, TheSameSeedIsTheSameHistory) {
  const policy_set policies;
  for (std::uint64_t seed : {11U, 12U, 13U, 14U, 15U}) {
    std::vector<std::string> first;
    std::vector<std::string> second;
    const run_result a = run_seed(seed, policies, [&](std::string line) { first.push_back(std::move(line)); });
    const run_result b = run_seed(seed, policies, [&](std::string line) { second.push_back(std::move(line)); });
    EXPECT_EQ(a.hash, b.hash);
    EXPECT_EQ(first, second);
    EXPECT_GT(first.size(), 10U);
    EXPECT_EQ(run_seed(seed, policies).hash, a.hash) << "a trace must not change the run";
  }
}

TEST(Run, EveryFaultAndEveryRefusalHappens) {
  campaign_settings settings;
  settings.first = 100'000;
  settings.seeds = 1200;
  settings.repeat_every = 0;
  const campaign_summary s = run_campaign(settings, policy_set());
  ASSERT_TRUE(s.broken.empty()) << report(s.broken.front(), policy_set());
  const run_result& t = s.total;
  for (std::size_t i = 0; i < violation_code_count; ++i) {
    const auto code = static_cast<violation_code>(i);
    if (code == violation_code::no_baseline) continue; // there always is one (I5)
    EXPECT_GT(t.governor.refusals[i], 0U) << name_of(code);
  }
  for (std::size_t i = 0; i < safe_mode_reason_count; ++i)
    EXPECT_GT(t.governor.safe_modes[i], 0U) << name_of(static_cast<safe_mode_reason>(i));
  for (std::size_t i = 0; i < digest_fault_count; ++i) {
    const auto kind = static_cast<digest_fault>(i);
    if (kind == digest_fault::empty) continue; // the simulated source always has samples
    EXPECT_GT(t.digest_faults[i], 0U) << name_of(kind);
  }
  for (std::uint64_t count :
       {t.governor.committed, t.governor.aborted, t.governor.rollbacks, t.governor.drifts, t.process_crashes,
        t.child_restarts, t.commands, t.strange_proposals, t.updates, s.gave_up, s.stopped})
    EXPECT_GT(count, 0U);
}

TEST(Campaign, DoesNotDependOnTheNumberOfThreads) {
  campaign_settings settings;
  settings.seeds = 40;
  settings.jobs = 1;
  const std::string alone = as_json(run_campaign(settings, policy_set()));
  settings.jobs = 2;
  EXPECT_EQ(as_json(run_campaign(settings, policy_set())), alone);
}

TEST(Campaign, AReportSaysWhatBrokeAndHowToReplayIt) {
  const auto policies = std::ranges::find(all_mutants(), "RecordsTwice", &mutant::name)->make();
  campaign_settings settings;
  settings.seeds = 20;
  settings.stop_at_first = false;
  const campaign_summary s = run_campaign(settings, *policies);
  ASSERT_FALSE(s.broken.empty());
  const std::string text = report(s.broken.front(), *policies);
  EXPECT_THAT(text, HasSubstr("seed " + std::to_string(s.broken.front().seed) + ", step "));
  EXPECT_THAT(text, HasSubstr(" s virtual time: I2 broken: "));
  EXPECT_THAT(text, HasSubstr("governor: intent"));
  EXPECT_THAT(text, HasSubstr("replay: ./dev sim --seed " + std::to_string(s.broken.front().seed) + " --trace\n"));
  EXPECT_THAT(as_json(s), HasSubstr("\"invariant\": \"I2\""));
}

} // namespace
} // namespace homeostat::sim
