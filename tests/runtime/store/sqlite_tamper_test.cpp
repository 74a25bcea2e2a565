// Edits a store behind its back and looks whether verify notices, where, and what it calls it.
#include "tests/runtime/store/raw_database.hpp"
#include "tests/runtime/store/store_contract.hpp"
#include "tests/runtime/store/temporary_folder.hpp"

#include "runtime/store/sqlite_store.hpp"

#include <algorithm>
#include <fstream>
#include <random>

namespace homeostat {
namespace {

using fault = chain_fault;

struct place {
  chain_fault fault;
  std::uint64_t sequence;
  friend bool operator==(const place&, const place&) = default;
  friend void PrintTo(const place& p, std::ostream* out) { *out << to_string(p.fault) << "@" << p.sequence; }
};

struct tamper_row {
  const char* name;
  const char* sql;
  std::vector<place> findings; ///< exactly these, by sequence and then by fault
};

constexpr std::uint64_t record_count = 10; ///< odd sequences belong to loop "search", even ones to "checkout"

/// Makes a store of ten records in two loops, and closes it.
void make_store(const std::filesystem::path& path) {
  const auto s = got(open_sqlite_store({.path = path}, instant{duration{1}}));
  ASSERT_TRUE(s);
  for (std::uint64_t n = 1; n <= record_count; ++n)
    commit_one(*s, records({entry(n, n % 2 == 1 ? "search" : "checkout")}));
}

std::vector<place> places(const chain_report& report) {
  std::vector<place> out;
  for (const chain_finding& f : report.findings) out.push_back({f.fault, f.sequence});
  return out;
}

class tampering : public testing::TestWithParam<tamper_row> {
protected:
  static void SetUpTestSuite() {
    sound_ = std::make_unique<temporary_folder>();
    make_store(*sound_ / "store.db");
  }
  static void TearDownTestSuite() { sound_.reset(); }
  static inline std::unique_ptr<temporary_folder> sound_; ///< made once, copied for each row
};

TEST_P(tampering, IsFoundWhereItHappened) {
  const temporary_folder folder;
  std::filesystem::copy_file(*sound_ / "store.db", folder / "store.db");
  raw_database{folder / "store.db"}.execute(GetParam().sql);
  const auto s = got(open_sqlite_store_read_only(folder / "store.db"));
  ASSERT_TRUE(s);
  for (const unsigned threads : {1U, 3U}) {
    const chain_report report = got(s->verify({.threads = threads}, {}));
    EXPECT_EQ(places(report), GetParam().findings);
    EXPECT_EQ(report.findings_total, GetParam().findings.size());
    EXPECT_EQ(report.intact(), GetParam().findings.empty());
    for (const chain_finding& f : report.findings) EXPECT_NE(f.expected, f.found);
  }
}

INSTANTIATE_TEST_SUITE_P(
    sqlite, tampering,
    testing::Values(
        tamper_row{"NothingDone", "SELECT 1", {}},
        // one column of one record
        tamper_row{"Time", "UPDATE audit SET time = time + 1 WHERE sequence = 5", {{fault::altered, 5}}},
        tamper_row{"Loop", "UPDATE audit SET loop = 'checkout' WHERE sequence = 5", {{fault::altered, 5}}},
        tamper_row{"LoopToAnUnknownOne",
                   "UPDATE audit SET loop = 'searcH' WHERE sequence = 5",
                   {{fault::unlisted, 1}, {fault::altered, 5}}},
        tamper_row{"Kind", "UPDATE audit SET kind = 'applieD' WHERE sequence = 5", {{fault::altered, 5}}},
        tamper_row{"Generation",
                   "UPDATE audit SET generation = generation | (1 << 62) WHERE sequence = 5",
                   {{fault::altered, 5}}},
        tamper_row{"Payload",
                   "UPDATE audit SET payload = CAST('payload 6' AS BLOB) WHERE sequence = 5",
                   {{fault::altered, 5}}},
        tamper_row{"PayloadShorter",
                   "UPDATE audit SET payload = substr(payload, 1, 8) WHERE sequence = 5",
                   {{fault::altered, 5}}},
        tamper_row{"PreviousHash",
                   "UPDATE audit SET previous_hash = zeroblob(32) WHERE sequence = 5",
                   {{fault::altered, 5}, {fault::unlinked, 5}}},
        tamper_row{"Hash",
                   "UPDATE audit SET hash = zeroblob(32) WHERE sequence = 5",
                   {{fault::altered, 5}, {fault::unlinked, 6}}},
        tamper_row{"HashOfTheLast",
                   "UPDATE audit SET hash = zeroblob(32) WHERE sequence = 10",
                   {{fault::altered, 10}, {fault::wrong_head, 10}}},
        tamper_row{"FirstRecord", "UPDATE audit SET generation = 0 WHERE sequence = 1", {{fault::altered, 1}}},
        tamper_row{"LastRecord", "UPDATE audit SET generation = 0 WHERE sequence = 10", {{fault::altered, 10}}},
        tamper_row{"EveryRecord",
                   "UPDATE audit SET generation = 0 WHERE sequence > 7",
                   {{fault::altered, 8}, {fault::altered, 9}, {fault::altered, 10}}},
        // fields of a wrong shape
        tamper_row{
            "ShortHash", "UPDATE audit SET hash = substr(hash, 1, 31) WHERE sequence = 5", {{fault::malformed, 5}}},
        tamper_row{
            "ShortPreviousHash", "UPDATE audit SET previous_hash = x'' WHERE sequence = 5", {{fault::malformed, 5}}},
        // records gone
        tamper_row{"FirstDropped", "DELETE FROM audit WHERE sequence = 1", {{fault::missing, 1}, {fault::unlinked, 2}}},
        tamper_row{
            "MiddleDropped", "DELETE FROM audit WHERE sequence IN (5, 6)", {{fault::missing, 5}, {fault::unlinked, 7}}},
        tamper_row{"LastDropped", "DELETE FROM audit WHERE sequence = 10", {{fault::missing, 10}}},
        tamper_row{"LastThreeDropped", "DELETE FROM audit WHERE sequence >= 8", {{fault::missing, 8}}},
        tamper_row{"AllDropped", "DELETE FROM audit", {{fault::missing, 1}}},
        tamper_row{"DroppedAndRenumbered",
                   "DELETE FROM audit WHERE sequence = 5;"
                   "UPDATE audit SET sequence = sequence - 1 WHERE sequence = 6;"
                   "UPDATE audit SET sequence = sequence - 1 WHERE sequence = 7;"
                   "UPDATE audit SET sequence = sequence - 1 WHERE sequence = 8;"
                   "UPDATE audit SET sequence = sequence - 1 WHERE sequence = 9;"
                   "UPDATE audit SET sequence = sequence - 1 WHERE sequence = 10",
                   {{fault::altered, 5},
                    {fault::unlinked, 5},
                    {fault::altered, 6},
                    {fault::altered, 7},
                    {fault::altered, 8},
                    {fault::altered, 9},
                    {fault::missing, 10}}},
        // records moved
        tamper_row{
            "NeighboursSwapped",
            "UPDATE audit SET sequence = 99 WHERE sequence = 5; UPDATE audit SET sequence = 5 WHERE sequence = 6;"
            "UPDATE audit SET sequence = 6 WHERE sequence = 99",
            {{fault::altered, 5},
             {fault::unlinked, 5},
             {fault::altered, 6},
             {fault::unlinked, 6},
             {fault::unlinked, 7}}},
        tamper_row{
            "DistantOnesSwapped",
            "UPDATE audit SET sequence = 99 WHERE sequence = 3; UPDATE audit SET sequence = 3 WHERE sequence = 7;"
            "UPDATE audit SET sequence = 7 WHERE sequence = 99",
            {{fault::altered, 3},
             {fault::unlinked, 3},
             {fault::unlinked, 4},
             {fault::altered, 7},
             {fault::unlinked, 7},
             {fault::unlinked, 8}}},
        tamper_row{"ContentsSwappedHashesKept",
                   "UPDATE audit SET payload = CASE sequence WHEN 5 THEN CAST('payload 6' AS BLOB) ELSE "
                   "CAST('payload 5' AS BLOB) END WHERE sequence IN (5, 6)",
                   {{fault::altered, 5}, {fault::altered, 6}}},
        // records added
        tamper_row{"DuplicateAtTheEnd",
                   "INSERT INTO audit SELECT 11, time, loop, kind, generation, payload, previous_hash, hash FROM audit "
                   "WHERE sequence = 10",
                   {{fault::altered, 11}, {fault::unlinked, 11}, {fault::unexpected, 11}}},
        tamper_row{"DuplicateAtTheEndWithTheHeadMoved",
                   "INSERT INTO audit SELECT 11, time, loop, kind, generation, payload, previous_hash, hash FROM audit "
                   "WHERE sequence = 10; UPDATE chain SET sequence = 11",
                   {{fault::altered, 11}, {fault::unlinked, 11}}},
        tamper_row{"DuplicateInTheMiddle",
                   "UPDATE audit SET sequence = -sequence WHERE sequence > 8;"
                   "UPDATE audit SET sequence = 1 - sequence WHERE sequence < 0;"
                   "INSERT INTO audit SELECT 9, time, loop, kind, generation, payload, previous_hash, hash FROM audit "
                   "WHERE sequence = 8; UPDATE chain SET sequence = 11",
                   {{fault::altered, 9}, {fault::unlinked, 9}, {fault::altered, 10}, {fault::altered, 11}}},
        tamper_row{"ForgedAtTheEnd",
                   "INSERT INTO audit SELECT 11, time, loop, 'forged', generation, payload, hash, zeroblob(32) "
                   "FROM audit WHERE sequence = 10; UPDATE chain SET sequence = 11, hash = zeroblob(32)",
                   {{fault::altered, 11}}},
        tamper_row{"FarBeyondTheEnd",
                   "INSERT INTO audit SELECT 9223372036854775807, time, loop, kind, generation, payload, hash, hash "
                   "FROM audit WHERE sequence = 10",
                   {{fault::missing, 11},
                    {fault::altered, 9223372036854775807U},
                    {fault::unexpected, 9223372036854775807U},
                    {fault::unlisted, 9223372036854775807U}}},
        tamper_row{"BeforeTheBeginning",
                   "INSERT INTO audit SELECT -5, time, loop, kind, generation, payload, hash, hash FROM audit "
                   "WHERE sequence = 10; INSERT INTO audit SELECT 0, time, loop, kind, generation, payload, hash, hash "
                   "FROM audit WHERE sequence = 10",
                   {{fault::unexpected, 0}}},
        // the ends
        tamper_row{"HeadMovedBack",
                   "UPDATE chain SET sequence = 9, hash = (SELECT hash FROM audit WHERE sequence = 9)",
                   {{fault::unexpected, 10}}},
        tamper_row{"HeadHash", "UPDATE chain SET hash = zeroblob(32)", {{fault::wrong_head, 10}}},
        tamper_row{"HeadMovedOn", "UPDATE chain SET sequence = 11", {{fault::missing, 11}}},
        tamper_row{"HeadReset",
                   "UPDATE chain SET sequence = 0",
                   {{fault::wrong_head, 0},
                    {fault::unexpected, 1},
                    {fault::unexpected, 2},
                    {fault::unexpected, 3},
                    {fault::unexpected, 4},
                    {fault::unexpected, 5},
                    {fault::unexpected, 6},
                    {fault::unexpected, 7},
                    {fault::unexpected, 8},
                    {fault::unexpected, 9},
                    {fault::unexpected, 10}}},
        tamper_row{"HeadGone", "DELETE FROM chain", {{fault::wrong_head, 0}}},
        tamper_row{"HeadMalformed", "UPDATE chain SET hash = x'00'", {{fault::wrong_head, 0}}},
        tamper_row{"StoreId", "UPDATE chain SET store_id = zeroblob(16)", {{fault::unlinked, 1}}},
        tamper_row{"CreationTime", "UPDATE chain SET created = created + 1", {{fault::unlinked, 1}}},
        // the lookup by loop
        tamper_row{"HiddenFromItsLoop", "DELETE FROM audit_block WHERE loop = 'checkout'", {{fault::unlisted, 1}}},
        tamper_row{"LookupMoved", "UPDATE audit_block SET block = 7", {{fault::unlisted, 1}, {fault::unlisted, 1}}}),
    [](const auto& row) { return std::string{row.param.name}; });

TEST(tampering_found, AWrongTypeIsMalformedEvenWhereTheSchemaForbidsIt) {
  const temporary_folder folder;
  make_store(folder / "store.db");
  const auto strict = [&](const char* from, const char* to) {
    raw_database db{folder / "store.db"};
    db.execute("PRAGMA writable_schema = ON");
    db.execute("UPDATE sqlite_schema SET sql = replace(sql, '" + std::string{from} + "', '" + to +
               "') WHERE name = 'audit'");
  };
  strict(") STRICT", ")");
  raw_database{folder / "store.db"}.execute("UPDATE audit SET time = 'noon' WHERE sequence = 5;"
                                            "UPDATE audit SET payload = 'text' WHERE sequence = 7");
  strict("hash BLOB NOT NULL)", "hash BLOB NOT NULL) STRICT");
  const auto s = got(open_sqlite_store_read_only(folder / "store.db"));
  ASSERT_TRUE(s);
  const std::vector<place> expected = {{fault::malformed, 5}, {fault::malformed, 7}};
  EXPECT_EQ(places(got(s->verify({}, {}))), expected);
  EXPECT_EQ(kind_of(s->tail(10, {})), store_error_kind::corrupt);
}

TEST(tampering_found, TheNumberOfFindingsIsBoundedButTheirCountIsNot) {
  const temporary_folder folder;
  {
    const auto s = got(open_sqlite_store({.path = folder / "store.db"}, instant{}));
    store_batch b;
    for (std::uint64_t n = 1; n <= 10'000; ++n) b.records.push_back(entry(n));
    commit_one(*s, b);
  }
  raw_database{folder / "store.db"}.execute("UPDATE audit SET generation = 0");
  const auto s = got(open_sqlite_store_read_only(folder / "store.db"));
  const chain_report report = got(s->verify({.max_findings = 5}, {}));
  EXPECT_EQ(report.findings_total, 10'000U);
  ASSERT_EQ(report.findings.size(), 5U);
  EXPECT_EQ(report.findings.back().sequence, 5U);
}

// Whoever rewrites the whole chain leaves it consistent; only an anchor kept elsewhere tells.
TEST(tampering_found, AnotherStoreInItsPlaceShowsAgainstAnAnchor) {
  const temporary_folder folder;
  make_store(folder / "true.db");
  make_store(folder / "false.db");
  const chain_head noted = got(got(open_sqlite_store_read_only(folder / "true.db"))->head());
  std::filesystem::copy_file(folder / "false.db", folder / "true.db",
                             std::filesystem::copy_options::overwrite_existing);
  const auto s = got(open_sqlite_store_read_only(folder / "true.db"));
  EXPECT_TRUE(got(s->verify({}, {})).intact());
  const std::vector<place> expected = {{fault::not_anchor, record_count}};
  EXPECT_EQ(places(got(s->verify({.expected_head = noted.hash}, {}))), expected);
  EXPECT_EQ(places(got(s->verify({.anchors = {{noted.sequence, noted.hash}}}, {}))), expected);
}

TEST(tampering_found, AWriterDoesNotAppendToAChainWithAWrongEnd) {
  for (const char* sql : {"DELETE FROM audit WHERE sequence = 10",
                          "UPDATE audit SET hash = zeroblob(32) WHERE sequence = 10", "UPDATE chain SET sequence = 9",
                          "UPDATE chain SET hash = zeroblob(32)", "DELETE FROM chain", "DELETE FROM audit"}) {
    SCOPED_TRACE(sql);
    const temporary_folder folder;
    make_store(folder / "store.db");
    raw_database{folder / "store.db"}.execute(sql);
    EXPECT_EQ(kind_of(open_sqlite_store({.path = folder / "store.db"}, instant{})), store_error_kind::corrupt);
  }
}

TEST(tampering_found, AHeadMovedBehindTheWritersBackStopsItsCommits) {
  const temporary_folder folder;
  const auto s = got(open_sqlite_store({.path = folder / "store.db"}, instant{}));
  commit_one(*s, records({entry(1)}));
  raw_database{folder / "store.db"}.execute("UPDATE chain SET hash = zeroblob(32)");
  const store_batch batch = records({entry(2)});
  EXPECT_EQ(kind_of(s->commit(std::span{&batch, 1})), store_error_kind::corrupt);
  EXPECT_EQ(got(s->tail(10, {})).size(), 1U);
}

TEST(tampering_found, ARecordAddedBehindTheWritersBackStopsItsCommits) {
  const temporary_folder folder;
  const auto s = got(open_sqlite_store({.path = folder / "store.db"}, instant{}));
  commit_one(*s, records({entry(1)}));
  raw_database{folder / "store.db"}.execute(
      "INSERT INTO audit SELECT 2, time, loop, kind, generation, payload, hash, hash FROM audit");
  const store_batch batch = records({entry(2)});
  EXPECT_EQ(kind_of(s->commit(std::span{&batch, 1})), store_error_kind::corrupt);
}

// Flips single bits anywhere in the file. Whatever happens, it is never this: a clean report over changed records.
TEST(tampering_found, NoFlippedBitChangesARecordUnnoticed) {
  const temporary_folder folder;
  make_store(folder / "store.db");
  std::string image;
  {
    std::ifstream in{folder / "store.db", std::ios::binary};
    image.assign(std::istreambuf_iterator<char>{in}, {});
  }
  ASSERT_GT(image.size(), 4096U);
  const auto read_all = [](store& s) {
    auto all = s.range(1, 100, {});
    for (const char* loop : {"search", "checkout"})
      if (const auto some = s.range(1, 100, loop); all && some) all->insert(all->end(), some->begin(), some->end());
    return all;
  };
  const auto original = got(read_all(*got(open_sqlite_store_read_only(folder / "store.db"))));
  constexpr unsigned seed = 20'261;
  std::mt19937 random{seed};
  int clean = 0, noticed = 0;
  for (int i = 0; i < 1'000; ++i) {
    const std::size_t at = random() % image.size();
    const char mask = static_cast<char>(1U << (random() % 8));
    std::string flipped = image;
    flipped[at] = static_cast<char>(flipped[at] ^ mask);
    const auto path = folder / "flipped.db";
    std::ofstream{path, std::ios::binary}.write(flipped.data(), static_cast<std::streamsize>(flipped.size()));
    const auto opened = open_sqlite_store_read_only(path);
    const auto report = opened ? (*opened)->verify({.threads = 1}, {}) : std::unexpected{opened.error()};
    if (!report || !report->intact()) {
      ++noticed;
      continue;
    }
    ++clean;
    const auto now = read_all(**opened);
    EXPECT_TRUE(!now || *now == original) << "seed " << seed << ", flip " << i << ", byte " << at;
  }
  EXPECT_GT(noticed, 50); // the records, their hashes, the schema
  EXPECT_GT(clean, 50);   // free space and other tables
}

} // namespace
} // namespace homeostat
