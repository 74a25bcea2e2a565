// Drives the real programs: PostgreSQL, PgBouncer and pgbench, started by deploy/demo/pgbouncer-rig in scratch
// directories.
#include "runtime/plants/pgbouncer/pgbouncer_plant.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <libpq-fe.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <sstream>
#include <thread>

namespace homeostat {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Le;
using ::testing::Pair;

constexpr duration ample = 20s;
constexpr int clients = 40; // more than every pool size used here, so that pools are busy

std::string text_of(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}

struct outcome {
  int status;
  std::string output;
};

outcome rig(const std::string& arguments, const std::string& environment = "") {
  const std::string command = environment + " " HOMEOSTAT_PGBOUNCER_RIG " " + arguments + " 2>&1";
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return {-1, "popen failed"};
  outcome result{0, {}};
  std::array<char, 4096> buffer;
  for (std::size_t n = 0; (n = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
    result.output.append(buffer.data(), n);
  const int status = ::pclose(pipe);
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return result;
}

/// A directory that is removed at the end, with the rig in it taken down.
class scratch_rig {
public:
  scratch_rig() {
    std::string pattern = (fs::temp_directory_path() / "pgbouncer_rig_test.XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    directory_ = pattern;
  }
  ~scratch_rig() {
    rig("down " + path());
    fs::remove_all(directory_);
  }
  scratch_rig(const scratch_rig&) = delete;
  scratch_rig& operator=(const scratch_rig&) = delete;

  [[nodiscard]] std::string path() const { return directory_.string(); }

  [[nodiscard]] std::string setting(const std::string& key) const {
    std::ifstream file(directory_ / "rig.env");
    for (std::string line; std::getline(file, line);)
      if (line.starts_with(key + "=")) return line.substr(key.size() + 1);
    return "rig.env has no " + key;
  }

  [[nodiscard]] pid_t pid_of(const std::string& pid_file) const {
    return std::stoi("0" + text_of(directory_ / pid_file));
  }

  /// @returns the command lines of all processes that name the directory. (A zombie has no command line.)
  [[nodiscard]] std::vector<std::string> processes() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator("/proc")) {
      std::string line = text_of(entry.path() / "cmdline");
      std::ranges::replace(line, '\0', ' ');
      if (line.find(path() + "/") != std::string::npos) found.push_back(line);
    }
    return found;
  }

  [[nodiscard]] pgbouncer_settings plant_settings(shrink_method shrink = shrink_method::pause) const {
    return {.console = setting("RIG_ADMIN_CONNINFO"),
            .database = setting("RIG_DATABASE"),
            .shrink = shrink,
            .client_progress = setting("RIG_LOAD_LOG")};
  }

private:
  fs::path directory_;
};

/// Polls until a condition holds. @returns false when it does not within a time that only a broken rig needs.
bool eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 600; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(50ms);
  }
  return false;
}

instant now() { return std::chrono::time_point_cast<duration>(std::chrono::system_clock::now()); }

named_values size(double value) { return {{pgbouncer_plant::pool_size_knob, value}}; }

/// One rig under the hot load, shared by the tests of the plant.
class PgbouncerOnTheRig : public ::testing::Test {
protected:
  static void SetUpTestSuite() {
    shared = std::make_unique<scratch_rig>();
    const auto up = rig("up " + shared->path() + " --clients " + std::to_string(clients));
    ASSERT_EQ(up.status, 0) << up.output;
    const auto load = rig("load " + shared->path() + " hot");
    ASSERT_EQ(load.status, 0) << load.output;
  }
  static void TearDownTestSuite() { shared.reset(); }

  void SetUp() override { ASSERT_EQ(rig("status " + shared->path()).status, 0); }

  /// What the console says over a connection of its own.
  static pool_state pools() {
    admin_console console(shared->setting("RIG_ADMIN_CONNINFO"));
    return parse_pools(console.run("SHOW POOLS", std::chrono::steady_clock::now() + ample).value(), "b1").value();
  }
  static std::string config(const char* key) {
    admin_console console(shared->setting("RIG_ADMIN_CONNINFO"));
    return parse_config(console.run("SHOW CONFIG", std::chrono::steady_clock::now() + ample).value(), key).value();
  }

  static inline std::unique_ptr<scratch_rig> shared;
};

