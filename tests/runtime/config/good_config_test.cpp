#include "runtime/config/config.hpp"
#include "tests/runtime/config/bad_config.hpp"
#include "tests/runtime/config/row_name.hpp"

#include <gmock/gmock.h>

namespace homeostat {
namespace {

/// Loads a text that has to be in order.
node_config loaded(const std::string& text) {
  auto result = load_config_text("demo.yaml", text);
  if (result) return std::move(*result);
  std::string problems;
  for (const auto& problem : result.error()) problems += to_string(problem) + "\n";
  ADD_FAILURE() << problems;
  return {};
}

/// The smallest configuration there is, with more lines for the spec of its one loop.
std::string small(const std::string& loop_lines,
                  const std::string& knobs = "[{name: x, min: 0, max: 10, default: 5}]") {
  return R"(
apiVersion: homeostat/v1
kind: Source
metadata: {name: app}
spec: {command: {sense: [sense], apply: [apply], read_back: [read]}}
---
apiVersion: homeostat/v1
kind: Loop
metadata: {name: only}
spec:
  source: app
  objective: {minimize: latency_p99_ms}
  knobs: )" +
         knobs + "\n" + loop_lines;
}

loop_config only_loop(const std::string& text) {
  const node_config node = loaded(text);
  EXPECT_EQ(node.loops.size(), 1U);
  return node.loops.empty() ? loop_config{} : node.loops[0];
}

TEST(GoodConfig, WhatIsNotSaidIsTheBalancedDefault) {
  const node_config node = loaded(small(""));
  EXPECT_EQ(node.name, "homeostat");
  EXPECT_EQ(node.store_path, "homeostat.db");
  EXPECT_EQ(node.api_host, "127.0.0.1");
  EXPECT_EQ(node.api_port, 8421);
  EXPECT_EQ(node.log_format, "text");
  EXPECT_EQ(node.log_level, "info");
  EXPECT_EQ(node.supervision, supervision_settings{});
  ASSERT_EQ(node.pools.size(), 1U);
  EXPECT_EQ(node.pools[0].name, "default");
  ASSERT_EQ(node.sources.size(), 1U);
  EXPECT_EQ(node.sources[0].interval, 1s);
  EXPECT_EQ(node.sources[0].patience, 2s);
  ASSERT_EQ(node.loops.size(), 1U);
  const loop_config& loop = node.loops[0];
  EXPECT_EQ(loop.pool, "default");
  EXPECT_EQ(loop.source, "app");
  EXPECT_EQ(loop.governor.loop, "only");
  EXPECT_EQ(loop.governor.limits, guardrails_of(preset::balanced));
  EXPECT_EQ(loop.governor.rollback, rollback_of(preset::balanced));
  EXPECT_EQ(loop.governor.safe_mode, safe_mode_settings{});
  EXPECT_EQ(loop.governor.regression, regression_settings{});
  EXPECT_TRUE(loop.governor.watch_telemetry);
  EXPECT_EQ(loop.engine.spsa, spsa_settings{});
  EXPECT_EQ(loop.engine.limits, loop.governor.limits);
  EXPECT_EQ(loop.engine.knobs, loop.governor.knobs);
  EXPECT_EQ(loop.audit, audit_mode::durable);
  EXPECT_EQ(loop.on_exit, exit_mode::keep);
  EXPECT_FALSE(loop.objective.maximize);
}

TEST(GoodConfig, EveryKindIsRead) {
  const node_config node = loaded(std::string(good_config));
  EXPECT_EQ(node.name, "demo");
  ASSERT_EQ(node.pools.size(), 1U);
  EXPECT_EQ(node.pools[0].name, "web");
  ASSERT_EQ(node.sources.size(), 1U);
  EXPECT_EQ(node.sources[0].interval, 5s);
  const auto& command = std::get<command_source>(node.sources[0].what);
  EXPECT_THAT(command.sense, testing::ElementsAre("pool-sense"));
  EXPECT_THAT(command.apply, testing::ElementsAre("pool-apply", "--now"));
  EXPECT_THAT(command.read_back, testing::ElementsAre("pool-read"));
  ASSERT_EQ(node.loops.size(), 1U);
  const loop_config& loop = node.loops[0];
  EXPECT_EQ(loop.name, "connections");
  EXPECT_EQ(loop.pool, "web");
  EXPECT_EQ(loop.objective.formula, "latency_p99_ms + 1000 * error_rate");
  ASSERT_EQ(loop.objective.constraints.size(), 1U);
  EXPECT_EQ(loop.objective.constraints[0].text, "error_rate <= 0.01");
  ASSERT_EQ(loop.governor.knobs.size(), 2U);
  EXPECT_EQ(loop.governor.knobs[0].name, "pool_size");
  EXPECT_EQ(loop.governor.knobs[0].type, knob_type::integer);
  EXPECT_EQ(loop.governor.knobs[0].initial, 20);
  EXPECT_EQ(loop.governor.knobs[0].unit, "connections");
  EXPECT_EQ(loop.window.digests, 3U);
  EXPECT_EQ(loop.window.settle_time, 2s);
}

TEST(GoodConfig, TheGuardrailsOfTheSreGuideAreTakenAsTheyStandThere) {
  // Source: "Systems & SRE", section "Safety for Production".
  const loop_config loop = only_loop(small(R"(  guardrails: {
    "max_delta": [10, 60, 500],
    "max_updates_per_second": 0.1,
    "rollback_on_regression": true
  })",
                                           R"(
    - {name: pool_size, type: integer, min: 5, max: 100, default: 20}
    - {name: max_idle_time_s, min: 30, max: 600, default: 300}
    - {name: connection_timeout_ms, min: 100, max: 5000, default: 1000})"));
  ASSERT_EQ(loop.governor.knobs.size(), 3U);
  EXPECT_EQ(loop.governor.knobs[0].step_limit, (unit_step_limit{10, 10}));
  EXPECT_EQ(loop.governor.knobs[1].step_limit, (unit_step_limit{60, 60}));
  EXPECT_EQ(loop.governor.knobs[2].step_limit, (unit_step_limit{500, 500}));
  EXPECT_EQ(loop.engine.knobs, loop.governor.knobs);
  EXPECT_EQ(loop.governor.limits.max_updates_per_second, 0.1);
  EXPECT_EQ(loop.engine.limits, loop.governor.limits);
  EXPECT_TRUE(loop.governor.rollback.on_regression);
}

