// Risk, life cycle, rules, recommendations, contention, walking: tables at and on both sides of every limit.
#include "policies/authority/config_proposal.hpp"
#include "policies/authority/contention.hpp"
#include "policies/authority/feedback_source.hpp"
#include "policies/authority/recommendation.hpp"
#include "policies/authority/tuning_rule.hpp"
#include "policies/authority/walk.hpp"

#include <gmock/gmock.h>

#include <limits>

namespace homeostat {
namespace {

using ::testing::HasSubstr;

const instant start{1'000'000s};

knob_spec memory(risk_class risk = risk_class::low, std::string concern = "memory") {
  return {.name = "memory", .unit = "MB", .min = 128, .max = 1152, .initial = 256, .risk = risk, .concern = concern};
}

// ---- risk ---------------------------------------------------------------------------------------------------------

struct risk_row {
  const char* what;
  std::vector<knob_spec> knobs;
  risk_context context;
  risk_class expected;
};

TEST(Risk, IsTheSumOfItsTerms) {
  const knob_spec low = memory(), medium = memory(risk_class::medium), high = memory(risk_class::high);
  const knob_spec other = memory(risk_class::low, "latency"), unnamed = memory(risk_class::low, "");
  knob_spec secret = memory();
  secret.security_relevant = true;
  const auto in_production = [](std::size_t targets = 1) {
    return risk_context{.targets = targets, .production = true};
  };
  const std::vector<risk_row> rows{
      {"one low knob", {low}, {}, risk_class::low},
      {"two knobs of one concern", {low, low}, {}, risk_class::low},
      {"two unnamed knobs of one loop", {unnamed, unnamed}, {}, risk_class::low},
      {"the highest knob counts", {low, medium}, {}, risk_class::medium},
      {"a high knob", {high}, {}, risk_class::high},
      {"two concerns", {low, other}, {}, risk_class::medium},
      {"two concerns, one medium", {medium, other}, {}, risk_class::high},
      {"two targets", {low}, {.targets = 2}, risk_class::medium},
      {"five targets", {low}, {.targets = 5}, risk_class::medium},
      {"six targets", {low}, {.targets = 6}, risk_class::high},
      {"production", {low}, in_production(), risk_class::medium},
      {"production, two targets", {low}, in_production(2), risk_class::high},
      {"capped at HIGH", {high, other}, in_production(6), risk_class::high},
      {"deletion", {low}, {.deletion = true}, risk_class::high},
      {"security", {secret}, {}, risk_class::high},
  };
  for (const risk_row& row : rows) {
    std::vector<moved_knob> moved;
    for (const knob_spec& knob : row.knobs) moved.push_back({.loop = "db", .knob = &knob});
    const risk_assessment a = assess_risk(moved, row.context);
    EXPECT_EQ(a.result, row.expected) << row.what;
    std::uint32_t steps = 0;
    for (const risk_term& term : a.terms) steps += term.steps;
    EXPECT_EQ(risk_of_steps(steps), a.result) << row.what << ": the terms explain it";
  }
}

TEST(FeedbackSource, OnlyTrustedOnesApplyByThemselves) {
  for (const auto trust : {trust_level::very_low, trust_level::low, trust_level::medium, trust_level::high})
    for (const bool requires_proposal : {false, true})
      EXPECT_EQ(may_auto_apply({.name = "s", .trust = trust, .requires_proposal = requires_proposal}),
                !requires_proposal && trust >= trust_level::medium);
}

// ---- the life cycle -----------------------------------------------------------------------------------------------

config_proposal waiting(risk_class risk, bool by_itself = true) {
  config_proposal p;
  p.id = 7;
  p.author = "ann";
  p.created = start;
  p.risk.result = risk;
  p.may_apply_itself = by_itself;
  return p;
}

TEST(Review, TimersOfEachRisk) {
  const review_settings settings;
  config_proposal low = waiting(risk_class::low);
  EXPECT_EQ(expire_review(low, settings, start + 5min - 1us), review_event::none);
  EXPECT_EQ(expire_review(low, settings, start + 5min), review_event::approval);
  EXPECT_EQ(low.state, review_state::approved);
  EXPECT_FALSE(low.by_person);

  config_proposal distrusted = waiting(risk_class::low, false);
  EXPECT_EQ(expire_review(distrusted, settings, start + 24h * 7 - 1us), review_event::none);
  EXPECT_EQ(expire_review(distrusted, settings, start + 24h * 7), review_event::expiry);
  EXPECT_EQ(distrusted.state, review_state::expired);

  config_proposal medium = waiting(risk_class::medium);
  EXPECT_EQ(expire_review(medium, settings, start + 4h - 1us), review_event::none);
  EXPECT_EQ(expire_review(medium, settings, start + 4h), review_event::reminder);
  EXPECT_EQ(medium.risk.result, risk_class::medium);
  EXPECT_EQ(expire_review(medium, settings, start + 8h - 1us), review_event::none);
  EXPECT_EQ(expire_review(medium, settings, start + 8h), review_event::escalation);
  EXPECT_EQ(medium.risk.result, risk_class::high);
  EXPECT_EQ(medium.state, review_state::pending);
  EXPECT_EQ(expire_review(medium, settings, start + 24h * 7 - 1us), review_event::none);

  config_proposal seen = waiting(risk_class::medium);
  ASSERT_TRUE(review(seen, {.verb = review_verb::acknowledge, .actor = "bob", .text = {}, .version = {}}, start + 1h));
  EXPECT_EQ(expire_review(seen, settings, start + 1h + 5min - 1us), review_event::none);
  EXPECT_EQ(expire_review(seen, settings, start + 1h + 5min), review_event::approval);

  config_proposal high = waiting(risk_class::high);
  EXPECT_EQ(expire_review(high, settings, start + 24h * 7 - 1us), review_event::none);
}

TEST(Review, NobodyApprovesTheirOwn) {
  for (const auto verb : {review_verb::approve, review_verb::acknowledge}) {
    config_proposal p = waiting(risk_class::high);
    const auto own = review(p, {.verb = verb, .actor = "ann", .text = {}, .version = {}}, start);
    ASSERT_FALSE(own);
    EXPECT_EQ(own.error().kind, review_refusal::forbidden);
    EXPECT_EQ(p, waiting(risk_class::high)) << "a refusal changes nothing";
    const auto nobody = review(p, {.verb = verb, .actor = "", .text = {}, .version = {}}, start);
    EXPECT_FALSE(nobody);
  }
  config_proposal p = waiting(risk_class::high);
  EXPECT_FALSE(review(p, {.verb = review_verb::withdraw, .actor = "bob", .text = {}, .version = {}}, start));
  EXPECT_TRUE(review(p, {.verb = review_verb::withdraw, .actor = "ann", .text = {}, .version = {}}, start));
  EXPECT_EQ(p.state, review_state::withdrawn);
}

TEST(Review, IsDecidedOnceAndOnWhatWasLookedAt) {
  config_proposal p = waiting(risk_class::medium);
  const review_decision looked{.verb = review_verb::approve, .actor = "bob", .text = "fine", .version = p.version};
  ASSERT_EQ(expire_review(p, {}, start + 4h), review_event::reminder);
  const auto stale = review(p, looked, start + 5h);
  ASSERT_FALSE(stale);
  EXPECT_EQ(stale.error().kind, review_refusal::conflict);
  EXPECT_THAT(stale.error().text, HasSubstr("version 1 was looked at"));
  ASSERT_TRUE(review(p, {.verb = review_verb::approve, .actor = "bob", .text = "fine", .version = p.version}, start));
  EXPECT_TRUE(p.by_person);
  for (const auto verb : {review_verb::approve, review_verb::reject, review_verb::acknowledge, review_verb::withdraw}) {
    const auto again = review(
        p, {.verb = verb, .actor = verb == review_verb::withdraw ? "ann" : "eve", .text = {}, .version = {}}, start);
    ASSERT_FALSE(again);
    EXPECT_THAT(again.error().text, HasSubstr("approved already, by bob"));
  }
}

// ---- rules --------------------------------------------------------------------------------------------------------

const tuning_rule pressure{.name = "pressure",
                           .metric = "memory_utilization",
                           .above = true,
                           .threshold = 90,
                           .release = 80,
                           .sustained = 30min,
                           .knob = 0,
                           .step = 128,
                           .min = 128,
                           .max = 512,
                           .cooldown = 1h};

TEST(TuningRule, AsksAfterASustainedTimeOnly) {
  tuning_rule_state s;
  observe(s, pressure, 90, start);
  EXPECT_FALSE(s.since) << "at the threshold it does not ask";
  observe(s, pressure, 90.1, start);
  EXPECT_FALSE(is_due(s, pressure, start + 30min - 1us));
  EXPECT_TRUE(is_due(s, pressure, start + 30min));
  observe(s, pressure, 85, start + 1min);
  EXPECT_TRUE(s.since) << "between release and threshold it goes on asking";
  observe(s, pressure, 80, start + 2min);
  EXPECT_FALSE(s.since);
  observe(s, pressure, 85, start + 3min);
  EXPECT_FALSE(s.since) << "and does not begin there";
}

TEST(TuningRule, NoValueIsNoEvidence) {
  for (const std::optional<double> nothing :
       {std::optional<double>(), std::optional(std::numeric_limits<double>::quiet_NaN()),
        std::optional(std::numeric_limits<double>::infinity())}) {
    tuning_rule_state s;
    observe(s, pressure, 95, start);
    observe(s, pressure, nothing, start + 29min);
    observe(s, pressure, 95, start + 30min);
    EXPECT_FALSE(is_due(s, pressure, start + 31min)) << "the asking starts over";
  }
}

TEST(TuningRule, CoolsDown) {
  tuning_rule_state s;
  observe(s, pressure, 95, start);
  s.last_fired = start;
  EXPECT_FALSE(is_due(s, pressure, start + 1h - 1us));
  EXPECT_TRUE(is_due(s, pressure, start + 1h));
}

TEST(TuningRule, OneStepWithinItsOwnBounds) {
  const knob_spec knob = memory();
  EXPECT_EQ(wanted_value(pressure, knob, 256), 384);
  EXPECT_EQ(wanted_value(pressure, knob, 448), 512) << "the bound is nearer";
  EXPECT_EQ(wanted_value(pressure, knob, 512), std::nullopt);
  EXPECT_EQ(wanted_value(pressure, knob, 640), std::nullopt) << "somebody else put it beyond: none of its business";
  tuning_rule down = pressure;
  down.step = -128;
  EXPECT_EQ(wanted_value(down, knob, 256), 128);
  EXPECT_EQ(wanted_value(down, knob, 128), std::nullopt);
}

// ---- walking ------------------------------------------------------------------------------------------------------

TEST(Walk, TakesStepsWithinTheLimit) {
  const std::vector<knob_spec> knobs{memory(),
                                     {.name = "pool", .type = knob_type::integer, .min = 1, .max = 101, .initial = 20},
                                     {.name = "fast", .type = knob_type::boolean, .min = 0, .max = 1, .initial = 0}};
  knob_values at{256, 20, 0};
  const knob_values to{512, 24, 1};
  int steps = 0;
  while (at != to && steps < 100) {
    const knob_values next = next_step(knobs, at, to, 0.1);
    for (std::size_t i = 0; i < 2; ++i) {
      EXPECT_LE(std::abs(displacement(knobs[i], at[i], next[i])), 0.1 + 1e-9);
      EXPECT_TRUE(is_admissible(knobs[i], next[i]));
      EXPECT_LE(std::abs(displacement(knobs[i], next[i], to[i])), std::abs(displacement(knobs[i], at[i], to[i])));
    }
    EXPECT_EQ(next[2], 1) << "what has no distance switches at once";
    at = next;
    ++steps;
  }
  EXPECT_EQ(at, to);
  EXPECT_EQ(steps, 3) << "a quarter of the range by tenths";
  EXPECT_EQ(steps_between(knobs, {256, 20, 0}, to, 0.1), 3U);
  EXPECT_EQ(steps_between(knobs, to, to, 0.1), 0U);
}

// A whole number rounds to a wider grid where the scale is logarithmic and the values are small.
TEST(Walk, OnALogarithmicScaleNoRoundingGoesBeyondTheLimit) {
  const std::vector<knob_spec> knobs{
      {.name = "bytes", .type = knob_type::integer, .scale = knob_scale::log, .min = 1, .max = 1e15, .initial = 1}};
  for (double from : {1.0, 2.0, 5.0, 4096.0, 10485760.0, 999999999999999.0})
    for (double to : {1.0, 3.0, 7.0, 65536.0, 65537.0, 1e9, 1e15}) {
      knob_values at{from};
      for (int steps = 0; at[0] != to; ++steps) {
        ASSERT_LT(steps, 25) << from << " to " << to;
        const knob_values next = next_step(knobs, at, {to}, 0.05);
        EXPECT_FALSE(exceeds(std::abs(displacement(knobs[0], at[0], next[0])), 0.05)) << at[0] << " to " << next[0];
        at = next;
      }
    }
}

TEST(Walk, AGridCoarserThanTheLimitGoesOneGridStep) {
  const std::vector<knob_spec> knobs{{.name = "n", .type = knob_type::integer, .min = 1, .max = 5, .initial = 1}};
  EXPECT_EQ(next_step(knobs, {1}, {4}, 0.1), knob_values{2}) << "for the governor to refuse by name, not to hang on";
  EXPECT_EQ(steps_between(knobs, {1}, {4}, 0.1), 3U);
}

TEST(Walk, TotalChangeIsAFactor) {
  const std::vector<knob_spec> knobs{{.name = "x", .min = -1000, .max = 1000, .initial = 0}};
  const auto within = [&](double baseline, double value) { return within_total_change(knobs, {baseline}, {value}, 2); };
  EXPECT_TRUE(within(100, 200));
  EXPECT_FALSE(within(100, 200.1));
  EXPECT_TRUE(within(100, 50));
  EXPECT_FALSE(within(100, 49.9));
  EXPECT_FALSE(within(100, -100)) << "no factor leads there";
  EXPECT_TRUE(within(-100, -200));
  EXPECT_TRUE(within(0, 1000)) << "from zero: half of the range";
  const std::vector<knob_spec> narrow{{.name = "x", .min = 0, .max = 1, .initial = 0}};
  EXPECT_FALSE(within_total_change(narrow, {0}, {0.51}, 2));
}

// ---- recommendations ----------------------------------------------------------------------------------------------

config_recommendation advice() {
  config_recommendation r;
  r.loop = "db";
  r.source = "advisor";
  r.before = {256, 20};
  r.values = {512, 20};
  r.first_seen = r.last_seen = start;
  r.id = id_of(r);
  return r;
}

TEST(Recommendation, HasAStableIdentity) {
  config_recommendation again = advice();
  again.before[1] = 21, again.values[1] = 21; // the rest of the loop moved meanwhile
  again.evidence = "newer", again.confidence = 0.9;
  EXPECT_EQ(id_of(again), advice().id);
  EXPECT_EQ(advice().id.size(), 16U);
  config_recommendation other = advice();
  other.values[0] = 384;
  EXPECT_NE(id_of(other), advice().id);
  other = advice(), other.source = "cost";
  EXPECT_NE(id_of(other), advice().id);
}

TEST(Recommendation, StaysDecided) {
  config_recommendation r = advice();
  ASSERT_TRUE(decide_advice(r, advice_verb::dismiss, "ann", "no", std::nullopt, start));
  see_again(r, advice(), start + 1h);
  EXPECT_EQ(r.state, advice_state::dismissed);
  EXPECT_EQ(r.seen, 2U);
  EXPECT_FALSE(decide_advice(r, advice_verb::accept, "ann", "", std::nullopt, start + 2h));
}

TEST(Recommendation, SleepsAndExpires) {
  config_recommendation r = advice();
  EXPECT_FALSE(decide_advice(r, advice_verb::snooze, "ann", "", start, start)) << "not in the future";
  ASSERT_TRUE(decide_advice(r, advice_verb::snooze, "ann", "", start + 1h, start));
  EXPECT_FALSE(expire_advice(r, 24h, start + 1h - 1us));
  EXPECT_TRUE(expire_advice(r, 24h, start + 1h));
  EXPECT_EQ(r.state, advice_state::open);
  EXPECT_TRUE(expire_advice(r, 24h, start + 24h));
  EXPECT_EQ(r.state, advice_state::expired);
  see_again(r, advice(), start + 25h);
  EXPECT_EQ(r.state, advice_state::open) << "seen again, it is news again";
}

// ---- contention ---------------------------------------------------------------------------------------------------

TEST(Contention, TakesTwoLoopsInTurn) {
  const contention_settings settings;
  const auto moves = [&](std::vector<std::pair<const char*, bool>> all, duration apart = 1min) {
    axis_history history{.axis = "memory", .moves = {}};
    instant at = start;
    int fights = 0;
    for (const auto& [loop, up] : all) {
      if (observe(history, settings, loop, up, at)) ++fights;
      at += apart;
      EXPECT_LE(history.moves.size(), settings.alternations + 1);
    }
    return fights;
  };
  EXPECT_EQ(moves({{"a", true}, {"b", false}, {"a", true}, {"b", false}}), 0) << "three changes of hand";
  EXPECT_EQ(moves({{"a", true}, {"b", false}, {"a", true}, {"b", false}, {"a", true}}), 1);
  EXPECT_EQ(moves({{"a", true}, {"a", true}, {"b", false}, {"b", false}, {"a", true}, {"b", false}, {"a", true}}), 1)
      << "several steps in one direction are one move";
  EXPECT_EQ(moves({{"a", true}, {"b", true}, {"a", true}, {"b", true}, {"a", true}, {"b", true}}), 0) << "they agree";
  EXPECT_EQ(moves({{"a", true}, {"a", false}, {"a", true}, {"a", false}, {"a", true}, {"a", false}}), 0)
      << "one loop alone is thrashing, which its governor sees";
  EXPECT_EQ(moves({{"a", true}, {"b", false}, {"c", true}, {"b", false}, {"a", true}, {"b", false}}), 0)
      << "three loops are no fight of two";
  EXPECT_EQ(moves({{"a", true}, {"b", false}, {"a", true}, {"b", false}, {"a", true}}, 16min), 0) << "too slow";
}

TEST(Contention, TheStepsOfOneChangeAreOneMove) {
  axis_history history{.axis = "memory", .moves = {}};
  for (int i = 0; i < 5; ++i) {
    EXPECT_FALSE(observe(history, {}, "a", true, start + i * 1s, "proposal/1"));
    EXPECT_FALSE(observe(history, {}, "b", false, start + i * 1s, "proposal/2"));
  }
  EXPECT_EQ(history.moves.size(), 2U);
}

} // namespace
} // namespace homeostat
