#include "runtime/plants/pgbouncer/pgbouncer_plant.hpp"

#include "tests/runtime/plants/pgbouncer/fake_pooler.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>

namespace homeostat {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using testing::fake_answer;
using testing::fake_console;
using testing::fake_pooler;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;

constexpr duration ample = 30s;
// Long enough for a few exchanges over loopback, short because the tests that use it wait it out.
constexpr duration brief = 600ms;
constexpr instant noon{std::chrono::hours(12)};
const fake_answer silence{.what = fake_answer::kind::silence};

class PgbouncerPlant : public ::testing::Test {
protected:
  pgbouncer_settings settings(shrink_method shrink = shrink_method::pause) const {
    return {.console = server.conninfo(),
            .database = "shop",
            .shrink = shrink,
            .shrink_limit = 200ms,
            .client_progress = {}};
  }

  /// @returns the commands that are no questions, each with the number of its connection.
  std::vector<std::string> changes() const {
    auto all = server.commands();
    std::erase_if(all, [](const std::string& c) { return c.find(" SHOW ") != std::string::npos; });
    return all;
  }

  void change(const std::function<void(fake_pooler&)>& by) {
    server.exclusively([&] { by(pooler); });
  }
  template <class T> T look_at(T fake_pooler::* what) const {
    T value;
    server.exclusively([&] { value = pooler.*what; });
    return value;
  }

