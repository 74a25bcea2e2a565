// The space: every kind of knob there and back, equal chances, short ways round.
#include "policies/search/space.hpp"

#include "policies/search/chacha8.hpp"
#include "tests/policies/row_name.hpp"

#include <gtest/gtest.h>

#include <map>
#include <ostream>

namespace homeostat {
namespace {

knob_spec knob(std::string name, knob_type type, double min, double max, knob_scale scale = knob_scale::linear) {
  knob_spec spec;
  spec.name = std::move(name);
  spec.type = type;
  spec.scale = scale;
  spec.min = spec.initial = min;
  spec.max = max;
  if (type == knob_type::categorical)
    for (double i = 0; i <= max; ++i) spec.categories.push_back("c" + std::to_string(static_cast<int>(i)));
  return spec;
}

search_space space_of(std::vector<knob_spec> knobs) {
  auto space = search_space::create(std::move(knobs));
  EXPECT_TRUE(space) << (space ? "" : space.error());
  return std::move(*space);
}

struct refused_row {
  const char* name;
  std::vector<knob_spec> knobs;
  const char* says;
  friend void PrintTo(const refused_row& row, std::ostream* out) { *out << row.name; }
};
class SpaceRefused : public testing::TestWithParam<refused_row> {};
TEST_P(SpaceRefused, WithASentenceThatNamesTheKnob) {
  const auto space = search_space::create(GetParam().knobs);
  ASSERT_FALSE(space);
  EXPECT_NE(space.error().find(GetParam().says), std::string::npos) << space.error();
}
INSTANTIATE_TEST_SUITE_P(
    Table, SpaceRefused,
    testing::Values(refused_row{"NoKnobs", {}, "no knobs"},
                    refused_row{"EqualNames",
                                {knob("x", knob_type::continuous, 0, 1), knob("x", knob_type::continuous, 0, 2)},
                                "'x' appears twice"},
                    refused_row{"LogFromZero", {knob("y", knob_type::continuous, 0, 1, knob_scale::log)}, "'y'"},
                    refused_row{"EmptyRange", {knob("z", knob_type::continuous, 1, 1)}, "max is 1"}),
    by_name);

TEST(Space, EveryValueHasItsPlaceAndThatPlaceTheValue) {
  knob_spec stepped = knob("g", knob_type::continuous, -1, 1);
  stepped.step = 0.25;
  const search_space space =
      space_of({knob("a", knob_type::continuous, -5, 10), knob("b", knob_type::continuous, 0.01, 100, knob_scale::log),
                knob("c", knob_type::integer, 3, 9), knob("d", knob_type::boolean, 0, 1),
                knob("e", knob_type::categorical, 0, 4), knob("f", knob_type::continuous, 0, 360, knob_scale::periodic),
                stepped, knob("h", knob_type::integer, 1, 100000, knob_scale::log)});
  chacha8_rng rng(11);
  for (int round = 0; round < 500; ++round) {
    unit_point point(space.size());
    for (double& u : point) u = rng.uniform();
    const std::vector<double> values = space.values_at(point);
    for (std::size_t i = 0; i < values.size(); ++i) ASSERT_TRUE(is_admissible(space.knobs()[i], values[i])) << i;
    const std::vector<double> again = space.values_at(space.point_of(values));
    for (std::size_t i = 0; i < values.size(); ++i) ASSERT_NEAR(again[i], values[i], 1e-9 * (1 + std::abs(values[i])));
    const unit_point snapped = space.snapped(point);
    ASSERT_LE(space.distance(snapped, space.snapped(snapped)), 1e-12) << "snapping twice is snapping once";
  }
}

TEST(Space, UniformPointsGiveEveryCategoryTheSameChance) {
  const search_space space = space_of({knob("e", knob_type::categorical, 0, 3)});
  std::map<double, int> seen;
  for (int i = 0; i < 4000; ++i) ++seen[space.values_at(unit_point{(i + 0.5) / 4000})[0]];
  for (const auto& [value, count] : seen) EXPECT_EQ(count, 1000) << value;
}

TEST(Space, PeriodicAxesGoTheShortWayRoundAndWrap) {
  const search_space space = space_of({knob("f", knob_type::continuous, 0, 360, knob_scale::periodic)});
  EXPECT_NEAR(space.way(0, 0.95, 0.05), 0.1, 1e-12);
  EXPECT_NEAR(space.way(0, 0.05, 0.95), -0.1, 1e-12);
  EXPECT_NEAR(space.inside(0, 1.25), 0.25, 1e-12);
  EXPECT_NEAR(space.inside(0, -0.25), 0.75, 1e-12);
}

TEST(Space, CountsItsPoints) {
  EXPECT_EQ(space_of({knob("c", knob_type::integer, 1, 5), knob("d", knob_type::boolean, 0, 1)}).point_count(), 10U);
  EXPECT_EQ(space_of({knob("a", knob_type::continuous, 0, 1)}).point_count(), 0U);
  EXPECT_FALSE(space_of({knob("c", knob_type::integer, 1, 5)}).is_smooth());
  EXPECT_TRUE(space_of({knob("c", knob_type::integer, 1, 64)}).is_smooth());
}

} // namespace
} // namespace homeostat
