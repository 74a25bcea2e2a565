#include "actors/sensor.hpp"
#include "tests/actors/loops.hpp"

#include <gmock/gmock.h>

namespace homeostat::testing {
namespace {

using ::testing::ElementsAre;

class sensor_test : public actor_world {
protected:
  sensor_test() {
    settings.time = time;
    settings.windows = {.digests = 1, .span = 10s, .settle_time = 10ms, .max_age = 5s}; // a window for each digest
    script->live.applied_at = now();
  }
  void start() {
    if (!governor) governor = spawn_governor(system, script);
    handle = system.spawn(sensor, settings, std::static_pointer_cast<telemetry_port>(telemetry), governor);
    settle();
  }
  void TearDown() override {
    end(handle);
    end(governor);
    handle = nullptr, governor = nullptr;
    actor_world::TearDown();
  }
  /// So many windows with means 1, 2, 3 ...
  void report(int count) {
    for (int i = 0; i < count; ++i) {
      advance(200ms, 200ms);
      telemetry->report(now(), ++last);
      settle();
    }
  }
  void grant(const recorder_actor& to, std::uint32_t credit) {
    caf::anon_send(handle, credit_atom::value, caf::actor_cast<window_listener_actor>(to), credit);
    settle();
  }
  static std::vector<double> means(const std::vector<objective_window>& windows) {
    std::vector<double> all;
    for (const auto& w : windows) all.push_back(w.mean);
    return all;
  }
  sensor_status status() {
    const auto answer = ask<sensor_status>(handle, status_atom::value);
    settle();
    return answer->value.value_or(sensor_status{});
  }

