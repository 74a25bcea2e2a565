#include "tests/runtime/config/bad_config.hpp"
#include "tests/runtime/config/row_name.hpp"

#include <gtest/gtest.h>

class BadStructure : public testing::TestWithParam<bad_row> {};

TEST_P(BadStructure, IsRefusedWithEveryProblem) { expect_problems(GetParam()); }

namespace {

const bad_row structure_rows[] = {
    {"UnknownKeyWithSuggestion",
     "{policy: careful}",
     "{polcy: careful, policy: careful}",
     {"21: Pool web: spec.polcy: is not a known key (did you mean 'policy'?), expected one of policy, supervision, "
      "transfer"}},
    {"UnknownKeyWithoutSuggestion",
     "{policy: careful}",
     "{policy: careful, colour: red}",
     {"21: Pool web: spec.colour: is not a known key, expected one of policy, supervision, transfer"}},
    {"UnknownKeyInMetadata",
     "{name: demo}",
     "{name: demo, label: x}",
     {"3: Node demo: metadata.label: is not a known key, expected name"}},
    {"RepeatedKey",
     "  source: db",
     R"(  source: db
  source: db)",
     {"36: Loop connections: spec.source: is given again; the first is in line 35, expected every key once"}},
    {"KeyThatIsNoName",
     "{policy: careful}",
     "{policy: careful, [a]: 1}",
     {"21: Pool web: spec: has a key that is a list, expected a plain name"}},
    {"MergeKey",
     "{policy: careful}",
     "{policy: careful, <<: {a: 1}}",
     {"21: Pool web: spec.<<: is not a known key, expected one of policy, supervision, transfer"}},
    {"MissingRequiredKeys",
     "{name: pool_size, type: integer, min: 5, max: 100, default: 20, unit: connections}",
     "{type: integer}",
     {"40: Loop connections: spec.knobs[0].name: is missing, expected a name of [a-z][a-z0-9_]*",
      "40: Loop connections: spec.knobs[0].min: is missing, expected a number",
      "40: Loop connections: spec.knobs[0].max: is missing, expected a number",
      "40: Loop connections: spec.knobs[0].default: is missing, expected a number"}},
    {"MissingSource",
     R"(  source: db
)",
     "",
     {"33: Loop connections: spec.source: is missing, expected the name of a Source"}},
    {"MissingObjective",
     R"(  objective:
    minimize: latency_p99_ms + 1000 * error_rate
    constraints: [error_rate <= 0.01]
)",
     "",
     {"33: Loop connections: spec.objective: is missing, expected a mapping with minimize or maximize"}},
    {"MissingSpec",
     R"(spec:
  command: {sense: [pool-sense], apply: [pool-apply, "--now"], read_back: [pool-read]}
  interval: 5s
)",
     "",
     {"23: Source db: spec: is missing, expected a mapping"}},
    {"MissingMetadata",
     R"(kind: Node
metadata: {name: demo})",
     "kind: Node",
     {"1: Node: metadata: is missing, expected a mapping with name"}},
    {"OtherApiVersion",
     R"(apiVersion: homeostat/v1
kind: Node)",
     R"(apiVersion: homeostat/v2
kind: Node)",
     {"1: Node demo: apiVersion: is 'homeostat/v2', expected homeostat/v1"}},
    {"UnknownKind",
     "kind: Node",
     "kind: Nod",
     {"2: document 1: kind: is 'Nod', expected one of Node, Pool, Policy, Source, Loop"}},
    {"DocumentIsAList",
     R"(---
apiVersion: homeostat/v1
kind: Policy)",
     R"(---
- 1
---
apiVersion: homeostat/v1
kind: Policy)",
     {"10: document 2: is a list, expected a mapping with apiVersion, kind, metadata, spec"}},
    {"SpecIsAList",
     "spec: {policy: careful}",
     "spec: [careful]",
     {"21: Pool web: spec: is a list, expected a mapping with policy, supervision, transfer"}},
    {"EmptyValue", "pool: web", "pool:", {"34: Loop connections: spec.pool: is empty, expected text"}},
    {"BadName",
     "{name: demo}",
     "{name: Demo}",
     {"3: Node Demo: metadata.name: is 'Demo', expected a name of [a-z][a-z0-9_-]*, at most 63 characters"}},
    {"NameThatOthersTakeForFalse",
     "{name: demo}",
     "{name: off}",
     {"3: Node off: metadata.name: is 'off', expected text in quotes, because without them YAML readers disagree on "
      "what it is"}},
    {"NameThatOthersTakeForANumber",
     "{name: demo}",
     "{name: 12}",
     {"3: Node 12: metadata.name: is '12', expected text in quotes, because without them YAML readers disagree on what "
      "it is"}},
    {"SecondNode",
     "kind: Pool",
     R"(kind: Node
metadata: {name: other}
---
apiVersion: homeostat/v1
kind: Pool)",
     {"18: Node other: is the second Node; the first is in line 1, expected at most one Node"}},
    {"NameTwiceInAKind",
     R"(kind: Pool
metadata: {name: web}
spec: {policy: careful})",
     R"(kind: Pool
metadata: {name: web}
---
apiVersion: homeostat/v1
kind: Pool
metadata: {name: web}
spec: {policy: careful})",
     {"22: Pool web: is there already, in line 18, expected every name once in its kind"}},
    {"UnknownPool",
     "pool: web",
     "pool: wep",
     {"34: Loop connections: spec.pool: is 'wep' (did you mean 'web'?), expected the name of a Pool in this file, "
      "which are: web"}},
    {"UnknownSource",
     "  source: db",
     "  source: data",
     {"35: Loop connections: spec.source: is 'data', expected the name of a Source in this file, which are: db"}},
    {"UnknownPolicyOfALoop",
     "  pool: web",
     "  policy: carefull",
     {"34: Loop connections: spec.policy: is 'carefull' (did you mean 'careful'?), expected the name of a Policy in "
      "this file, which are: careful"}},
    {"UnknownPolicyOfAPool",
     "{policy: careful}",
     "{policy: bold}",
     {"21: Pool web: spec.policy: is 'bold', expected the name of a Policy in this file, which are: careful"}},
    {"ExplicitTag",
     "min: 30",
     "min: !!int 30",
     {"41: Loop connections: spec.knobs[1].min: has the tag 'tag:yaml.org,2002:int', expected a number"}},
    {"NotYaml", "kind: Pool", "kind: [Pool", {"20: is not YAML: end of sequence flow not found"}},
    {"TabAsIndentation", "  pool: web", "	pool: web", {"34: is not YAML: illegal map value"}},
};

INSTANTIATE_TEST_SUITE_P(Structure, BadStructure, testing::ValuesIn(structure_rows), row_name);

} // namespace
