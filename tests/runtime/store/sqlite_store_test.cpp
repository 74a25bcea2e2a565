#include "runtime/store/group_committer.hpp"
#include "runtime/store/sqlite_store.hpp"
#include "tests/runtime/store/raw_database.hpp"
#include "tests/runtime/store/store_contract.hpp"
#include "tests/runtime/store/temporary_folder.hpp"

#include <gmock/gmock.h>

#include <csignal>
#include <fstream>
#include <thread>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace homeostat {
namespace {

using testing::HasSubstr;

class sqlite_place final : public store_place {
public:
  std::expected<std::unique_ptr<store>, store_error> open() override {
    return open_sqlite_store({.path = folder_ / "store.db"}, instant{duration{1}});
  }

private:
  temporary_folder folder_;
};

INSTANTIATE_TEST_SUITE_P(sqlite, store_contract,
                         testing::Values(store_implementation{"embedded",
                                                              [] { return std::make_unique<sqlite_place>(); }}),
                         [](const auto& implementation) { return implementation.param.name; });

/// @returns the error; fails the test when there is none.
template <class value> store_error error_of(const std::expected<value, store_error>& result) {
  if (!result) return result.error();
  ADD_FAILURE() << "a value, expected an error";
  return {};
}

std::expected<std::uint64_t, store_error> try_commit(store& s, const store_batch& batch) {
  return s.commit(std::span{&batch, 1});
}

store_batch big_record(std::uint64_t n, std::size_t bytes) {
  store_batch b = records({entry(n)});
  b.records.back().payload.assign(bytes, 'x');
  return b;
}

class opening : public testing::Test {
protected:
  [[nodiscard]] std::filesystem::path path() const { return folder_ / "store.db"; }
  [[nodiscard]] std::expected<std::unique_ptr<store>, store_error> open() const {
    return open_sqlite_store({.path = path()}, instant{});
  }
  void make() const {
    const auto s = got(open());
    ASSERT_TRUE(s);
    commit_one(*s, records({entry(1)}));
  }

  temporary_folder folder_;
};

TEST_F(opening, ASecondOpenerIsRefusedAndToldWhoHasTheStore) {
  const auto first = got(open());
  const store_error second = error_of(open());
  EXPECT_EQ(second.kind, store_error_kind::locked);
  EXPECT_THAT(second.what, HasSubstr(path().string()));
  EXPECT_THAT(second.what, HasSubstr("process " + std::to_string(::getpid())));
}

TEST_F(opening, TheLockHoldsAcrossProcessesAndEndsWithItsHolder) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto s = open();
    const char c = s ? 'y' : 'n';
    if (::write(ready[1], &c, 1) == 1)
      for (;;) ::pause();
    ::_exit(1);
  }
  char c = 0;
  ASSERT_EQ(::read(ready[0], &c, 1), 1);
  ASSERT_EQ(c, 'y');
  const store_error second = error_of(open());
  EXPECT_EQ(second.kind, store_error_kind::locked);
  EXPECT_THAT(second.what, HasSubstr("process " + std::to_string(child)));
  EXPECT_TRUE(open_sqlite_store_read_only(path())); // readers are welcome all the same
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(ready[0]);
  ::close(ready[1]);
  EXPECT_TRUE(open());
}

TEST_F(opening, TheLockIsFoundUnderAnyNameOfTheFile) {
  const auto first = got(open());
  std::filesystem::create_symlink(path(), folder_ / "alias.db");
  std::filesystem::create_directory(folder_ / "sub");
  for (const auto& alias : {folder_ / "alias.db", folder_ / "sub" / ".." / "store.db"})
    EXPECT_EQ(kind_of(open_sqlite_store({.path = alias}, instant{})), store_error_kind::locked) << alias;
}

TEST_F(opening, ANewerSchemaIsRefusedAndLeftAsItIs) {
  make();
  raw_database{path()}.execute("PRAGMA user_version = 2");
  for (const store_error& e : {error_of(open()), error_of(open_sqlite_store_read_only(path()))}) {
    EXPECT_EQ(e.kind, store_error_kind::schema);
    EXPECT_THAT(e.what, HasSubstr("schema version 2 is newer"));
    EXPECT_THAT(e.what, HasSubstr(path().string()));
  }
  raw_database{path()}.execute("PRAGMA user_version = 1");
  EXPECT_EQ(got(got(open())->head()).sequence, 1U);
}

