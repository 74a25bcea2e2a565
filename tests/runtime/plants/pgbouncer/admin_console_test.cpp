#include "runtime/plants/pgbouncer/admin_console.hpp"

#include "tests/runtime/plants/pgbouncer/fake_console.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace homeostat {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::fake_answer;
using testing::fake_console;
using ::testing::HasSubstr;

// A call that outlives its deadline hangs these tests until their time limit: that is how they fail.
admin_console::time_point soon() { return std::chrono::steady_clock::now() + 100ms; }
admin_console::time_point later() { return std::chrono::steady_clock::now() + 30s; }

fake_answer one_row(const std::string&) {
  return {.what = fake_answer::kind::rows, .columns = {"key", "value"}, .rows = {{"a", "1"}, {"b", ""}}};
}

TEST(admin_console, RowsComeAsText) {
  fake_console server(one_row);
  admin_console console(server.conninfo());
  const auto table = console.run("SHOW CONFIG", later());
  ASSERT_TRUE(table) << table.error().what;
  EXPECT_THAT(table->columns, ElementsAre("key", "value"));
  EXPECT_THAT(table->rows, ElementsAre(ElementsAre("a", "1"), ElementsAre("b", "")));
}

TEST(admin_console, ACommandWithoutRowsGivesNone) {
  fake_console server([](const std::string&) { return fake_answer{}; });
  admin_console console(server.conninfo());
  EXPECT_TRUE(console.run("RESUME", later()).value().rows.empty());
}

TEST(admin_console, ARefusedCommandKeepsTheConnection) {
  fake_console server([](const std::string& command) {
    return command == "BAD"
               ? fake_answer{.what = fake_answer::kind::error, .message = "invalid command 'BAD', use SHOW HELP;"}
               : one_row(command);
  });
  admin_console console(server.conninfo());
  EXPECT_THAT(console.run("BAD", later()).error().what, AllOf(HasSubstr("'BAD'"), HasSubstr("use SHOW HELP")));
  EXPECT_TRUE(console.run("SHOW CONFIG", later()));
  EXPECT_THAT(server.commands(), ElementsAre("1 BAD", "1 SHOW CONFIG"));
}

TEST(admin_console, ASilentServerGivesAnErrorAndTheNextCommandConnectsAfresh) {
  fake_console server([](const std::string& command) {
    return command == "PAUSE" ? fake_answer{.what = fake_answer::kind::silence} : one_row(command);
  });
  admin_console console(server.conninfo());
  EXPECT_THAT(console.run("PAUSE", soon()).error().what, AllOf(HasSubstr("'PAUSE'"), HasSubstr("no answer in time")));
  EXPECT_TRUE(console.run("SHOW CONFIG", later()));
  EXPECT_THAT(server.commands(), ElementsAre("1 PAUSE", "2 SHOW CONFIG"));
  EXPECT_EQ(console.connection_count(), 2U);
}

TEST(admin_console, AServerThatAcceptsAndNeverGreetsGivesAnError) {
  fake_console server(one_row);
  server.play_dead();
  admin_console console(server.conninfo());
  EXPECT_THAT(console.run("SHOW CONFIG", soon()).error().what, HasSubstr("connecting: no answer in time"));
}

TEST(admin_console, AServerThatDiesUnderAnOpenConnectionGivesAnError) {
  fake_console server(one_row);
  admin_console console(server.conninfo());
  ASSERT_TRUE(console.run("SHOW CONFIG", later()));
  server.play_dead();
  EXPECT_THAT(console.run("SHOW CONFIG", soon()).error().what, HasSubstr("no answer in time"));
}

TEST(admin_console, ADeadlineInThePastGivesAnError) {
  fake_console server(one_row);
  admin_console console(server.conninfo());
  EXPECT_FALSE(console.run("SHOW CONFIG", std::chrono::steady_clock::now() - 1s));
}

TEST(admin_console, ARefusedConnectionNamesAddressAndPort) {
  admin_console console(testing::conninfo_of_closed_port());
  EXPECT_THAT(console.run("SHOW CONFIG", later()).error().what, AllOf(HasSubstr("127.0.0.1:"), HasSubstr("refused")));
}

TEST(admin_console, AServerThatHangsUpInsteadOfAnsweringGivesAnError) {
  fake_console server([](const std::string&) { return fake_answer{.what = fake_answer::kind::disconnect}; });
  admin_console console(server.conninfo());
  EXPECT_THAT(console.run("SHOW CONFIG", later()).error().what, HasSubstr("'SHOW CONFIG'"));
}

TEST(admin_console, AConnectionClosedBetweenCommandsIsMadeAnewWithoutAnError) {
  fake_console server(one_row);
  admin_console console(server.conninfo());
  ASSERT_TRUE(console.run("SHOW CONFIG", later()));
  EXPECT_EQ(console.connection_count(), 1U);
  server.drop_connections();
  EXPECT_TRUE(console.run("SHOW CONFIG", later()));
  EXPECT_EQ(console.connection_count(), 2U);
}

TEST(admin_console, ABrokenConnectionStringIsAnError) {
  admin_console console("host=127.0.0.1 prot=1");
  EXPECT_THAT(console.run("SHOW CONFIG", later()).error().what,
              AllOf(HasSubstr("connection string"), HasSubstr("prot")));
}

} // namespace
} // namespace homeostat