TEST(GoodConfig, RollbackOnRegressionCanBeSwitchedOffInEitherPlace) {
  EXPECT_FALSE(only_loop(small("  guardrails: {rollback_on_regression: false}")).governor.rollback.on_regression);
  EXPECT_FALSE(only_loop(small("  rollback: {on_regression: false}")).governor.rollback.on_regression);
}

TEST(GoodConfig, JsonIsAccepted) {
  const node_config node = loaded(R"({
    "apiVersion": "homeostat/v1", "kind": "Node", "metadata": {"name": "edge"},
    "spec": {"api": {"listen": "[::1]:0"}, "seed": 18446744073709551615}
  })");
  EXPECT_EQ(node.name, "edge");
  EXPECT_EQ(node.api_host, "::1");
  EXPECT_EQ(node.api_port, 0);
  EXPECT_EQ(node.seed, 18446744073709551615U);
}

TEST(GoodConfig, OffLoopbackWithTlsAndTokens) {
  const node_config node = loaded(R"({
    "apiVersion": "homeostat/v1", "kind": "Node", "metadata": {"name": "edge"},
    "spec": {"api": {"listen": "[::]:8421", "tokens_file": "t", "tls": {"certificate": "c.pem", "key": "k.pem"}}}
  })");
  EXPECT_EQ(node.api_host, "::");
  EXPECT_EQ(node.api_port, 8421);
  EXPECT_EQ(node.api_tokens_file, "t");
  EXPECT_EQ(node.api_tls, (tls_config{.certificate = "c.pem", .key = "k.pem"}));
}

