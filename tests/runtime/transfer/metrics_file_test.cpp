#include "runtime/transfer/metrics_file.hpp"

#include "tests/runtime/store/raw_database.hpp"
#include "tests/runtime/store/temporary_folder.hpp"
#include "tests/runtime/transfer/sample_pool.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fstream>
#include <random>

#include <sys/wait.h>
#include <unistd.h>

namespace homeostat {
namespace {

std::string kind_of(const std::expected<void, store_error>& done) {
  return done ? "" : std::string(to_string(done.error().kind));
}
std::string open_error(const metrics_file_options& options) {
  const auto file = metrics_file::open(options);
  return file ? "" : std::string(to_string(file.error().kind));
}

TEST(metrics_file, WhatWasWrittenIsLoadedAgain) {
  const temporary_folder folder;
  metrics_store store;
  {
    const auto file = opened({.path = folder / "metrics.db"});
    for (std::uint64_t first = 0; first < 3000; first += 300) { // minutes that change between writes
      const metrics_batch batch = recorded(store, first, 300);
      ASSERT_TRUE(file->write({&batch, 1}));
    }
    const metrics_batch other{
        .pool = "web's \"own\"", .now = pool_epoch, .samples = {numbered_transfer(1)}, .buckets = {}};
    ASSERT_TRUE(file->write({&other, 1}));
  }
  const auto file = opened({.path = folder / "metrics.db"});
  metrics_store again;
  const auto loaded = file->load("ml", again, pool_epoch + 10min);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->samples, 3000U);
  EXPECT_EQ(loaded->buckets, store.buckets());
  EXPECT_EQ(loaded->unreadable, 0U);
  EXPECT_EQ(again.samples(), store.samples());
  EXPECT_EQ(again.series(pool_epoch, pool_epoch + 1h), store.series(pool_epoch, pool_epoch + 1h));
  EXPECT_EQ(file->pools().value(), std::vector<std::string>{"ml"});
  metrics_store other;
  EXPECT_EQ(file->load("web's \"own\"", other, pool_epoch)->samples, 1U);
}

TEST(metrics_file, OnlyTheNewestSamplesAreLoadedIntoASmallMemory) {
  const temporary_folder folder;
  metrics_store store;
  const auto file = opened({.path = folder / "metrics.db"});
  const metrics_batch batch = recorded(store, 0, 500);
  ASSERT_TRUE(file->write({&batch, 1}));
  metrics_store small({.raw_samples = 10});
  ASSERT_TRUE(file->load("ml", small, pool_epoch));
  ASSERT_EQ(small.samples().size(), 10U);
  EXPECT_EQ(small.samples().front().transfer_id, 490U);
  EXPECT_EQ(small.samples().back().transfer_id, 499U);
}

TEST(metrics_file, ExpiresByAgeAndByNumber) {
  const temporary_folder folder;
  metrics_store store;
  const auto file = opened({.path = folder / "metrics.db", .max_samples = 1000});
  const metrics_batch batch = recorded(store, 0, 12'000); // 20 minutes
  ASSERT_TRUE(file->write({&batch, 1}));
  const auto count = [&] {
    int n = 0;
    EXPECT_TRUE(file->samples("ml", pool_epoch, pool_epoch + 24h, [&](const auto&) { return ++n, true; }));
    return n;
  };
  while (file->expire(pool_epoch + 10min).value() > 0) {}
  EXPECT_EQ(count(), 1000);
  metrics_store again;
  EXPECT_EQ(file->load("ml", again, pool_epoch + 10min)->buckets, store.buckets()) << "buckets go by time only";
  while (file->expire(pool_epoch + 168h + 10min).value() > 0) {}
  EXPECT_EQ(count(), 1000);
  metrics_store later;
  ASSERT_TRUE(file->load("ml", later, pool_epoch + 10min));
  EXPECT_EQ(later.series(pool_epoch, pool_epoch + 10min).size(), 0U);
  EXPECT_GT(later.buckets(), 0U);
  while (file->expire(pool_epoch + 169h).value() > 0) {}
  EXPECT_EQ(count(), 0);
}

TEST(metrics_file, AFullFileRefusesAndGoesOnOnceThereIsRoom) {
  const temporary_folder folder;
  metrics_store store;
  const auto file = opened({.path = folder / "metrics.db", .max_bytes = 300'000, .max_samples = 1});
  std::string error;
  for (std::uint64_t first = 0; error.empty() && first < 100'000; first += 100) {
    const metrics_batch batch = recorded(store, first, 100);
    error = kind_of(file->write({&batch, 1}));
  }
  EXPECT_EQ(error, "full");
  const metrics_batch tiny{.pool = "ml", .now = pool_epoch, .samples = {numbered_transfer(7)}, .buckets = {}};
  while (file->expire(pool_epoch).value() > 0) {}
  EXPECT_EQ(kind_of(file->write({&tiny, 1})), "");
}

TEST(metrics_file, AFullDeviceIsAnError) {
  EXPECT_NE(open_error({.path = "/dev/full"}), "");
  EXPECT_NE(open_error({.path = "/proc/metrics.db"}), "");
}

TEST(metrics_file, AFileThatIsGoneIsAnErrorAndNotASilence) {
  const temporary_folder folder;
  metrics_store store;
  const auto file = opened({.path = folder / "metrics.db"});
  std::filesystem::remove(folder / "metrics.db");
  const metrics_batch batch = recorded(store, 0, 10);
  EXPECT_EQ(kind_of(file->write({&batch, 1})), "io");
}

TEST(metrics_file, HasOneWriter) {
  const temporary_folder folder;
  const auto file = opened({.path = folder / "metrics.db"});
  EXPECT_EQ(open_error({.path = folder / "metrics.db"}), "locked");
}

TEST(metrics_file, ForeignDatabasesAndOtherVersionsAreLeftAlone) {
  const temporary_folder folder;
  raw_database(folder / "other.db").execute("CREATE TABLE precious (x)");
  EXPECT_EQ(open_error({.path = folder / "other.db", .replace_damaged = true}), "schema");
  (void)opened({.path = folder / "metrics.db"});
  for (const char* version : {"0", "1000"}) {
    raw_database(folder / "metrics.db").execute(std::string("PRAGMA user_version = ") + version);
    EXPECT_EQ(open_error({.path = folder / "metrics.db", .replace_damaged = true}), "schema");
  }
}

TEST(metrics_file, AFileFromBeforeReasonsWereKeptIsBroughtUpToDate) {
  const temporary_folder folder;
  metrics_store store;
  const metrics_batch batch = recorded(store, 0, 10);
  ASSERT_TRUE(opened({.path = folder / "metrics.db"})->write({&batch, 1}));
  raw_database before(folder / "metrics.db");
  for (const char* column : {"reason", "rule", "confidence", "grpc_us", "zero_copy_us", "threshold", "pressure"})
    before.execute(std::string("ALTER TABLE sample DROP COLUMN ") + column);
  before.execute("PRAGMA user_version = 1");
  const auto file = opened({.path = folder / "metrics.db"});
  ASSERT_TRUE(file->write({&batch, 1}));
  metrics_store again;
  const auto loaded = file->load("ml", again, pool_epoch);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->unreadable, 0U);
  const auto samples = again.samples();
  ASSERT_EQ(samples.size(), 20U);
  transfer_metrics old = numbered_transfer(0);
  old.why = {};
  EXPECT_EQ(std::ranges::count(samples, old), 1);
  EXPECT_EQ(std::ranges::count(samples, numbered_transfer(0)), 1);
}

struct damage_row {
  const char* name;
  void (*damage)(const std::filesystem::path&);
};
class damage : public ::testing::TestWithParam<damage_row> {};
TEST_P(damage, IsAnErrorOrSetAsideAndDecisionsGoOn) {
  const temporary_folder folder;
  const auto path = folder / "metrics.db";
  metrics_store store;
  {
    const auto file = opened({.path = path});
    const metrics_batch batch = recorded(store, 0, 5000);
    ASSERT_TRUE(file->write({&batch, 1}));
  }
  GetParam().damage(path);
  EXPECT_EQ(open_error({.path = path}), "corrupt");
  {
    const auto file = opened({.path = path, .replace_damaged = true});
    ASSERT_TRUE(file);
    EXPECT_TRUE(file->replaced_damaged());
    metrics_store empty;
    EXPECT_EQ(file->load("ml", empty, pool_epoch)->samples, 0U);
    const metrics_batch batch = recorded(empty, 0, 10);
    EXPECT_TRUE(file->write({&batch, 1}));
  }
  EXPECT_TRUE(std::filesystem::exists(path.string() + ".damaged")) << "the evidence is kept";
  EXPECT_FALSE(opened({.path = path, .replace_damaged = true})->replaced_damaged());
}
INSTANTIATE_TEST_SUITE_P(
    , damage,
    ::testing::Values(damage_row{"NoDatabase", [](const auto& p) { std::ofstream(p) << std::string(8192, 'x'); }},
                      damage_row{"CutInTheMiddle",
                                 [](const auto& p) {
                                   std::filesystem::resize_file(p, std::filesystem::file_size(p) / 2 / 4096 * 4096);
                                 }},
                      damage_row{"PagesOverwritten",
                                 [](const auto& p) {
                                   std::fstream f(p, std::ios::in | std::ios::out | std::ios::binary);
                                   f.seekp(8192);
                                   f << std::string(200'000, '\x5a');
                                 }}),
    [](const auto& row) { return row.param.name; });

TEST(metrics_file, RowsThatMakeNoSenseAreSkippedAndCounted) {
  const temporary_folder folder;
  metrics_store store;
  {
    const auto file = opened({.path = folder / "metrics.db"});
    const metrics_batch batch = recorded(store, 0, 1000);
    ASSERT_TRUE(file->write({&batch, 1}));
  }
  raw_database raw(folder / "metrics.db");
  raw.execute(
      "UPDATE sample SET method = 9 WHERE transfer_id = 5; UPDATE sample SET latency_us = 9e999 WHERE transfer_id = 6");
  raw.execute("UPDATE bucket SET latency = x'ffff' WHERE minute = (SELECT min(minute) FROM bucket)");
  const auto file = opened({.path = folder / "metrics.db"});
  metrics_store again;
  const auto loaded = file->load("ml", again, pool_epoch);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->samples, 998U);
  EXPECT_GT(loaded->unreadable, 2U);
  EXPECT_EQ(loaded->buckets + loaded->unreadable - 2, store.buckets());
}

/// Writes batches of ten transfers without end, and tells after each how many there are.
[[noreturn]] void write_forever(const std::filesystem::path& path, std::uint64_t next, int out) {
  const auto file = metrics_file::open({.path = path});
  if (!file) ::_exit(2);
  metrics_store store;
  if (!(*file)->load("ml", store, pool_epoch)) ::_exit(3);
  for (;;) {
    const metrics_batch batch = recorded(store, next, 10);
    if (!(*file)->write({&batch, 1})) ::_exit(4);
    next += 10;
    if (::write(out, &next, sizeof next) != sizeof next) ::_exit(5);
  }
}

TEST(metrics_file, KillingTheWriterLosesNothingWrittenAndKeepsBucketsAndSamplesInStep) {
  const temporary_folder folder;
  const auto path = folder / "metrics.db";
  std::mt19937 random{4242};
  std::uint64_t held = 0;
  for (int round = 0; round < 20; ++round) {
    int pipe[2];
    ASSERT_EQ(::pipe(pipe), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(pipe[0]);
      write_forever(path, held, pipe[1]);
    }
    ::close(pipe[1]);
    std::uint64_t acknowledged = held, word = 0;
    const unsigned reports = static_cast<unsigned>(random() % 30);
    for (unsigned i = 0; i < reports && ::read(pipe[0], &word, sizeof word) == sizeof word; ++i) acknowledged = word;
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the writer gave up by itself with " << WEXITSTATUS(status);
    while (::read(pipe[0], &word, sizeof word) == sizeof word) acknowledged = word;
    ::close(pipe[0]);

    const auto file = opened({.path = path});
    ASSERT_TRUE(file);
    metrics_store store;
    const auto loaded = file->load("ml", store, pool_epoch);
    ASSERT_TRUE(loaded);
    std::uint64_t in_buckets = 0;
    for (const auto& [key, minutes] : store.series(pool_epoch, pool_epoch + 24h))
      for (const auto& [minute, bucket] : minutes) in_buckets += bucket.count();
    EXPECT_EQ(in_buckets, loaded->samples);
    EXPECT_EQ(loaded->samples % 10, 0U) << "half a write";
    EXPECT_GE(loaded->samples, acknowledged);
    held = loaded->samples;
  }
  EXPECT_GT(held, 0U);
}

} // namespace
} // namespace homeostat