TEST_F(PgbouncerOnTheRig, SizesAreInForceWhenApplyReturns) {
  pgbouncer_plant plant(shared->plant_settings());
  for (const int wanted : {30, 8, 30, 3}) {
    const auto applied = plant.apply(size(wanted), ample);
    ASSERT_TRUE(applied) << applied.error().what;
    EXPECT_LE(pools().largest_servers, static_cast<std::uint64_t>(wanted));
    EXPECT_EQ(config("default_pool_size"), std::to_string(wanted));
    EXPECT_THAT(*applied, ElementsAre(Pair("default_pool_size", wanted)));
    EXPECT_THAT(plant.read_back(ample).value(), ElementsAre(Pair("default_pool_size", wanted)));
    // The load is larger than the pool: it fills again.
    EXPECT_TRUE(eventually([&] { return pools().servers_active == static_cast<std::uint64_t>(wanted); })) << wanted;
  }
}

TEST_F(PgbouncerOnTheRig, ReadingsAgreeWithTheClients) {
  pgbouncer_plant plant(shared->plant_settings());
  ASSERT_TRUE(plant.apply(size(20), ample));
  ASSERT_TRUE(plant.read(now(), ample));
  std::optional<reading> latest;
  ASSERT_TRUE(eventually([&] {
    std::this_thread::sleep_for(1s);
    latest = plant.read(now(), ample).value();
    return latest->metrics.contains("client_throughput_per_s");
  }));
  const auto& m = latest->metrics;
  EXPECT_GT(latest->sample_count, 0U);
  EXPECT_EQ(m.at("pool_size"), 20);
  // A client between two transactions is neither: on a busy machine some are at any moment.
  EXPECT_THAT(m.at("servers_active") + m.at("clients_waiting"), AllOf(Ge(.75 * clients), Le(clients)));
  // Clients never rest: each second holds `clients` seconds of latency. A metric that counts the wait twice gives twice
  // that.
  EXPECT_THAT(m.at("throughput_per_s") * m.at("latency_mean_ms") / 1e3, AllOf(Ge(.6 * clients), Le(1.6 * clients)));
  EXPECT_THAT(m.at("client_latency_mean_ms") / m.at("latency_mean_ms"), AllOf(Ge(.5), Le(2.)));
}

TEST_F(PgbouncerOnTheRig, BesideALongTransactionPauseGivesUpAndResumesWhileRetiringSucceeds) {
  using connection = std::unique_ptr<PGconn, decltype(&PQfinish)>;
  pgbouncer_plant pausing(shared->plant_settings());
  ASSERT_TRUE(pausing.apply(size(20), ample));
  const connection client{PQconnectdb(shared->setting("RIG_CLIENT_CONNINFO").c_str()), &PQfinish};
  PQclear(PQexec(client.get(), "BEGIN"));
  PQclear(PQexec(client.get(), "SELECT 1"));
  ASSERT_EQ(PQtransactionStatus(client.get()), PQTRANS_INTRANS) << PQerrorMessage(client.get());

  const auto refused = pausing.apply(size(8), 1s);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().what, HasSubstr("PAUSE"));
  ASSERT_TRUE(pausing.read(now(), ample));
  EXPECT_TRUE(eventually([&] { return pausing.read(now(), ample).value().sample_count > 0; })) << "the load goes on";

  pgbouncer_plant retiring(shared->plant_settings(shrink_method::retire));
  ASSERT_TRUE(retiring.apply(size(20), ample));
  EXPECT_TRUE(eventually([&] { return pools().servers_active == 20; }));
  EXPECT_THAT(retiring.apply(size(8), ample).value(), ElementsAre(Pair("default_pool_size", 8)));
  EXPECT_EQ(config("server_lifetime"), "3600");
  EXPECT_EQ(PQtransactionStatus(client.get()), PQTRANS_INTRANS);
}

TEST_F(PgbouncerOnTheRig, AStoppedPgbouncerGivesErrorsAndIsFoundAgain) {
  pgbouncer_plant plant(shared->plant_settings());
  ASSERT_TRUE(plant.read(now(), ample));
  ASSERT_TRUE(plant.apply(size(20), ample));
  const pid_t pid = shared->pid_of("run/pgbouncer.pid");
  ASSERT_GT(pid, 1);
  ASSERT_EQ(::kill(pid, SIGSTOP), 0);
  const auto reading = plant.read(now(), 300ms);
  const auto applied = plant.apply(size(8), 300ms);
  ASSERT_EQ(::kill(pid, SIGCONT), 0);
  EXPECT_FALSE(reading);
  EXPECT_FALSE(applied);
  EXPECT_TRUE(plant.read(now(), ample));
  EXPECT_TRUE(plant.apply(size(8), ample));
  EXPECT_TRUE(eventually([&] { return plant.read(now(), ample).value().sample_count > 0; })) << "the load goes on";
}

