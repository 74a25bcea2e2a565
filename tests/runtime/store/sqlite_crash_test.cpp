// Ends a writer at arbitrary points, by kill -9 and by a simulated loss of power, and holds what is left against what
// had been acknowledged.
#include "runtime/store/sqlite_store.hpp"
#include "tests/runtime/store/power_loss_disk.hpp"
#include "tests/runtime/store/store_contract.hpp"
#include "tests/runtime/store/temporary_folder.hpp"

#include <chrono>
#include <csignal>
#include <random>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace homeostat {
namespace {

constexpr std::uint64_t parts_of(std::uint64_t batch) { return 1 + batch % 3; }

/// Batch n: a few records that name it, and the state that must move with them.
store_batch numbered_batch(std::uint64_t n, std::size_t padding = 0) {
  store_batch b;
  for (std::uint64_t part = 1; part <= parts_of(n); ++part) {
    b.records.push_back(entry(n, "loop-" + std::to_string(n % 5)));
    b.records.back().payload = std::to_string(n) + " " + std::to_string(part) + std::string(padding, ' ');
  }
  b.state.push_back({"batch", std::to_string(n)});
  b.revisions.push_back({"checkout", n, n, "values", std::nullopt, false, {}});
  return b;
}

/// Checks that the store holds batches 1..n for some n >= acknowledged, each of them whole, and nothing else.
/// @returns n.
std::uint64_t check_store(store& s, std::uint64_t acknowledged) {
  const chain_report report = got(s.verify({}, {}));
  EXPECT_TRUE(report.intact());
  for (const chain_finding& f : report.findings)
    ADD_FAILURE() << to_string(f.fault) << "@" << f.sequence << " " << f.found;
  std::uint64_t batch = 0, part = 0;
  for (std::uint64_t from = 1;;) {
    const auto found = got(s.range(from, max_read_count, {}));
    if (found.empty()) break;
    for (const stored_record& r : found) {
      if (batch == 0 || part == parts_of(batch)) {
        ++batch;
        part = 0;
      }
      ++part;
      EXPECT_TRUE(r.payload.starts_with(std::to_string(batch) + " " + std::to_string(part))) << r.payload;
    }
    from = found.back().sequence + 1;
  }
  EXPECT_TRUE(batch == 0 || part == parts_of(batch)) << "batch " << batch << " has " << part << " of its records";
  EXPECT_GE(batch, acknowledged);
  EXPECT_EQ(got(s.load_state("batch")).value_or("0"), std::to_string(batch));
  const auto revision = got(s.find_revision("checkout", latest_revision{}));
  EXPECT_EQ(revision ? revision->revision : 0, batch);
  return batch;
}

/// Commits groups of batches without end, and writes the number of the last acknowledged batch to `out` after each.
[[noreturn]] void commit_forever(const std::filesystem::path& path, std::uint64_t next, unsigned seed, int out) {
  const auto s = open_sqlite_store({.path = path}, instant{});
  if (!s) ::_exit(2);
  std::mt19937 random{seed};
  for (;;) {
    std::vector<store_batch> group(1 + random() % 20);
    // Now and then enough to make the log wrap around, so that kills hit checkpoints too.
    for (store_batch& b : group) b = numbered_batch(next++, random() % 50 == 0 ? 200'000 : 10);
    if (!(*s)->commit(group)) ::_exit(3);
    const std::uint64_t last = next - 1;
    if (::write(out, &last, sizeof last) != sizeof last) ::_exit(4);
  }
}

/// Runs a writer and kills it. @returns the last batch it had acknowledged.
std::uint64_t run_and_kill(const std::filesystem::path& path, std::uint64_t next, std::mt19937& random) {
  int pipe[2];
  EXPECT_EQ(::pipe(pipe), 0);
  const unsigned seed = static_cast<unsigned>(random());
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(pipe[0]);
    commit_forever(path, next, seed, pipe[1]);
  }
  ::close(pipe[1]);
  std::uint64_t acknowledged = next - 1, word = 0;
  const unsigned reports = static_cast<unsigned>(random() % 25); // 0: while it opens the store
  for (unsigned i = 0; i < reports && ::read(pipe[0], &word, sizeof word) == sizeof word; ++i) acknowledged = word;
  const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds{random() % 2'000};
  while (std::chrono::steady_clock::now() < until) {}
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the writer gave up by itself with " << WEXITSTATUS(status);
  while (::read(pipe[0], &word, sizeof word) == sizeof word) acknowledged = word; // what it still managed to say
  ::close(pipe[0]);
  return acknowledged;
}

TEST(crash, KillingTheWriterLosesNothingAcknowledgedAndSplitsNoBatch) {
  constexpr unsigned seed = 4'242;
  std::mt19937 random{seed};
  for (int store_number = 0; store_number < 4; ++store_number) {
    const temporary_folder folder;
    const auto path = folder / "store.db";
    std::uint64_t last = 0;
    for (int round = 0; round < 15; ++round) {
      SCOPED_TRACE("seed " + std::to_string(seed) + ", store " + std::to_string(store_number) + ", round " +
                   std::to_string(round));
      const std::uint64_t acknowledged = run_and_kill(path, last + 1, random);
      // A reader first, while the log of the dead writer still lies there; a file that was never a store has none.
      if (const auto reader = open_sqlite_store_read_only(path)) check_store(**reader, acknowledged);
      const auto s = got(open_sqlite_store({.path = path}, instant{}));
      ASSERT_TRUE(s);
      last = check_store(*s, acknowledged);
      if (testing::Test::HasFailure()) return;
    }
    EXPECT_GT(last, 0U);
  }
}

// kill -9 leaves the page cache alone, so it says nothing about syncing. Here the disk forgets every write that was not
// synced, or keeps an arbitrary part of it.
TEST(crash, LosingThePowerLosesNothingAcknowledgedAndSplitsNoBatch) {
  constexpr unsigned seed = 777;
  std::mt19937 random{seed};
  struct moment {
    std::uint64_t acknowledged;
    power_loss_disk::image image;
  };
  std::vector<moment> moments;
  std::uint64_t acknowledged = 0, begun = 0;
  {
    const temporary_folder folder;
    power_loss_disk disk{random};
    const auto s = got(open_sqlite_store({.path = folder / "store.db"}, instant{}));
    ASSERT_TRUE(s);
    disk.on_write([&] { // in the middle of a commit or a checkpoint
      if (random() % 400 == 0) moments.push_back({acknowledged, disk.lose_power()});
    });
    for (int i = 0; i < 300; ++i) {
      std::vector<store_batch> group(1 + random() % 5);
      for (store_batch& b : group) b = numbered_batch(++begun, random() % 20 == 0 ? 200'000 : 10);
      ASSERT_TRUE(s->commit(group));
      acknowledged = begun;
      if (random() % 10 == 0) moments.push_back({acknowledged, disk.lose_power()}); // right after the promise
    }
    EXPECT_GT(disk.syncs(), 300U);
  }
  ASSERT_GT(moments.size(), 40U);
  for (std::size_t i = 0; i < moments.size(); ++i) {
    SCOPED_TRACE("seed " + std::to_string(seed) + ", moment " + std::to_string(i));
    const temporary_folder folder;
    moments[i].image.write_to(folder.path());
    const auto s = got(open_sqlite_store({.path = folder / "store.db"}, instant{}));
    ASSERT_TRUE(s);
    check_store(*s, moments[i].acknowledged);
    if (testing::Test::HasFailure()) return;
  }
}

} // namespace
} // namespace homeostat