  static named_values size(double value) { return {{pgbouncer_plant::pool_size_knob, value}}; }

private:
  fake_pooler pooler;

protected:
  fake_console server{[this](const std::string& command) { return pooler.answer(command); }};
};

// ---- sensor -------------------------------------------------------------------------------------------------------

TEST_F(PgbouncerPlant, TheFirstReadingHasAnEmptyInterval) {
  pgbouncer_plant plant(settings());
  const auto first = plant.read(noon, ample);
  ASSERT_TRUE(first) << first.error().what;
  EXPECT_EQ(first->begin, noon);
  EXPECT_EQ(first->end, noon);
  EXPECT_EQ(first->sample_count, 0U);
  EXPECT_THAT(first->metrics, ElementsAre(Pair("clients_waiting", 7), Pair("maxwait_s", 1.25), Pair("pool_size", 20),
                                          Pair("servers_active", 20), Pair("servers_idle", 0)));
}

TEST_F(PgbouncerPlant, AReadingDescribesTheTimeSinceTheLast) {
  pgbouncer_plant plant(settings());
  ASSERT_TRUE(plant.read(noon, ample));
  change([](fake_pooler& p) {
    p.transactions += 50;
    p.transaction_us += 50 * 4000;
    p.wait_us += 50 * 1000;
  });
  const auto second = plant.read(noon + 1s, ample);
  ASSERT_TRUE(second) << second.error().what;
  EXPECT_EQ(second->begin, noon);
  EXPECT_EQ(second->end, noon + 1s);
  EXPECT_EQ(second->sample_count, 50U);
  EXPECT_DOUBLE_EQ(second->metrics.at("latency_mean_ms"), 4);
  EXPECT_DOUBLE_EQ(second->metrics.at("wait_mean_ms"), 1);
  EXPECT_GT(second->metrics.at("throughput_per_s"), 0);
}

TEST_F(PgbouncerPlant, ARestartSeenInTheCountersIsAnErrorOnce) {
  pgbouncer_plant plant(settings());
  change([](fake_pooler& p) { p.transactions = 1000; });
  ASSERT_TRUE(plant.read(noon, ample));
  change([](fake_pooler& p) { p.transactions = 3; });
  EXPECT_THAT(plant.read(noon + 1s, ample).error().what, HasSubstr("from 1000 to 3"));
  change([](fake_pooler& p) { p.transactions = 10; });
  const auto after = plant.read(noon + 2s, ample);
  ASSERT_TRUE(after) << after.error().what;
  EXPECT_EQ(after->begin, noon + 1s);
  EXPECT_EQ(after->sample_count, 7U);
}

TEST_F(PgbouncerPlant, CountersOfAnotherProcessAreNotComparedEvenIfTheyAreLarger) {
  pgbouncer_plant plant(settings());
  change([](fake_pooler& p) { p.transactions = 10; });
  ASSERT_TRUE(plant.read(noon, ample));
  server.drop_connections();
  change([](fake_pooler& p) { p.transactions = 100000; });
  const auto after = plant.read(noon + 1s, ample);
  ASSERT_TRUE(after) << after.error().what;
  EXPECT_EQ(after->begin, noon + 1s);
  EXPECT_EQ(after->sample_count, 0U);
  EXPECT_FALSE(after->metrics.contains("throughput_per_s"));
}

TEST_F(PgbouncerPlant, AHungConsoleFailsTheReading) {
  pgbouncer_plant plant(settings());
  ASSERT_TRUE(plant.read(noon, ample));
  server.play_dead();
  EXPECT_THAT(plant.read(noon + 1s, 100ms).error().what, HasSubstr("no answer in time"));
}

TEST_F(PgbouncerPlant, AnUnknownDatabaseFailsTheReading) {
  auto wrong = settings();
  wrong.database = "shpo";
  pgbouncer_plant plant(wrong);
  EXPECT_THAT(plant.read(noon, ample).error().what, HasSubstr("no database 'shpo'"));
}

TEST_F(PgbouncerPlant, AMissingClientLogFailsTheReading) {
  auto with_log = settings();
  with_log.client_progress = "/nonexistent/load.log";
  pgbouncer_plant plant(with_log);
  EXPECT_THAT(plant.read(noon, ample).error().what, HasSubstr("/nonexistent/load.log"));
}

// ---- actuator: growing, refusing ----------------------------------------------------------------------------------

TEST_F(PgbouncerPlant, GrowingIsASetAlone) {
  pgbouncer_plant plant(settings());
  EXPECT_THAT(plant.apply(size(50), ample).value(), ElementsAre(Pair("default_pool_size", 50)));
  EXPECT_THAT(changes(), ElementsAre("1 SET default_pool_size = 50"));
}

TEST_F(PgbouncerPlant, APoolThatFitsAlreadyIsNotPaused) {
  change([](fake_pooler& p) { p.servers = 4; });
  pgbouncer_plant plant(settings());
  EXPECT_THAT(plant.apply(size(4), ample).value(), ElementsAre(Pair("default_pool_size", 4)));
  EXPECT_THAT(changes(), ElementsAre("1 SET default_pool_size = 4"));
}

TEST_F(PgbouncerPlant, ValuesNoPoolCanHaveAreRefusedUnsent) {
  pgbouncer_plant plant(settings());
  for (const double value :
       {0.0, -3.0, 2.5, 10001.0, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()})
    EXPECT_THAT(plant.apply(size(value), ample).error().what, HasSubstr("expected a whole number from 1 to 10000"));
  EXPECT_FALSE(plant.apply({}, ample));
  EXPECT_THAT(plant.apply({{"default_pool_size", 5}, {"max_client_conn", 5}}, ample).error().what,
              HasSubstr("no knob 'max_client_conn'"));
  EXPECT_THAT(server.commands(), IsEmpty());
}

TEST_F(PgbouncerPlant, ADatabaseWithAPoolSizeOfItsOwnIsAnError) {
  change([](fake_pooler& p) { p.own_size = 30; });
  pgbouncer_plant plant(settings());
  EXPECT_THAT(plant.apply(size(10), ample).error().what,
              AllOf(HasSubstr("pool size 30"), HasSubstr("no pool_size of its own")));
}

TEST_F(PgbouncerPlant, SomebodyElsesPauseIsLeftAlone) {
  change([](fake_pooler& p) { p.paused = true; });
  pgbouncer_plant plant(settings());
  EXPECT_THAT(plant.apply(size(10), ample).error().what, HasSubstr("paused, and not by us"));
  EXPECT_THAT(changes(), IsEmpty());
}

TEST_F(PgbouncerPlant, ASetThatIsRefusedFailsTheCall) {
  change([](fake_pooler& p) {
    p.overrides["SET default_pool_size = 10"] = {.what = fake_answer::kind::error, .message = "admin access needed"};
  });
  pgbouncer_plant plant(settings());
  EXPECT_THAT(plant.apply(size(10), ample).error().what, HasSubstr("admin access needed"));
}

// ---- actuator: shrinking by PAUSE ---------------------------------------------------------------------------------

TEST_F(PgbouncerPlant, ShrinkingPausesAndResumes) {
  pgbouncer_plant plant(settings());
  EXPECT_THAT(plant.apply(size(8), ample).value(), ElementsAre(Pair("default_pool_size", 8)));
  EXPECT_THAT(changes(), ElementsAre("1 SET default_pool_size = 8", "1 PAUSE \"shop\"", "1 RESUME \"shop\""));
  EXPECT_EQ(look_at(&fake_pooler::servers), 8);
}

TEST_F(PgbouncerPlant, LoginsUnderWayAreAwaitedBeforeThePause) {
  change([](fake_pooler& p) { p.logins = 3; });
  pgbouncer_plant plant(settings());
  ASSERT_TRUE(plant.apply(size(8), ample));
  EXPECT_THAT(changes(), Contains("1 PAUSE \"shop\""));
  EXPECT_FALSE(look_at(&fake_pooler::login_cut_off));
}

TEST_F(PgbouncerPlant, ALoginThatDoesNotEndIsAnErrorAndNothingIsPaused) {
  change([](fake_pooler& p) { p.logins = 1000000; });
  pgbouncer_plant plant(settings());
  EXPECT_THAT(plant.apply(size(8), ample).error().what, HasSubstr("still making a connection"));
  EXPECT_THAT(changes(), ElementsAre("1 SET default_pool_size = 8"));
}

TEST_F(PgbouncerPlant, APauseThatDoesNotEndIsResumedOverAnotherConnection) {
  change([](fake_pooler& p) {
    p.min_servers = 1; // a transaction that stays open
  });
  pgbouncer_plant plant(settings());
  EXPECT_THAT(plant.apply(size(8), ample).error().what, AllOf(HasSubstr("PAUSE"), HasSubstr("no answer in time")));
  EXPECT_THAT(changes(), ElementsAre("1 SET default_pool_size = 8", "1 PAUSE \"shop\"", "2 RESUME \"shop\""));
  EXPECT_FALSE(look_at(&fake_pooler::paused));
}

TEST_F(PgbouncerPlant, AResumeThatFailsIsOwedAndPaidByTheNextCall) {
  change([](fake_pooler& p) {
    p.min_servers = 1;
    p.overrides["RESUME \"shop\""] = silence;
  });
  pgbouncer_plant plant(settings());
  const auto failed = plant.apply(size(8), brief);
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().what, HasSubstr("may be left paused"));
  change([](fake_pooler& p) {
    p.overrides.clear();
    p.paused = true; // the lost RESUME had no effect
  });
  EXPECT_TRUE(plant.read_back(ample));
  EXPECT_FALSE(look_at(&fake_pooler::paused));
}

