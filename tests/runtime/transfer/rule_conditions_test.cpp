#include "runtime/transfer/rule_conditions.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <thread>

namespace homeostat {
namespace {

using testing::HasSubstr;

transfer_rule rule(const std::string& when, int priority = 0, transfer_method method = transfer_method::zero_copy) {
  return {.name = "r" + when + std::to_string(priority), .priority = priority, .method = method, .when = when};
}

const transfer_characteristics tensor{1000, data_type::tensor, data_format::numpy, true};
const system_conditions machine{.cpu_load = 0.5,
                                .memory_used = 0.25,
                                .available_memory = 4096,
                                .in_flight = 3,
                                .hour = 13.5,
                                .recent_slowdown = 1.5};

struct row {
  std::string when;
  bool holds;
};

class Condition : public testing::TestWithParam<row> {};

TEST_P(Condition, Holds) {
  const rule_conditions conditions({rule(GetParam().when)});
  EXPECT_EQ(conditions.matching(tensor, machine), GetParam().holds ? 1U : 0U) << GetParam().when;
}

INSTANTIATE_TEST_SUITE_P(OfEachMetric, Condition,
                         testing::Values(row{"data_size == 1000", true}, row{"data_size > 1000", false},
                                         row{"compressed", true}, row{"type_tensor", true}, row{"type_binary", false},
                                         row{"type_dataframe", false}, row{"type_text", false},
                                         row{"type_other", false}, row{"format_numpy", true}, row{"format_raw", false},
                                         row{"format_arrow", false}, row{"format_protobuf", false},
                                         row{"format_other", false}, row{"cpu_load == 0.5", true},
                                         row{"memory_used < 0.3", true}, row{"available_memory == 4096", true},
                                         row{"in_flight == 3", true}, row{"hour >= 13 && hour < 14", true},
                                         row{"recent_slowdown > 1.4", true},
                                         row{"data_size > 10 && type_tensor == 0", false},
                                         row{"1 / (in_flight - 3)", false}, row{"0 / (in_flight - 3)", false},
                                         row{"1 / (in_flight - 3) > 0 || 1", false}, row{"ln(0 * data_size)", false},
                                         row{"in_flight == 3 ? 1 : 1 / 0", true}, row{"0", false}, row{"-1", true}));

TEST(Conditions, WithoutRulesNothingMatches) {
  EXPECT_EQ(rule_conditions().matching(tensor, machine), 0U);
  EXPECT_EQ(rule_conditions(std::vector<transfer_rule>{}).matching(tensor, machine), 0U);
}

TEST(Conditions, EachRuleHasItsBit) {
  std::vector<transfer_rule> rules;
  for (int i = 0; i < 32; ++i) rules.push_back(rule(i % 3 == 0 ? "type_tensor" : "type_text", i));
  std::uint32_t expected = 0;
  for (unsigned i = 0; i < 32; i += 3) expected |= 1U << i;
  EXPECT_EQ(rule_conditions(rules).matching(tensor, machine), expected);
}

std::string error_of(const std::string& when) {
  try {
    const rule_conditions made({rule("1"), {"mine", 0, transfer_method::grpc, when}});
  } catch (const std::invalid_argument& e) { return e.what(); }
  return "taken";
}

TEST(Conditions, ErrorsNameTheRuleAndWhatIsWrong) {
  EXPECT_THAT(error_of("data_sise > 5"), HasSubstr("rule 'mine': 'data_sise' is no metric of a transfer; known are"));
  EXPECT_THAT(error_of("data_sise > 5"), HasSubstr("data_size"));
  EXPECT_THAT(error_of("data_size > "), HasSubstr("rule 'mine': it ends too early"));
  EXPECT_THAT(error_of("data_size >* 5"), HasSubstr("at byte"));
  EXPECT_THAT(error_of(""), HasSubstr("empty"));
  EXPECT_THAT(error_of("data_size = 5"), HasSubstr("rule 'mine'"));
}

TEST(Conditions, ThreadsUseManySetsInTurn) {
  // More sets than a thread keeps compiled: they take each other's places, and are never taken for each other.
  std::vector<std::unique_ptr<rule_conditions>> sets;
  for (int i = 0; i < 24; ++i)
    sets.push_back(std::make_unique<rule_conditions>(std::vector<transfer_rule>{
        rule("data_size == " + std::to_string(i)), rule("data_size != " + std::to_string(i))}));
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      for (std::size_t n = 0; n < 600; ++n) {
        const std::size_t set = (n * (t + 1)) % sets.size();
        const transfer_characteristics data{n % 24};
        if (sets[set]->matching(data, {}) != (set == n % 24 ? 1U : 2U)) ++wrong;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Conditions, CopiesAreTheSame) {
  const rule_conditions one({rule("type_tensor")});
  const rule_conditions copy = one;
  EXPECT_EQ(copy.matching(tensor, machine), 1U);
  EXPECT_EQ(copy.matching({}, machine), 0U);
}

} // namespace
} // namespace homeostat
