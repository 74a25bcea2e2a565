// What pools keep comes back as it went, and nothing else does.
#include "messages/codec.hpp"
#include "messages/pool_state.pb.h"

#include <gtest/gtest.h>

namespace homeostat {
namespace {

kept_policy filled_policy() {
  kept_policy kept;
  kept.configured.goal = transfer_goal::minimize_memory;
  transfer_policy& p = kept.policy;
  p.goal = transfer_goal::maximize_throughput;
  p.zero_copy_threshold = 3 * mebibyte;
  p.minimum_threshold = 0;
  p.maximum_threshold = 100 * mebibyte;
  p.learning_enabled = false;
  p.exploration_rate = 0.11;
  p.exploration_budget = 0.07;
  p.marginal_benefit = 0.2;
  p.memory_pressure_threshold = 0.6;
  p.cpu_pressure_threshold = 0.7;
  p.threshold_overrides[2] = 5 * mebibyte;
  p.rules = {{"first", 3, transfer_method::zero_copy, "data_size > 5"},
             {"second", -1, transfer_method::grpc, "compressed"}};
  return kept;
}

transfer_memory filled_memory() {
  transfer_memory m;
  m.costs.recorded = {100, 1, 2, 3};
  m.costs.cells = {
      {pressure::none, data_type::tensor, transfer_method::zero_copy, 42, 3.5, 99, 0.25, 0.07, 1.5, 2.5, 0.75, -2},
      {pressure::both, data_type::binary, transfer_method::grpc, 0, 1, 3, 1, 1, 0, 0, 0, 0}};
  m.costs.alarms = {{pressure::cpu, transfer_method::zero_copy, 2, 1.75}};
  m.performance = {1, 0.5, 2, 4, 8};
  m.promises = {{pressure::memory, data_type::text, 7, transfer_method::zero_copy, 2}};
  m.accounts = {{pressure::none, std::nullopt, 5, 1}, {pressure::none, 0, 4, 0.5}};
  m.slowdown = 1.25;
  m.generation = 17;
  return m;
}

TEST(pool_state, comes_back_as_it_went) {
  EXPECT_EQ(decode<kept_policy>(encode(filled_policy())).value(), filled_policy());
  EXPECT_EQ(decode<kept_policy>(encode(kept_policy{})).value(), kept_policy{});
  EXPECT_EQ(decode<transfer_memory>(encode(filled_memory())).value(), filled_memory());
}

template <class T> void every_truncation_is_an_error(const T& whole) {
  const std::string bytes = encode(whole);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    const auto result = decode<T>(std::string_view(bytes).substr(0, length));
    ASSERT_FALSE(result.has_value()) << "cut after " << length << " of " << bytes.size() << " bytes";
    EXPECT_NE(result.error().find("homeostat.v1."), std::string::npos) << result.error();
  }
}
TEST(pool_state, cut_short_is_an_error) {
  every_truncation_is_an_error(filled_policy());
  every_truncation_is_an_error(filled_memory());
}

template <class Message, class T, class Change> std::string error_of(const T& x, Change change) {
  Message message;
  EXPECT_TRUE(message.ParseFromString(encode(x)));
  change(message);
  const auto result = decode<T>(message.SerializeAsString());
  return result ? "" : result.error();
}

TEST(pool_state, what_cannot_be_is_named) {
  const auto policy = [](auto change) { return error_of<v1::KeptPolicy>(filled_policy(), change); };
  EXPECT_EQ(policy([](auto& m) { m.mutable_policy()->set_goal("speed"); }),
            "homeostat.v1.KeptPolicy: goal is 'speed', expected balanced, minimize_latency, maximize_throughput or "
            "minimize_memory");
  EXPECT_EQ(policy([](auto& m) { m.mutable_policy()->set_exploration_rate(7); }),
            "homeostat.v1.KeptPolicy: exploration_rate is 7, expected 0 to 0.5");
  EXPECT_EQ(policy([](auto& m) { m.mutable_policy()->set_maximum_threshold(~std::uint64_t{0}); }),
            "homeostat.v1.KeptPolicy: maximum_threshold is 18446744073709551615 bytes, expected at most "
            "1000000000000000");
  const auto memory = [](auto change) { return error_of<v1::TransferMemory>(filled_memory(), change); };
  EXPECT_EQ(memory([](auto& m) { m.set_version(2); }), "homeostat.v1.TransferMemory: has version 2, expected 1");
  EXPECT_EQ(memory([](auto& m) { m.mutable_costs(0)->set_method(2); }),
            "homeostat.v1.TransferMemory: method is 2, expected less than 2");
  EXPECT_EQ(memory([](auto& m) { m.mutable_costs(0)->set_size_class(72); }),
            "homeostat.v1.TransferMemory: size class is 72, expected at most 71");
  EXPECT_EQ(memory([](auto& m) { m.mutable_costs(0)->set_latency(-1); }),
            "homeostat.v1.TransferMemory: latency is -1, expected 2.22507e-308 to 1e+15");
  EXPECT_EQ(memory([](auto& m) { m.add_performance(1); }),
            "homeostat.v1.TransferMemory: performance has 6 entries, expected 5");
}

} // namespace
} // namespace homeostat
