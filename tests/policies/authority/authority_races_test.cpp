// What happens between an approval and its receipt: lost answers, other people's changes, crashes. Each of these was
// found by the simulator.
#include "sim/scenarios/authority_world.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace homeostat {
namespace {

using sim::authority_world;
using sim::loop_of;
using sim::wish_for;
using ::testing::HasSubstr;

authority_config node(std::vector<const char*> names = {"db", "web"}) {
  authority_config config;
  for (const char* name : names) config.loops.push_back(loop_of(name));
  return config;
}

std::uint64_t open(authority_world& w, const new_proposal& wish) {
  const authority_effects e = w.feed(wish);
  EXPECT_TRUE(e.answer) << e.answer.error().text;
  return e.answered_proposal.value_or(0);
}
authority_effects decide(authority_world& w, std::uint64_t id, const char* who = "bob",
                         review_verb verb = review_verb::approve) {
  return w.feed(
      proposal_decision{.id = id, .decision = {.verb = verb, .actor = who, .text = {}, .version = std::nullopt}});
}
void set(authority_world& w, const char* loop, knob_values values, const char* who = "nina") {
  w.command(loop, {.action = operator_action::set_values, .actor = who, .text = {}, .values = values});
}
new_proposal both(double memory) {
  new_proposal wish = wish_for("db", "memory", memory);
  wish.changes.push_back({.loop = "web", .base_revision = {}, .knobs = {{"memory", memory}}});
  return wish;
}

TEST(AuthorityRaces, WhatCameAfterALostReceiptIsNotItsOwn) {
  authority_world w(node());
  const std::uint64_t id = open(w, wish_for("db", "memory", 512)); // three steps
  w.lose_answers = true;
  w.hold_requests = true;
  const authority_effects e = decide(w, id);
  ASSERT_EQ(e.requests.size(), 1U);
  w.apply(e.requests.front()); // in force, and nobody hears of it
  set(w, "db", {300, 20});
  w.restart();
  w.pass(1min, 1s);
  EXPECT_EQ(w.proposal_of(id).state, review_state::stale);
  EXPECT_EQ(w.proposal_of(id).changes.front().steps_taken, 1U);
  EXPECT_EQ(w.in_force("db"), (knob_values{300, 20})) << "what a person has set stays";
}

TEST(AuthorityRaces, WhatAPersonHasMovedIsNotSetBack) {
  authority_world w(node());
  const std::uint64_t id = open(w, wish_for("db", "memory", 900));
  decide(w, id);
  w.pass(10s, 1s);
  ASSERT_GT(w.proposal_of(id).changes.front().steps_taken, 0U);
  ASSERT_EQ(w.proposal_of(id).state, review_state::approved) << "it is being walked";
  set(w, "db", {200, 20});
  w.pass(10s, 1s);
  EXPECT_EQ(w.proposal_of(id).state, review_state::stale);
  EXPECT_EQ(w.in_force("db"), (knob_values{200, 20}));
}

TEST(AuthorityRaces, WhatIsOnItsWayIsNotCalledOver) {
  authority_world w(node());
  const std::uint64_t id = open(w, both(300));
  w.hold_requests = true;
  const authority_effects e = decide(w, id);
  ASSERT_EQ(e.requests.size(), 1U);
  set(w, "web", {400, 20});
  w.observe("web");
  EXPECT_EQ(w.proposal_of(id).state, review_state::approved) << "nobody knows what becomes of the other loop";
  w.hold_requests = false;
  w.give(e.requests.front());
  w.pass(1min, 1s);
  EXPECT_EQ(w.proposal_of(id).state, review_state::stale);
  EXPECT_EQ(w.in_force("db"), (knob_values{256, 20})) << "decided together, set back together";
  EXPECT_EQ(w.in_force("web"), (knob_values{400, 20}));
}

TEST(AuthorityRaces, AChangeInFlightIsNoSign) {
  authority_world w(node());
  const std::uint64_t id = open(w, wish_for("db", "memory", 300));
  w.hold_requests = true;
  decide(w, id);
  w.feed(request_answer{.loop = "db", .verdict = std::nullopt});
  w.feed(loop_observation{.loop = "db",
                          .generation = 1,
                          .revision = 1,
                          .base = {256, 20},
                          .baseline = {256, 20},
                          .frozen = false,
                          .last_request = {},
                          .last_request_revision = 0,
                          .request_in_flight = true,
                          .metrics = {}});
  EXPECT_FALSE(w.state.loops.at("db").known);
}

TEST(AuthorityRaces, TheCapHoldsForTheBaselineOfToday) {
  authority_world w(node());
  set(w, "db", {150, 20});
  w.observe();
  const std::uint64_t id = open(w, wish_for("db", "memory", 400)); // 1.6 times the baseline of 256
  w.command("db", {.action = operator_action::set_baseline, .actor = "nina", .text = "low", .values = {}});
  w.pass(10min); // LOW, and nobody objects; 2.7 times the baseline of 150
  EXPECT_EQ(w.proposal_of(id).state, review_state::rejected);
  EXPECT_THAT(w.proposal_of(id).decision, HasSubstr("total change cap"));
  EXPECT_EQ(w.in_force("db"), (knob_values{150, 20}));
}

TEST(AuthorityRaces, ARefusalDoesNotUseUpTheHour) {
  authority_config config = node();
  config.changes_per_hour = 3;
  authority_world w(config);
  w.loops.at("db").config.limits.min_interval = 5min;
  w.loops.at("db").core.last_change = w.now + 6min;
  const std::uint64_t id = open(w, wish_for("db", "memory", 300));
  w.pass(9min, 1s);
  EXPECT_GT(w.proposal_of(id).refusals, 0U);
  EXPECT_EQ(w.state.ledger.changes.accepted.size(), 1U);
}

TEST(AuthorityRaces, NobodyApprovesTheirOwnAdvice) {
  authority_world w(node());
  new_proposal wish = wish_for("db", "memory", 300, "ann");
  wish.advice = true;
  const authority_effects given = w.feed(wish);
  ASSERT_TRUE(given.answered_advice);
  const authority_effects e = w.feed(advice_decision{.id = *given.answered_advice,
                                                     .verb = advice_verb::accept,
                                                     .actor = "ann",
                                                     .text = {},
                                                     .snooze = std::nullopt,
                                                     .may_approve = true});
  ASSERT_TRUE(e.answered_proposal);
  EXPECT_EQ(w.proposal_of(*e.answered_proposal).state, review_state::pending);
  EXPECT_EQ(decide(w, *e.answered_proposal, "ann").answer.error().kind, review_refusal::forbidden);
  EXPECT_TRUE(decide(w, *e.answered_proposal, "bob").answer);
}

TEST(AuthorityRaces, AcceptedAdviceWaitsInTheSameLine) {
  authority_config config = node();
  config.review.max_open = 1;
  authority_world w(config);
  new_proposal wish = wish_for("db", "memory", 300, "ann");
  wish.advice = true;
  const authority_effects given = w.feed(wish);
  open(w, wish_for("web", "memory", 300));
  const authority_effects e = w.feed(advice_decision{.id = *given.answered_advice,
                                                     .verb = advice_verb::accept,
                                                     .actor = "bob",
                                                     .text = {},
                                                     .snooze = std::nullopt,
                                                     .may_approve = true});
  ASSERT_FALSE(e.answer);
  EXPECT_EQ(e.answer.error().kind, review_refusal::too_many);
}

TEST(AuthorityRaces, ARecordNamesItsRevisionBeforeTheLoopIsSeenAgain) {
  authority_world w(node());
  set(w, "db", {300, 20});
  w.observe();
  const std::uint64_t id = open(w, wish_for("db", "memory", 320));
  authority_memory memory{.ledger = w.state.ledger, .proposals = {w.proposal_of(id)}, .advice = {}};
  authority_state fresh = start_authority(w.config, std::move(memory), w.now);
  const authority_effects e = homeostat::decide(
      w.config, fresh,
      proposal_decision{.id = id,
                        .decision = {.verb = review_verb::approve, .actor = "bob", .text = {}, .version = {}}},
      w.now);
  ASSERT_EQ(e.records.size(), 1U);
  EXPECT_EQ(e.records.front().revision, 2U);
  EXPECT_TRUE(e.requests.empty());
}

// ---- what the governor takes from a program
// --------------------------------------------------------------------------------------------

TEST(AuthorityRaces, InSafeModeNoProgramSetsValues) {
  authority_world w(node());
  w.command("db", {.action = operator_action::pause, .actor = "nina", .text = {}, .values = {}});
  set(w, "db", {300, 20}, "homeostat");
  EXPECT_EQ(w.in_force("db"), (knob_values{256, 20}));
  set(w, "db", {300, 20}, "nina");
  EXPECT_EQ(w.in_force("db"), (knob_values{300, 20}));
}

TEST(AuthorityRaces, RollbacksThatNobodyAskedForAreCapped) {
  authority_world w(node());
  auto& g = w.loops.at("db");
  const std::uint32_t cap = g.config.rollback.max_rollbacks_per_hour;
  std::uint32_t back = 0;
  for (std::uint32_t i = 0; i < cap + 3; ++i) {
    w.now += 1min;
    set(w, "db", {300.0 + i, 20});
    w.command("db", {.action = operator_action::rollback, .actor = "homeostat", .text = {}, .values = {}});
    back += w.in_force("db") == knob_values{256, 20} ? 1U : 0U;
  }
  EXPECT_EQ(back, cap);
}

TEST(AuthorityRaces, AGovernorThatCannotReadThePlantDoesNotWakeUpForIt) {
  governor_config config;
  config.knobs = loop_of("db").knobs;
  config.watch_telemetry = false;
  config.drift_check = 30s;
  const instant begin{1'000'000s};
  governor_state state = fresh_state(config, begin);
  state.live_known = false;
  const governor_step step = homeostat::decide(config, std::move(state), tick{}, begin + 10min);
  const instant look = step.effects.look_again.value_or(begin + 1h);
  EXPECT_GT(look, begin + 10min + 1s);
}

} // namespace
} // namespace homeostat
