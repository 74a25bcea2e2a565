// Erlang/OTP's supervisor semantics as tables, and the pauses between restarts.
#include "policies/supervision/restart.hpp"
#include "tests/policies/row_name.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>
#include <string>

namespace homeostat {
namespace {

using verdict = supervision_decision::verdict;
using enum restart_strategy;
using enum child_restart;
using list = std::vector<std::size_t>;

constexpr instant t0{std::chrono::seconds(1'800'000'000)};

supervision_state fresh() { return {.restarts = {}, .rng = chacha8_rng(1)}; }

// ---- who stops, who starts
// -----------------------------------------------------------------------------------------------

struct restart_row {
  std::string name;
  restart_strategy strategy;
  std::vector<child_restart> children; ///< in start order
  std::vector<bool> running;           ///< the ended one does not
  std::size_t ended;
  bool abnormal;
  verdict what;
  list stop, start;
};
void PrintTo(const restart_row& row, std::ostream* out) { *out << row.name; }

class Restart : public testing::TestWithParam<restart_row> {};
TEST_P(Restart, FollowsTheTable) {
  const restart_row& row = GetParam();
  supervision_settings settings;
  settings.strategy = row.strategy;
  supervision_state state = fresh();
  const auto d = on_child_end(settings, state, row.children, row.running, row.ended, row.abnormal, t0);
  EXPECT_EQ(d.what, row.what);
  EXPECT_EQ(d.stop, row.stop);
  EXPECT_EQ(d.start, row.start);
  EXPECT_EQ(d.delay > 0us, row.what == verdict::restart);
  EXPECT_EQ(state.restarts.size(), row.what == verdict::leave ? 0U : 1U) << "what is left alone does not count";
}

const std::vector<child_restart> four{permanent, permanent, permanent, permanent};
const std::vector<bool> second_ended{true, false, true, true};

INSTANTIATE_TEST_SUITE_P(
    Strategies, Restart,
    testing::Values(
        restart_row{
            "OneForOneRestartsTheEndedOne", one_for_one, four, second_ended, 1, true, verdict::restart, {}, {1}},
        restart_row{"OneForAllRestartsAll",
                    one_for_all,
                    four,
                    second_ended,
                    1,
                    true,
                    verdict::restart,
                    {3, 2, 0},
                    {0, 1, 2, 3}},
        restart_row{"RestForOneRestartsTheLaterOnes",
                    rest_for_one,
                    four,
                    second_ended,
                    1,
                    true,
                    verdict::restart,
                    {3, 2},
                    {1, 2, 3}},
        restart_row{"RestForOneOfTheFirstRestartsAll",
                    rest_for_one,
                    four,
                    {false, true, true, true},
                    0,
                    true,
                    verdict::restart,
                    {3, 2, 1},
                    {0, 1, 2, 3}},
        restart_row{"RestForOneOfTheLastRestartsIt",
                    rest_for_one,
                    four,
                    {true, true, true, false},
                    3,
                    true,
                    verdict::restart,
                    {},
                    {3}},
        restart_row{"OneChildIsEnough", one_for_all, {permanent}, {false}, 0, true, verdict::restart, {}, {0}}),
    by_name);

INSTANTIATE_TEST_SUITE_P(
    Kinds, Restart,
    testing::Values(
        restart_row{"PermanentAfterFailure", one_for_one, {permanent}, {false}, 0, true, verdict::restart, {}, {0}},
        restart_row{"PermanentAfterNormalEnd", one_for_one, {permanent}, {false}, 0, false, verdict::restart, {}, {0}},
        restart_row{"TransientAfterFailure", one_for_one, {transient}, {false}, 0, true, verdict::restart, {}, {0}},
        restart_row{
            "TransientAfterNormalEndIsLeft", one_for_one, {transient}, {false}, 0, false, verdict::leave, {}, {}},
        restart_row{"TemporaryAfterFailureIsLeft", one_for_one, {temporary}, {false}, 0, true, verdict::leave, {}, {}},
        restart_row{
            "TemporaryAfterNormalEndIsLeft", one_for_one, {temporary}, {false}, 0, false, verdict::leave, {}, {}},
        restart_row{"LeftAloneInOneForAllStopsNobody",
                    one_for_all,
                    {permanent, temporary, permanent},
                    {true, false, true},
                    1,
                    true,
                    verdict::leave,
                    {},
                    {}},
        restart_row{"TemporarySiblingIsStoppedAndNotStarted",
                    one_for_all,
                    {permanent, temporary, permanent},
                    {false, true, true},
                    0,
                    true,
                    verdict::restart,
                    {2, 1},
                    {0, 2}},
        restart_row{"TransientSiblingIsRestarted",
                    one_for_all,
                    {permanent, transient},
                    {false, true},
                    0,
                    true,
                    verdict::restart,
                    {1},
                    {0, 1}},
        restart_row{"EndedTransientSiblingIsStartedAgainAsOtpDoes",
                    one_for_all,
                    {permanent, transient},
                    {false, false},
                    0,
                    true,
                    verdict::restart,
                    {},
                    {0, 1}},
        restart_row{"SiblingWaitingForItsRestartIsStartedToo",
                    one_for_all,
                    {permanent, permanent},
                    {false, false},
                    1,
                    true,
                    verdict::restart,
                    {},
                    {0, 1}},
        restart_row{"EarlierSiblingIsNotConcernedInRestForOne",
                    rest_for_one,
                    {permanent, permanent, temporary},
                    {false, false, true},
                    1,
                    true,
                    verdict::restart,
                    {2},
                    {1}}),
    by_name);

// ---- intensity
// -----------------------------------------------------------------------------------------------------------

/// Failures of an only child, `apart` from each other. @returns how many were answered with a restart before giving up.
std::uint32_t restarts_before_giving_up(const supervision_settings& settings, duration apart, std::uint32_t at_most) {
  supervision_state state = fresh();
  for (std::uint32_t i = 0; i < at_most; ++i)
    if (on_child_end(settings, state, {permanent}, {false}, 0, true, t0 + i * apart).what == verdict::give_up) return i;
  return at_most;
}

TEST(Intensity, AtTheLimitRestartsAndOneMoreGivesUp) {
  for (std::uint32_t intensity : {0U, 1U, 5U, 20U}) {
    supervision_settings settings;
    settings.intensity = intensity;
    EXPECT_EQ(restarts_before_giving_up(settings, 1us, 100), intensity);
  }
}

TEST(Intensity, PeriodIncludesItsEdge) {
  supervision_settings settings;
  settings.intensity = 1;
  settings.period = 10s;
  EXPECT_EQ(restarts_before_giving_up(settings, 10s, 100), 1U) << "OTP counts a restart exactly one period ago";
  EXPECT_EQ(restarts_before_giving_up(settings, 10s + 1us, 100), 100U);
}

TEST(Intensity, SlidesWithTheLastRestarts) {
  supervision_settings settings;
  settings.intensity = 3;
  settings.period = 30s;
  EXPECT_EQ(restarts_before_giving_up(settings, 10s, 100), 3U);
  EXPECT_EQ(restarts_before_giving_up(settings, 10s + 1us, 100), 100U);
}

TEST(Intensity, GivingUpStopsEveryRunningChildInReverseOrder) {
  for (restart_strategy strategy : {one_for_one, one_for_all, rest_for_one}) {
    supervision_settings settings;
    settings.strategy = strategy;
    settings.intensity = 0;
    supervision_state state = fresh();
    const auto d = on_child_end(settings, state, four, {true, true, false, true}, 2, true, t0);
    EXPECT_EQ(d.what, verdict::give_up);
    EXPECT_EQ(d.stop, (list{3, 1, 0}));
    EXPECT_TRUE(d.start.empty());
  }
}

TEST(Intensity, HistoryNeverGrowsBeyondItsCap) {
  supervision_settings settings;
  settings.intensity = 5;
  supervision_state state = fresh();
  for (int i = 0; i < 1000; ++i) {
    (void)on_child_end(settings, state, {permanent}, {false}, 0, true, t0 + i * 1ms);
    EXPECT_LE(state.restarts.size(), 6U);
  }
}

TEST(Intensity, ChildrenThatAreLeftAloneDoNotCount) {
  supervision_settings settings;
  settings.intensity = 1;
  supervision_state state = fresh();
  for (int i = 0; i < 50; ++i)
    EXPECT_EQ(on_child_end(settings, state, {temporary, permanent}, {false, true}, 0, true, t0).what, verdict::leave);
  EXPECT_EQ(on_child_end(settings, state, {temporary, permanent}, {true, false}, 1, true, t0).what, verdict::restart);
}

// ---- pauses
// --------------------------------------------------------------------------------------------------------------

std::vector<duration> pauses(supervision_settings settings, int count, duration apart = 1ms, std::uint64_t seed = 1) {
  settings.intensity = 1000;
  supervision_state state{.restarts = {}, .rng = chacha8_rng(seed)};
  std::vector<duration> found;
  for (int i = 0; i < count; ++i)
    found.push_back(on_child_end(settings, state, {permanent}, {false}, 0, true, t0 + i * apart).delay);
  return found;
}

TEST(Backoff, DoublesUpToItsLimit) {
  supervision_settings settings;
  settings.jitter = 0;
  EXPECT_EQ(pauses(settings, 9), (std::vector<duration>{50ms, 100ms, 200ms, 400ms, 800ms, 1600ms, 3200ms, 5s, 5s}));
}

TEST(Backoff, StaysAtItsLimitHoweverLongTheBurst) {
  supervision_settings settings;
  settings.jitter = 0;
  for (duration pause : pauses(settings, 200)) EXPECT_LE(pause, settings.backoff_limit);
  EXPECT_EQ(pauses(settings, 200).back(), settings.backoff_limit);
}

TEST(Backoff, BeginsAgainAfterAQuietPeriod) {
  supervision_settings settings;
  settings.jitter = 0;
  for (duration pause : pauses(settings, 5, settings.period + 1us)) EXPECT_EQ(pause, settings.backoff);
}

TEST(Backoff, JitterStaysInsideItsShareAndUsesIt) {
  supervision_settings settings;
  settings.jitter = 0.2;
  double lowest = 2, highest = 0;
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    const std::vector<duration> found = pauses(settings, 9, 1ms, seed);
    duration plain = settings.backoff;
    for (duration pause : found) {
      const double share = seconds_of(pause) / seconds_of(plain);
      EXPECT_GE(share, 0.8 - 1e-4);
      EXPECT_LE(share, 1.2 + 1e-4);
      lowest = std::min(lowest, share), highest = std::max(highest, share);
      plain = std::min(2 * plain, settings.backoff_limit);
    }
  }
  EXPECT_LT(lowest, 0.81);
  EXPECT_GT(highest, 1.19);
}

TEST(Backoff, SameSeedSamePauses) {
  EXPECT_EQ(pauses({}, 20, 1ms, 7), pauses({}, 20, 1ms, 7));
  EXPECT_NE(pauses({}, 20, 1ms, 7), pauses({}, 20, 1ms, 8));
}

} // namespace
} // namespace homeostat