TEST_F(opening, AnUnknownOlderSchemaIsRefused) {
  make();
  raw_database{path()}.execute("PRAGMA user_version = 0");
  EXPECT_EQ(kind_of(open()), store_error_kind::schema);
}

TEST_F(opening, AnotherProgramsDatabaseIsRefusedAndLeftAsItIs) {
  raw_database{path()}.execute("CREATE TABLE theirs (a)");
  EXPECT_THAT(error_of(open()).what, HasSubstr("not a Homeostat store"));
  EXPECT_EQ(kind_of(open()), store_error_kind::schema);
  raw_database{path()}.execute("INSERT INTO theirs VALUES (1)");
}

TEST_F(opening, AFileThatIsNoDatabaseIsRefusedAndLeftAsItIs) {
  const std::string text(5000, 'x');
  std::ofstream{path()} << text;
  EXPECT_EQ(kind_of(open()), store_error_kind::corrupt);
  EXPECT_EQ(kind_of(open_sqlite_store_read_only(path())), store_error_kind::corrupt);
  std::ifstream in{path()};
  EXPECT_EQ((std::string{std::istreambuf_iterator<char>{in}, {}}), text);
}

TEST_F(opening, ForeignObjectsInTheSchemaAreRefused) {
  for (const auto& [added, removed] :
       {std::pair{"CREATE TRIGGER t AFTER INSERT ON audit BEGIN DELETE FROM audit; END", "DROP TRIGGER t"},
        std::pair{"CREATE VIEW zzz AS SELECT 1", "DROP VIEW zzz"}, std::pair{"CREATE TABLE bbb (a)", "DROP TABLE bbb"},
        std::pair{"ALTER TABLE audit ADD COLUMN note TEXT", "ALTER TABLE audit DROP COLUMN note"},
        std::pair{"DROP INDEX revision_tested",
                  "CREATE INDEX revision_tested ON revision (loop, revision) WHERE tested"}}) {
    SCOPED_TRACE(added);
    make();
    raw_database{path()}.execute(added);
    EXPECT_EQ(kind_of(open()), store_error_kind::schema);
    EXPECT_EQ(kind_of(open_sqlite_store_read_only(path())), store_error_kind::schema);
    raw_database{path()}.execute(removed);
    EXPECT_TRUE(open());
  }
}

TEST_F(opening, AMissingFileIsMadeOnlyOnRequest) {
  EXPECT_EQ(kind_of(open_sqlite_store({.path = path(), .create = false}, instant{})), store_error_kind::io);
  EXPECT_EQ(kind_of(open_sqlite_store_read_only(path())), store_error_kind::io);
  EXPECT_FALSE(std::filesystem::exists(path()));
  EXPECT_TRUE(open());
}

TEST_F(opening, AnEmptyFileLeftByADeadCreatorBecomesAStore) {
  std::ofstream{path()}.flush();
  EXPECT_EQ(kind_of(open_sqlite_store_read_only(path())), store_error_kind::schema);
  EXPECT_TRUE(open());
}

TEST_F(opening, AMissingFolderIsNamed) {
  const store_error e = error_of(open_sqlite_store({.path = folder_ / "no" / "store.db"}, instant{}));
  EXPECT_EQ(e.kind, store_error_kind::io);
  EXPECT_THAT(e.what, HasSubstr((folder_ / "no" / "store.db").string()));
}

TEST_F(opening, OthersCannotReadANewStore) {
  make();
  struct stat s{};
  ASSERT_EQ(::stat(path().c_str(), &s), 0);
  EXPECT_EQ(s.st_mode & 0007U, 0U);
}

