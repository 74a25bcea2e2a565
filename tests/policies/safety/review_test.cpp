// Every guard of the governor at its limit and on both sides of it (invariants I1, I3, I4, I8, I11).
#include "tests/policies/row_name.hpp"
#include "tests/policies/safety/review_rows.hpp"

#include <gtest/gtest.h>

namespace homeostat {
namespace {

class Review : public testing::TestWithParam<review_row> {};

TEST_P(Review, DecidesAsTheRowSays) {
  const review_row& row = GetParam();
  for (const knob_spec& knob : row.config.knobs) ASSERT_TRUE(check(knob)) << check(knob).error();
  ASSERT_TRUE(check(row.config.limits)) << check(row.config.limits).error();
  governor_rig rig(row.config);
  row.before(rig);
  const governor_state before = rig.state;
  rig.verdict.reset();
  const proposal p = row.given(rig);
  rig.give(p);

  const std::string refused =
      rig.verdict && rig.verdict->refused ? std::string(name_of(rig.verdict->refused->code)) : "";
  EXPECT_EQ(refused, row.expected);
  if (refused != row.expected) return;
  if (row.expected.empty()) {
    ASSERT_TRUE(rig.last.durable_ticket) << "accepted, but no intent is on its way";
    ASSERT_TRUE(rig.state.pending);
    EXPECT_EQ(rig.state.pending->wanted, p.values);
    rig.settle();
    ASSERT_TRUE(rig.verdict && rig.verdict->accepted);
    EXPECT_EQ(rig.verdict->accepted->values, p.values);
    EXPECT_EQ(rig.state.live, p.values);
    return;
  }
  const violation& v = *rig.verdict->refused;
  EXPECT_EQ(v.knob, row.knob);
  if (!row.text.empty()) { EXPECT_EQ(describe(v), row.text); }
  if (row.retry_after) {
    ASSERT_TRUE(v.retry_at);
    EXPECT_EQ((*v.retry_at - rig.now).count(), row.retry_after->count()) << "us to wait";
  }
  EXPECT_EQ(rig.state.live, before.live);
  EXPECT_EQ(rig.state.base, before.base);
  EXPECT_EQ(rig.state.generation, before.generation);
  EXPECT_EQ(rig.state.revision, before.revision);
  EXPECT_FALSE(rig.last.apply);
  EXPECT_EQ(rig.verdict->proposal_id, p.id);
}

INSTANTIATE_TEST_SUITE_P(Delta, Review, testing::ValuesIn(delta_rows()), by_name);
INSTANTIATE_TEST_SUITE_P(UnitDelta, Review, testing::ValuesIn(unit_delta_rows()), by_name);
INSTANTIATE_TEST_SUITE_P(Pace, Review, testing::ValuesIn(pace_rows()), by_name);
INSTANTIATE_TEST_SUITE_P(Movement, Review, testing::ValuesIn(movement_rows()), by_name);
INSTANTIATE_TEST_SUITE_P(Distance, Review, testing::ValuesIn(distance_rows()), by_name);
INSTANTIATE_TEST_SUITE_P(Values, Review, testing::ValuesIn(value_rows()), by_name);
INSTANTIATE_TEST_SUITE_P(Standing, Review, testing::ValuesIn(standing_rows()), by_name);

TEST(Refusal, IsRecordedWithItsReasonAndWhatWasWanted) {
  governor_rig rig(config_of({unit_knob()}));
  rig.propose({0.9});
  const auto records = rig.records_of(audit_kind::rejected);
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].after, (knob_values{0.9}));
  EXPECT_EQ(records[0].before, (knob_values{0.5}));
  EXPECT_EQ(records[0].source, "test");
  EXPECT_EQ(records[0].evidence, "because");
  ASSERT_TRUE(records[0].reason);
  EXPECT_EQ(records[0].reason->code, violation_code::delta_too_large);
}

TEST(Refusal, FloodIsSummedUpNotRecordedOneByOne) {
  governor_rig rig(config_of({unit_knob()}));
  proposal p = rig.draft({0.51});
  p.base_generation = 99; // not hostile: no safe mode
  for (int i = 0; i < 1000; ++i) rig.give(p);
  EXPECT_EQ(rig.records_of(audit_kind::rejected).size(), 20U);
  EXPECT_EQ(rig.state.unrecorded_refusals, 980U);
  rig.wait(1s);
  rig.give(p);
  const auto records = rig.records_of(audit_kind::rejected);
  ASSERT_EQ(records.size(), 21U);
  EXPECT_EQ(records.back().text, "and 980 refusals before it, not recorded one by one");
  EXPECT_EQ(rig.state.unrecorded_refusals, 0U);
}

TEST(Refusal, NoChangeIsNoProposal) {
  governor_rig rig(config_of({unit_knob()}));
  const governor_state before = rig.state;
  rig.propose({}, proposal_kind::no_change);
  EXPECT_FALSE(rig.verdict);
  EXPECT_TRUE(rig.last.records.empty());
  EXPECT_EQ(rig.state, before);
}

} // namespace
} // namespace homeostat
