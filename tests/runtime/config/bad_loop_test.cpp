#include "tests/runtime/config/bad_config.hpp"
#include "tests/runtime/config/row_name.hpp"

#include <gtest/gtest.h>

class BadLoop : public testing::TestWithParam<bad_row> {};

TEST_P(BadLoop, IsRefusedWithEveryProblem) { expect_problems(GetParam()); }

namespace {

const bad_row policy_rows[] = {
    {"CalmLimitOfZero",
     "  safe_mode: {telemetry_timeout: 1m}",
     R"(  safe_mode: {telemetry_timeout: 1m}
  regression: {calm_limit: 0})",
     {"17: Policy careful: spec.regression.calm_limit: is 0, expected 1 or more"}},
    {"DeadbandAboveStepLimit",
     "guardrails: {preset: conservative}",
     "guardrails: {flip_deadband: 0.2}",
     {"14: Policy careful: spec.guardrails.flip_deadband: is 0.2, expected 0 to max_delta_per_step"}},
    {"LimitListTooShort",
     "max_updates_per_second: 0.1",
     "max_delta: [10]",
     {"42: Loop connections: spec.guardrails.max_delta: has 1 limits, expected one per knob, 2"}},
    {"LimitListAsNumber",
     "max_updates_per_second: 0.1",
     "max_delta: 10",
     {"42: Loop connections: spec.guardrails.max_delta: is '10', expected a list of one limit per knob, in knob order "
      "and in each knob's unit; a fraction of range for every knob is max_delta_per_step"}},
    {"LimitOfZero",
     "max_updates_per_second: 0.1",
     "max_delta: [10, 0]",
     {"42: Loop connections: spec.guardrails.max_delta[1]: is '0', expected a number above 0"}},
    {"LimitListInAPolicy",
     "guardrails: {preset: conservative}",
     "guardrails: {max_delta: [10]}",
     {"14: Policy careful: spec.guardrails.max_delta: lists one limit per knob of one loop, so it belongs to the "
      "guardrails of a Loop; a fraction of range for every knob is max_delta_per_step"}},
    {"UnknownPreset",
     "guardrails: {preset: conservative}",
     "guardrails: {preset: paranoid}",
     {"14: Policy careful: spec.guardrails.preset: is 'paranoid', expected one of conservative, balanced, aggressive"}},
    {"SeveralValuesOutOfRange",
     "guardrails: {preset: conservative}",
     "guardrails: {max_delta_per_step: 2, probe_share: 0, max_baseline_distance: 1.5}",
     {"14: Policy careful: spec.guardrails.max_delta_per_step: is 2, expected a fraction above 0, at most 1",
      "14: Policy careful: spec.guardrails.probe_share: is 0, expected a fraction above 0, at most 1",
      "14: Policy careful: spec.guardrails.max_baseline_distance: is 1.5, expected a fraction above 0, at most 1"}},
    {"RateOfZero",
     "guardrails: {preset: conservative}",
     "guardrails: {max_updates_per_second: 0}",
     {"14: Policy careful: spec.guardrails.max_updates_per_second: is 0, expected 0.000001 to 10000"}},
    {"NameOfTheHotpathApi",
     "guardrails: {preset: conservative}",
     "guardrails: {min_interval_us: 500}",
     {"14: Policy careful: spec.guardrails.min_interval_us: is not a known key (did you mean 'min_interval'?), "
      "expected one of preset, rollback_on_regression, max_delta_per_step, max_updates_per_second, min_interval, "
      "direction_flip_limit, cooldown_after_flip, max_cumulative_delta_per_minute, regression_count_limit, "
      "max_baseline_distance, probe_share, flip_deadband"}},
    {"RollbackSwitchTwice",
     R"(guardrails: {preset: conservative}
  rollback: {preset: conservative})",
     R"(guardrails: {rollback_on_regression: true}
  rollback: {on_regression: true})",
     {"14: Policy careful: spec.guardrails.rollback_on_regression: says the same as rollback.on_regression, expected "
      "one of the two"}},
    {"RollbackSwitchAsWord",
     "max_updates_per_second: 0.1",
     "rollback_on_regression: yes",
     {"42: Loop connections: spec.guardrails.rollback_on_regression: is 'yes', expected true or false"}},
    {"NoRollbacksAtAll",
     "rollback: {preset: conservative}",
     "rollback: {max_rollbacks_per_hour: 0}",
     {"15: Policy careful: spec.rollback.max_rollbacks_per_hour: is 0, expected 1 to 1000"}},
    {"CountBelowZero",
     "rollback: {preset: conservative}",
     "rollback: {max_consecutive_regressions: -1}",
     {"15: Policy careful: spec.rollback.max_consecutive_regressions: is '-1', expected a whole number from 0 to "
      "4294967295"}},
    {"SafeModeHasNoPreset",
     "telemetry_timeout: 1m",
     "preset: balanced",
     {"16: Policy careful: spec.safe_mode.preset: is not a known key, expected one of cooldown, recovery_windows, "
      "recovery_improvement, repeated_violation_limit, repeated_cumulative_limit, telemetry_timeout"}},
    {"RegressionFromOneWindow",
     "  safe_mode: {telemetry_timeout: 1m}",
     R"(  safe_mode: {telemetry_timeout: 1m}
  regression: {min_windows: 1, noise_memory: 1})",
     {"17: Policy careful: spec.regression.min_windows: is 1, expected 2 to 1000",
      "17: Policy careful: spec.regression.noise_memory: is 1, expected 0 to below 1"}},
};