TEST_F(PgbouncerPlant, AResumeStillOwedAtTheEndIsPaidByTheDestructor) {
  change([](fake_pooler& p) {
    p.min_servers = 1;
    p.overrides["RESUME \"shop\""] = silence;
  });
  {
    pgbouncer_plant plant(settings());
    ASSERT_FALSE(plant.apply(size(8), brief));
    change([](fake_pooler& p) {
      p.overrides.clear();
      p.paused = true;
    });
  }
  EXPECT_FALSE(look_at(&fake_pooler::paused));
}

TEST_F(PgbouncerPlant, APoolThatStaysLargeAfterThePauseIsAnError) {
  pgbouncer_plant plant(settings());
  change([](fake_pooler& p) {
    p.overrides["SHOW POOLS"] = {.what = fake_answer::kind::rows,
                                 .columns = {"database", "cl_active", "cl_waiting", "sv_active", "sv_idle", "sv_used",
                                             "sv_tested", "sv_login", "maxwait", "maxwait_us"},
                                 .rows = {{"shop", "20", "0", "20", "0", "0", "0", "0", "0", "0"}}};
  });
  EXPECT_THAT(plant.apply(size(8), brief).error().what, AllOf(HasSubstr("still holds 20"), HasSubstr("at most 8")));
}