TEST(GoodConfig, KnobsOfEveryType) {
  const loop_config loop = only_loop(small("  safe_mode: {telemetry_timeout: 1m}", R"(
    - {name: ttl, scale: log, min: 20, max: 2000, default: 100, unit: ms, max_delta: {up: 50, down: 20}}
    - {name: phase, scale: periodic, min: 0, max: 360, default: 90, step: 15, max_delta: 30}
    - {name: batch, type: integer, min: 1, max: 64, default: 16}
    - {name: compress, type: boolean, default: true}
    - {name: eviction, type: categorical, categories: [lru, "off", lfu], default: lfu})"));
  const auto& knobs = loop.governor.knobs;
  ASSERT_EQ(knobs.size(), 5U);
  EXPECT_EQ(knobs[0].scale, knob_scale::log);
  EXPECT_EQ(knobs[0].step_limit, (unit_step_limit{50, 20}));
  EXPECT_EQ(knobs[1].scale, knob_scale::periodic);
  EXPECT_EQ(knobs[1].step, 15);
  EXPECT_EQ(knobs[1].step_limit, (unit_step_limit{30, 30}));
  EXPECT_EQ(knobs[2].step_limit, std::nullopt);
  EXPECT_EQ(knobs[3].type, knob_type::boolean);
  EXPECT_EQ(knobs[3].initial, 1);
  EXPECT_EQ(knobs[3].max, 1);
  EXPECT_THAT(knobs[4].categories, testing::ElementsAre("lru", "off", "lfu"));
  EXPECT_EQ(knobs[4].initial, 2);
  EXPECT_EQ(knobs[4].max, 2);
}

TEST(GoodConfig, NullInTheLimitListLeavesThatKnobToTheFraction) {
  const loop_config loop = only_loop(small("  guardrails: {max_delta: [null, {up: 2, down: 1}]}", R"(
    - {name: a, type: boolean, default: true}
    - {name: b, min: 0, max: 10, default: 5})"));
  EXPECT_EQ(loop.governor.knobs[0].step_limit, std::nullopt);
  EXPECT_EQ(loop.governor.knobs[1].step_limit, (unit_step_limit{2, 1}));
}

TEST(GoodConfig, ALoopsSettingsGoOverItsPolicyAndThatOverTheDefaults) {
  const loop_config loop = only_loop(R"(
apiVersion: homeostat/v1
kind: Policy
metadata: {name: mine}
spec:
  guardrails: {preset: conservative, max_delta_per_step: 0.04}
  rollback: {max_rollbacks_per_hour: 7}
  safe_mode: {cooldown: 2m}
  regression: {z_limit: 4}
---)" + small("  policy: mine\n  guardrails: {max_updates_per_second: 1}\n  rollback: {preset: aggressive}"));
  const governor_config& g = loop.governor;
  EXPECT_EQ(g.limits.max_delta_per_step, 0.04);                                       // the policy's own
  EXPECT_EQ(g.limits.max_updates_per_second, 1);                                      // the loop's own
  EXPECT_EQ(g.limits.min_interval, guardrails_of(preset::conservative).min_interval); // the policy's preset
  EXPECT_EQ(g.rollback, rollback_of(preset::aggressive)); // a preset in the loop starts from scratch
  EXPECT_EQ(g.safe_mode.cooldown, 2min);
  EXPECT_EQ(g.regression.z_limit, 4);
}

TEST(GoodConfig, ThePolicyOfAPoolHoldsForLoopsThatNameNone) {
  const std::string head = R"(
apiVersion: homeostat/v1
kind: Policy
metadata: {name: slow}
spec: {guardrails: {preset: conservative}}
---
apiVersion: homeostat/v1
kind: Policy
metadata: {name: fast}
spec: {guardrails: {preset: aggressive}}
---
apiVersion: homeostat/v1
kind: Pool
metadata: {name: web}
spec: {policy: slow, supervision: {strategy: rest_for_one, intensity: 3, period: 10s}}
---)";
  EXPECT_EQ(only_loop(head + small("  pool: web")).governor.limits, guardrails_of(preset::conservative));
  EXPECT_EQ(only_loop(head + small("  pool: web\n  policy: fast")).governor.limits, guardrails_of(preset::aggressive));
  EXPECT_EQ(only_loop(head + small("")).governor.limits, guardrails_of(preset::balanced));
  const node_config node = loaded(head + small("  pool: web"));
  ASSERT_EQ(node.pools.size(), 1U);
  EXPECT_EQ(node.pools[0].supervision.strategy, restart_strategy::rest_for_one);
  EXPECT_EQ(node.pools[0].supervision.intensity, 3U);
  EXPECT_EQ(node.pools[0].supervision.period, 10s);
}

TEST(GoodConfig, WhoLowersTheStepLimitLowersProbesAndDeadbandWithIt) {
  const loop_config loop = only_loop(small("  guardrails: {max_delta_per_step: 0.01}"));
  EXPECT_DOUBLE_EQ(loop.governor.limits.flip_deadband, 0.002);
  EXPECT_EQ(loop.engine.spsa.perturbation_scale, 0.01);
  const loop_config given = only_loop(small("  guardrails: {max_delta_per_step: 0.01, flip_deadband: 0.01}"));
  EXPECT_EQ(given.governor.limits.flip_deadband, 0.01);
}

TEST(GoodConfig, StrategySettingsReachTheEngine) {
  const loop_config loop = only_loop(small("  strategy: {name: spsa, learning_rate: 0.5, perturbation: 0.02, alpha: 1,"
                                           " gamma: 0.2, stability: 5, last_decay: never, evidence_limit: 2,"
                                           " gradient_memory: 0, windows_per_probe: 3}"));
  EXPECT_EQ(loop.engine.spsa.learning_rate, 0.5);
  EXPECT_EQ(loop.engine.spsa.perturbation_scale, 0.02);
  EXPECT_EQ(loop.engine.spsa.alpha, 1);
  EXPECT_EQ(loop.engine.spsa.gamma, 0.2);
  EXPECT_EQ(loop.engine.spsa.stability, 5);
  EXPECT_EQ(loop.engine.spsa.last_decay, std::nullopt);
  EXPECT_EQ(loop.engine.spsa.windows_per_probe, 3U);
  EXPECT_EQ(loop.engine.evidence_limit, 2);
  EXPECT_EQ(loop.engine.gradient_memory, 0);
  EXPECT_EQ(only_loop(small("  strategy: {last_decay: 0}")).engine.spsa.last_decay, 0U);
}

TEST(GoodConfig, AdaptiveIsChosenByName) {
  const loop_config loop = only_loop(small("  strategy: {name: adaptive}"));
  EXPECT_EQ(loop.engine.strategy, online_kind::adaptive);
  EXPECT_EQ(loop.engine.adaptive, adaptive_tuning{});
  EXPECT_EQ(only_loop(small("  strategy: {name: spsa}")).engine.strategy, online_kind::spsa);
  EXPECT_EQ(only_loop(small("")).engine.strategy, online_kind::spsa) << "the default";
}

struct window_row {
  std::string name;
  std::string window; ///< as configured; the source's interval is 1s
  std::uint32_t digests;
  duration span;
};
class WindowOfASlowSource : public testing::TestWithParam<window_row> {};
TEST_P(WindowOfASlowSource, TheLimitThatIsNotGivenFollows) {
  const loop_config loop = only_loop(small("  safe_mode: {telemetry_timeout: 1h}\n  window: " + GetParam().window));
  EXPECT_EQ(loop.window.digests, GetParam().digests);
  EXPECT_EQ(loop.window.span, GetParam().span);
}
INSTANTIATE_TEST_SUITE_P(Window, WindowOfASlowSource,
                         testing::Values(window_row{"Neither", "{settle: 0s}", 5, 5s},
                                         window_row{"Digests", "{digests: 20}", 20, 20s},
                                         window_row{"Span", "{span: 90s}", 90, 90s},
                                         window_row{"SpanBetweenDigests", "{span: 2500ms}", 3, 2500ms},
                                         window_row{"Both", "{digests: 4, span: 2s}", 4, 2s}),
                         row_name);

TEST(GoodConfig, SourcesOfEveryKind) {
  const node_config node = loaded(R"(
apiVersion: homeostat/v1
kind: Source
metadata: {name: bouncer}
spec:
  pgbouncer: {host: "::1", port: 6543, user: admin, database: shop, password_file: /etc/pw, client_progress_file: log}
  interval: 250ms
  patience: 4s
---
apiVersion: homeostat/v1
kind: Source
metadata: {name: demo}
spec: {cache_demo: {rate_scale: 0.5, cycle: 12s, seed: 9}}
)");
  ASSERT_EQ(node.sources.size(), 2U);
  EXPECT_EQ(std::get<pgbouncer_source>(node.sources[0].what),
            (pgbouncer_source{"::1", 6543, "admin", "shop", "/etc/pw", "log"}));
  EXPECT_EQ(node.sources[0].interval, 250ms);
  EXPECT_EQ(node.sources[0].patience, 4s);
  EXPECT_EQ(std::get<cache_demo_source>(node.sources[1].what), (cache_demo_source{0.5, 12s, 9}));
}

TEST(GoodConfig, OnlyInProcessKnobsMayQueueTheirAudit) {
  const node_config node = loaded(R"(
apiVersion: homeostat/v1
kind: Loop
metadata: {name: cache}
spec:
  source: demo
  audit: queued
  on_exit: revert
  objective: {maximize: hit_ratio}
  knobs:
    - {name: cache_ttl_ms, scale: log, min: 20, max: 2000, default: 100}
    - {name: workers, type: integer, min: 1, max: 16, default: 4}
    - {name: batch_size, type: integer, scale: log, min: 1, max: 64, default: 16}
---
apiVersion: homeostat/v1   # documents may come in any order
kind: Source
metadata: {name: demo}
spec: {cache_demo: {}, interval: 100ms}
---
)");
  ASSERT_EQ(node.loops.size(), 1U);
  EXPECT_EQ(node.loops[0].audit, audit_mode::queued);
  EXPECT_EQ(node.loops[0].on_exit, exit_mode::revert);
  EXPECT_TRUE(node.loops[0].objective.maximize);
  EXPECT_EQ(node.loops[0].window, window_settings{}); // five digests in 500ms, as the design has it
}

TEST(GoodConfig, SeedsDifferByLoopAndNodeAndStayTheSame) {
  const std::string node = "apiVersion: homeostat/v1\nkind: Node\nmetadata: {name: n}\nspec: {seed: 1}\n---";
  std::string renamed = small("");
  renamed.replace(renamed.find("only"), 4, "othr");
  const std::uint64_t seed = only_loop(small("")).seed;
  EXPECT_EQ(seed, only_loop(small("")).seed);
  EXPECT_NE(seed, only_loop(renamed).seed);
  EXPECT_NE(seed, only_loop(node + small("")).seed);
  EXPECT_EQ(only_loop(small("  seed: 7")).seed, 7U);
}

TEST(GoodConfig, AnchorsAreRead) {
  const loop_config loop = only_loop(small("", "[&k {name: x, min: 0, max: 10, default: 5}]\n  guardrails: &g "
                                               "{preset: aggressive}\n  rollback: *g"));
  EXPECT_EQ(loop.governor.limits, guardrails_of(preset::aggressive));
  EXPECT_EQ(loop.governor.rollback, rollback_of(preset::aggressive));
}

} // namespace
} // namespace homeostat
