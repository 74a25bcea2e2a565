#include "policies/transfer/policy_settings.hpp"

#include "policies/transfer/policy_knobs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace homeostat {
namespace {

using testing::HasSubstr;

TEST(PolicySettings, ReadsBackWhatItSays) {
  transfer_policy p;
  p.goal = transfer_goal::minimize_memory;
  p.zero_copy_threshold = 5 * mebibyte + 1;
  p.minimum_threshold = 0;
  p.maximum_threshold = 3 << 20;
  p.maximum_threshold *= 1024;
  p.learning_enabled = false;
  p.exploration_rate = 0.1;
  p.exploration_budget = 1.0 / 3;
  p.marginal_benefit = 0.007;
  p.memory_pressure_threshold = 1;
  p.cpu_pressure_threshold = 0.55;
  const auto text = settings_of(p);
  EXPECT_EQ(text.at("zero_copy_threshold"), "5242881 B");
  EXPECT_EQ(text.at("maximum_threshold"), "3 GiB");
  EXPECT_EQ(text.at("exploration_rate"), "0.1");
  const auto back = changed_policy(transfer_policy{}, text);
  ASSERT_TRUE(back) << back.error();
  EXPECT_EQ(*back, p);
}

TEST(PolicySettings, ShowsOverridesAndRulesForComparison) {
  transfer_policy p;
  p.threshold_overrides[static_cast<std::size_t>(data_type::text)] = 50 * mebibyte;
  p.rules = {{.name = "a", .priority = 3, .method = transfer_method::zero_copy, .when = "compressed"},
             {.name = "b", .priority = 3, .method = transfer_method::grpc, .when = "1"}};
  const auto text = settings_of(p);
  EXPECT_EQ(text.at("threshold_overrides.text"), "50 MiB");
  EXPECT_EQ(text.at("rules.a"), "1. zero_copy when compressed, priority 3");
  std::swap(p.rules[0], p.rules[1]);
  EXPECT_EQ(differences(text, settings_of(p)).size(), 2U) << "the order of rules matters";
}

TEST(PolicySettings, RefusalsNameKeyValueAndForm) {
  const auto refusal = [](const policy_settings_text& changes) {
    const auto changed = changed_policy(transfer_policy{}, changes);
    return changed ? std::string("taken") : changed.error();
  };
  EXPECT_THAT(refusal({{"goal", "fast"}}), HasSubstr("goal is 'fast', expected balanced"));
  EXPECT_THAT(refusal({{"threshold", "1 MiB"}}), HasSubstr("'threshold' is no key"));
  EXPECT_THAT(refusal({{"rules.a", "1"}}), HasSubstr("'rules.a' is no key"));
  EXPECT_THAT(refusal({{"zero_copy_threshold", "1 KiB"}}), HasSubstr("zero_copy_threshold is 1024 bytes, expected"));
  EXPECT_EQ(refusal({{"zero_copy_threshold", "2 MiB"}}), "taken");
}

TEST(PolicySettings, DifferencesAreTheKeysThatAreOther) {
  EXPECT_EQ(differences({{"a", "1"}, {"b", "2"}, {"c", "3"}}, {{"a", "1"}, {"b", "4"}, {"d", "5"}}),
            (policy_settings_text{{"b", "4"}, {"d", "5"}}));
  EXPECT_TRUE(differences({{"a", "1"}}, {{"a", "1"}}).empty());
}

TEST(PolicySettings, ExactSizesReadBack) {
  for (const std::uint64_t bytes :
       {0UL, 1UL, 1023UL, 1024UL, 1025UL, 3UL << 20U, (3UL << 20U) + 1, 5UL << 30U, 7UL << 40U})
    EXPECT_EQ(size_from(exact_size_text(bytes)), bytes) << exact_size_text(bytes);
}

} // namespace
} // namespace homeostat
