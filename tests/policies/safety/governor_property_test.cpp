// Hostile worlds against the invariants I1..I5, I7, I10, I12.
//
// The seeds are fixed, so that a push is judged by the same worlds as the one before; RC_PARAMS="seed=...
// max_success=..." in the environment asks for others.
#include "tests/policies/safety/governor_world.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cstdio>
#include <cstdlib>

namespace rc {
template <> struct Arbitrary<homeostat::happening> {
  static Gen<homeostat::happening> arbitrary() {
    const auto number = gen::inRange<std::uint32_t>(0, 1U << 16U);
    return gen::build<homeostat::happening>(
        gen::set(&homeostat::happening::what, number), gen::set(&homeostat::happening::a, number),
        gen::set(&homeostat::happening::b, number), gen::set(&homeostat::happening::c, number));
  }
};
} // namespace rc

namespace homeostat {
namespace {

[[maybe_unused]] const bool seeded = [] {
  return setenv("RC_PARAMS", "seed=20260727 max_success=3000 max_size=600", 0) == 0;
}();

struct tally {
  std::size_t steps, commits, refusals, rollbacks, freezes, crashes, aborts, drifts;
};
tally seen{};

RC_GTEST_PROP(HostileWorld, BreaksNoInvariant, (const std::vector<happening>& happenings)) {
  const governor_config config = hostile_config(*rc::gen::inRange<std::uint32_t>(0, 1U << 20U));
  governor_world world(config);
  for (const happening& h : happenings) {
    world.happen(h);
    if (!world.complaints().empty()) RC_FAIL(world.complaints().front());
  }
  seen.steps += happenings.size();
  seen.commits += world.commits, seen.refusals += world.refusals, seen.rollbacks += world.rollbacks;
  seen.freezes += world.freezes, seen.crashes += world.crashes, seen.aborts += world.aborts,
      seen.drifts += world.drifts;
}

// A property over worlds in which nothing happens would prove nothing.
TEST(HostileWorldTally, EverythingHappenedOften) {
  if (seen.steps == 0) GTEST_SKIP() << "needs HostileWorld.BreaksNoInvariant before it";
  std::printf("%zu steps: %zu commits, %zu refusals, %zu rollbacks, %zu freezes, %zu crashes, %zu aborts, %zu drifts\n",
              seen.steps, seen.commits, seen.refusals, seen.rollbacks, seen.freezes, seen.crashes, seen.aborts,
              seen.drifts);
  EXPECT_GT(seen.commits, seen.steps / 50);
  EXPECT_GT(seen.refusals, seen.steps / 20);
  EXPECT_GT(seen.rollbacks, seen.steps / 2000);
  EXPECT_GT(seen.freezes, seen.steps / 200);
  EXPECT_GT(seen.crashes, seen.steps / 100);
  EXPECT_GT(seen.aborts, seen.steps / 200);
  EXPECT_GT(seen.drifts, seen.steps / 2000);
}

} // namespace
} // namespace homeostat
