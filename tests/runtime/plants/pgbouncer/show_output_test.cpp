#include "runtime/plants/pgbouncer/show_output.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace homeostat {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

// As PgBouncer 1.18 prints them, without the columns nobody reads here.
const console_table stats{
    {"database", "total_xact_count", "total_query_count", "total_received", "total_xact_time", "total_query_time",
     "total_wait_time"},
    {{"pgbouncer", "1", "1", "0", "0", "0", "0"}, {"shop", "1000", "5000", "99", "8000000", "7000000", "3000000"}}};

const console_table pools{{"database", "user", "cl_active", "cl_waiting", "sv_active", "sv_idle", "sv_used",
                           "sv_tested", "sv_login", "maxwait", "maxwait_us", "pool_mode"},
                          {{"shop", "app", "20", "130", "19", "1", "0", "0", "1", "2", "500000", "transaction"},
                           {"shop", "report", "1", "2", "1", "2", "3", "4", "0", "0", "7", "transaction"},
                           {"pgbouncer", "admin", "1", "0", "0", "0", "0", "0", "0", "0", "0", "statement"}}};

const console_table databases{{"name", "pool_size", "max_connections", "paused", "disabled"},
                              {{"shop", "20", "0", "0", "0"}, {"archive", "5", "3", "1", "0"}}};

console_table without_column(console_table table, std::string_view name) {
  *std::ranges::find(table.columns, name) = "renamed";
  return table;
}

TEST(show_stats, TotalsAreThoseOfTheDatabase) {
  EXPECT_EQ(parse_totals(stats, "shop").value(), (database_totals{1000, 5000, 8000000, 7000000, 3000000}));
}

TEST(show_stats, ADatabaseNobodyUsedYetCountsFromZero) {
  EXPECT_EQ(parse_totals(stats, "archive").value(), database_totals{});
}

TEST(show_pools, PoolsOfAllUsersAddUpAndTheLargestCounts) {
  EXPECT_EQ(parse_pools(pools, "shop").value(), (pool_state{.clients_active = 21,
                                                            .clients_waiting = 132,
                                                            .servers_active = 20,
                                                            .servers_idle = 3,
                                                            .servers_login = 1,
                                                            .largest_servers = 21,
                                                            .maxwait_s = 2.5}));
}

TEST(show_pools, ADatabaseWithoutClientsHasNone) { EXPECT_EQ(parse_pools(pools, "archive").value(), pool_state{}); }

TEST(show_databases, StateIsThatOfTheDatabase) {
  EXPECT_EQ(parse_database(databases, "shop").value(), (database_state{20, 0, false}));
  EXPECT_EQ(parse_database(databases, "archive").value(), (database_state{5, 3, true}));
}

TEST(show_databases, AnUnknownDatabaseIsAnError) {
  EXPECT_THAT(parse_database(databases, "shpo").error().what, HasSubstr("no database 'shpo'"));
}

TEST(show_config, ValueIsThatOfTheKey) {
  const console_table config{{"key", "value", "default"},
                             {{"listen_port", "6432", "6432"}, {"server_lifetime", "120", "3600"}}};
  EXPECT_EQ(parse_config(config, "server_lifetime").value(), "120");
  EXPECT_THAT(parse_config(config, "lifetime").error().what, HasSubstr("no key 'lifetime'"));
  EXPECT_THAT(parse_config(without_column(config, "value"), "listen_port").error().what,
              HasSubstr("no column 'value'"));
}

TEST(show_output, EachMissingColumnIsNamed) {
  for (const char* column :
       {"database", "total_xact_count", "total_query_count", "total_xact_time", "total_query_time", "total_wait_time"})
    EXPECT_THAT(parse_totals(without_column(stats, column), "shop").error().what,
                HasSubstr("SHOW STATS has no column '" + std::string(column) + "'"));
  for (const char* column : {"database", "cl_active", "cl_waiting", "sv_active", "sv_idle", "sv_used", "sv_tested",
                             "sv_login", "maxwait", "maxwait_us"})
    EXPECT_THAT(parse_pools(without_column(pools, column), "shop").error().what,
                HasSubstr("SHOW POOLS has no column '" + std::string(column) + "'"));
  for (const char* column : {"name", "pool_size", "max_connections", "paused"})
    EXPECT_THAT(parse_database(without_column(databases, column), "shop").error().what,
                HasSubstr("SHOW DATABASES has no column '" + std::string(column) + "'"));
}

TEST(show_output, AnAnswerWithoutColumnsIsAnError) {
  EXPECT_FALSE(parse_totals({}, "shop"));
  EXPECT_FALSE(parse_pools({}, "shop"));
}

TEST(show_output, ACellThatIsNoCountIsQuoted) {
  for (const char* cell : {"", "-1", "12x", "1.5", "99999999999999999999999"}) {
    console_table broken = stats;
    broken.rows[1][1] = cell;
    EXPECT_THAT(parse_totals(broken, "shop").error().what,
                HasSubstr("'" + std::string(cell) + "' in column 'total_xact_count'"));
  }
}

TEST(show_output, ARowShorterThanItsHeadingIsAnError) {
  console_table broken = stats;
  broken.rows[1].resize(3);
  EXPECT_FALSE(parse_totals(broken, "shop"));
}

constexpr database_totals earlier{
    .transactions = 1000, .queries = 5000, .transaction_us = 8000000, .query_us = 7000000, .wait_us = 3000000};

TEST(metrics_between, RatesAndMeansAreOfTheIntervalAlone) {
  const database_totals later{
      .transactions = 1400, .queries = 7000, .transaction_us = 10000000, .query_us = 8800000, .wait_us = 4200000};
  EXPECT_THAT(metrics_between(earlier, later, 2s).value(),
              ElementsAre(Pair("held_mean_ms", DoubleNear(2, 1e-9)), Pair("latency_mean_ms", DoubleNear(5, 1e-9)),
                          Pair("query_mean_ms", DoubleNear(.3, 1e-9)), Pair("throughput_per_s", DoubleNear(200, 1e-9)),
                          Pair("wait_mean_ms", DoubleNear(3, 1e-9))));
}

TEST(metrics_between, AnIntervalInWhichNothingBeganHasNoMeans) {
  EXPECT_THAT(metrics_between(earlier, earlier, 500ms).value(), ElementsAre(Pair("throughput_per_s", 0)));
}

TEST(metrics_between, AWaitBookedBeforeItsTransactionEndsGivesNoNegativeTime) {
  database_totals later = earlier;
  later.transactions += 1;
  later.wait_us += 5000;
  EXPECT_EQ(metrics_between(earlier, later, 1s).value().at("held_mean_ms"), 0);
}

TEST(metrics_between, ATotalThatShrankMeansARestart) {
  for (auto field : {&database_totals::transactions, &database_totals::queries, &database_totals::transaction_us,
                     &database_totals::query_us, &database_totals::wait_us}) {
    database_totals later = earlier;
    later.transactions += 10;
    later.*field = earlier.*field - 1;
    EXPECT_THAT(metrics_between(earlier, later, 1s).error().what, HasSubstr("restarted"));
  }
}

} // namespace
} // namespace homeostat