// ---- actuator: shrinking by retirement ----------------------------------------------------------------------------

TEST_F(PgbouncerPlant, RetiringEndsLifetimesUntilThePoolFitsAndPutsThemBack) {
  change([](fake_pooler& p) { p.server_lifetime = "120"; });
  pgbouncer_plant plant(settings(shrink_method::retire));
  EXPECT_THAT(plant.apply(size(17), ample).value(), ElementsAre(Pair("default_pool_size", 17)));
  EXPECT_THAT(changes(),
              ElementsAre("1 SET default_pool_size = 17", "1 SET server_lifetime = 0", "1 SET server_lifetime = 120"));
  EXPECT_EQ(look_at(&fake_pooler::server_lifetime), "120");
}

TEST_F(PgbouncerPlant, RetiringThatDoesNotEndPutsTheLifetimeBackAndFails) {
  change([](fake_pooler& p) { p.min_servers = 19; });
  pgbouncer_plant plant(settings(shrink_method::retire));
  EXPECT_THAT(plant.apply(size(17), ample).error().what, HasSubstr("expected at most 17"));
  EXPECT_EQ(look_at(&fake_pooler::server_lifetime), "3600");
}

TEST_F(PgbouncerPlant, ALifetimeThatCouldNotBePutBackIsOwedAndPaidByTheNextCall) {
  change([](fake_pooler& p) { p.overrides["SET server_lifetime = 3600"] = silence; });
  pgbouncer_plant plant(settings(shrink_method::retire));
  EXPECT_THAT(plant.apply(size(17), brief).error().what, HasSubstr("server_lifetime of PgBouncer may be left at 0"));
  change([](fake_pooler& p) {
    p.overrides.clear();
    p.server_lifetime = "0"; // the lost SET had no effect
  });
  EXPECT_TRUE(plant.read_back(ample));
  EXPECT_EQ(look_at(&fake_pooler::server_lifetime), "3600");
}

// ---- actuator: reading back ---------------------------------------------------------------------------------------

TEST_F(PgbouncerPlant, ReadBackGivesTheConfiguredSize) {
  change([](fake_pooler& p) {
    p.size = 33;
    p.servers = 5;
  });
  pgbouncer_plant plant(settings());
  EXPECT_THAT(plant.read_back(ample).value(), ElementsAre(Pair("default_pool_size", 33)));
}

TEST_F(PgbouncerPlant, APoolStillLargerThanConfiguredIsWhatIsInForce) {
  change([](fake_pooler& p) {
    p.size = 8;
    p.servers = 20;
  });
  pgbouncer_plant plant(settings());
  EXPECT_THAT(plant.read_back(ample).value(), ElementsAre(Pair("default_pool_size", 20)));
}

TEST_F(PgbouncerPlant, ACapOnConnectionsIsTheWall) {
  change([](fake_pooler& p) { p.max_connections = 30; });
  pgbouncer_plant plant(settings());
  EXPECT_THAT(plant.apply(size(50), ample).value(), ElementsAre(Pair("default_pool_size", 30)));
}

TEST_F(PgbouncerPlant, AHungConsoleFailsTheReadBack) {
  server.play_dead();
  pgbouncer_plant plant(settings());
  EXPECT_THAT(plant.read_back(100ms).error().what, HasSubstr("no answer in time"));
}

TEST_F(PgbouncerPlant, SensorAndActuatorUseConnectionsOfTheirOwn) {
  pgbouncer_plant plant(settings());
  ASSERT_TRUE(plant.read(noon, ample));
  ASSERT_TRUE(plant.read_back(ample));
  EXPECT_THAT(server.commands(),
              AllOf(Contains("1 SHOW STATS"), Contains("2 SHOW POOLS"), Not(Contains("2 SHOW STATS"))));
}

} // namespace
} // namespace homeostat