TEST_F(PgbouncerOnTheRig, EachLoadReplacesTheOneBefore) {
  pgbouncer_plant plant(shared->plant_settings());
  for (const std::string kind : {"think", "select", "hot"}) {
    const auto load = rig("load " + shared->path() + " " + kind);
    ASSERT_EQ(load.status, 0) << load.output;
    EXPECT_THAT(rig("status " + shared->path()).output, HasSubstr("load kind: " + kind));
    EXPECT_GT(pools().clients_active, 0U);
  }
}

// ---- the rig itself -----------------------------------------------------------------------------------------------

TEST(PgbouncerRig, DownLeavesNoProcessAndMayBeRepeated) {
  const scratch_rig scratch;
  ASSERT_EQ(rig("up " + scratch.path() + " --clients 10").status, 0);
  ASSERT_EQ(rig("load " + scratch.path() + " hot").status, 0);
  EXPECT_GE(scratch.processes().size(), 3U);
  EXPECT_EQ(rig("down " + scratch.path()).status, 0);
  EXPECT_THAT(scratch.processes(), IsEmpty());
  EXPECT_FALSE(fs::exists(scratch.path() + "/data"));
  EXPECT_EQ(rig("down " + scratch.path()).status, 0);
  EXPECT_NE(rig("status " + scratch.path()).status, 0);
}

TEST(PgbouncerRig, UpClearsWhatAKilledRigLeft) {
  const scratch_rig scratch;
  ASSERT_EQ(rig("up " + scratch.path() + " --clients 10").status, 0);
  const auto running = rig("up " + scratch.path());
  EXPECT_EQ(running.status, 1);
  EXPECT_THAT(running.output, HasSubstr("already runs"));

  ASSERT_EQ(::kill(scratch.pid_of("run/pgbouncer.pid"), SIGKILL), 0);
  ASSERT_TRUE(eventually([&] { return rig("status " + scratch.path()).status == 1; }));
  const auto load = rig("load " + scratch.path() + " hot");
  EXPECT_EQ(load.status, 1);
  EXPECT_THAT(load.output, HasSubstr("log/pgbouncer.log"));
  const auto again = rig("up " + scratch.path() + " --clients 10");
  EXPECT_EQ(again.status, 0) << again.output;
  EXPECT_EQ(rig("status " + scratch.path()).status, 0);
}

TEST(PgbouncerRig, AForeignDirectoryIsNotTouched) {
  const scratch_rig scratch;
  std::ofstream(scratch.path() + "/precious") << "data";
  for (const char* command : {"up ", "down ", "load-stop ", "status "})
    EXPECT_EQ(rig(command + scratch.path()).status, 1) << command;
  EXPECT_EQ(text_of(scratch.path() + "/precious"), "data");
}

TEST(PgbouncerRig, AMissingPackageIsNamedAndNothingIsMade) {
  const scratch_rig scratch;
  const auto up = rig("up " + scratch.path(), "RIG_PG_BINDIR=/nonexistent");
  EXPECT_EQ(up.status, 1);
  EXPECT_THAT(up.output, HasSubstr("install the package postgresql-15"));
  EXPECT_TRUE(fs::is_empty(scratch.path()));
}

TEST(PgbouncerRig, AFailedUpSaysWhichLogToReadAndLeavesNothingRunning) {
  const scratch_rig scratch;
  // An initdb that fails, beside programs that are not reached.
  const fs::path programs = scratch.path() + ".bin";
  fs::create_directory(programs);
  for (const char* name : {"initdb", "pg_ctl", "postgres", "pgbench", "psql"}) {
    std::ofstream(programs / name) << "#!/bin/sh\necho no space left >&2\nexit 1\n";
    fs::permissions(programs / name, fs::perms(0755));
  }
  const auto up = rig("up " + scratch.path(), "RIG_PG_BINDIR=" + programs.string());
  fs::remove_all(programs);
  EXPECT_EQ(up.status, 1);
  EXPECT_THAT(up.output, AllOf(HasSubstr("no space left"), HasSubstr("initdb failed"),
                               HasSubstr(scratch.path() + "/log/initdb.log")));
  EXPECT_TRUE(fs::exists(scratch.path() + "/log/initdb.log"));
  EXPECT_FALSE(fs::exists(scratch.path() + "/data"));
  EXPECT_THAT(scratch.processes(), IsEmpty());
}

TEST(PgbouncerRig, WrongUsageIsToldApart) {
  const scratch_rig scratch;
  EXPECT_EQ(rig("").status, 0);
  EXPECT_EQ(rig("start " + scratch.path()).status, 2);
  EXPECT_EQ(rig("up").status, 2);
  EXPECT_EQ(rig("up " + scratch.path() + " --clients 1000").status, 1);
  EXPECT_EQ(rig("load " + scratch.path() + " cold").status, 1);
}

} // namespace
} // namespace homeostat
