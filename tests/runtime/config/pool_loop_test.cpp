// The loop over a pool's policy: the node's own, and one that is written out.
#include "policies/find_named.hpp"
#include "policies/transfer/policy_knobs.hpp"
#include "runtime/config/config.hpp"
#include "tests/runtime/config/row_name.hpp"

#include <gmock/gmock.h>

namespace homeostat {
namespace {

const std::string pool = R"(apiVersion: homeostat/v1
kind: Pool
metadata: {name: tensors}
spec:
  transfer: {minimum_threshold: 4 KiB, exploration_rate: 0.1}
)";
const std::string source = R"(---
apiVersion: homeostat/v1
kind: Source
metadata: {name: policy}
spec:
  transfer_pool: {pool: tensors}
)";
const std::string loop = R"(---
apiVersion: homeostat/v1
kind: Loop
metadata: {name: careful}
spec:
  source: policy
  objective: {minimize: cost_ratio}
  strategy: {name: none}
  knobs:
    - {name: exploration_rate, min: 0.01, max: 0.2, default: 0.1}
    - {name: goal, type: categorical, categories: [balanced, minimize_latency, maximize_throughput, minimize_memory], default: balanced}
    - {name: learning_enabled, type: boolean, default: true}
)";

std::string problems_of(const std::string& text) {
  const auto result = load_config_text("n.yaml", text);
  std::string all;
  if (!result)
    for (const config_problem& problem : result.error()) all += to_string(problem) + "\n";
  return all;
}

TEST(PoolLoop, EveryPoolThatDecidesHasOneOfTheNodesOwn) {
  const auto node = load_config_text("n.yaml", pool + R"(---
apiVersion: homeostat/v1
kind: Pool
metadata: {name: plain}
)");
  ASSERT_TRUE(node) << to_string(node.error().front());
  ASSERT_EQ(node->loops.size(), 1U);
  const loop_config& own = node->loops[0];
  EXPECT_EQ(own.name, "tensors-policy");
  EXPECT_EQ(own.pool, "tensors");
  EXPECT_EQ(loop_over_pool(*node, "tensors"), &own);
  EXPECT_EQ(loop_over_pool(*node, "plain"), nullptr);
  EXPECT_FALSE(own.searches) << "people and proposals only";
  EXPECT_FALSE(own.governor.watch_telemetry) << "a pool at rest is no reason for safe mode";
  EXPECT_EQ(own.governor.knobs, policy_knobs(*node->pools[0].transfer));
  EXPECT_EQ(own.authority.knobs, own.governor.knobs);
  EXPECT_EQ(own.authority.pattern, feedback_pattern::proposal_gated);
  EXPECT_EQ(own.governor.origin, fingerprint(*node->pools[0].transfer));
  EXPECT_TRUE(check(own.governor.limits));
  // Across the whole range of a knob within a minute, as soon as somebody has approved it.
  EXPECT_GE(own.governor.limits.max_cumulative_delta_per_minute, 1);
  EXPECT_LE(1 / own.governor.limits.max_delta_per_step * seconds_of(own.governor.limits.min_interval), 60);
}

TEST(PoolLoop, TakesTheGuardrailsOfItsPool) {
  const auto node = load_config_text("n.yaml", R"(apiVersion: homeostat/v1
kind: Policy
metadata: {name: slow}
spec: {guardrails: {max_updates_per_second: 0.01}}
---
)" + pool + "  policy: slow\n");
  ASSERT_TRUE(node) << to_string(node.error().front());
  EXPECT_EQ(node->loops.at(0).governor.limits.max_updates_per_second, 0.01);
}

TEST(PoolLoop, OneThatIsWrittenOutTakesItsPlace) {
  ASSERT_EQ(problems_of(pool + source + loop), "");
  const auto node = load_config_text("n.yaml", pool + source + loop);
  ASSERT_EQ(node->loops.size(), 1U);
  EXPECT_EQ(node->loops[0].name, "careful");
  EXPECT_EQ(*pool_of(node->sources.at(0)), "tensors");
  EXPECT_FALSE(node->loops[0].governor.watch_telemetry);
  EXPECT_EQ(node->loops[0].governor.origin, fingerprint(*node->pools[0].transfer));
}

struct pool_row {
  std::string name;
  std::string text;
  std::vector<std::string> problems; ///< without the file's name
};
std::ostream& operator<<(std::ostream& out, const pool_row& row) { return out << row.name; }

std::string with(std::string text, const std::string& find, const std::string& replace) {
  const std::size_t at = text.find(find);
  EXPECT_NE(at, std::string::npos) << find;
  return text.replace(at, find.size(), replace);
}

class BadPoolLoop : public testing::TestWithParam<pool_row> {};

