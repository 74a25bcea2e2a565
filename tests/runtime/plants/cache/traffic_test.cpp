#include "runtime/plants/cache/traffic.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>
#include <vector>

namespace homeostat::cache {
namespace {

sequence_hash hash_of(const traffic_settings& settings, int requests) {
  traffic_schedule schedule(settings);
  sequence_hash hash;
  for (int i = 0; i < requests; ++i) hash.add(schedule.next());
  return hash;
}

TEST(Traffic, TheSameSeedGivesTheSameSequence) {
  const auto a = hash_of({.seed = 7}, 20'000);
  EXPECT_EQ(a.value(), hash_of({.seed = 7}, 20'000).value());
  EXPECT_EQ(a.count(), 20'000U);
  EXPECT_NE(a.value(), hash_of({.seed = 8}, 20'000).value());
}

TEST(Traffic, TheHashSeesOrderKeyAndTime) {
  auto hash = [](std::vector<scheduled_request> requests) {
    sequence_hash h;
    for (const auto& r : requests) h.add(r);
    return h.value();
  };
  const auto base = hash({{1ms, 1}, {2ms, 2}});
  EXPECT_NE(base, hash({{2ms, 2}, {1ms, 1}}));
  EXPECT_NE(base, hash({{1ms, 1}, {2ms, 3}}));
  EXPECT_NE(base, hash({{1ms, 1}, {2ms + 1us, 2}}));
}

TEST(Traffic, ArrivalsNeverGoBackAndKeysStayInRange) {
  traffic_settings settings{.keys = 50};
  traffic_schedule schedule(settings);
  duration previous{0};
  for (int i = 0; i < 100'000; ++i) {
    const auto r = schedule.next();
    ASSERT_GE(r.offset, previous);
    ASSERT_LT(r.key, 50U);
    previous = r.offset;
  }
  EXPECT_GT(previous, 2 * settings.cycle) << "the flash crowds of several cycles were in it";
}

struct moment {
  const char* name;
  double phase; ///< of the cycle; above 1: later cycles
  regime kind;
  double rate_per_s;
  double origin_slowdown;
  std::uint32_t hot_shift;
};

class TrafficRegimes : public testing::TestWithParam<moment> {};

TEST_P(TrafficRegimes, FollowTheCycle) {
  traffic_settings settings;
  settings.ramp_share = 0.1;
  settings.shapes = {{{100, 1, 1.0, 0.5}, {200, 1, 1.1, 0.3}, {300, 1, 1.2, 0.2}}};
  const auto& m = GetParam();
  const auto c = conditions_at(settings, duration(static_cast<std::int64_t>(m.phase * 24e6)));
  EXPECT_EQ(name_of(c.kind), name_of(m.kind));
  EXPECT_NEAR(c.rate_per_s, m.rate_per_s, 1e-6);
  EXPECT_EQ(c.origin_slowdown, m.origin_slowdown);
  EXPECT_EQ(c.hot_shift, m.hot_shift);
}

INSTANTIATE_TEST_SUITE_P(, TrafficRegimes,
                         testing::Values(moment{"QuietAtTheStart", 0, regime::quiet, 100, 1.0, 0},
                                         moment{"QuietToItsEnd", 0.4999, regime::quiet, 100, 1.0, 0},
                                         moment{"PeakGrows", 0.55, regime::peak, 150, 1.1, 0},
                                         moment{"PeakIsReached", 0.6, regime::peak, 200, 1.1, 0},
                                         moment{"PeakToItsEnd", 0.7999, regime::peak, 200, 1.1, 0},
                                         moment{"TheCrowdComesAtOnceWithANewHotSet", 0.8001, regime::flash, 300, 1.2,
                                                1},
                                         moment{"TheCrowdStays", 0.9999, regime::flash, 300, 1.2, 1},
                                         moment{"TheCrowdLeavesSlowlyItsHotSetStays", 1.05, regime::quiet, 200, 1.0, 1},
                                         moment{"QuietAgain", 1.1, regime::quiet, 100, 1.0, 1},
                                         moment{"TheSecondCrowdMovesTheHotSetAgain", 1.9, regime::flash, 300, 1.2, 2}),
                         [](const auto& r) { return r.param.name; });

TEST(Traffic, PinnedStaysInItsRegime) {
  traffic_settings settings;
  settings.pinned = regime::flash;
  for (const duration at : {duration(0s), duration(10s), duration(1h)}) {
    const auto c = conditions_at(settings, at);
    EXPECT_EQ(c.kind, regime::flash);
    EXPECT_EQ(c.rate_per_s, settings.shapes[2].rate_per_s);
    EXPECT_EQ(c.hot_shift, 0U);
  }
}

TEST(Traffic, ArrivesAtTheRateOfItsRegime) {
  for (const regime r : all_regimes) {
    traffic_settings settings;
    settings.pinned = r;
    traffic_schedule schedule(settings);
    duration last{0};
    for (int i = 0; i < 50'000; ++i) last = schedule.next().offset;
    const double wanted = settings.shapes[static_cast<std::size_t>(r)].rate_per_s;
    EXPECT_NEAR(50'000 / seconds_of(last), wanted, 0.03 * wanted) << name_of(r);
  }
}

TEST(Traffic, PopularityIsZipf) {
  traffic_settings settings{.keys = 400};
  settings.pinned = regime::peak;
  settings.shapes[1].zipf_exponent = 1.0;
  traffic_schedule schedule(settings);
  constexpr int requests = 200'000;
  std::vector<double> seen(settings.keys, 0.0);
  for (int i = 0; i < requests; ++i) seen[schedule.next().key] += 1.0 / requests;
  double harmonic = 0;
  for (int rank = 1; rank <= 400; ++rank) harmonic += 1.0 / rank;
  for (const std::size_t rank : {1UZ, 2UZ, 5UZ, 20UZ, 100UZ}) {
    const double wanted = 1.0 / (static_cast<double>(rank) * harmonic);
    const double error = std::sqrt(wanted / requests);
    EXPECT_NEAR(seen[rank - 1], wanted, 5 * error) << "rank " << rank;
  }
}

/// @returns the key asked for most between two moments.
std::uint32_t hottest(const traffic_settings& settings, duration from, duration to) {
  traffic_schedule schedule(settings);
  std::map<std::uint32_t, int> counts;
  for (auto r = schedule.next(); r.offset < to; r = schedule.next())
    if (r.offset >= from) ++counts[r.key];
  std::uint32_t key = 0;
  for (const auto& [k, n] : counts)
    if (n > counts[key]) key = k;
  return key;
}

TEST(Traffic, AFlashCrowdBringsANewHotSet) {
  const traffic_settings settings; // 24 s: quiet until 9.6, peak until 18.24, flash until 24
  const auto quiet = hottest(settings, 0s, 9s);
  const auto peak = hottest(settings, 10s, 18s);
  const auto flash = hottest(settings, 19s, 24s);
  EXPECT_EQ(quiet, peak);
  EXPECT_NE(flash, peak);
  EXPECT_EQ(hottest(settings, 26s, 33s), flash) << "what became popular stays so";
}

} // namespace
} // namespace homeostat::cache
