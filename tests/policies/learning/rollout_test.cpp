// How far a model is trusted: forward with time and evidence, back at once.
#include "policies/learning/rollout.hpp"
#include "tests/policies/row_name.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace homeostat {
namespace {

using enum rollout_step;
using testing::HasSubstr;
constexpr instant t0{std::chrono::seconds(1'800'000'000)};
constexpr duration day = std::chrono::days(1);
const rollout_settings settings{};

rollout_evidence good(std::uint64_t count = 1000) {
  return {.choices = {count, count}, .latencies = {count, count}, .deliveries = {count, count}};
}
/// @returns a rollout that has come to a stage, entered at t0.
rollout_state at_stage(std::size_t stage) {
  rollout_state s = fresh_rollout(t0);
  s.stage = stage;
  s.gate = true;
  s.observed = stage > 0;
  return s;
}

TEST(Rollout, GoesItsWholeWayInElevenDays) {
  rollout_state s = fresh_rollout(t0);
  on_gate(s, settings, true, t0);
  instant now = t0;
  std::vector<std::pair<rollout_step, double>> way;
  while (step_of(s, settings) != full && now < t0 + 30 * day) {
    now += 1h;
    on_evidence(s, settings, good(), now);
    const rollout_change c = on_review(s, settings, now);
    EXPECT_FALSE(c.reason.empty());
    if (c.moved) way.emplace_back(c.to, c.above.value());
  }
  EXPECT_EQ(way, (std::vector<std::pair<rollout_step, double>>{
                     {high_confidence, 0.9}, {lower, 0.8}, {lower, 0.7}, {full, 0.0}}));
  EXPECT_EQ(now, t0 + 7 * day + 3 * day);
  EXPECT_EQ(on_review(s, settings, now + day).to, full);
}

TEST(Rollout, ConfidenceOnTheLimitDoesNotDecide) {
  EXPECT_FALSE(may_decide(at_stage(0), settings, 1.0)) << "observe: never";
  EXPECT_FALSE(may_decide(at_stage(1), settings, 0.9));
  EXPECT_TRUE(may_decide(at_stage(1), settings, 0.9001));
  EXPECT_FALSE(may_decide(at_stage(2), settings, 0.8));
  EXPECT_TRUE(may_decide(at_stage(3), settings, 0.7001));
  EXPECT_TRUE(may_decide(at_stage(4), settings, 0.5));
}

// ---- forward

struct forward_row {
  std::string name;
  std::size_t stage;
  duration after;
  rollout_evidence evidence;
  bool gate;
  bool moves;
  std::string words;
};
void PrintTo(const forward_row& row, std::ostream* out) { *out << row.name; }

class RolloutForward : public testing::TestWithParam<forward_row> {};
TEST_P(RolloutForward, AtEachLimit) {
  const forward_row& row = GetParam();
  rollout_state s = at_stage(row.stage);
  s.gate = row.gate;
  on_evidence(s, settings, row.evidence, t0);
  const rollout_change c = on_review(s, settings, t0 + row.after);
  EXPECT_EQ(c.moved, row.moves) << c.reason;
  EXPECT_EQ(s.stage, row.stage + (row.moves ? 1 : 0));
  EXPECT_THAT(c.reason, HasSubstr(row.words));
}

rollout_evidence with_choices(std::uint64_t count, std::uint64_t right) {
  rollout_evidence e = good();
  e.choices = {count, right};
  return e;
}
rollout_evidence with_latencies(std::uint64_t count, std::uint64_t within) {
  rollout_evidence e = good();
  e.latencies = {count, within};
  return e;
}
rollout_evidence with_deliveries(std::uint64_t count, std::uint64_t delivered) {
  rollout_evidence e = good();
  e.deliveries = {count, delivered};
  return e;
}

INSTANTIATE_TEST_SUITE_P(
    All, RolloutForward,
    testing::Values(forward_row{"JustBeforeAWeek", 0, 7 * day - 1us, good(), true, false, "lasts 168 h"},
                    forward_row{"AfterAWeek", 0, 7 * day, good(), true, true, "100 % of 1000 method choices"},
                    forward_row{"WithoutAModel", 0, 30 * day, good(), false, false, "no model that passed"},
                    forward_row{"JustBeforeADay", 1, day - 1us, good(), true, false, "lasts 24 h"},
                    forward_row{"AfterADay", 1, day, good(), true, true, ""},
                    forward_row{"TooFewChoices", 1, day, with_choices(99, 99), true, false, "0 cases of method"},
                    forward_row{"EnoughChoices", 1, day, with_choices(100, 100), true, true, ""},
                    forward_row{"AccuracyOnItsLimit", 1, day, with_choices(1000, 900), true, false, "more than 90 %"},
                    forward_row{"AccuracyJustAbove", 1, day, with_choices(1000, 901), true, true, "90.1 %"},
                    forward_row{"TooFewLatencies", 1, day, with_latencies(199, 199), true, false, "0 cases of lat"},
                    forward_row{"LatenciesOnTheirLimit", 1, day, with_latencies(1000, 900), true, false,
                                "more than 90"},
                    forward_row{"LatenciesJustAbove", 1, day, with_latencies(1000, 901), true, true, ""},
                    forward_row{"DeliveriesOnTheirLimit", 1, day, with_deliveries(1000, 990), true, false, "99 %"},
                    forward_row{"DeliveriesJustAbove", 1, day, with_deliveries(1000, 991), true, true, ""},
                    forward_row{"ObserveNeedsNoDeliveries", 0, 7 * day, with_deliveries(0, 0), true, true, ""},
                    forward_row{"OthersNeedDeliveries", 1, day, with_deliveries(49, 49), true, false, "delivered"}),
    by_name);

// ---- back

struct back_row {
  std::string name;
  std::size_t stage;
  rollout_evidence evidence;
  std::size_t to;
  std::string words;
};
void PrintTo(const back_row& row, std::ostream* out) { *out << row.name; }

class RolloutBack : public testing::TestWithParam<back_row> {};
TEST_P(RolloutBack, AtEachLimit) {
  const back_row& row = GetParam();
  rollout_state s = at_stage(row.stage);
  const rollout_change c = on_evidence(s, settings, row.evidence, t0 + 1h);
  EXPECT_EQ(s.stage, row.to);
  EXPECT_EQ(c.moved, row.to != row.stage);
  EXPECT_THAT(c.reason, HasSubstr(row.words));
  if (c.moved) {
    EXPECT_EQ(s.since, t0 + 1h);
    EXPECT_EQ(s.total.latencies, good_share{}) << "the next step is earned anew";
  }
}
INSTANTIATE_TEST_SUITE_P(
    All, RolloutBack,
    testing::Values(back_row{"AccuracyOnItsLimit", 4, with_choices(100, 85), 4, "no cause"},
                    back_row{"AccuracyJustBelow", 4, with_choices(100, 84), 3, "only 84 % of 100 method choices"},
                    back_row{"TooFewToJudge", 4, with_choices(99, 0), 4, "no cause"},
                    back_row{"LatenciesOnTheirLimit", 3, with_latencies(200, 160), 3, "no cause"},
                    back_row{"LatenciesJustBelow", 3, with_latencies(200, 159), 2, "latencies as foretold"},
                    back_row{"DeliveriesOnTheirLimit", 2, with_deliveries(100, 95), 2, "no cause"},
                    back_row{"DeliveriesJustBelow", 2, with_deliveries(100, 94), 1, "transfers delivered"},
                    back_row{"FromTheFirstToObserve", 1, with_deliveries(50, 0), 0, "only 0 % of 50"},
                    back_row{"ObserveIsTheLowest", 0, with_choices(100, 0), 0, "no cause"}),
    by_name);

TEST(Rollout, AGoodWeekDoesNotDiluteABadHour) {
  rollout_state s = at_stage(4);
  for (int i = 0; i < 100; ++i) on_evidence(s, settings, good(100'000), t0);
  EXPECT_TRUE(on_evidence(s, settings, with_latencies(200, 100), t0).moved);
}

TEST(Rollout, EvidenceAddsUpOverSmallReports) {
  rollout_state s = at_stage(4);
  rollout_change c;
  for (int i = 0; i < 99; ++i) c = on_evidence(s, settings, {.choices = {1, 0}}, t0);
  EXPECT_FALSE(c.moved);
  EXPECT_TRUE(on_evidence(s, settings, {.choices = {1, 0}}, t0).moved);
}

TEST(Rollout, AfterAStepBackThereIsADayBeforeTheNextStep) {
  rollout_state s = at_stage(1);
  on_evidence(s, settings, with_deliveries(50, 0), t0);
  ASSERT_EQ(s.stage, 0U);
  on_evidence(s, settings, good(), t0);
  EXPECT_FALSE(on_review(s, settings, t0 + day - 1us).moved);
  EXPECT_TRUE(on_review(s, settings, t0 + day).moved) << "the week was served once";
}

TEST(Rollout, GateRefusalLeadsToObserveFromAnywhere) {
  for (std::size_t stage = 1; stage <= 4; ++stage) {
    rollout_state s = at_stage(stage);
    const rollout_change c = on_gate(s, settings, false, t0 + 1h);
    EXPECT_TRUE(c.moved);
    EXPECT_EQ(c.to, observe);
    EXPECT_FALSE(c.above.has_value());
    EXPECT_FALSE(may_decide(s, settings, 1.0));
    on_evidence(s, settings, good(), t0 + 1h);
    EXPECT_FALSE(on_review(s, settings, t0 + 9 * day).moved) << "not before a model passes";
    on_gate(s, settings, true, t0 + 9 * day);
    EXPECT_TRUE(on_review(s, settings, t0 + 9 * day).moved);
  }
}

TEST(Rollout, ABadFirstDayInObserveIsForgottenByGoodOnes) {
  rollout_state s = at_stage(0);
  for (int i = 0; i < 50; ++i) on_evidence(s, settings, with_choices(1000, 950), t0);
  on_evidence(s, settings, with_choices(100'000, 10'000), t0);
  EXPECT_FALSE(on_review(s, settings, t0 + 7 * day).moved);
  on_evidence(s, settings, good(), t0 + 7 * day);
  EXPECT_TRUE(on_review(s, settings, t0 + 7 * day).moved);
}

TEST(Rollout, WithdrawnWithItsReason) {
  rollout_state s = at_stage(4);
  const rollout_change c = withdraw(s, settings, "an operator said so", t0);
  EXPECT_EQ(c.from, full);
  EXPECT_EQ(c.to, observe);
  EXPECT_EQ(c.reason, "an operator said so");
}

TEST(Rollout, SettingsAreChecked) {
  EXPECT_TRUE(check(settings));
  const auto wrong = [](auto change) {
    rollout_settings s;
    change(s);
    return !check(s).has_value();
  };
  EXPECT_TRUE(wrong([](auto& s) { s.confidences.clear(); }));
  EXPECT_TRUE(wrong([](auto& s) { s.confidences = {0.8, 0.9}; }));
  EXPECT_TRUE(wrong([](auto& s) { s.confidences = {0.9, 0.9}; }));
  EXPECT_TRUE(wrong([](auto& s) { s.confidences = {1.0}; }));
  EXPECT_TRUE(wrong([](auto& s) { s.confidences = {0.49}; }));
  EXPECT_TRUE(wrong([](auto& s) { s.choices.count = 0; }));
  EXPECT_TRUE(wrong([](auto& s) { s.latencies.back = 0.95; }));
  EXPECT_TRUE(wrong([](auto& s) { s.deliveries.forward = 1.01; }));
  EXPECT_TRUE(wrong([](auto& s) { s.dwell = -1us; }));
}

} // namespace
} // namespace homeostat