TEST_F(opening, AReaderSeesWhatTheRunningWriterCommitsAndCannotCommit) {
  const auto writer = got(open());
  const auto reader = got(open_sqlite_store_read_only(path()));
  ASSERT_TRUE(reader);
  for (std::uint64_t n = 1; n <= 3; ++n) {
    commit_one(*writer, records({entry(n)}));
    EXPECT_EQ(got(reader->tail(1, {})).back().sequence, n);
    EXPECT_TRUE(got(reader->verify({}, {})).intact());
  }
  EXPECT_EQ(kind_of(try_commit(*reader, records({entry(4)}))), store_error_kind::invalid);
}

TEST_F(opening, AReaderDoesNotHoldTheStoreAgainstTheNextWriter) {
  make();
  const auto reader = got(open_sqlite_store_read_only(path()));
  const auto writer = got(open());
  ASSERT_TRUE(writer);
  EXPECT_EQ(commit_one(*writer, records({entry(2)})), 2U);
  EXPECT_EQ(got(reader->head()).sequence, 2U);
}

// ---- when the ground gives way
// ---------------------------------------------------------------------------------------

TEST_F(opening, AForeignLockIsBusyAndPasses) {
  const auto s = got(open_sqlite_store({.path = path(), .patience = std::chrono::milliseconds{1}}, instant{}));
  {
    raw_database other{path()};
    other.execute("BEGIN IMMEDIATE");
    EXPECT_EQ(kind_of(try_commit(*s, records({entry(1)}))), store_error_kind::busy);
    EXPECT_EQ(got(s->head()).sequence, 0U);
    other.execute("ROLLBACK");
  }
  EXPECT_EQ(commit_one(*s, records({entry(1)})), 1U);
}

TEST_F(opening, NothingIsCommittedToADeletedFile) {
  const auto s = got(open());
  commit_one(*s, records({entry(1)}));
  std::filesystem::remove(path());
  const store_error e = error_of(try_commit(*s, records({entry(2)})));
  EXPECT_EQ(e.kind, store_error_kind::io);
  EXPECT_THAT(e.what, HasSubstr("deleted"));
}

TEST_F(opening, NothingIsCommittedToAReplacedFile) {
  make();
  std::filesystem::copy_file(path(), folder_ / "copy.db");
  const auto s = got(open());
  std::filesystem::rename(folder_ / "copy.db", path());
  EXPECT_EQ(kind_of(try_commit(*s, records({entry(2)}))), store_error_kind::io);
}

TEST_F(opening, ATableDroppedUnderTheWriterIsASchemaError) {
  const auto s = got(open());
  raw_database{path()}.execute("DROP TABLE state");
  EXPECT_EQ(kind_of(try_commit(*s, state("k", "v"))), store_error_kind::schema);
  EXPECT_EQ(kind_of(s->load_state("k")), store_error_kind::schema);
}

