// The authority over real governors: every pattern from evidence to receipt, and what must not happen.
#include "sim/scenarios/authority_world.hpp"

#include <gmock/gmock.h>

namespace homeostat {
namespace {

using sim::authority_world;
using sim::loop_of;
using sim::wish_for;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

authority_config one_loop() {
  authority_config config;
  config.loops.push_back(loop_of("db"));
  config.sources.push_back({.name = "optuna", .trust = trust_level::high, .cooldown = 0s, .requires_proposal = false});
  config.sources.push_back({.name = "rumour", .trust = trust_level::low, .cooldown = 0s, .requires_proposal = true});
  config.sources.push_back({.name = "daily", .trust = trust_level::high, .cooldown = 24h, .requires_proposal = false});
  return config;
}

review_decision approval(const std::string& actor = "bob") {
  return {.verb = review_verb::approve, .actor = actor, .text = "yes", .version = std::nullopt};
}

std::uint64_t propose(authority_world& w, const new_proposal& wish) {
  const authority_effects e = w.feed(wish);
  EXPECT_TRUE(e.answer) << e.answer.error().text;
  return e.answered_proposal.value_or(0);
}

review_error refusal(authority_world& w, const new_proposal& wish) {
  const authority_effects e = w.feed(wish);
  EXPECT_FALSE(e.answer);
  EXPECT_TRUE(e.records.empty() && e.proposals.empty()) << "a refusal leaves no trace in the state";
  return e.answer ? review_error{} : e.answer.error();
}

TEST(Authority, AppliesWhatAPersonApproves) {
  authority_world w(one_loop());
  const auto id = propose(w, wish_for("db", "memory", 320));
  EXPECT_EQ(w.in_force("db")[0], 256) << "nothing happens by proposing";
  ASSERT_TRUE(w.feed(proposal_decision{.id = id, .decision = approval()}).answer);
  EXPECT_EQ(w.in_force("db"), (knob_values{320, 20}));
  EXPECT_EQ(w.proposal_of(id).state, review_state::applied);
  // Every value the plant got has its intent with person, source and evidence.
  const auto intent = std::ranges::find(w.loops.at("db").records, audit_kind::intent, &audit_record::kind);
  ASSERT_NE(intent, w.loops.at("db").records.end());
  EXPECT_EQ(intent->actor, "bob");
  EXPECT_EQ(intent->source, "ann");
  EXPECT_THAT(intent->evidence, HasSubstr("proposal 1, step 1 of 1"));
}

TEST(Authority, WalksWhatIsLargerThanOneStep) {
  authority_world w(one_loop());
  const auto id = propose(w, wish_for("db", "memory", 512));
  ASSERT_TRUE(w.feed(proposal_decision{.id = id, .decision = approval()}).answer);
  w.pass(10s, 100ms);
  EXPECT_EQ(w.in_force("db")[0], 512);
  EXPECT_EQ(w.proposal_of(id).changes.front().steps_taken, 3U);
  EXPECT_EQ(w.loops.at("db").applied.size(), 3U);
  EXPECT_EQ(w.proposal_of(id).state, review_state::applied);
}

TEST(Authority, LowRiskAppliesByItselfUnlessOverruled) {
  authority_world w(one_loop());
  const auto id = propose(w, wish_for("db", "memory", 300));
  w.pass(5min - 1s, 1s);
  EXPECT_EQ(w.in_force("db")[0], 256);
  w.pass(2s, 1s);
  EXPECT_EQ(w.in_force("db")[0], 300);
  const auto second = propose(w, wish_for("db", "memory", 280));
  ASSERT_TRUE(
      w.feed(proposal_decision{.id = second,
                               .decision = {.verb = review_verb::reject, .actor = "bob", .text = "no", .version = {}}})
          .answer);
  w.pass(24h, 1min);
  EXPECT_EQ(w.in_force("db")[0], 300);
  EXPECT_EQ(w.proposal_of(id).state, review_state::applied);
}

TEST(Authority, WhatIsNotTrustedNeverAppliesByItself) {
  authority_world w(one_loop());
  new_proposal rumour = wish_for("db", "memory", 300, "bot");
  rumour.by_automation = true;
  EXPECT_EQ(refusal(w, rumour).kind, review_refusal::invalid) << "a program names its source";
  rumour.source = "nobody-knows";
  EXPECT_THAT(refusal(w, rumour).text, HasSubstr("not registered; registered are optuna, rumour, daily"));
  rumour.source = "rumour";
  const auto id = propose(w, rumour);
  w.pass(24h * 6, 10min);
  EXPECT_EQ(w.proposal_of(id).state, review_state::pending);
  EXPECT_EQ(w.in_force("db")[0], 256);
  ASSERT_TRUE(w.feed(proposal_decision{.id = id, .decision = approval()}).answer);
  EXPECT_EQ(w.in_force("db")[0], 300);
  // A trusted one does, but not beyond twice the baseline.
  new_proposal trusted = wish_for("db", "memory", 310, "bot");
  trusted.source = "optuna", trusted.by_automation = true;
  const auto near = propose(w, trusted);
  w.pass(6min, 1s);
  EXPECT_EQ(w.proposal_of(near).state, review_state::applied);
  trusted.changes.front().knobs = {{"memory", 513}};
  const auto far = propose(w, trusted);
  w.pass(24h, 1min);
  EXPECT_EQ(w.proposal_of(far).state, review_state::pending);
  EXPECT_THAT(w.proposal_of(far).risk.terms.back().text, HasSubstr("total change cap"));
}

TEST(Authority, SourcesCoolDown) {
  authority_world w(one_loop());
  new_proposal daily = wish_for("db", "memory", 300, "bot");
  daily.source = "daily", daily.by_automation = true;
  propose(w, daily);
  daily.changes.front().knobs = {{"memory", 301}};
  w.pass(24h - 1us);
  EXPECT_EQ(refusal(w, daily).kind, review_refusal::too_many);
  w.pass(1us);
  EXPECT_NE(propose(w, daily), 0U);
}

TEST(Authority, RefusesWhatCannotBe) {
  authority_world w(one_loop());
  EXPECT_EQ(refusal(w, wish_for("nowhere", "memory", 300)).kind, review_refusal::unknown);
  EXPECT_THAT(refusal(w, wish_for("db", "memori", 300)).text, HasSubstr("UnknownKnob"));
  EXPECT_THAT(refusal(w, wish_for("db", "memory", 5000)).text, HasSubstr("OutOfBounds: knob memory cannot be 5000"));
  EXPECT_THAT(refusal(w, wish_for("db", "pool", 20.5)).text, HasSubstr("whole"));
  EXPECT_THAT(refusal(w, wish_for("db", "memory", std::numeric_limits<double>::quiet_NaN())).text,
              HasSubstr("NonFinite"));
  EXPECT_THAT(refusal(w, wish_for("db", "memory", 256)).text, HasSubstr("has these values already"));
  new_proposal stale = wish_for("db", "memory", 300);
  stale.changes.front().base_revision = 17;
  EXPECT_THAT(refusal(w, stale).text, HasSubstr("StaleRevision"));
  new_proposal twice = wish_for("db", "memory", 300);
  twice.changes.push_back(twice.changes.front());
  EXPECT_THAT(refusal(w, twice).text, HasSubstr("named twice"));
  propose(w, wish_for("db", "memory", 300));
  EXPECT_THAT(refusal(w, wish_for("db", "memory", 300, "eve")).text, HasSubstr("")) << "the same wish once is enough";
  EXPECT_EQ(refusal(w, wish_for("db", "memory", 300, "eve")).kind, review_refusal::conflict);
}

TEST(Authority, AStaleProposalNeverApplies) {
  authority_world w(one_loop());
  const auto id = propose(w, wish_for("db", "memory", 300));
  ASSERT_TRUE(
      w.command("db", {.action = operator_action::set_values, .actor = "eve", .text = "by hand", .values = {260, 20}})
          .ok);
  // The approver is faster than the next look at the loop.
  ASSERT_TRUE(w.feed(proposal_decision{.id = id, .decision = approval()}).answer);
  w.pass(1min, 1s);
  EXPECT_EQ(w.in_force("db")[0], 260);
  EXPECT_EQ(w.proposal_of(id).state, review_state::stale);
  const auto again = propose(w, wish_for("db", "memory", 300));
  w.command("db", {.action = operator_action::set_values, .actor = "eve", .text = "by hand", .values = {270, 20}});
  w.observe();
  EXPECT_EQ(w.proposal_of(again).state, review_state::stale) << "seen as soon as the loop reports";
  EXPECT_FALSE(w.feed(proposal_decision{.id = again, .decision = approval()}).answer);
}

TEST(Authority, WaitsWhileTheLoopIsFrozen) {
  authority_world w(one_loop());
  const auto id = propose(w, wish_for("db", "memory", 300));
  w.command("db", {.action = operator_action::pause, .actor = "eve", .text = "maintenance", .values = {}});
  ASSERT_TRUE(w.feed(proposal_decision{.id = id, .decision = approval()}).answer);
  w.pass(1h, 1s);
  EXPECT_EQ(w.in_force("db")[0], 256) << "I4";
  EXPECT_EQ(w.proposal_of(id).state, review_state::approved);
  w.command("db", {.action = operator_action::resume, .actor = "eve", .text = {}, .values = {}});
  w.pass(1min, 1s);
  EXPECT_EQ(w.in_force("db")[0], 300);
}

TEST(Authority, ALostReceiptIsFoundAgainAndNothingAppliedTwice) {
  for (const bool dies : {false, true}) {
    authority_world w(one_loop());
    const auto id = propose(w, wish_for("db", "memory", 512));
    w.lose_answers = true;
    ASSERT_TRUE(w.feed(proposal_decision{.id = id, .decision = approval()}).answer);
    if (dies) w.restart();
    w.pass(1s, 100ms);
    w.lose_answers = false;
    w.pass(1min, 1s);
    EXPECT_EQ(w.proposal_of(id).state, review_state::applied) << dies;
    EXPECT_EQ(w.in_force("db")[0], 512);
    EXPECT_EQ(w.loops.at("db").applied.size(), 3U) << "each step once";
  }
}

TEST(Authority, WhatIsDecidedTogetherIsAppliedTogether) {
  authority_config config = one_loop();
  config.loops.push_back(loop_of("web"));
  authority_world w(config);
  new_proposal both = wish_for("db", "memory", 320);
  both.changes.push_back({.loop = "web", .base_revision = std::nullopt, .knobs = {{"pool", 25}}});
  const auto id = propose(w, both);
  EXPECT_EQ(w.proposal_of(id).risk.result, risk_class::medium) << "two targets";
  // The second loop will refuse for good: its grid forbids the step.
  w.loops.at("web").config.limits.max_delta_per_step = 0.001;
  ASSERT_TRUE(w.feed(proposal_decision{.id = id, .decision = approval()}).answer);
  w.pass(10s, 100ms);
  EXPECT_EQ(w.proposal_of(id).state, review_state::rejected);
  EXPECT_EQ(w.proposal_of(id).decided_by, "governor");
  EXPECT_THAT(w.proposal_of(id).decision, HasSubstr("DeltaTooLarge"));
  EXPECT_EQ(w.in_force("db")[0], 256) << "what the first loop got is put back";
  EXPECT_EQ(w.in_force("web")[1], 20);
}

TEST(Authority, SpendsABudgetOnWhatNobodyDecided) {
  authority_config config = one_loop();
  config.changes_per_hour = 2;
  authority_world w(config);
  for (int i = 0; i < 3; ++i) {
    new_proposal wish = wish_for("db", "memory", 260 + i, "bot");
    wish.source = "optuna", wish.by_automation = true;
    const auto id = propose(w, wish);
    w.pass(6min, 1s);
    EXPECT_EQ(w.proposal_of(id).state, i < 2 ? review_state::applied : review_state::approved) << i;
  }
  w.pass(1h, 1min);
  EXPECT_EQ(w.in_force("db")[0], 262) << "the third one waits for the next hour";
}

TEST(Authority, AnApprovalDoesNotLastForEver) {
  authority_world w(one_loop());
  const auto id = propose(w, wish_for("db", "memory", 300));
  w.command("db", {.action = operator_action::pause, .actor = "eve", .text = {}, .values = {}});
  ASSERT_TRUE(w.feed(proposal_decision{.id = id, .decision = approval()}).answer);
  w.pass(24h * 7 - 1h, 1h);
  EXPECT_EQ(w.proposal_of(id).state, review_state::approved);
  w.pass(2h, 1h);
  EXPECT_EQ(w.proposal_of(id).state, review_state::expired);
}

// ---- rules --------------------------------------------------------------------------------------------------------

authority_config with_rule(feedback_pattern pattern) {
  authority_config config = one_loop();
  config.loops[0].pattern = pattern;
  config.loops[0].rules.push_back({.name = "pressure",
                                   .metric = "memory_utilization",
                                   .above = true,
                                   .threshold = 90,
                                   .release = 80,
                                   .sustained = 30min,
                                   .knob = 0,
                                   .step = 64,
                                   .min = 128,
                                   .max = 512,
                                   .cooldown = 1h});
  return config;
}

/// The metric stays where it is for a while.
void sense(authority_world& w, std::optional<double> value, duration span) {
  for (const instant end = w.now + span; w.now < end;) {
    w.now += 1min;
    w.observe("db", {value});
  }
}

TEST(Authority, AutoTuneTakesOneStepAndCoolsDown) {
  authority_world w(with_rule(feedback_pattern::auto_tune));
  sense(w, 95, 29min);
  EXPECT_EQ(w.in_force("db")[0], 256);
  sense(w, 95, 2min);
  EXPECT_EQ(w.in_force("db")[0], 320);
  sense(w, 95, 59min);
  EXPECT_EQ(w.in_force("db")[0], 320);
  sense(w, 95, 2min);
  EXPECT_EQ(w.in_force("db")[0], 384);
  sense(w, 95, 24h);
  EXPECT_EQ(w.in_force("db")[0], 512) << "the rule's own bound";
  const auto& intents = w.loops.at("db").records;
  for (const audit_record& r : intents)
    if (r.kind == audit_kind::intent) {
      EXPECT_EQ(r.classification, change_class::auto_tune);
      EXPECT_THAT(r.evidence, HasSubstr("memory_utilization 95 above 90"));
      EXPECT_EQ(r.source, "rule pressure");
    }
}

TEST(Authority, AutoTuneDoesNotReactToWhatANeighbourDid) {
  authority_config config = with_rule(feedback_pattern::auto_tune);
  config.loops[0].settle_after_neighbours = 10min;
  config.loops.push_back(loop_of("web"));
  authority_world w(config);
  sense(w, 95, 29min);
  w.command("web", {.action = operator_action::set_values, .actor = "eve", .text = "deploy", .values = {300, 20}});
  w.observe("web");
  sense(w, 95, 39min);
  EXPECT_EQ(w.in_force("db")[0], 256) << "the transient is no evidence";
  sense(w, 95, 2min);
  EXPECT_EQ(w.in_force("db")[0], 320);
}

TEST(Authority, GatedRulesProposeAndWithdrawWhenTheEvidenceTurns) {
  authority_world w(with_rule(feedback_pattern::proposal_gated));
  w.config.production = true; // MEDIUM: it waits for somebody
  sense(w, 95, 31min);
  ASSERT_EQ(w.state.proposals.size(), 1U);
  const auto id = w.state.proposals.begin()->first;
  EXPECT_EQ(w.proposal_of(id).state, review_state::pending);
  sense(w, std::nullopt, 5min);
  EXPECT_EQ(w.proposal_of(id).state, review_state::pending) << "silence is no evidence either way";
  sense(w, 85, 5min);
  EXPECT_EQ(w.proposal_of(id).state, review_state::pending);
  sense(w, 79, 1min);
  EXPECT_EQ(w.proposal_of(id).state, review_state::withdrawn);
  EXPECT_THAT(w.proposal_of(id).decision, HasSubstr("evidence has turned"));
  EXPECT_EQ(w.in_force("db")[0], 256);
}

TEST(Authority, RecommendationsAreOneAndApplyNothing) {
  authority_world w(with_rule(feedback_pattern::recommend));
  sense(w, 95, 6h);
  ASSERT_EQ(w.state.advice.size(), 1U);
  const auto& [id, r] = *w.state.advice.begin();
  EXPECT_GE(r.seen, 5U);
  EXPECT_EQ(w.in_force("db")[0], 256);
  EXPECT_TRUE(w.state.proposals.empty());
  const auto accepted = w.feed(advice_decision{
      .id = id, .verb = advice_verb::accept, .actor = "bob", .text = "go", .snooze = {}, .may_approve = true});
  ASSERT_TRUE(accepted.answer);
  EXPECT_EQ(w.in_force("db")[0], 320);
  // Who may not approve makes it a proposal that somebody else decides.
  authority_world other(with_rule(feedback_pattern::recommend));
  sense(other, 95, 31min);
  const auto asked = other.feed(advice_decision{
      .id = id, .verb = advice_verb::accept, .actor = "ann", .text = "go", .snooze = {}, .may_approve = false});
  ASSERT_TRUE(asked.answered_proposal);
  EXPECT_EQ(other.in_force("db")[0], 256);
  EXPECT_FALSE(other.feed(proposal_decision{.id = *asked.answered_proposal, .decision = approval("ann")}).answer);
  EXPECT_TRUE(other.feed(proposal_decision{.id = *asked.answered_proposal, .decision = approval("bob")}).answer);
  EXPECT_EQ(other.in_force("db")[0], 320);
}

// ---- drift, fights, the baseline ----------------------------------------------------------------------------------

TEST(Authority, DriftIsCapturedAndReviewed) {
  authority_world w(one_loop());
  auto& g = w.loops.at("db");
  g.config.drift_check = 30s;
  w.meddle("db", {300, 20});
  w.pass(1min, 1s);
  EXPECT_EQ(w.in_force("db")[0], 300) << "never reverted in silence";
  ASSERT_EQ(g.core.drifts.size(), 1U);
  EXPECT_EQ(g.core.drifts[0].desired, (knob_values{256, 20}));
  EXPECT_EQ(g.core.base, (knob_values{300, 20})) << "the loop goes on from the operator's value";
  const std::uint64_t first = g.core.drifts[0].revision;
  ASSERT_TRUE(
      w.command(
           "db",
           {.action = operator_action::accept_drift, .actor = "bob", .text = "ok", .values = {}, .revision = first})
          .ok);
  EXPECT_TRUE(g.core.drifts.empty());
  w.meddle("db", {300, 30});
  w.pass(1min, 1s);
  ASSERT_EQ(g.core.drifts.size(), 1U);
  EXPECT_FALSE(
      w.command("db",
                {.action = operator_action::revert_drift, .actor = "bob", .text = {}, .values = {}, .revision = first})
          .ok);
  ASSERT_TRUE(w.command("db", {.action = operator_action::revert_drift,
                               .actor = "bob",
                               .text = "no",
                               .values = {},
                               .revision = g.core.drifts[0].revision})
                  .ok);
  EXPECT_EQ(w.in_force("db"), (knob_values{300, 20}));
  EXPECT_TRUE(g.core.drifts.empty());
}

TEST(Authority, OfTwoLoopsThatFightTheLowerIsPaused) {
  authority_config config = one_loop();
  config.loops.push_back(loop_of("cost"));
  config.loops[0].priority = 5;
  authority_world w(config);
  for (int i = 0; i < 3; ++i) {
    w.command("db", {.action = operator_action::set_values, .actor = "loop", .text = {}, .values = {300.0 + i, 20}});
    w.now += 1min;
    w.observe();
    w.command("cost", {.action = operator_action::set_values, .actor = "loop", .text = {}, .values = {250.0 - i, 20}});
    w.now += 1min;
    w.observe();
  }
  EXPECT_TRUE(is_frozen(w.loops.at("cost").core.safe_mode));
  EXPECT_FALSE(is_frozen(w.loops.at("db").core.safe_mode));
  EXPECT_THAT(w.notices.back().text, HasSubstr("push against each other on memory"));
}

TEST(Authority, ReturnsToTheTestedBaseline) {
  authority_config config = one_loop();
  config.loops[0].return_to_baseline = 24h;
  authority_world w(config);
  w.command("db", {.action = operator_action::set_values, .actor = "eve", .text = {}, .values = {300, 20}});
  w.pass(24h - 1min);
  EXPECT_EQ(w.in_force("db")[0], 300);
  w.pass(2min);
  EXPECT_EQ(w.in_force("db")[0], 256);
}

TEST(Authority, PlansWithoutChangingAnything) {
  authority_world w(one_loop());
  const auto planned = plan(w.config, w.state, wish_for("db", "memory", 512), w.now);
  ASSERT_TRUE(planned);
  EXPECT_THAT(planned->steps, ElementsAre(3U));
  EXPECT_TRUE(planned->first_steps.front().wanted.rehearsal);
  EXPECT_TRUE(w.state.proposals.empty());
  EXPECT_FALSE(plan(w.config, w.state, wish_for("db", "memory", 5000), w.now));
}

TEST(Authority, RestartsFromWhatWasKept) {
  authority_world w(one_loop());
  const auto id = propose(w, wish_for("db", "memory", 300));
  w.now += 4min;
  w.restart();
  EXPECT_EQ(w.proposal_of(id).state, review_state::pending);
  w.pass(61s, 1s);
  EXPECT_EQ(w.in_force("db")[0], 300) << "timers go on";
  EXPECT_GT(propose(w, wish_for("db", "memory", 310)), id) << "numbers never come twice";
  w.config.loops.clear();
  w.loops.clear();
  w.restart();
  EXPECT_EQ(w.state.proposals.rbegin()->second.state, review_state::stale);
}

} // namespace
} // namespace homeostat
