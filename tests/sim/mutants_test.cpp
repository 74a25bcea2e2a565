// The checkers check: a bug planted into the policies is seen, and seen by the invariant it breaks.
#include "mutants.hpp"

#include "sim/campaign.hpp"

#include <gtest/gtest.h>

#include <map>

namespace homeostat::sim {
namespace {

class PlantedBug : public testing::TestWithParam<mutant> {};

TEST_P(PlantedBug, IsCaughtByItsInvariant) {
  const mutant& m = GetParam();
  const auto policies = m.make();
  constexpr std::uint64_t most_seeds = 4000;
  std::map<std::string, int> seen;
  for (std::uint64_t seed = 1; seed <= most_seeds; ++seed) {
    const run_result r = run_seed(seed, *policies);
    std::string broken = r.broken ? r.broken->invariant : "";
    if (broken.empty() && m.invariant == "I7" && run_seed(seed, *policies).hash != r.hash) broken = "I7";
    if (broken == m.invariant) return;
    if (!broken.empty()) ++seen[broken];
  }
  std::string others;
  for (const auto& [invariant, count] : seen) others += " " + invariant + " " + std::to_string(count) + " times";
  FAIL() << "not caught in " << most_seeds << " seeds; broken instead:" << (others.empty() ? " nothing" : others);
}

INSTANTIATE_TEST_SUITE_P(Sim, PlantedBug, testing::ValuesIn(all_mutants()),
                         [](const testing::TestParamInfo<mutant>& row) { return std::string(row.param.name); });

TEST(PlantedBugs, CoverEveryInvariant) {
  for (const char* invariant : {"I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9", "I10", "I11", "I12"})
    EXPECT_TRUE(std::ranges::any_of(all_mutants(), [&](const mutant& m) { return m.invariant == invariant; }))
        << invariant;
}

} // namespace
} // namespace homeostat::sim