/// Commits until the store refuses. @returns the last acknowledged sequence and the error.
std::pair<std::uint64_t, store_error> commit_until_refused(store& s) {
  for (std::uint64_t last = got(s.head()).sequence, n = 0; n < 10'000; ++n) {
    const auto done = try_commit(s, big_record(last + 1, 100'000));
    if (!done) return {last, done.error()};
    last = *done;
  }
  ADD_FAILURE() << "the store never became full";
  return {};
}

TEST_F(opening, AStoreAtItsSizeLimitIsFullAndKeepsWhatItHas) {
  std::uint64_t last = 0;
  {
    const auto s = got(open_sqlite_store({.path = path(), .max_bytes = 1 << 20}, instant{}));
    const auto [acknowledged, error] = commit_until_refused(*s);
    last = acknowledged;
    EXPECT_EQ(error.kind, store_error_kind::full);
    EXPECT_THAT(error.what, HasSubstr(path().string()));
    EXPECT_GE(last, 5U);
    EXPECT_EQ(kind_of(try_commit(*s, big_record(0, 100'000))), store_error_kind::full); // and stays so
    EXPECT_EQ(got(s->head()).sequence, last);
    EXPECT_TRUE(got(s->verify({}, {})).intact());
  }
  const auto s = got(open()); // a larger limit, and it goes on
  EXPECT_EQ(commit_one(*s, big_record(0, 100'000)), last + 1);
  EXPECT_EQ(got(s->tail(max_read_count, "checkout")).size(), last + 1);
  EXPECT_TRUE(got(s->verify({}, {})).intact());
}

/// A disk of its own that a test can fill; needs the right to mount.
class small_disk {
public:
  small_disk() : mounted_{::mount("tmpfs", folder_.path().c_str(), "tmpfs", 0, "size=4m") == 0} {}
  small_disk(const small_disk&) = delete;
  small_disk& operator=(const small_disk&) = delete;
  ~small_disk() {
    if (mounted_) ::umount2(folder_.path().c_str(), MNT_DETACH);
  }
  [[nodiscard]] bool mounted() const { return mounted_; }
  [[nodiscard]] std::filesystem::path operator/(const std::string& name) const { return folder_ / name; }

private:
  temporary_folder folder_;
  bool mounted_;
};

TEST(full_disk, RefusesKeepsAnsweringAndRecovers) {
  const small_disk disk;
  if (!disk.mounted()) GTEST_SKIP() << "needs the right to mount a tmpfs";
  const auto s = got(open_sqlite_store({.path = disk / "store.db"}, instant{}));
  commit_one(*s, records({entry(1)}));
  {
    std::ofstream ballast{disk / "ballast", std::ios::binary};
    const std::string block(1 << 16, 'b');
    while (ballast.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {}
  }
  const auto [last, error] = commit_until_refused(*s);
  EXPECT_EQ(error.kind, store_error_kind::full) << error.what;
  // The queue in front of it answers every batch with the error, and needs nothing to go on when there is room again.
  std::vector<store_error_kind> failures;
  std::optional<commit_outcome> recovered;
  {
    group_committer committer{*s};
    for (int i = 0; i < 5; ++i)
      ASSERT_TRUE(committer.submit(big_record(0, 500'000), [&](const commit_outcome& o) {
        failures.push_back(o ? store_error_kind::invalid : o.error().kind);
      }));
    while (committer.stats().failed < 5) std::this_thread::yield();
    std::filesystem::remove(disk / "ballast");
    ASSERT_TRUE(committer.submit(big_record(0, 500'000), [&](const commit_outcome& o) { recovered = o; }));
  }
  EXPECT_EQ(failures, std::vector(5, store_error_kind::full));
  ASSERT_TRUE(recovered && *recovered) << recovered->error().what;
  EXPECT_EQ(**recovered, last + 1);
  EXPECT_TRUE(got(s->verify({}, {})).intact());
}

/// Lets no file of this process grow beyond a size, which the store meets as a failed write.
class file_size_limit {
public:
  explicit file_size_limit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    handler_ = ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{bytes, before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  }
  file_size_limit(const file_size_limit&) = delete;
  file_size_limit& operator=(const file_size_limit&) = delete;
  ~file_size_limit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }

private:
  rlimit before_{};
  sighandler_t handler_{SIG_DFL};
};

TEST_F(opening, AFailedWriteIsAnIoErrorAndPasses) {
  const auto s = got(open());
  std::uint64_t last = 0;
  {
    const file_size_limit limit{1 << 20};
    const auto [acknowledged, error] = commit_until_refused(*s);
    last = acknowledged;
    EXPECT_EQ(error.kind, store_error_kind::io) << error.what;
    EXPECT_EQ(got(s->head()).sequence, last);
  }
  EXPECT_EQ(commit_one(*s, big_record(0, 100'000)), last + 1);
  EXPECT_TRUE(got(s->verify({}, {})).intact());
}

TEST(read_only_media, AreReadableWithoutAnyFileBesideTheStore) {
  const small_disk disk;
  if (!disk.mounted()) GTEST_SKIP() << "needs the right to mount a tmpfs";
  {
    const auto s = got(open_sqlite_store({.path = disk / "a #1?%.db"}, instant{}));
    commit_one(*s, records({entry(1)}));
  }
  ASSERT_EQ(::mount("none", (disk / "").c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0);
  const auto s = got(open_sqlite_store_read_only(disk / "a #1?%.db"));
  ASSERT_TRUE(s);
  EXPECT_TRUE(got(s->verify({}, {})).intact());
  EXPECT_EQ(got(s->tail(10, {})).size(), 1U);
}

} // namespace
} // namespace homeostat
