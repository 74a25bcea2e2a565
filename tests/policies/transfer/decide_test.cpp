#include "policies/transfer/decide.hpp"
#include "policies/transfer/transfer_learner.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace homeostat {
namespace {

constexpr double never = 1; ///< a chance that explores nothing

transfer_view view_of(const transfer_policy& policy) { return transfer_learner(policy).look(instant{}); }

transfer_characteristics bytes(std::uint64_t size, data_type type = data_type::binary) {
  return {size, type, {}, false};
}

/// A view in which both methods were measured at every size.
transfer_view measured(float gain, float confidence, const transfer_policy& policy = {}) {
  transfer_view view = view_of(policy);
  for (auto& row : view.entries)
    for (auto& entry : row) entry = {1, 1, gain, confidence, 0, true};
  return view;
}

TEST(decide, quick_path_at_and_on_both_sides_of_its_limits) {
  const transfer_policy policy;
  const transfer_view view = measured(5, 1, policy); // all else says zero_copy
  const auto at = [&](std::uint64_t size) { return decide(view, bytes(size), ~0U, nullptr, 0); };
  EXPECT_EQ(at(0).reason, decision_reason::below_minimum);
  EXPECT_EQ(at(mebibyte - 1).reason, decision_reason::below_minimum);
  EXPECT_EQ(at(mebibyte - 1).method, transfer_method::grpc);
  EXPECT_EQ(at(mebibyte).reason, decision_reason::cost_benefit);
  EXPECT_EQ(at(1024 * mebibyte - 1).reason, decision_reason::cost_benefit);
  const transfer_view against = measured(-5, 1, policy);
  EXPECT_EQ(decide(against, bytes(1024 * mebibyte), 0, nullptr, 0).reason, decision_reason::above_maximum);
  EXPECT_EQ(decide(against, bytes(1024 * mebibyte), 0, nullptr, 0).method, transfer_method::zero_copy);
  EXPECT_EQ(decide(against, bytes(~std::uint64_t{0}), 0, nullptr, 0).method, transfer_method::zero_copy);
}

TEST(decide, the_threshold_decides_without_evidence) {
  const transfer_view view = view_of({});
  const transfer_decision below = decide(view, bytes(10 * mebibyte - 1), 0, nullptr, never);
  EXPECT_EQ(below.method, transfer_method::grpc);
  EXPECT_EQ(below.reason, decision_reason::threshold);
  EXPECT_EQ(below.threshold, 10 * mebibyte);
  EXPECT_FALSE(below.has_estimates);
  EXPECT_EQ(decide(view, bytes(10 * mebibyte), 0, nullptr, never).method, transfer_method::zero_copy);
}

TEST(decide, a_type_may_have_a_threshold_of_its_own) {
  transfer_policy policy;
  policy.threshold_overrides[static_cast<std::size_t>(data_type::tensor)] = 2 * mebibyte;
  const transfer_view view = view_of(policy);
  EXPECT_EQ(decide(view, bytes(4 * mebibyte, data_type::tensor), 0, nullptr, never).method, transfer_method::zero_copy);
  EXPECT_EQ(decide(view, bytes(4 * mebibyte, data_type::text), 0, nullptr, never).method, transfer_method::grpc);
}

TEST(decide, measured_costs_go_before_the_threshold_and_a_marginal_gain_is_not_worth_it) {
  const std::uint64_t small = 2 * mebibyte; // below the threshold
  EXPECT_EQ(decide(measured(0.5F, 0.9F), bytes(small), 0, nullptr, never).method, transfer_method::zero_copy);
  EXPECT_EQ(decide(measured(-0.5F, 0.9F), bytes(100 * mebibyte), 0, nullptr, never).method, transfer_method::grpc);
  const transfer_decision marginal = decide(measured(0.029F, 0.9F), bytes(100 * mebibyte), 0, nullptr, never);
  EXPECT_EQ(marginal.method, transfer_method::grpc);
  EXPECT_EQ(marginal.reason, decision_reason::marginal);
  EXPECT_EQ(decide(measured(0.031F, 0.9F), bytes(small), 0, nullptr, never).reason, decision_reason::cost_benefit);
}

TEST(decide, rules_by_priority_and_the_simpler_method_where_equals_disagree) {
  transfer_policy policy;
  policy.rules = {{"low", 1, transfer_method::grpc, "1"},
                  {"high", 5, transfer_method::zero_copy, "1"},
                  {"also high", 5, transfer_method::grpc, "1"}};
  const transfer_view view = view_of(policy);
  const auto with = [&](std::uint32_t matching) { return decide(view, bytes(2 * mebibyte), matching, nullptr, 0); };
  EXPECT_EQ(with(0b001).rule, 0);
  EXPECT_EQ(with(0b011).method, transfer_method::zero_copy);
  EXPECT_EQ(with(0b011).reason, decision_reason::rule);
  EXPECT_EQ(with(0b111).method, transfer_method::grpc);
  EXPECT_EQ(with(0b111).reason, decision_reason::rule_conflict);
  EXPECT_EQ(with(0b101).reason, decision_reason::rule) << "equals that agree, or one alone, are no conflict";
  EXPECT_THAT(explain(with(0b111), bytes(2 * mebibyte), policy), testing::HasSubstr("rule 'high' and another"));
}

TEST(decide, a_model_needs_the_confidence_asked_for_and_does_not_overrule_what_is_beyond_doubt) {
  model_prediction model{transfer_method::zero_copy, 0.9F, 0.9F, 100, 50};
  const transfer_view unknown = view_of({});
  EXPECT_EQ(decide(unknown, bytes(2 * mebibyte), 0, &model, never).reason, decision_reason::model);
  EXPECT_EQ(decide(unknown, bytes(2 * mebibyte), 0, &model, never).zero_copy_us, 50);
  model.confidence = 0.89F;
  EXPECT_EQ(decide(unknown, bytes(2 * mebibyte), 0, &model, never).reason, decision_reason::threshold);
  model.confidence = 0.95F;
  EXPECT_EQ(decide(measured(-0.5F, 0.98F), bytes(2 * mebibyte), 0, &model, never).method, transfer_method::zero_copy);
  EXPECT_EQ(decide(measured(-0.5F, 0.995F), bytes(2 * mebibyte), 0, &model, never).method, transfer_method::grpc);
}

TEST(decide, exploration_takes_the_other_method_by_chance) {
  transfer_view view = measured(0.5F, 0.9F);
  for (auto& row : view.entries)
    for (auto& entry : row) entry.explore = 0.05F;
  const transfer_decision tried = decide(view, bytes(2 * mebibyte), 0, nullptr, 0.049);
  EXPECT_EQ(tried.method, transfer_method::grpc);
  EXPECT_EQ(tried.reason, decision_reason::exploration);
  EXPECT_EQ(decide(view, bytes(2 * mebibyte), 0, nullptr, 0.051).reason, decision_reason::cost_benefit);
}

TEST(explain, every_reason_has_words_with_its_figures) {
  transfer_policy policy;
  policy.rules = {{"tensors", 0, transfer_method::zero_copy, "type_tensor"}};
  transfer_decision d;
  d.grpc_us = 1500;
  d.zero_copy_us = 80;
  d.rule = 0;
  d.threshold = 10 * mebibyte;
  std::set<std::string> seen;
  for (std::size_t r = 0; r < decision_reason_count; ++r) {
    d.reason = static_cast<decision_reason>(r);
    const std::string text = explain(d, bytes(2 * mebibyte, data_type::tensor), policy);
    EXPECT_THAT(text, testing::StartsWith("grpc for 2 MiB of tensor: "));
    EXPECT_TRUE(seen.insert(text).second) << text;
    EXPECT_THAT(text, testing::Not(testing::HasSubstr("?")));
  }
  d.reason = decision_reason::cost_benefit;
  d.under = pressure::memory;
  EXPECT_THAT(explain(d, bytes(2 * mebibyte), policy), testing::HasSubstr("expected 1.5 ms, by zero_copy 80 us"));
  EXPECT_THAT(explain(d, bytes(2 * mebibyte), policy), testing::HasSubstr("under pressure of memory"));
}

TEST(transfer_policy, what_is_wrong_is_named_with_what_was_expected) {
  struct row {
    void (*spoil)(transfer_policy&);
    const char* text;
  };
  const row rows[] = {
      {[](transfer_policy& p) { p.minimum_threshold = 2048 * mebibyte; }, "minimum_threshold is 2147483648 bytes"},
      {[](transfer_policy& p) { p.maximum_threshold = 0; }, "minimum_threshold"},
      {[](transfer_policy& p) { p.zero_copy_threshold = mebibyte - 1; }, "zero_copy_threshold is 1048575 bytes"},
      {[](transfer_policy& p) { p.threshold_overrides[1] = 1; }, "threshold_overrides.tensor is 1 bytes"},
      {[](transfer_policy& p) { p.exploration_rate = 0.51; }, "exploration_rate is 0.51, expected 0 to 0.5"},
      {[](transfer_policy& p) { p.exploration_budget = -0.1; }, "exploration_budget is -0.1"},
      {[](transfer_policy& p) { p.marginal_benefit = NAN; }, "marginal_benefit is nan"},
      {[](transfer_policy& p) { p.memory_pressure_threshold = 1.01; }, "memory_pressure_threshold is 1.01"},
      {[](transfer_policy& p) { p.cpu_pressure_threshold = 0; }, "cpu_pressure_threshold is 0"},
      {[](transfer_policy& p) { p.rules.resize(33, {"a", 0, {}, "1"}); }, "rules has 33 entries"},
      {[](transfer_policy& p) { p.rules = {{"", 0, {}, "1"}}; }, "lacks a name"},
      {[](transfer_policy& p) { p.rules = {{"a", 0, {}, "1"}, {"a", 0, {}, "1"}}; }, "'a' twice"},
  };
  EXPECT_TRUE(check(transfer_policy{}));
  for (const row& r : rows) {
    transfer_policy policy;
    r.spoil(policy);
    const auto verdict = check(policy);
    ASSERT_FALSE(verdict) << r.text;
    EXPECT_THAT(verdict.error(), testing::HasSubstr(r.text));
  }
}

TEST(pressure, begins_above_its_threshold_and_ends_below_it) {
  const transfer_policy policy;
  const auto with = [](double cpu, double memory) {
    system_conditions now;
    now.cpu_load = cpu;
    now.memory_used = memory;
    return now;
  };
  EXPECT_EQ(pressure_after(pressure::none, with(0.8, 0.8), policy), pressure::none);
  EXPECT_EQ(pressure_after(pressure::none, with(0.81, 0), policy), pressure::cpu);
  EXPECT_EQ(pressure_after(pressure::none, with(0, 0.81), policy), pressure::memory);
  EXPECT_EQ(pressure_after(pressure::none, with(0.9, 0.9), policy), pressure::both);
  EXPECT_EQ(pressure_after(pressure::cpu, with(0.76, 0), policy), pressure::cpu) << "no flutter";
  EXPECT_EQ(pressure_after(pressure::cpu, with(0.75, 0), policy), pressure::none);
  EXPECT_DOUBLE_EQ(resource_factor(pressure::memory, with(0, 1), policy), 5);
  EXPECT_DOUBLE_EQ(resource_factor(pressure::cpu, with(1, 0), policy), 0.2);
  EXPECT_DOUBLE_EQ(resource_factor(pressure::none, with(1, 1), policy), 1);
}

} // namespace
} // namespace homeostat