TEST_P(BadPoolLoop, IsRefusedWithEveryProblem) {
  std::string expected;
  for (const std::string& problem : GetParam().problems) expected += "n.yaml:" + problem + "\n";
  EXPECT_EQ(problems_of(GetParam().text), expected);
}

const std::string again = R"(---
apiVersion: homeostat/v1
kind: Source
metadata: {name: again}
spec: {transfer_pool: {pool: tensors}}
)";
const std::string plain = "---\napiVersion: homeostat/v1\nkind: Pool\nmetadata: {name: plain}\n";

const pool_row rows[] = {
    {"PoolThatIsUnknown",
     pool + with(source, "pool: tensors", "pool: tensor"),
     {"11: Source policy: spec.transfer_pool.pool: is 'tensor' (did you mean 'tensors'?), expected the name of a Pool "
      "in this file, which are: tensors"}},
    {"PoolWithoutTransfers",
     pool + plain + with(source, "pool: tensors", "pool: plain"),
     {"15: Source policy: spec.transfer_pool.pool: is Pool plain, which has no transfer section, expected a pool that "
      "decides on transfers"}},
    {"NoPoolAtAll",
     pool + with(source, "{pool: tensors}", "{}"),
     {"11: Source policy: spec.transfer_pool.pool: is missing, expected the name of a Pool with a transfer section"}},
    {"TwoSourcesOfOnePool",
     pool + source + again,
     {"16: Source again: spec.transfer_pool: names Pool tensors, which Source policy has already, expected one source "
      "for each pool"}},
    {"TwoLoopsOnOnePool",
     pool + source + loop +
         with(with(loop, "careful", "second"), "exploration_rate, min: 0.01, max: 0.2, default: 0.1",
              "marginal_benefit, min: 0, max: 1, default: 0.03"),
     {"27: Loop second: spec.source: is Source policy, which Loop careful has already, expected one loop for each "
      "pool"}},
    {"LoopOfTheNodesOwnName",
     pool + R"(---
apiVersion: homeostat/v1
kind: Source
metadata: {name: app}
spec: {command: {sense: [s], apply: [a], read_back: [r]}}
---
apiVersion: homeostat/v1
kind: Loop
metadata: {name: tensors-policy}
spec:
  source: app
  objective: {minimize: latency_p99_ms}
  knobs: [{name: x, min: 0, max: 10, default: 5}]
)",
     {"12: Loop tensors-policy: has the name of the loop over the policy of Pool tensors, expected another name, or a "
      "Source with transfer_pool: {pool: tensors}"}},
    {"KnobThatNoPolicyHas",
     pool + source + with(loop, "name: exploration_rate", "name: exploration_rat"),
     {"20: Loop careful: spec.knobs[0]: knob 'exploration_rat' is unknown to the policy of a pool (did you mean "
      "'exploration_rate'?), expected one of goal, zero_copy_threshold, minimum_threshold, maximum_threshold, "
      "exploration_rate, exploration_budget, marginal_benefit, memory_pressure_threshold, cpu_pressure_threshold, "
      "learning_enabled"}},
    {"KnobBeyondThePolicysBounds",
     pool + source + with(loop, "max: 0.2", "max: 0.6"),
     {"20: Loop careful: spec.knobs[0]: knob 'exploration_rate' has the bounds 0.01 to 0.6, expected bounds within 0 "
      "to 0.5"}},
    {"KnobThatBeginsElsewhere",
     pool + source + with(loop, "default: 0.1", "default: 0.2"),
     {"20: Loop careful: spec.knobs[0]: knob 'exploration_rate' has the default 0.2, expected what Pool tensors begins "
      "with, 0.1"}},
    {"KnobOfAnotherType",
     pool + source +
         with(loop, "learning_enabled, type: boolean, default: true",
              "learning_enabled, type: integer, min: 0, max: 1, default: 1, max_delta: 1"),
     {"22: Loop careful: spec.knobs[2]: knob 'learning_enabled' is of type integer, expected type boolean"}},
    {"GoalsInAnotherOrder",
     pool + source + with(loop, "[balanced, minimize_latency,", "[minimize_latency, balanced,"),
     {"21: Loop careful: spec.knobs[1]: knob 'goal' has other categories than the policy, expected balanced, "
      "minimize_latency, maximize_throughput, minimize_memory"}},
    {"AuditThatIsQueued",
     pool + source + loop + "  audit: queued\n",
     {"23: Loop careful: spec.audit: is 'queued', but what Source policy changes outlives this process, expected "
      "durable"}},
};

INSTANTIATE_TEST_SUITE_P(PoolLoop, BadPoolLoop, testing::ValuesIn(rows), row_name);

} // namespace
} // namespace homeostat
