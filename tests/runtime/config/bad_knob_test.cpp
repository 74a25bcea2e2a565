#include "tests/runtime/config/bad_config.hpp"
#include "tests/runtime/config/row_name.hpp"

#include <gtest/gtest.h>

class BadKnob : public testing::TestWithParam<bad_row> {};

TEST_P(BadKnob, IsRefusedWithEveryProblem) { expect_problems(GetParam()); }

namespace {

const bad_row knob_rows[] = {
    {"WordForANumber",
     "{name: idle_s, min: 30, max: 600, default: 300, unit: s}",
     "{name: idle_s, min: 30, max: abc, default: 300}",
     {"41: Loop connections: spec.knobs[1].max: is 'abc', expected a number"}},
    {"TextForANumber",
     "{name: idle_s, min: 30, max: 600, default: 300, unit: s}",
     "{name: idle_s, min: 30, max: \"600\", default: 300}",
     {"41: Loop connections: spec.knobs[1].max: is the text '600', expected a number without quotes"}},
    {"OctalNumber",
     "{name: idle_s, min: 30, max: 600, default: 300, unit: s}",
     "{name: idle_s, min: 030, max: 600, default: 300}",
     {"41: Loop connections: spec.knobs[1].min: is '030', expected a number"}},
    {"InfiniteNumber",
     "{name: idle_s, min: 30, max: 600, default: 300, unit: s}",
     "{name: idle_s, min: 30, max: .inf, default: 300}",
     {"41: Loop connections: spec.knobs[1].max: is '.inf', expected a number"}},
    {"NumberTooLarge",
     "{name: idle_s, min: 30, max: 600, default: 300, unit: s}",
     "{name: idle_s, min: 30, max: 1e999, default: 300}",
     {"41: Loop connections: spec.knobs[1].max: is '1e999', expected a number"}},
    {"YesForATruthValue",
     "{name: idle_s, min: 30, max: 600, default: 300, unit: s}",
     "{name: idle_s, type: boolean, default: yes}",
     {"41: Loop connections: spec.knobs[1].default: is 'yes', expected true or false"}},
    {"QuotedTruthValue",
     "{name: idle_s, min: 30, max: 600, default: 300, unit: s}",
     "{name: idle_s, type: boolean, default: \"true\"}",
     {"41: Loop connections: spec.knobs[1].default: is the text 'true', expected true or false without quotes"}},
    {"UnquotedOffForACategory",
     "{name: idle_s, min: 30, max: 600, default: 300, unit: s}",
     "{name: idle_s, type: categorical, categories: [off, lazy], default: lazy}",
     {"41: Loop connections: spec.knobs[1].categories[0]: is 'off', expected text in quotes, because without them YAML "
      "readers disagree on what it is"}},
    {"DefaultOfNoCategory",
     "{name: idle_s, min: 30, max: 600, default: 300, unit: s}",
     "{name: idle_s, type: categorical, categories: [lru, lfu], default: lfo}",
     {"41: Loop connections: spec.knobs[1].default: is 'lfo' (did you mean 'lfu'?), expected one of lru, lfu"}},
    {"CategoryTwice",
     "{name: idle_s, min: 30, max: 600, default: 300, unit: s}",
     "{name: idle_s, type: categorical, categories: [lru, lru], default: lru}",
     {"41: Loop connections: spec.knobs[1].categories[1]: is 'lru' again, expected every category once"}},
    {"OneCategory",
     "{name: idle_s, min: 30, max: 600, default: 300, unit: s}",
     "{name: idle_s, type: categorical, categories: [lru], default: lru}",
     {"41: Loop connections: spec.knobs[1].categories: has 1 names, expected two or more"}},
    {"CategoriesOfAnOrderedKnob",
     "{name: idle_s, min: 30, max: 600, default: 300, unit: s}",
     "{name: idle_s, min: 30, max: 600, default: 300, categories: [a, b]}",
     {"41: Loop connections: spec.knobs[1].categories: needs a knob of type categorical"}},
    {"ScaleOfABooleanKnob",
     "{name: idle_s, min: 30, max: 600, default: 300, unit: s}",
     "{name: idle_s, type: boolean, default: true, scale: log}",
     {"41: Loop connections: spec.knobs[1].scale: has no meaning for a boolean knob"}},
    {"UnknownType",
     "{name: idle_s, min: 30, max: 600, default: 300, unit: s}",
     "{name: idle_s, type: int, min: 30, max: 600, default: 300}",
     {"41: Loop connections: spec.knobs[1].type: is 'int' (did you mean 'integer'?), expected one of continuous, "
      "integer, boolean, categorical"}},
    {"UnknownScale",
     "{name: idle_s, min: 30, max: 600, default: 300, unit: s}",
     "{name: idle_s, scale: logarithmic, min: 30, max: 600, default: 300}",
     {"41: Loop connections: spec.knobs[1].scale: is 'logarithmic' (did you mean 'log'?), expected one of linear, log, "
      "periodic"}},
    {"NameWithACapital",
     "{name: idle_s, min: 30, max: 600, default: 300, unit: s}",
     "{name: idleS, min: 30, max: 600, default: 300}",
     {"41: Loop connections: spec.knobs[1].name: is 'idleS', expected [a-z][a-z0-9_]*"}},
    {"NameTwice",
     "{name: idle_s, min: 30, max: 600, default: 300, unit: s}",
     "{name: pool_size, min: 30, max: 600, default: 300}",
     {"41: Loop connections: spec.knobs[1].name: is 'pool_size' again, expected a name that no other knob of the loop "
      "has"}},
    {"MaxBelowMin",
     "{name: idle_s, min: 30, max: 600, default: 300, unit: s}",
     "{name: idle_s, min: 600, max: 30, default: 300}",
     {"41: Loop connections: spec.knobs[1].max: is 30, expected more than min 600"}},
    {"DefaultOutOfBounds",
     "{name: idle_s, min: 30, max: 600, default: 300, unit: s}",
     "{name: idle_s, min: 30, max: 600, default: 700}",
     {"41: Loop connections: spec.knobs[1].default: is 700, expected a value the knob can take between 30 and 600"}},
    {"DefaultOffTheGrid",
     "{name: idle_s, min: 30, max: 600, default: 300, unit: s}",
     "{name: idle_s, min: 30, max: 600, default: 301, step: 10}",
     {"41: Loop connections: spec.knobs[1].default: is 301, expected a value the knob can take between 30 and 600"}},
    {"IntegerWithFraction",
     "{name: idle_s, min: 30, max: 600, default: 300, unit: s}",
     "{name: idle_s, type: integer, min: 0.5, max: 600, default: 300}",
     {"41: Loop connections: spec.knobs[1].min: is 0.5, expected a whole number up to 2^53 for an integer knob"}},
    {"LogScaleFromZero",
     "{name: idle_s, min: 30, max: 600, default: 300, unit: s}",
     "{name: idle_s, scale: log, min: 0, max: 600, default: 300}",
     {"41: Loop connections: spec.knobs[1].min: is 0, expected more than 0 on a log scale"}},
    {"StepOfZero",
     "{name: idle_s, min: 30, max: 600, default: 300, unit: s}",
     "{name: idle_s, min: 30, max: 600, default: 300, step: 0}",
     {"41: Loop connections: spec.knobs[1].step: is 0, expected more than 0 and at most max - min"}},
    {"RangeBeyondNumbers",
     "{name: idle_s, min: 30, max: 600, default: 300, unit: s}",
     "{name: idle_s, min: -1e308, max: 1e308, default: 300}",
     {"41: Loop connections: spec.knobs[1]: max - min is not a finite number, expected a smaller range"}},
    {"LimitGivenTwice",
     R"(, unit: s}
  guardrails: {)",
     R"(, max_delta: 5}
  guardrails: {max_delta: [10, 60], )",
     {"41: Loop connections: spec.knobs[1].max_delta: is set in spec.guardrails.max_delta too, expected one of the "
      "two"}},
    {"LimitOfAKnobWithoutDistances",
     R"({name: idle_s, min: 30, max: 600, default: 300, unit: s}
  guardrails: {)",
     R"({name: idle_s, type: boolean, default: true}
  guardrails: {max_delta: [10, 60], )",
     {"42: Loop connections: spec.guardrails.max_delta[1]: is '60', expected null, because knob 'idle_s' has no "
      "distances"}},
    {"LimitAsAList",
     "{name: idle_s, min: 30, max: 600, default: 300, unit: s}",
     "{name: idle_s, min: 30, max: 600, default: 300, max_delta: [5]}",
     {"41: Loop connections: spec.knobs[1].max_delta: is a list, expected a number, or {up: NUMBER, down: NUMBER}"}},
    {"LimitUpWithoutDown",
     "{name: idle_s, min: 30, max: 600, default: 300, unit: s}",
     "{name: idle_s, min: 30, max: 600, default: 300, max_delta: {up: 5}}",
     {"41: Loop connections: spec.knobs[1].max_delta.down: is missing, expected a number above 0"}},
    {"NoKnobs",
     R"(    - {name: pool_size, type: integer, min: 5, max: 100, default: 20, unit: connections}
    - {name: idle_s, min: 30, max: 600, default: 300, unit: s}
)",
     R"(    []
)",
     {"39: Loop connections: spec.knobs: has 0 knobs, expected 1 to 16"}},
    {"SeventeenKnobs",
     "    - {name: idle_s, min: 30, max: 600, default: 300, unit: s}",
     R"(    - {name: k0, min: 0, max: 1, default: 0}
    - {name: k1, min: 0, max: 1, default: 0}
    - {name: k2, min: 0, max: 1, default: 0}
    - {name: k3, min: 0, max: 1, default: 0}
    - {name: k4, min: 0, max: 1, default: 0}
    - {name: k5, min: 0, max: 1, default: 0}
    - {name: k6, min: 0, max: 1, default: 0}
    - {name: k7, min: 0, max: 1, default: 0}
    - {name: k8, min: 0, max: 1, default: 0}
    - {name: k9, min: 0, max: 1, default: 0}
    - {name: k10, min: 0, max: 1, default: 0}
    - {name: k11, min: 0, max: 1, default: 0}
    - {name: k12, min: 0, max: 1, default: 0}
    - {name: k13, min: 0, max: 1, default: 0}
    - {name: k14, min: 0, max: 1, default: 0}
    - {name: k15, min: 0, max: 1, default: 0})",
     {"39: Loop connections: spec.knobs: has 17 knobs, expected 1 to 16"}},
    {"StuckByStepLimit",
     "max_updates_per_second: 0.1",
     "max_delta: [0.5, 60]",
     {"40: Loop connections: spec.knobs[0]: knob 'pool_size' can never move: its smallest move, from 20 to 21, is 1, "
      "and its max_delta is less; set max_delta to at least 1"}},
    {"StuckByFraction",
     "max_updates_per_second: 0.1",
     "max_delta_per_step: 0.01",
     {"40: Loop connections: spec.knobs[0]: knob 'pool_size' can never move: its smallest move, from 20 to 21, is "
      "0.0105263 of its range, and max_delta_per_step is 0.01; set max_delta of the knob to at least 1, or "
      "max_delta_per_step to at least 0.011"}},
    {"StuckByCumulativeCap",
     "max_updates_per_second: 0.1",
     "max_cumulative_delta_per_minute: 0.01",
     {"40: Loop connections: spec.knobs[0]: knob 'pool_size' can never move: its smallest move is 0.0105263 of its "
      "range, and max_cumulative_delta_per_minute is 0.01; set max_cumulative_delta_per_minute to at least 0.011"}},
    {"StuckByBaselineDistance",
     "max_updates_per_second: 0.1",
     "max_baseline_distance: 0.01",
     {"40: Loop connections: spec.knobs[0]: knob 'pool_size' can never move: its smallest move is 0.0105263 of its "
      "range, and max_baseline_distance is 0.01; set max_baseline_distance to at least 0.011"}},
};

INSTANTIATE_TEST_SUITE_P(Knob, BadKnob, testing::ValuesIn(knob_rows), row_name);

} // namespace
