#include "policies/transfer/advice_life.hpp"

#include "tests/policies/row_name.hpp"
#include "tests/policies/transfer/transfer_rig.hpp"

#include <gtest/gtest.h>

namespace homeostat {
namespace {

using testing::epoch;

transfer_recommendation advised(const std::string& value = "20971520") {
  transfer_recommendation r;
  r.pool = "ml";
  r.key = "zero_copy_threshold";
  r.before = "10485760";
  r.value = value;
  r.id = id_of(r);
  r.first_seen = r.last_seen = epoch;
  return r;
}
transfer_recommendation accepted(const std::string& proposal = "12") {
  transfer_recommendation r = advised();
  EXPECT_TRUE(take_decision(r, advice_verb::accept, "ann", "as advised", std::nullopt, epoch));
  r.proposal = proposal;
  return r;
}
transfer_recommendation applied(instant at, const std::string& value = "20971520") {
  transfer_recommendation r = advised(value);
  r.state = advice_state::accepted;
  r.proposal = "12";
  r.applied = at;
  return r;
}

TEST(advice_life, OneDecisionIsTaken) {
  transfer_recommendation r = advised();
  EXPECT_FALSE(take_decision(r, advice_verb::snooze, "ann", "", epoch, epoch)) << "a snooze ends later";
  ASSERT_TRUE(take_decision(r, advice_verb::snooze, "ann", "", epoch + 1h, epoch));
  ASSERT_TRUE(take_decision(r, advice_verb::dismiss, "bob", "no", std::nullopt, epoch + 1min));
  EXPECT_EQ(r.decided, epoch + 1min);
  EXPECT_FALSE(r.snoozed_until);
  const auto late = take_decision(r, advice_verb::accept, "ann", "", std::nullopt, epoch + 2min);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error(), "recommendation " + r.id + " is dismissed, by bob, expected open or snoozed");
}

TEST(advice_life, ASnoozeEndsByItself) {
  std::vector<transfer_recommendation> known{advised()};
  ASSERT_TRUE(take_decision(known[0], advice_verb::snooze, "ann", "", epoch + 1h, epoch));
  merge_advice(known, {advised()}, {}, epoch + 59min);
  EXPECT_EQ(known[0].state, advice_state::snoozed);
  merge_advice(known, {}, {}, epoch + 1h);
  EXPECT_EQ(known[0].state, advice_state::open);
}

struct fate_row {
  const char* name;
  const char* state;
  const char* in_force;
  advice_state expected;
  bool applied;
  const char* said;
};
class fates : public ::testing::TestWithParam<fate_row> {};
TEST_P(fates, AreFollowed) {
  transfer_recommendation r = accepted();
  const auto& row = GetParam();
  const bool changed = follow_proposal(r, {.state = row.state, .decision = "bob: no"}, row.in_force, epoch + 1h);
  EXPECT_EQ(changed, r != accepted());
  EXPECT_EQ(name_of(r.state), name_of(row.expected));
  EXPECT_EQ(r.applied.has_value(), row.applied);
  EXPECT_EQ(r.decision, row.said);
  EXPECT_EQ(awaits_proposal(r), row.expected == advice_state::accepted && !row.applied);
}
INSTANTIATE_TEST_SUITE_P(
    , fates,
    ::testing::Values(
        fate_row{"PendingWaits", "pending", "10485760", advice_state::accepted, false, "as advised"},
        fate_row{"ApprovedWaits", "approved", "10485760", advice_state::accepted, false, "as advised"},
        fate_row{"AppliedIsApplied", "applied", "10485760", advice_state::accepted, true, "as advised"},
        fate_row{"RejectedIsDismissed", "rejected", "10485760", advice_state::dismissed, false,
                 "proposal 12 rejected: bob: no"},
        fate_row{"ExpiredOpens", "expired", "10485760", advice_state::open, false, "proposal 12 expired: bob: no"},
        fate_row{"StaleOpens", "stale", "10485760", advice_state::open, false, "proposal 12 stale: bob: no"},
        fate_row{"WithdrawnOpens", "withdrawn", "10485760", advice_state::open, false,
                 "proposal 12 withdrawn: bob: no"},
        fate_row{"ForgottenOpens", "", "10485760", advice_state::open, false, "proposal 12 is unknown: bob: no"},
        fate_row{"ForgottenButInForceIsApplied", "", "20971520", advice_state::accepted, true, "as advised"}),
    by_name);

TEST(advice_life, AcceptanceThatACrashCutOffOpensAgain) {
  transfer_recommendation r = accepted("");
  EXPECT_FALSE(follow_proposal(r, {}, "10485760", epoch + 59s));
  EXPECT_TRUE(follow_proposal(r, {}, "10485760", epoch + 60s));
  EXPECT_EQ(r.state, advice_state::open);
}

TEST(advice_life, AppliedAdviceOpensAgainOnceSomebodyChangedItBack) {
  std::vector<transfer_recommendation> known{applied(epoch)};
  transfer_recommendation nearly = advised();
  nearly.before = "19500000"; // within a class: what was applied is in force
  merge_advice(known, {nearly}, {}, epoch + 1h);
  EXPECT_EQ(known[0].state, advice_state::accepted);
  merge_advice(known, {advised()}, {}, epoch + 2h);
  EXPECT_EQ(known[0].state, advice_state::open);
  EXPECT_FALSE(known[0].applied);
}

TEST(advice_life, WhatIsTakenBackIsMeasuredNoLonger) {
  transfer_recommendation r = applied(epoch);
  EXPECT_FALSE(end_if_taken_back(r, "20971521"));
  EXPECT_TRUE(end_if_taken_back(r, "10485760"));
  EXPECT_TRUE(r.measured);
  EXPECT_EQ(r.decision, "zero_copy_threshold was changed to 10485760 before the time of measuring was over");
  EXPECT_FALSE(end_if_taken_back(r, "10485760"));
}

TEST(advice_life, ADayOnEitherSideIsCompared) {
  const instant at = epoch + 48h + 20s;
  const transfer_recommendation r = applied(at);
  const auto s = span_of(r, {r}, epoch + 50h);
  ASSERT_TRUE(s);
  EXPECT_EQ(s->before_from, epoch + 24h);
  EXPECT_EQ(s->before_to, epoch + 48h);
  EXPECT_EQ(s->after_from, epoch + 48h + 1min);
  EXPECT_EQ(s->after_to, epoch + 50h);
  EXPECT_FALSE(s->over);
  const auto later = span_of(r, {r}, epoch + 100h);
  EXPECT_EQ(later->after_to, epoch + 72h + 1min);
  EXPECT_TRUE(later->over);
  transfer_recommendation done = r;
  done.measured = true;
  EXPECT_FALSE(span_of(done, {done}, epoch + 100h));
  EXPECT_FALSE(span_of(accepted(), {}, epoch));
}

TEST(advice_life, AnotherChangeEndsTheTimeOnItsSide) {
  const transfer_recommendation first = applied(epoch + 40h), r = applied(epoch + 48h, "30000000"),
                                last = applied(epoch + 50h, "40000000");
  const auto s = span_of(r, {first, r, last}, epoch + 60h);
  EXPECT_EQ(s->before_from, epoch + 40h + 1min);
  EXPECT_EQ(s->after_to, epoch + 50h);
  EXPECT_TRUE(s->over);
  const transfer_recommendation same = applied(epoch + 48h + 5s, "50000000");
  const auto both = span_of(r, {r, same}, epoch + 60h);
  EXPECT_EQ(both->after_from, both->after_to) << "two changes at once cannot be told apart";
}

} // namespace
} // namespace homeostat
