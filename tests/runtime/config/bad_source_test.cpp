#include "tests/runtime/config/bad_config.hpp"
#include "tests/runtime/config/row_name.hpp"

#include <gtest/gtest.h>

class BadNodeOrSource : public testing::TestWithParam<bad_row> {};

TEST_P(BadNodeOrSource, IsRefusedWithEveryProblem) { expect_problems(GetParam()); }

namespace {

const bad_row node_rows[] = {
    {"ListenOffLoopback",
     "127.0.0.1:8421",
     "0.0.0.0:8421",
     {"6: Node demo: spec.api.listen: is the text '0.0.0.0:8421', expected a loopback address, 127.0.0.1 or [::1], as "
      "long as the api has no tls and tokens_file"}},
    {"ListenOnAName",
     "127.0.0.1:8421",
     "localhost:8421",
     {"6: Node demo: spec.api.listen: is the text 'localhost:8421', expected an IP address and a port from 0 (the "
      "system chooses) to 65535, such as \"127.0.0.1:8421\" or \"[::1]:8421\""}},
    {"ListenWithoutPort",
     "127.0.0.1:8421",
     "127.0.0.1",
     {"6: Node demo: spec.api.listen: is the text '127.0.0.1', expected an IP address and a port from 0 (the system "
      "chooses) to 65535, such as \"127.0.0.1:8421\" or \"[::1]:8421\""}},
    {"ListenOnAPortTooHigh",
     "127.0.0.1:8421",
     "127.0.0.1:65536",
     {"6: Node demo: spec.api.listen: is the text '127.0.0.1:65536', expected an IP address and a port from 0 (the "
      "system chooses) to 65535, such as \"127.0.0.1:8421\" or \"[::1]:8421\""}},
    {"ListenOnIpv6OffLoopback",
     "127.0.0.1:8421",
     "[::]:8421",
     {"6: Node demo: spec.api.listen: is the text '[::]:8421', expected a loopback address, 127.0.0.1 or [::1], as "
      "long as the api has no tls and tokens_file"}},
    {"ListenOffLoopbackWithoutTls",
     "\"127.0.0.1:8421\"",
     "\"10.0.0.1:8421\", tokens_file: t",
     {"6: Node demo: spec.api.listen: is the text '10.0.0.1:8421', expected a loopback address, 127.0.0.1 or [::1], as "
      "long as the api has no tls"}},
    {"ListenOffLoopbackWithoutTokens",
     "\"127.0.0.1:8421\"",
     "\"10.0.0.1:8421\", tls: {certificate: c, key: k}",
     {"6: Node demo: spec.api.listen: is the text '10.0.0.1:8421', expected a loopback address, 127.0.0.1 or [::1], as "
      "long as the api has no tokens_file"}},
    {"TlsWithoutKey",
     "\"127.0.0.1:8421\"",
     "\"127.0.0.1:8421\", tls: {certificate: c}",
     {"6: Node demo: spec.api.tls.key: is missing, expected the path of a PEM file"}},
    {"UnknownLogLevel",
     "level: info",
     "level: warning",
     {"7: Node demo: spec.log.level: is 'warning' (did you mean 'warn'?), expected one of trace, debug, info, warn, "
      "error"}},
    {"SeedBelowZero",
     "  log: {",
     R"(  seed: -1
  log: {)",
     {"7: Node demo: spec.seed: is '-1', expected a whole number of 0 or more"}},
    {"SeedWithFraction",
     "  log: {",
     R"(  seed: 1.5
  log: {)",
     {"7: Node demo: spec.seed: is '1.5', expected a whole number of 0 or more"}},
    {"UnknownSupervisionStrategy",
     "one_for_one",
     "one_for_two",
     {"8: Node demo: spec.supervision.strategy: is 'one_for_two', expected one of one_for_one, one_for_all, "
      "rest_for_one"}},
    {"BackoffLimitBelowBackoff",
     "intensity: 5",
     "backoff: 10s",
     {"8: Node demo: spec.supervision.backoff_limit: is 5s, expected at least backoff, 10s"}},
    {"JitterAboveOne",
     "intensity: 5",
     "jitter: 1.5",
     {"8: Node demo: spec.supervision.jitter: is 1.5, expected 0 to 1"}},
};

INSTANTIATE_TEST_SUITE_P(Node, BadNodeOrSource, testing::ValuesIn(node_rows), row_name);

const bad_row source_rows[] = {
    {"NoPlant",
     R"(  command: {sense: [pool-sense], apply: [pool-apply, "--now"], read_back: [pool-read]}
)",
     "",
     {"26: Source db: spec: says no plant, expected exactly one of command, pgbouncer, cache_demo, transfer_pool"}},
    {"TwoPlants",
     "  interval: 5s",
     "  cache_demo: {}",
     {"26: Source db: spec: says 2 plants, expected exactly one of command, pgbouncer, cache_demo, transfer_pool"}},
    {"CommandWithoutReadBack",
     ", read_back: [pool-read]",
     "",
     {"27: Source db: spec.command.read_back: is missing, expected a list of a program and its arguments"}},
    {"CommandAsOneText",
     "[pool-sense]",
     "pool-sense --fast",
     {"27: Source db: spec.command.sense: is 'pool-sense --fast', expected a list of a program and its arguments, such "
      "as [\"/usr/bin/tool\", \"--now\"]"}},
    {"CommandWithoutProgram",
     "[pool-sense]",
     "[]",
     {"27: Source db: spec.command.sense: is an empty list, expected a program and its arguments"}},
    {"ArgumentThatIsANumber",
     "\"--now\"",
     "5432",
     {"27: Source db: spec.command.apply[1]: is '5432', expected text in quotes, because without them YAML readers "
      "disagree on what it is"}},
    {"DurationWithoutUnit",
     "interval: 5s",
     "interval: 5",
     {"28: Source db: spec.interval: is '5', expected a duration such as 500ms, 5s, 2m, 1h or 7d, at most 365d"}},
    {"DurationWithFraction",
     "interval: 5s",
     "interval: 1.5s",
     {"28: Source db: spec.interval: is '1.5s', expected a duration such as 500ms, 5s, 2m, 1h or 7d, at most 365d"}},
    {"DurationInWords",
     "interval: 5s",
     "interval: 5 seconds",
     {"28: Source db: spec.interval: is '5 seconds', expected a duration such as 500ms, 5s, 2m, 1h or 7d, at most "
      "365d"}},
    {"DurationOfZero",
     "interval: 5s",
     "interval: 0s",
     {"28: Source db: spec.interval: is '0s', expected a duration above 0"}},
    {"DurationTooLong",
     "interval: 5s",
     "interval: 366d",
     {"28: Source db: spec.interval: is '366d', expected a duration such as 500ms, 5s, 2m, 1h or 7d, at most 365d"}},
    {"PgbouncerWithoutDatabase",
     "command: {sense: [pool-sense], apply: [pool-apply, \"--now\"], read_back: [pool-read]}",
     "pgbouncer: {user: admin}",
     {"27: Source db: spec.pgbouncer.database: is missing, expected a name under [databases] of PgBouncer's "
      "configuration"}},
    {"PgbouncerWithSeveralHosts",
     "command: {sense: [pool-sense], apply: [pool-apply, \"--now\"], read_back: [pool-read]}",
     "pgbouncer: {user: admin, database: b1, host: \"a,b\"}",
     {"27: Source db: spec.pgbouncer.host: is the text 'a,b', expected one address, host name or socket directory"}},
    {"PgbouncerPortOfZero",
     "command: {sense: [pool-sense], apply: [pool-apply, \"--now\"], read_back: [pool-read]}",
     "pgbouncer: {user: admin, database: b1, port: 0}",
     {"27: Source db: spec.pgbouncer.port: is '0', expected a whole number from 1 to 65535"}},
    {"PgbouncerKnobOfAnotherName",
     "command: {sense: [pool-sense], apply: [pool-apply, \"--now\"], read_back: [pool-read]}",
     "pgbouncer: {user: admin, database: b1}",
     {"40: Loop connections: spec.knobs[0]: knob 'pool_size' is unknown to the plant pgbouncer (did you mean "
      "'default_pool_size'?), expected default_pool_size",
      "41: Loop connections: spec.knobs[1]: knob 'idle_s' is unknown to the plant pgbouncer, expected "
      "default_pool_size"}},
    {"CacheDemoRateOfZero",
     "command: {sense: [pool-sense], apply: [pool-apply, \"--now\"], read_back: [pool-read]}",
     "cache_demo: {rate_scale: 0}",
     {"27: Source db: spec.cache_demo.rate_scale: is '0', expected a factor above 0, at most 1000"}},
    {"CacheDemoCycleTooShort",
     "command: {sense: [pool-sense], apply: [pool-apply, \"--now\"], read_back: [pool-read]}",
     "cache_demo: {cycle: 10ms}",
     {"27: Source db: spec.cache_demo.cycle: is '10ms', expected a duration of 1s or more"}},
};

INSTANTIATE_TEST_SUITE_P(Source, BadNodeOrSource, testing::ValuesIn(source_rows), row_name);

} // namespace