INSTANTIATE_TEST_SUITE_P(Policy, BadLoop, testing::ValuesIn(policy_rows), row_name);

const bad_row loop_rows[] = {
    {"FormulaThatDoesNotParse",
     "latency_p99_ms + 1000 * error_rate",
     "latency_p99_ms + * 3",
     {"37: Loop connections: spec.objective.minimize: is 'latency_p99_ms + * 3', which is wrong at character 18: "
      "unexpected operator '*', expected a formula such as latency_p99_ms + 1000 * error_rate"}},
    {"QuotedFormulaThatDoesNotParse",
     "latency_p99_ms + 1000 * error_rate",
     "\"latency_p99_ms + (3\"",
     {"37: Loop connections: spec.objective.minimize: is 'latency_p99_ms + (3', which is wrong at character 20: a "
      "parenthesis is not closed, expected a formula such as latency_p99_ms + 1000 * error_rate"}},
    {"FoldedFormulaThatDoesNotParse",
     "latency_p99_ms + 1000 * error_rate",
     R"(>-
      latency_p99_ms +
      * 3)",
     {"37: Loop connections: spec.objective.minimize: is 'latency_p99_ms + * 3', which is wrong at character 18: "
      "unexpected operator '*', expected a formula such as latency_p99_ms + 1000 * error_rate"}},
    {"FormulaWithAnAssignment",
     "latency_p99_ms + 1000 * error_rate",
     "latency_p99_ms = 3",
     {"37: Loop connections: spec.objective.minimize: is 'latency_p99_ms = 3', which is wrong at character 16: '=' "
      "assigns, a comparison is '==', expected a formula such as latency_p99_ms + 1000 * error_rate"}},
    {"FormulaOfNoMetric",
     "latency_p99_ms + 1000 * error_rate",
     "1 + 2",
     {"37: Loop connections: spec.objective.minimize: is '1 + 2', which depends on no metric, expected a formula such "
      "as latency_p99_ms + 1000 * error_rate"}},
    {"MinimizeAndMaximize",
     "    constraints",
     R"(    maximize: throughput_per_s
    constraints)",
     {"36: Loop connections: spec.objective: says minimize and maximize, expected exactly one of the two"}},
    {"NeitherMinimizeNorMaximize",
     R"(    minimize: latency_p99_ms + 1000 * error_rate
)",
     "",
     {"36: Loop connections: spec.objective: says neither minimize nor maximize, expected exactly one of the two"}},
    {"StrictConstraint",
     "error_rate <= 0.01",
     "error_rate < 0.01",
     {"38: Loop connections: spec.objective.constraints[0]: is 'error_rate < 0.01', which is wrong at character 12: "
      "'<' has no margin, only <= and >= have, expected a comparison such as error_rate <= 0.01"}},
    {"ConstraintWithoutComparison",
     "error_rate <= 0.01",
     "error_rate",
     {"38: Loop connections: spec.objective.constraints[0]: is 'error_rate', which is wrong: it does not compare by <= "
      "or >=, expected a comparison such as error_rate <= 0.01"}},
    {"ConstraintThatComparesTwice",
     "error_rate <= 0.01",
     "0 <= error_rate <= 0.01",
     {"38: Loop connections: spec.objective.constraints[0]: is '0 <= error_rate <= 0.01', which is wrong at character "
      "17: it compares twice, expected a comparison such as error_rate <= 0.01"}},
    {"ConstraintWithASideThatDoesNotParse",
     "error_rate <= 0.01",
     "error_rate <= 0.01 +",
     {"38: Loop connections: spec.objective.constraints[0]: is 'error_rate <= 0.01 +', which is wrong at character 21: "
      "it ends too early, expected a comparison such as error_rate <= 0.01"}},
    {"UnknownStrategy",
     "name: spsa",
     "name: cma_es",
     {"43: Loop connections: spec.strategy.name: is 'cma_es', expected one of adaptive, spsa, none"}},
    {"SettingOfTheOtherStrategy",
     "name: spsa",
     "name: adaptive, alpha: 1",
     {"43: Loop connections: spec.strategy.alpha: is a setting of the strategy spsa, expected name alone for "
      "adaptive"}},
    {"LastDecayAsWord",
     "name: spsa",
     "last_decay: off",
     {"43: Loop connections: spec.strategy.last_decay: is 'off', expected a whole number of iterations, or never"}},
    {"PerturbationAboveStepLimit",
     "name: spsa",
     "perturbation: 0.2",
     {"43: Loop connections: spec.strategy.perturbation: is '0.2', expected at most max_delta_per_step, 0.05: a larger "
      "probe would be refused"}},
    {"PerturbationOutOfRange",
     "name: spsa",
     "perturbation: 0.7",
     {"43: Loop connections: spec.strategy.perturbation: is 0.7, expected more than 0, at most 0.5"}},
    {"GradientMemoryOfOne",
     "name: spsa",
     "gradient_memory: 1",
     {"43: Loop connections: spec.strategy.gradient_memory: is 1, expected 0 to below 1"}},
    {"NoDigests", "digests: 3", "digests: 0", {"44: Loop connections: spec.window.digests: is 0, expected 1 to 10000"}},
    {"SpanBelowInterval",
     "digests: 3",
     "span: 500ms",
     {"44: Loop connections: spec.window.span: is 500ms, expected at least the interval of Source db, 5s"}},
    {"MaxAgeBelowPatience",
     "digests: 3",
     "max_age: 1s",
     {"44: Loop connections: spec.window.max_age: is 1s, expected at least the patience of Source db, 2s: a reading "
      "may take that long"}},
    {"TelemetryTimeoutBelowWindow",
     "digests: 3",
     "digests: 12",
     {"33: Loop connections: spec.safe_mode.telemetry_timeout: is 1m, expected more than 69s, the longest time between "
      "two windows of a healthy loop: patience 2s, settle 2s, one digest that is lost and the digests of one window, "
      "every 5s"}},
    {"TelemetryTimeoutBelowWindowByDefault",
     "telemetry_timeout: 1m",
     "cooldown: 1m",
     {"33: Loop connections: spec.safe_mode.telemetry_timeout: is 10s, expected more than 24s, the longest time "
      "between two windows of a healthy loop: patience 2s, settle 2s, one digest that is lost and the digests of one "
      "window, every 5s"}},
    {"QueuedAuditOfAnotherProcess",
     "  pool: web",
     R"(  pool: web
  audit: queued)",
     {"35: Loop connections: spec.audit: is 'queued', but Source db changes another process, expected durable"}},
    {"UnknownExit",
     "  pool: web",
     R"(  pool: web
  on_exit: undo)",
     {"35: Loop connections: spec.on_exit: is 'undo', expected one of keep, revert"}},
    {"OneKnobInTwoLoops",
     R"(kind: Pool
metadata: {name: web}
spec: {policy: careful})",
     R"(kind: Loop
metadata: {name: other}
spec:
  source: db
  objective: {minimize: latency_p99_ms}
  knobs: [{name: idle_s, min: 30, max: 600, default: 300}]
  safe_mode: {telemetry_timeout: 1h})",
     {"38: Loop connections: spec.pool: is 'web', expected the name of a Pool in this file, which are: default",
      "43: Loop connections: spec.knobs: has the knob 'idle_s' of Source db, which Loop other has already, expected "
      "one loop for each knob"}},
};

INSTANTIATE_TEST_SUITE_P(Loop, BadLoop, testing::ValuesIn(loop_rows), row_name);

} // namespace