  std::shared_ptr<governor_script> script = std::make_shared<governor_script>();
  std::shared_ptr<fake_telemetry> telemetry = std::make_shared<fake_telemetry>();
  sensor_settings settings;
  governor_actor governor;
  sensor_actor handle;
  double last{0};
};

TEST_F(sensor_test, SendsNoMoreWindowsThanItWasGivenCredit) {
  start();
  const auto heard = std::make_shared<recording>();
  const auto listener = spawn_recorder(system, heard);
  grant(listener, 2);
  report(10);
  EXPECT_THAT(means(script->windows), ElementsAre(1, 2, 3, 4)) << "the governor's credit to begin with";
  EXPECT_THAT(means(heard->windows), ElementsAre(1, 2));
  grant(listener, 3);
  EXPECT_THAT(means(heard->windows), ElementsAre(1, 2, 3, 4, 5)) << "what waits comes in order";
  caf::anon_send(handle, credit_atom::value, caf::actor_cast<window_listener_actor>(governor), std::uint32_t{1});
  settle();
  EXPECT_EQ(script->windows.size(), 5U);
  end(listener);
}

TEST_F(sensor_test, KeepsTheNewestWindowsForASlowListener) {
  start();
  const auto heard = std::make_shared<recording>();
  const auto listener = spawn_recorder(system, heard);
  grant(listener, 0);
  report(30);
  EXPECT_TRUE(heard->windows.empty());
  grant(listener, 100);
  ASSERT_EQ(heard->windows.size(), 16U);
  EXPECT_EQ(heard->windows.front().mean, 15);
  EXPECT_EQ(heard->windows.back().mean, 30);
  end(listener);
}

// I6: what was measured under another generation or while settling reaches nobody.
TEST_F(sensor_test, SendsNothingMeasuredUnderAnotherGeneration) {
  start();
  EXPECT_EQ(telemetry->generation, 1U);
  report(1);
  advance(200ms);
  const telemetry_digest old{
      .at = now(), .window = 100ms, .sequence = 50, .generation = 1, .sample_count = 1, .objective = 7, .measures = {}};
  script->live.generation = 2;
  script->live.applied_at = now();
  caf::anon_send(handle, script->live);
  settle();
  EXPECT_EQ(telemetry->generation, 2U);
  telemetry->push(old); // measured before
  advance(50ms);
  telemetry->sequence = 50;
  telemetry->report(now(), 8); // its 100 ms began before the change had settled
  settle();
  EXPECT_EQ(script->windows.size(), 1U);
  advance(200ms);
  telemetry->report(now(), 9);
  settle();
  EXPECT_THAT(means(script->windows), ElementsAre(1, 9));
  EXPECT_EQ(script->windows.back().generation, 2U);
  const sensor_status seen = status();
  EXPECT_EQ(seen.windows, 2U);
  EXPECT_EQ(seen.digests, 4U);
  EXPECT_EQ(seen.faults, (std::map<std::string, std::uint64_t>{{"other_generation", 1}, {"settling", 1}}));
}

TEST_F(sensor_test, CollectsNothingBeforeItKnowsWhatIsLive) {
  script->live = {}; // a governor that has not recovered
  start();
  telemetry->generation = 1;
  report(3);
  EXPECT_TRUE(script->windows.empty());
}

TEST_F(sensor_test, IsWokenOncePerBurst) {
  start();
  advance(1s);
  for (int i = 5; i > 0; --i) telemetry->report(now() - i * 100ms, 1);
  EXPECT_EQ(telemetry->wakes, 1U);
  settle();
  EXPECT_EQ(telemetry->waiting(), 0U);
  advance(200ms);
  telemetry->report(now(), 1);
  EXPECT_EQ(telemetry->wakes, 2U);
  settle();
  EXPECT_EQ(status().digests, 6U);
}

// The wake for what is in the ring went to the sensor before, which ended without reading it.
TEST_F(sensor_test, ReadsWhatItsPredecessorLeft) {
  start();
  advance(1s);
  stuck.push_back(caf::actor_cast<caf::actor>(handle));
  telemetry->report(now(), 1);
  caf::anon_send_exit(handle, caf::exit_reason::kill);
  EXPECT_EQ(telemetry->waiting(), 1U);
  telemetry->on_ready({});
  stuck.clear();
  // The kill is handled after the wake: put back what the old one took.
  settle();
  telemetry->push({.at = now(),
                   .window = 100ms,
                   .sequence = 99,
                   .generation = 1,
                   .sample_count = 1,
                   .objective = 1,
                   .measures = {}});
  EXPECT_EQ(telemetry->waiting(), 1U);
  start();
  EXPECT_EQ(telemetry->waiting(), 0U);
  report(1);
  EXPECT_EQ(telemetry->waiting(), 0U) << "and is told again";
}

TEST_F(sensor_test, ReadsALongRingInTurns) {
  telemetry->capacity = 1000;
  start();
  for (int i = 0; i < 1000; ++i) telemetry->push({});
  std::size_t turns = 0;
  for (std::size_t before = telemetry->waiting(); step(); before = telemetry->waiting()) {
    EXPECT_LE(before - telemetry->waiting(), 256U);
    turns += before != telemetry->waiting() ? 1U : 0U;
  }
  EXPECT_EQ(turns, 4U);
  EXPECT_EQ(status().digests, 1000U);
}

TEST_F(sensor_test, IsFreedWhenItEnds) {
  start();
  EXPECT_TRUE(telemetry->has_listener);
  const auto trace = trace_of(handle);
  end(handle);
  handle = nullptr;
  script->listeners.clear();
  settle();
  EXPECT_FALSE(telemetry->has_listener);
  EXPECT_FALSE(trace.lock());
}

TEST_F(sensor_test, EndsWhenThePortThrows) {
  start();
  telemetry->report(now(), 1);
  telemetry->throws = true;
  const auto answer = ask<sensor_status>(handle, status_atom::value);
  settle();
  EXPECT_FALSE(alive(handle));
  EXPECT_TRUE(answer->error);
  EXPECT_FALSE(telemetry->has_listener);
}

TEST_F(sensor_test, EndsWhenTheGovernorDoesNotAnswer) {
  script->answers_listeners = false;
  start();
  advance(4900ms, 100ms);
  EXPECT_TRUE(alive(handle));
  advance(200ms, 100ms);
  EXPECT_FALSE(alive(handle));
}

TEST_F(sensor_test, ForgetsListenersThatEnd) {
  start();
  const auto heard = std::make_shared<recording>();
  auto listener = spawn_recorder(system, heard);
  grant(listener, 1);
  grant(listener, 1);
  const auto trace = trace_of(listener);
  end(listener);
  listener = nullptr;
  EXPECT_FALSE(trace.lock());
  report(3);
  EXPECT_TRUE(heard->windows.empty());
}

} // namespace
} // namespace homeostat::testing
