#include "tests/runtime/store/store_contract.hpp"

#include "runtime/store/audit_chain.hpp"

#include <algorithm>
#include <atomic>
#include <thread>

namespace homeostat {
namespace {

using strings = std::vector<std::string>;

std::vector<std::uint64_t> sequences(const std::vector<stored_record>& found) {
  std::vector<std::uint64_t> out;
  for (const stored_record& r : found) out.push_back(r.sequence);
  return out;
}

/// Appends records 1..n; the loop of record i is loops[i % loops.size()].
void fill(store& s, std::uint64_t n, const strings& loops) {
  store_batch b;
  for (std::uint64_t i = 1; i <= n; ++i) b.records.push_back(entry(i, loops[i % loops.size()]));
  ASSERT_EQ(commit_one(s, b), n);
}

stored_revision revision(std::uint64_t number, std::optional<std::string> name = {}, bool tested = false,
                         const std::string& loop = "checkout") {
  return {loop,
          number,
          10 * number,
          "values " + std::to_string(number),
          std::move(name),
          tested,
          instant{duration{static_cast<std::int64_t>(number)}}};
}

store_batch revisions(std::initializer_list<stored_revision> list) {
  store_batch b;
  b.revisions = list;
  return b;
}

store_batch marks(std::initializer_list<revision_mark> list) {
  store_batch b;
  b.marks = list;
  return b;
}

std::uint64_t number_of(const std::optional<stored_revision>& r) { return r ? r->revision : 0; }

} // namespace

// ---- audit
// -----------------------------------------------------------------------------------------------------------

TEST_P(store_contract, ANewStoreIsEmptyAndIntact) {
  const chain_head head = got(store_->head());
  EXPECT_EQ(head.sequence, 0U);
  EXPECT_NE(head.hash, chain_hash{}); // the genesis hash, not the zeros it is made of
  EXPECT_EQ(head.store_id.size(), 32U);
  EXPECT_TRUE(got(store_->tail(10, {})).empty());
  EXPECT_TRUE(got(store_->range(0, 10, {})).empty());
  EXPECT_TRUE(got(store_->list_state("", "", 10)).empty());
  EXPECT_EQ(got(store_->find_revision("checkout", latest_revision{})), std::nullopt);
  EXPECT_TRUE(got(store_->verify({}, {})).intact());
}

TEST_P(store_contract, EveryFieldComesBackAsItWasGiven) {
  const std::vector<audit_entry> odd = {{instant::min(), "", "k", 0, ""},
                                        {instant::max(), std::string(max_loop_bytes, 'l'),
                                         std::string(max_kind_bytes, 'k'), UINT64_MAX,
                                         std::string(max_payload_bytes, '\xff')},
                                        {instant{}, "schlägt 🜁 aus", "käse", 1ULL << 63U, std::string{"\0a\0", 3}}};
  store_batch b;
  b.records = odd;
  EXPECT_EQ(commit_one(*store_, b), odd.size());
  reopen();
  const auto found = got(store_->range(1, 10, {}));
  ASSERT_EQ(found.size(), odd.size());
  for (std::size_t i = 0; i < odd.size(); ++i) {
    EXPECT_EQ(found[i].sequence, i + 1);
    EXPECT_EQ(found[i].time, odd[i].time);
    EXPECT_EQ(found[i].loop, odd[i].loop);
    EXPECT_EQ(found[i].kind, odd[i].kind);
    EXPECT_EQ(found[i].generation, odd[i].generation);
    EXPECT_EQ(found[i].payload, odd[i].payload);
  }
  EXPECT_TRUE(got(store_->verify({}, {})).intact());
}

TEST_P(store_contract, TheChainIsWhatTheFormatDocumentsFromTheGenesisOn) {
  const chain_head genesis = got(store_->head());
  commit_one(*store_, records({entry(1), entry(2, "search")}));
  commit_one(*store_, records({entry(3)}));
  chain_hasher hasher;
  chain_hash previous = genesis.hash;
  const auto found = got(store_->tail(10, {}));
  ASSERT_EQ(found.size(), 3U);
  for (const stored_record& r : found) {
    EXPECT_EQ(r.previous_hash, previous);
    EXPECT_EQ(r.hash, hasher.record(previous, {r.sequence, r.time, r.loop, r.kind, r.generation, r.payload}));
    previous = r.hash;
  }
  const chain_head head = got(store_->head());
  EXPECT_EQ(head.sequence, 3U);
  EXPECT_EQ(head.hash, previous);
  EXPECT_EQ(head.store_id, genesis.store_id);
}

TEST_P(store_contract, TwoStoresNeverShareAChain) {
  const auto other_place = GetParam().make_place();
  const auto other = got(other_place->open());
  ASSERT_TRUE(other);
  EXPECT_NE(got(store_->head()).store_id, got(other->head()).store_id);
  EXPECT_NE(got(store_->head()).hash, got(other->head()).hash);
}

TEST_P(store_contract, SequencesGoOnAfterReopening) {
  EXPECT_EQ(commit_one(*store_, records({entry(1), entry(2)})), 2U);
  reopen();
  EXPECT_EQ(commit_one(*store_, records({entry(3)})), 3U);
  EXPECT_EQ(sequences(got(store_->range(1, 10, {}))), (std::vector<std::uint64_t>{1, 2, 3}));
  EXPECT_TRUE(got(store_->verify({}, {})).intact());
}

TEST_P(store_contract, CommittingNothingReturnsTheLastSequence) {
  EXPECT_EQ(got(store_->commit(std::span<const store_batch>{})), 0U);
  commit_one(*store_, records({entry(1)}));
  EXPECT_EQ(got(store_->commit(std::span<const store_batch>{})), 1U);
  EXPECT_EQ(commit_one(*store_, {}), 1U);
  EXPECT_EQ(commit_one(*store_, state("a", "b")), 1U);
}

TEST_P(store_contract, TailGivesTheNewestInOrderOfSequence) {
  fill(*store_, 10, {"a", "b"}); // odd sequences are b's
  EXPECT_EQ(sequences(got(store_->tail(3, {}))), (std::vector<std::uint64_t>{8, 9, 10}));
  EXPECT_EQ(sequences(got(store_->tail(3, "b"))), (std::vector<std::uint64_t>{5, 7, 9}));
  EXPECT_EQ(got(store_->tail(100, {})).size(), 10U);
  EXPECT_TRUE(got(store_->tail(3, "c")).empty());
  EXPECT_TRUE(got(store_->tail(3, "")).empty()); // a loop of that name, not all loops
}

TEST_P(store_contract, TailGoesBackFromWhereItIsTold) {
  fill(*store_, 10, {"a", "b"});
  EXPECT_EQ(sequences(got(store_->tail(3, {}, 8))), (std::vector<std::uint64_t>{5, 6, 7}));
  EXPECT_EQ(sequences(got(store_->tail(3, "b", 9))), (std::vector<std::uint64_t>{3, 5, 7}));
  EXPECT_EQ(sequences(got(store_->tail(3, "b", 8))), (std::vector<std::uint64_t>{3, 5, 7}));
  EXPECT_EQ(sequences(got(store_->tail(3, {}, UINT64_MAX))), (std::vector<std::uint64_t>{8, 9, 10}));
  for (const std::uint64_t first : {0, 1}) {
    EXPECT_TRUE(got(store_->tail(3, {}, first)).empty());
    EXPECT_TRUE(got(store_->tail(3, "b", first)).empty());
  }
}

TEST_P(store_contract, RangeReadsOnFromWhereItIsTold) {
  fill(*store_, 10, {"a", "b"});
  EXPECT_EQ(sequences(got(store_->range(4, 3, {}))), (std::vector<std::uint64_t>{4, 5, 6}));
  EXPECT_EQ(sequences(got(store_->range(4, 3, "a"))), (std::vector<std::uint64_t>{4, 6, 8}));
  EXPECT_EQ(sequences(got(store_->range(5, 3, "a"))), (std::vector<std::uint64_t>{6, 8, 10}));
  EXPECT_TRUE(got(store_->range(11, 3, {})).empty());
  EXPECT_TRUE(got(store_->range(UINT64_MAX, 3, {})).empty());
  EXPECT_TRUE(got(store_->range(UINT64_MAX, 3, "a")).empty());
}

TEST_P(store_contract, ALoopsRareRecordsAreFoundAmongManyOthers) {
  constexpr std::uint64_t count = 20'000;
  const std::vector<std::uint64_t> rare = {1, 4'095, 4'096, 4'097, 8'191, 12'288, 20'000};
  store_batch b;
  for (std::uint64_t i = 1; i <= count; ++i)
    b.records.push_back(entry(i, std::ranges::binary_search(rare, i) ? "rare" : "common"));
  commit_one(*store_, b);
  EXPECT_EQ(sequences(got(store_->range(0, 100, "rare"))), rare);
  EXPECT_EQ(sequences(got(store_->tail(100, "rare"))), rare);
  EXPECT_EQ(sequences(got(store_->tail(3, "rare"))), (std::vector<std::uint64_t>{8'191, 12'288, 20'000}));
  EXPECT_EQ(sequences(got(store_->tail(2, "rare", 8'191))), (std::vector<std::uint64_t>{4'096, 4'097}));
  EXPECT_EQ(sequences(got(store_->tail(2, "rare", 4'097))), (std::vector<std::uint64_t>{4'095, 4'096}));
  EXPECT_EQ(sequences(got(store_->range(4'096, 2, "rare"))), (std::vector<std::uint64_t>{4'096, 4'097}));
  EXPECT_TRUE(got(store_->verify({}, {})).intact());
}

TEST_P(store_contract, AReadStopsAtItsByteLimitAndCanBeContinued) {
  store_batch b;
  const std::size_t count = max_read_bytes / max_payload_bytes + 2;
  for (std::size_t i = 1; i <= count; ++i) {
    b.records.push_back(entry(i));
    b.records.back().payload.resize(max_payload_bytes);
  }
  commit_one(*store_, b);
  const auto first = got(store_->range(1, max_read_count, {}));
  ASSERT_EQ(first.size(), max_read_bytes / max_payload_bytes);
  EXPECT_EQ(got(store_->range(first.back().sequence + 1, max_read_count, {})).size(), 2U);
  EXPECT_EQ(got(store_->tail(max_read_count, {})).back().sequence, count);
}

TEST_P(store_contract, ReadsOutsideTheirLimitsAreRefused) {
  for (const std::size_t limit : {std::size_t{0}, max_read_count + 1}) {
    EXPECT_EQ(kind_of(store_->tail(limit, {})), store_error_kind::invalid);
    EXPECT_EQ(kind_of(store_->range(1, limit, {})), store_error_kind::invalid);
    EXPECT_EQ(kind_of(store_->list_state("", "", limit)), store_error_kind::invalid);
    EXPECT_EQ(kind_of(store_->list_revisions("checkout", 1, limit)), store_error_kind::invalid);
  }
}

// ---- atomicity
// -------------------------------------------------------------------------------------------------------

TEST_P(store_contract, OneRefusedBatchLeavesNothingOfItsGroup) {
  commit_one(*store_, revisions({revision(1)}));
  const chain_head before = got(store_->head());
  store_batch good = records({entry(1)});
  good.state.push_back({"governor/checkout", "new"});
  good.revisions.push_back(revision(2));
  const std::pair<const char*, store_batch> bad[] = {{"a revision that exists", revisions({revision(1)})},
                                                     {"a mark on no revision", marks({{"checkout", 9, "x", {}}})},
                                                     {"a broken limit", records({entry(1, std::string(257, 'x'))})}};
  for (const auto& [name, batch] : bad) {
    SCOPED_TRACE(name);
    const store_batch group[] = {good, batch, good};
    EXPECT_EQ(kind_of(store_->commit(group)), store_error_kind::invalid);
    EXPECT_EQ(got(store_->head()).hash, before.hash);
    EXPECT_TRUE(got(store_->tail(10, {})).empty());
    EXPECT_TRUE(got(store_->tail(10, "checkout")).empty());
    EXPECT_EQ(got(store_->load_state("governor/checkout")), std::nullopt);
    EXPECT_EQ(number_of(got(store_->find_revision("checkout", latest_revision{}))), 1U);
  }
  EXPECT_EQ(commit_one(*store_, good), 1U); // and the store goes on
  EXPECT_EQ(sequences(got(store_->tail(10, "checkout"))), std::vector<std::uint64_t>{1});
  EXPECT_TRUE(got(store_->verify({}, {})).intact());
}

// ---- state
// -----------------------------------------------------------------------------------------------------------

TEST_P(store_contract, TheLastWriteOfAStateKeyWins) {
  store_batch b;
  b.state = {{"k", "first"}, {"other", "x"}, {"k", "second"}};
  const store_batch group[] = {b, state("k", "third")};
  got(store_->commit(group));
  EXPECT_EQ(got(store_->load_state("k")), "third");
  commit_one(*store_, state("k", ""));
  reopen();
  EXPECT_EQ(got(store_->load_state("k")), ""); // empty, but there
  EXPECT_EQ(got(store_->load_state("other")), "x");
}

TEST_P(store_contract, StateWithoutAValueIsDeleted) {
  commit_one(*store_, state("k", "v"));
  commit_one(*store_, state("k", std::nullopt));
  EXPECT_EQ(got(store_->load_state("k")), std::nullopt);
  commit_one(*store_, state("never there", std::nullopt));
  store_batch b;
  b.state = {{"k", std::nullopt}, {"k", "again"}};
  commit_one(*store_, b);
  EXPECT_EQ(got(store_->load_state("k")), "again");
}

TEST_P(store_contract, StateIsAnyBytesOfAnySizeWithinTheLimit) {
  std::string blob(max_value_bytes, '\0');
  for (std::size_t i = 0; i < blob.size(); ++i) blob[i] = static_cast<char>(i * 2'654'435'761U >> 24U);
  commit_one(*store_, state("k", blob));
  EXPECT_EQ(got(store_->load_state("k")), blob);
}

TEST_P(store_contract, StateKeysAreListedByPrefixInByteOrder) {
  store_batch b;
  for (const char* key : {"governor/b", "governor/a", "governor", "governor0", "governos", "governor/ä", "strategy/a"})
    b.state.push_back({key, "v"});
  commit_one(*store_, b);
  EXPECT_EQ(got(store_->list_state("governor/", "", 10)), (strings{"governor/a", "governor/b", "governor/ä"}));
  EXPECT_EQ(got(store_->list_state("governor/", "governor/a", 1)), strings{"governor/b"});
  EXPECT_EQ(got(store_->list_state("governor/", "governor/ä", 10)), strings{});
  EXPECT_EQ(got(store_->list_state("x", "", 10)), strings{});
  EXPECT_EQ(got(store_->list_state("", "", 10)).size(), 7U);
}

// ---- revisions
// -------------------------------------------------------------------------------------------------------

TEST_P(store_contract, RevisionsAreFoundByEveryKey) {
  commit_one(*store_, revisions({revision(1, "baseline", true), revision(2, {}, true), revision(3),
                                 revision(9, "baseline", true, "search")}));
  reopen();
  EXPECT_EQ(got(store_->find_revision("checkout", latest_revision{})), revision(3));
  EXPECT_EQ(got(store_->find_revision("checkout", latest_tested_revision{})), revision(2, {}, true));
  EXPECT_EQ(got(store_->find_revision("checkout", 1U)), revision(1, "baseline", true));
  EXPECT_EQ(got(store_->find_revision("checkout", "baseline")), revision(1, "baseline", true));
  EXPECT_EQ(got(store_->find_revision("search", "baseline")), revision(9, "baseline", true, "search"));
  EXPECT_EQ(got(store_->find_revision("checkout", "stable")), std::nullopt);
  EXPECT_EQ(got(store_->find_revision("checkout", 4U)), std::nullopt);
  EXPECT_EQ(got(store_->find_revision("checkout", UINT64_MAX)), std::nullopt);
  EXPECT_EQ(got(store_->find_revision("nobody", latest_revision{})), std::nullopt);
}

TEST_P(store_contract, ANameBelongsToOneRevisionAndCanMove) {
  commit_one(*store_, revisions({revision(1, "baseline"), revision(2)}));
  commit_one(*store_, marks({{"checkout", 2, "baseline", {}}}));
  EXPECT_EQ(number_of(got(store_->find_revision("checkout", "baseline"))), 2U);
  EXPECT_EQ(got(store_->find_revision("checkout", 1U))->name, std::nullopt);
  commit_one(*store_, revisions({revision(3, "baseline")}));
  EXPECT_EQ(number_of(got(store_->find_revision("checkout", "baseline"))), 3U);
  commit_one(*store_, marks({{"checkout", 1, "baseline", {}}}));
  EXPECT_EQ(number_of(got(store_->find_revision("checkout", "baseline"))), 1U);
}

TEST_P(store_contract, AMarkChangesOnlyTheLabelItNames) {
  commit_one(*store_, revisions({revision(1, "baseline")}));
  commit_one(*store_, marks({{"checkout", 1, {}, true}}));
  EXPECT_EQ(got(store_->find_revision("checkout", 1U)), revision(1, "baseline", true));
  commit_one(*store_, marks({{"checkout", 1, "stable", {}}}));
  EXPECT_EQ(got(store_->find_revision("checkout", 1U)), revision(1, "stable", true));
  commit_one(*store_, marks({{"checkout", 1, {}, false}}));
  EXPECT_EQ(got(store_->find_revision("checkout", latest_tested_revision{})), std::nullopt);
}

TEST_P(store_contract, ABatchMayMarkTheRevisionItInserts) {
  store_batch b = revisions({revision(1)});
  b.marks.push_back({"checkout", 1, "baseline", true});
  commit_one(*store_, b);
  EXPECT_EQ(got(store_->find_revision("checkout", "baseline")), revision(1, "baseline", true));
}

TEST_P(store_contract, RevisionsAreListedByNumber) {
  commit_one(*store_, revisions({revision(3), revision(1), revision(20), revision(2, {}, false, "search")}));
  const auto numbers = [&](std::uint64_t from, std::size_t limit) {
    std::vector<std::uint64_t> out;
    for (const stored_revision& r : got(store_->list_revisions("checkout", from, limit))) out.push_back(r.revision);
    return out;
  };
  EXPECT_EQ(numbers(0, 10), (std::vector<std::uint64_t>{1, 3, 20}));
  EXPECT_EQ(numbers(2, 1), (std::vector<std::uint64_t>{3}));
  EXPECT_EQ(numbers(21, 10), (std::vector<std::uint64_t>{}));
}

// ---- verify
// ----------------------------------------------------------------------------------------------------------

TEST_P(store_contract, VerifyReportsProgressAndTheWholeCount) {
  constexpr std::uint64_t count = 20'000;
  fill(*store_, count, {"a", "b", "c"});
  for (const unsigned threads : {1U, 2U, 5U}) {
    std::uint64_t last = 0;
    bool ascending = true;
    const chain_report report = got(store_->verify({.threads = threads}, [&](const verify_progress& p) {
      ascending = ascending && p.checked >= last && p.checked <= p.total && p.total == count;
      last = p.checked;
      return true;
    }));
    EXPECT_TRUE(report.intact());
    EXPECT_TRUE(ascending);
    EXPECT_EQ(report.checked, count);
    EXPECT_EQ(report.head.hash, got(store_->head()).hash);
  }
}

TEST_P(store_contract, VerifyCanBeStoppedAndThenDoesNotClaimToBeComplete) {
  fill(*store_, 20'000, {"a"});
  const chain_report report = got(store_->verify({.threads = 1}, [](const verify_progress&) { return false; }));
  EXPECT_FALSE(report.complete);
  EXPECT_FALSE(report.intact());
  EXPECT_LT(report.checked, 20'000U);
}

TEST_P(store_contract, VerifyHoldsTheChainAgainstAnchors) {
  const chain_head genesis = got(store_->head());
  commit_one(*store_, records({entry(1), entry(2)}));
  const chain_head noted = got(store_->head());
  commit_one(*store_, records({entry(3)}));
  const chain_head now = got(store_->head());
  EXPECT_TRUE(got(store_->verify({.expected_head = now.hash,
                                  .anchors = {{0, genesis.hash}, {noted.sequence, noted.hash}, {3, now.hash}}},
                                 {}))
                  .intact());

  const chain_report old_head = got(store_->verify({.expected_head = noted.hash}, {}));
  ASSERT_EQ(old_head.findings.size(), 1U);
  EXPECT_EQ(old_head.findings[0].fault, chain_fault::not_anchor);

  const chain_report wrong = got(store_->verify({.anchors = {{1, noted.hash}, {4, noted.hash}, {0, noted.hash}}}, {}));
  EXPECT_EQ(wrong.findings_total, 3U);
  for (const chain_finding& f : wrong.findings) EXPECT_EQ(f.fault, chain_fault::not_anchor);
}

TEST_P(store_contract, VerifyRefusesNonsense) {
  EXPECT_EQ(kind_of(store_->verify({.threads = 0}, {})), store_error_kind::invalid);
  EXPECT_EQ(kind_of(store_->verify({.threads = 65}, {})), store_error_kind::invalid);
  EXPECT_EQ(kind_of(store_->verify({.max_findings = 0}, {})), store_error_kind::invalid);
}

// ---- several threads
// -------------------------------------------------------------------------------------------------

TEST_P(store_contract, ReadersAndVerifyRunBesideCommits) {
  std::atomic<std::uint64_t> acknowledged{0};
  std::atomic<bool> end{false};
  std::jthread writer{[&] {
    for (std::uint64_t n = 1; n <= 200; ++n) {
      store_batch b = records({entry(n, "a"), entry(n, "b")});
      b.state.push_back({"count", std::to_string(n)});
      acknowledged = commit_one(*store_, b);
    }
    end = true;
  }};
  std::jthread checker{[&] {
    while (!end) EXPECT_TRUE(got(store_->verify({}, {})).intact());
  }};
  while (!end) {
    const std::uint64_t promised = acknowledged;
    const chain_head head = got(store_->head());
    EXPECT_GE(head.sequence, promised);
    EXPECT_EQ(head.sequence % 2, 0U); // never half a batch
    if (head.sequence == 0) continue;
    EXPECT_GE(got(store_->tail(1, {})).front().sequence, head.sequence);
    EXPECT_GE(std::stoull(got(store_->load_state("count")).value_or("0")), promised / 2);
  }
  writer.join();
  EXPECT_EQ(got(store_->head()).sequence, 400U);
}

TEST_P(store_contract, AClosedStoreAnswersClosed) {
  commit_one(*store_, records({entry(1)}));
  store_->close();
  store_->close();
  const store_batch batch = records({entry(2)});
  EXPECT_EQ(kind_of(store_->commit(std::span{&batch, 1})), store_error_kind::closed);
  EXPECT_EQ(kind_of(store_->load_state("k")), store_error_kind::closed);
  EXPECT_EQ(kind_of(store_->list_state("", "", 1)), store_error_kind::closed);
  EXPECT_EQ(kind_of(store_->tail(1, {})), store_error_kind::closed);
  EXPECT_EQ(kind_of(store_->range(1, 1, {})), store_error_kind::closed);
  EXPECT_EQ(kind_of(store_->head()), store_error_kind::closed);
  EXPECT_EQ(kind_of(store_->find_revision("checkout", latest_revision{})), store_error_kind::closed);
  EXPECT_EQ(kind_of(store_->list_revisions("checkout", 1, 1)), store_error_kind::closed);
  EXPECT_EQ(kind_of(store_->verify({}, {})), store_error_kind::closed);
  reopen();
  EXPECT_EQ(got(store_->head()).sequence, 1U);
}

TEST_P(store_contract, ClosingEndsAVerifyThatIsUnderWay) {
  fill(*store_, 40'000, {"a"});
  std::jthread closer;
  const auto report = store_->verify({.threads = 1}, [&](const verify_progress& p) {
    if (!closer.joinable()) closer = std::jthread{[&] { store_->close(); }};
    // The callback holds the verify up until close has made itself known to other calls.
    while (store_->head()) std::this_thread::yield();
    return p.checked > 0;
  });
  EXPECT_EQ(kind_of(report), store_error_kind::closed);
}

} // namespace homeostat
