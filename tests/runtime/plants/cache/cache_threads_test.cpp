// What only shows with real threads: the same traffic for two services, knobs changed by many at once, and one short
// run of everything in real time. Written to be run under ThreadSanitizer too.
#include "runtime/plants/cache/cache_service.hpp"

#include "tests/runtime/plants/cache/doubles.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace homeostat::cache {
namespace {

constexpr duration patience = 20s;

TEST(CacheThreads, TwoServicesGetTheSameRequests) {
  manual_clock clock;
  gate_origin first_gate;
  gate_origin second_gate;
  first_gate.open(true);
  second_gate.open(true);
  cache_service first({}, {}, first_gate, clock);
  cache_service second({}, {.ttl_ms = 20, .workers = 1, .batch_size = 1}, second_gate, clock);
  const traffic_settings settings{.seed = 99};
  traffic_source traffic(settings, {&first, &second}, clock);
  clock.advance(24h); // all of that day's requests are due
  ASSERT_TRUE(eventually([&] { return traffic.sent().count() > 30'000; }));
  traffic.stop();
  EXPECT_EQ(first.received().count(), traffic.sent().count());
  EXPECT_EQ(first.received().value(), second.received().value());
  EXPECT_EQ(first.received().value(), traffic.sent().value());
  traffic_schedule replay(settings);
  sequence_hash expected;
  for (std::uint64_t i = 0; i < traffic.sent().count(); ++i) expected.add(replay.next());
  EXPECT_EQ(first.received().value(), expected.value());
}

TEST(CacheThreads, KnobsMayBeChangedByManyWhileTrafficRuns) {
  const steady_plant_clock clock;
  slow_origin source({.per_batch = 200us, .per_item = 5us}, clock);
  service_settings settings;
  settings.queue.linger = 100us;
  settings.queue.timeout = 1h;
  cache_service service(settings, {}, source, clock);
  constexpr int changes = 150;
  std::atomic<int> settled{0};
  auto change = [&](std::uint64_t who) {
    for (std::uint64_t i = 0; i < changes; ++i) {
      const named_values wanted{{"cache_ttl_ms", 20.0 + double((7 * i + who) % 100)},
                                {"workers", double(1 + (5 * i + who) % 16)},
                                {"batch_size", double(1 + (3 * i + who) % 64)}};
      // Whoever is overtaken gets an error; whoever gets values gets a set as it was wanted by one caller.
      if (const auto in_force = service.apply(wanted, patience)) {
        EXPECT_EQ(*in_force, wanted);
        ++settled;
      }
    }
  };
  std::uint64_t offered = 0;
  std::atomic<bool> changing{true};
  std::thread reader([&] {
    while (changing) {
      const auto values = service.read_back(patience);
      ASSERT_TRUE(values);
      EXPECT_LE(values->at("workers"), 16);
      (void)service.read(clock.now(), patience);
    }
  });
  std::thread asker([&] {
    for (std::uint32_t i = 0; changing; ++i, ++offered) {
      service.offer({{duration(i), i % 300}, clock.now()});
      if (i % 64 == 0) std::this_thread::yield();
    }
  });
  std::thread one([&] { change(1); });
  std::thread two([&] { change(2); });
  one.join();
  two.join();
  changing = false;
  reader.join();
  asker.join();
  EXPECT_GT(settled, 0);
  EXPECT_TRUE(eventually([&] { return service.totals().requests() == offered; })) << "every request ends exactly once";
  const auto last = service.apply(named(cache_knobs{}), patience);
  ASSERT_TRUE(last);
  EXPECT_EQ(*last, named(cache_knobs{}));
}

TEST(CacheThreads, EverythingRunsTogetherInRealTime) {
  const steady_plant_clock clock;
  slow_origin source({}, clock);
  cache_service service({}, {}, source, clock);
  traffic_settings settings;
  settings.cycle = 900ms;
  traffic_source traffic(settings, {&service}, clock);
  ASSERT_TRUE(eventually([&] { return service.totals().hits > 100 && service.totals().misses > 100; }));
  const auto r = service.read(clock.now(), patience);
  ASSERT_TRUE(r);
  EXPECT_GT(r->sample_count, 200U);
  EXPECT_GT(r->metrics.at("latency_mean_ms"), 0);
  EXPECT_GT(r->metrics.at("latency_p99_ms"), 9) << "a miss costs at least the origin's fixed time, or nearly";
  EXPECT_GT(r->metrics.at("origin_load"), 0);
  EXPECT_GE(r->metrics.at("latency_p99_ms"), r->metrics.at("latency_p50_ms"));
  traffic.stop();
  service.stop();
  EXPECT_GE(source.totals().items, service.totals().fetched_keys);
}

} // namespace
} // namespace homeostat::cache
