// What a model sees of a transfer.
#include "policies/learning/features.hpp"
#include "tests/policies/row_name.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

namespace homeostat {
namespace {

constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

struct feature_row {
  std::string name;
  transfer_characteristics data;
  system_conditions now;
  feature which;
  float expected;
};
void PrintTo(const feature_row& row, std::ostream* out) { *out << row.name; }

class Features : public testing::TestWithParam<feature_row> {};
TEST_P(Features, FollowTheTable) {
  const feature_row& r = GetParam();
  EXPECT_EQ(latency_features(r.data, r.now, transfer_method::grpc)[static_cast<std::size_t>(r.which)], r.expected);
}
using enum feature;
INSTANTIATE_TEST_SUITE_P(
    All, Features,
    testing::Values(feature_row{"EmptyBuffer", {.data_size = 0}, {}, size, 0},
                    feature_row{"OneByte", {.data_size = 1}, {}, size, 0},
                    feature_row{"OneMebibyte", {.data_size = 1 << 20}, {}, size, 20},
                    feature_row{"LargestSize", {.data_size = ~std::uint64_t{0}}, {}, size, 64},
                    feature_row{"Type", {.type = data_type::dataframe}, {}, type, 2},
                    feature_row{"Format", {.format = data_format::protobuf}, {}, format, 3},
                    feature_row{"Plain", {.compressed = false}, {}, compressed, 0},
                    feature_row{"Compressed", {.compressed = true}, {}, compressed, 1},
                    feature_row{"Load", {}, {.cpu_load = 0.25}, cpu_load, 0.25F},
                    feature_row{"LoadAbove", {}, {.cpu_load = 1.5}, cpu_load, 1},
                    feature_row{"LoadBelow", {}, {.cpu_load = -0.5}, cpu_load, 0},
                    feature_row{"LoadNotANumber", {}, {.cpu_load = nan_value}, cpu_load, 0},
                    feature_row{"MemoryUnknown", {}, {.available_memory = 0}, memory, 0},
                    feature_row{"OneGibibyteFree", {}, {.available_memory = 1 << 30}, memory, 30},
                    feature_row{"Hour", {}, {.hour = 13.5}, hour, 13.5F},
                    feature_row{"HourInfinite", {}, {.hour = infinity}, hour, 0},
                    feature_row{"InFlight", {}, {.in_flight = 7}, in_flight, 7},
                    feature_row{"InFlightHuge", {}, {.in_flight = 4'000'000'000U}, in_flight, 65536},
                    feature_row{"Slowdown", {}, {.recent_slowdown = 1.25}, recent_slowdown, 1.25F},
                    feature_row{"SlowdownHuge", {}, {.recent_slowdown = 1e9}, recent_slowdown, 1000},
                    feature_row{"SlowdownUnknown", {}, {.recent_slowdown = nan_value}, recent_slowdown, 1}),
    by_name);

TEST(Features, MethodStandsLastAndOnlyThere) {
  const transfer_characteristics data{.data_size = 5000};
  const latency_row grpc = latency_features(data, {}, transfer_method::grpc);
  const latency_row zero_copy = latency_features(data, {}, transfer_method::zero_copy);
  EXPECT_EQ(grpc.back(), 0);
  EXPECT_EQ(zero_copy.back(), 1);
  const choice_row choice = choice_features(data, {});
  for (std::size_t i = 0; i < choice.size(); ++i) {
    EXPECT_EQ(choice[i], grpc[i]);
    EXPECT_EQ(choice[i], zero_copy[i]);
  }
}

TEST(Features, EveryOneHasAName) {
  for (std::size_t i = 0; i < latency_feature_count; ++i) EXPECT_NE(name_of(static_cast<feature>(i)), "?");
  EXPECT_EQ(name_of(static_cast<feature>(latency_feature_count)), "?");
}

} // namespace
} // namespace homeostat
