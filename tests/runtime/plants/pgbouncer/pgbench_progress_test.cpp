#include "runtime/plants/pgbouncer/pgbench_progress.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <fstream>

namespace homeostat {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

struct progress_row {
  const char* name;
  const char* line;
  std::optional<pgbench_interval> expected;
};

class ProgressLine : public ::testing::TestWithParam<progress_row> {};

TEST_P(ProgressLine, Parses) { EXPECT_EQ(parse_progress(GetParam().line), GetParam().expected); }

INSTANTIATE_TEST_SUITE_P(
    pgbench_progress, ProgressLine,
    ::testing::Values(
        progress_row{"Version15", "progress: 5.0 s, 1177.3 tps, lat 128.992 ms stddev 20.515, 0 failed",
                     pgbench_interval{1177.3, 128.992, 20.515}},
        progress_row{"WithoutFailures", "progress: 12.1 s, 8.0 tps, lat 1.500 ms stddev 0.000",
                     pgbench_interval{8, 1.5, 0}},
        progress_row{"NothingEnded", "progress: 6.0 s, 0.0 tps, lat 0.000 ms stddev 0.000, 0 failed", std::nullopt},
        progress_row{"NotANumber", "progress: 6.0 s, 0.0 tps, lat -nan ms stddev -nan, 0 failed", std::nullopt},
        progress_row{"OtherLine", "pgbench (15.20 (Debian 15.20-0+deb12u1))", std::nullopt},
        progress_row{"CutShort", "progress: 6.0 s, 11", std::nullopt}, progress_row{"Empty", "", std::nullopt}),
    [](const auto& row) { return row.param.name; });

class ProgressLog : public ::testing::Test {
protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "pgbench_progress.XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(directory); }

  void write(std::string_view text, std::ios::openmode mode = std::ios::app) const {
    std::ofstream(log(), mode) << text;
  }
  std::filesystem::path log() const { return directory / "load.log"; }

  std::filesystem::path directory;
};

TEST_F(ProgressLog, LinesFromBeforeTheFirstCallAreSkipped) {
  write("progress: 1.0 s, 100.0 tps, lat 10.0 ms stddev 1.0, 0 failed\n");
  pgbench_progress progress(log());
  EXPECT_THAT(progress.read().value(), IsEmpty());
  EXPECT_THAT(progress.read().value(), IsEmpty());
}

TEST_F(ProgressLog, NewLinesAreMergedByTransactions) {
  write("start\n");
  pgbench_progress progress(log());
  ASSERT_TRUE(progress.read());
  write("progress: 2.0 s, 300.0 tps, lat 10.0 ms stddev 0.0, 0 failed\n"
        "progress: 3.0 s, 100.0 tps, lat 50.0 ms stddev 0.0, 0 failed\n");
  // 300 transactions of 10 ms and 100 of 50 ms: mean 20, variance (300 * 100 + 100 * 900) / 400.
  EXPECT_THAT(progress.read().value(), ElementsAre(Pair("client_latency_mean_ms", DoubleNear(20, 1e-9)),
                                                   Pair("client_latency_stddev_ms", DoubleNear(std::sqrt(300.0), 1e-9)),
                                                   Pair("client_throughput_per_s", DoubleNear(200, 1e-9))));
}

TEST_F(ProgressLog, ALineStillBeingWrittenWaitsForItsEnd) {
  write("start\n");
  pgbench_progress progress(log());
  ASSERT_TRUE(progress.read());
  write("progress: 2.0 s, 300.0 tps, lat 10.0 ms std");
  EXPECT_THAT(progress.read().value(), IsEmpty());
  write("dev 0.0, 0 failed\n");
  EXPECT_EQ(progress.read().value().at("client_throughput_per_s"), 300);
}

TEST_F(ProgressLog, ALogBegunAnewIsReadFromItsBeginning) {
  write("progress: 1.0 s, 100.0 tps, lat 10.0 ms stddev 1.0, 0 failed\nprogress: 2.0 s, 100.0 tps, lat 10.0 ms stddev "
        "1.0, 0 failed\n");
  pgbench_progress progress(log());
  ASSERT_TRUE(progress.read());
  write("progress: 1.0 s, 40.0 tps, lat 7.0 ms stddev 1.0, 0 failed\n", std::ios::trunc);
  EXPECT_EQ(progress.read().value().at("client_latency_mean_ms"), 7);
}

TEST_F(ProgressLog, AMissingLogIsAnErrorThatNamesIt) {
  pgbench_progress progress(log());
  EXPECT_THAT(progress.read().error().what, HasSubstr(log().string()));
}

} // namespace
} // namespace homeostat
