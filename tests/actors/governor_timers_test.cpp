// When time alone changes something: the governor's silence watch, and the timers behind every `look_again`.
#include "tests/actors/governor_rig.hpp"

#include <gmock/gmock.h>

#include <utility>
#include <vector>

namespace homeostat::testing {
namespace {

using ::testing::ElementsAre;

class governor_timers_test : public governor_rig {};

TEST_F(governor_timers_test, FreezesWhenNoTelemetryComes) {
  settings.config.watch_telemetry = true;
  start();
  for (int i = 0; i < 10; ++i) {
    advance(2s, 100ms);
    send_window(10, 1);
  }
  EXPECT_EQ(status().state, "running");
  advance(11s, 100ms);
  EXPECT_THAT(status().safe_mode_reasons, ElementsAre("TelemetryLost"));
  send_window(10, 1);
  EXPECT_EQ(status().state, "running");
}

TEST_F(governor_timers_test, KeepsFewTimersHoweverManyWindowsCome) {
  settings.config.watch_telemetry = true;
  start();
  advance(6s, 100ms); // beyond the timeouts of its first requests
  for (int i = 0; i < 200; ++i) {
    sched.advance_time(10ms);
    send_window(10, 1);
  }
  EXPECT_LE(sched.advance_time(60s), 3U) << "timers on their way";
  settle();
}

struct fake_self {
  template <class... T> void delayed_send(fake_self*, duration wait, look_atom, std::uint64_t token) {
    sent.push_back({wait, token});
  }
  std::vector<std::pair<duration, std::uint64_t>> sent;
};

TEST(look_timers, ArmsOnlyWhatIsDueBeforeAllOthers) {
  look_timers timers;
  fake_self self;
  const instant start{1000s};
  timers.arm(&self, start + 10s, start);
  timers.arm(&self, start + 20s, start);
  EXPECT_EQ(self.sent.size(), 1U);
  timers.arm(&self, start + 5s, start);
  ASSERT_EQ(self.sent.size(), 2U);
  EXPECT_EQ(self.sent[1].first, 5s);
  EXPECT_TRUE(timers.fired(self.sent[1].second));
  EXPECT_FALSE(timers.fired(self.sent[1].second)) << "once";
  timers.arm(&self, start + 20s, start + 5s);
  EXPECT_EQ(self.sent.size(), 2U) << "the one at 10 s is still on its way and will ask again";
  EXPECT_TRUE(timers.fired(self.sent[0].second));
  timers.arm(&self, start + 20s, start + 10s);
  EXPECT_EQ(self.sent.size(), 3U);
  EXPECT_EQ(timers.on_their_way(), 1U);
}

TEST(look_timers, NeverGoOffAtOnce) {
  look_timers timers;
  fake_self self;
  const instant start{1000s};
  timers.arm(&self, start - 1s, start);
  ASSERT_EQ(self.sent.size(), 1U);
  EXPECT_EQ(self.sent[0].first, 1ms);
}

} // namespace
} // namespace homeostat::testing
