#include "policies/transfer/policy_knobs.hpp"

#include "policies/find_named.hpp"

#include <gtest/gtest.h>

#include <set>

namespace homeostat {
namespace {

transfer_policy other_policy() {
  transfer_policy p;
  p.goal = transfer_goal::minimize_memory;
  p.zero_copy_threshold = 3 * mebibyte;
  p.minimum_threshold = 4096;
  p.maximum_threshold = 64 * mebibyte;
  p.learning_enabled = false;
  p.exploration_rate = 0.1;
  p.exploration_budget = 0.02;
  p.marginal_benefit = 0.07;
  p.memory_pressure_threshold = 0.9;
  p.cpu_pressure_threshold = 1;
  return p;
}

TEST(policy_knobs, make_a_sound_loop_that_begins_with_the_policy) {
  for (const transfer_policy& policy : {transfer_policy{}, other_policy()}) {
    const auto knobs = policy_knobs(policy);
    const auto values = knobs_of(policy);
    EXPECT_EQ(knobs.size(), values.size());
    for (const knob_spec& knob : knobs) {
      EXPECT_TRUE(check(knob)) << knob.name << ": " << check(knob).error();
      EXPECT_EQ(knob.initial, values.at(knob.name));
    }
  }
}

TEST(policy_knobs, carry_a_policy_there_and_back_and_leave_alone_what_they_are_not) {
  transfer_policy into;
  into.rules = {{"r", 1, transfer_method::grpc, "compressed"}};
  into.threshold_overrides[1] = 5 * mebibyte;
  transfer_policy expected = other_policy();
  expected.rules = into.rules;
  expected.threshold_overrides = into.threshold_overrides;
  EXPECT_EQ(with_knobs(into, knobs_of(other_policy())).value(), expected);
  EXPECT_EQ(with_knobs(expected, {}).value(), expected);
}

TEST(policy_knobs, a_minimum_of_nothing_is_the_least_value_of_its_knob) {
  transfer_policy none;
  none.minimum_threshold = 0;
  EXPECT_EQ(knobs_of(none).at("minimum_threshold"), 1);
  EXPECT_EQ(with_knobs(transfer_policy{}, {{"minimum_threshold", 1}}).value().minimum_threshold, 0U);
  EXPECT_EQ(policy_knob_from("minimum_threshold", "0 B").value(), 1);
  EXPECT_EQ(policy_knob_from("minimum_threshold", "0").value(), 1);
}

TEST(policy_knobs, every_end_of_a_knob_is_a_policy) {
  for (const knob_spec& knob : policy_knobs(transfer_policy{}))
    for (const double end : {knob.min, knob.max}) {
      auto policy = with_knobs(transfer_policy{}, {{knob.name, end}});
      ASSERT_TRUE(policy) << knob.name;
      if (knob.scale == knob_scale::log) { // thresholds bound each other: move all of them
        policy = with_knobs(transfer_policy{},
                            {{"zero_copy_threshold", end}, {"minimum_threshold", end}, {"maximum_threshold", end}});
      }
      EXPECT_TRUE(check(*policy)) << knob.name << ": " << check(*policy).error();
    }
}

TEST(policy_knobs, values_that_cannot_be_are_named) {
  const auto error = [](const char* name, double value) {
    return with_knobs(transfer_policy{}, {{name, value}}).error();
  };
  EXPECT_EQ(error("exploration_rat", 0), "a pool's policy has no knob 'exploration_rat'");
  EXPECT_EQ(error("exploration_rate", 0.6), "exploration_rate is 0.6, expected 0 to 0.5");
  EXPECT_EQ(error("goal", 4), "goal is 4, expected 0 to 3, whole");
  EXPECT_EQ(error("learning_enabled", 0.5), "learning_enabled is 0.5, expected 0 to 1, whole");
  EXPECT_EQ(error("zero_copy_threshold", 0), "zero_copy_threshold is 0, expected 1 to 1e+15, whole");
}

struct text_row {
  const char* key;
  const char* text;
  double value;
};

TEST(policy_knobs, are_read_as_the_configuration_writes_them) {
  for (const text_row& row :
       {text_row{"goal", "minimize_latency", 1}, text_row{"zero_copy_threshold", "512 KiB", 524288},
        text_row{"zero_copy_threshold", "524288", 524288}, text_row{"maximum_threshold", "1GiB", 1073741824},
        text_row{"exploration_rate", "0.05", 0.05}, text_row{"learning_enabled", "true", 1},
        text_row{"learning_enabled", "false", 0}})
    EXPECT_EQ(policy_knob_from(row.key, row.text).value(), row.value) << row.key << ": " << row.text;
  const auto error = [](const char* key, const char* text) { return policy_knob_from(key, text).error(); };
  EXPECT_EQ(error("goal", "fast"),
            "goal is 'fast', expected balanced, minimize_latency, maximize_throughput or minimize_memory");
  EXPECT_EQ(error("learning_enabled", "1"), "learning_enabled is '1', expected true or false");
  EXPECT_EQ(error("exploration_rate", "5 %"), "exploration_rate is '5 %', expected 0 to 0.5");
  EXPECT_EQ(error("exploration_rate", "nan"), "exploration_rate is 'nan', expected 0 to 0.5");
  for (const char* text : {"10 MB", "-1", "1.5", "1e300", ""})
    EXPECT_EQ(error("zero_copy_threshold", text), "zero_copy_threshold is '" + std::string(text) +
                                                      "', expected a size such as 512 KiB or 10 MiB (B, KiB, MiB or "
                                                      "GiB)");
  EXPECT_TRUE(
      error("rules", "x").starts_with("'rules' is no key of a pool's policy that a loop governs, expected goal"));
}

TEST(policy_knobs, the_fingerprint_tells_every_part_of_a_policy) {
  const std::string plain = fingerprint(transfer_policy{});
  EXPECT_EQ(plain, fingerprint(transfer_policy{}));
  std::vector<transfer_policy> others;
  for (const knob_spec& knob : policy_knobs(transfer_policy{}))
    others.push_back(
        with_knobs(transfer_policy{}, {{knob.name, knob.initial == knob.max ? knob.min : knob.max}}).value());
  others.emplace_back().rules = {{"r", 1, transfer_method::grpc, "compressed"}};
  others.emplace_back().rules = {{"r", 2, transfer_method::grpc, "compressed"}};
  others.emplace_back().rules = {{"r", 1, transfer_method::zero_copy, "compressed"}};
  others.emplace_back().threshold_overrides[0] = 5 * mebibyte;
  others.emplace_back().threshold_overrides[1] = 5 * mebibyte;
  std::set<std::string> seen{plain};
  for (const transfer_policy& other : others) EXPECT_TRUE(seen.insert(fingerprint(other)).second);
}

} // namespace
} // namespace homeostat
