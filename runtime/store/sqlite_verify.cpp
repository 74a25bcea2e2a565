#include "runtime/store/sqlite_verify.hpp"

#include <algorithm>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>

namespace homeostat {
namespace {

std::string describe(std::uint64_t sequence, const chain_hash& hash) {
  return "record " + std::to_string(sequence) + " with hash " + to_hex(hash);
}

std::string describe_wrong(const audit_row& row) { return "a malformed " + std::string{row.wrong}; }

std::int64_t as_signed(std::uint64_t n) { return static_cast<std::int64_t>(n); }

/// What all threads of one check share.
struct shared_scan {
  std::int64_t last{0}; ///< highest sequence that was there when the check began
  std::uint64_t head_sequence{0};
  std::optional<chain_hash> genesis; ///< nothing when the row is gone that it derives from
  std::uint64_t total{0};
  std::atomic<std::uint64_t> checked{0};
  std::atomic<bool> cancelled{false};

  std::mutex mutex; ///< guards what follows
  std::int64_t next{1};
  bool claimed_all{false};
  finding_list findings;
  std::optional<store_error> error;

  explicit shared_scan(std::size_t max_findings) : findings{max_findings} {}

  void fail(store_error e) {
    const std::scoped_lock lock{mutex};
    if (!error) error = std::move(e);
    cancelled = true;
  }
};

/// One thread's connection and statements. Takes block after block until none is left.
class block_checker {
public:
  explicit block_checker(shared_scan& scan) : scan_{scan} {}

  std::expected<void, store_error> open(const std::string& path, std::chrono::milliseconds patience) {
    auto opened = sqlite_connection::open(path, sqlite_connection::mode::read_only, patience);
    if (!opened) return std::unexpected{opened.error()};
    db_.emplace(std::move(*opened));
    const std::string columns{audit_columns};
    const std::pair<sqlite_statement*, std::string> wanted[] = {
        {&rows_, "SELECT " + columns + " FROM audit WHERE sequence BETWEEN ?1 AND ?2 ORDER BY sequence"},
        {&before_, "SELECT " + columns + " FROM audit WHERE sequence < ?1 ORDER BY sequence DESC LIMIT 1"},
        {&first_, "SELECT sequence FROM audit WHERE sequence >= ?1 ORDER BY sequence LIMIT 1"},
        {&listed_, "SELECT 1 FROM audit_block WHERE loop = ?1 AND block = ?2"}};
    for (const auto& [statement, sql] : wanted) {
      auto prepared = db_->prepare(sql);
      if (!prepared) return std::unexpected{prepared.error()};
      *statement = std::move(*prepared);
    }
    return {};
  }

  /// Checks one block. @returns false when no block was left.
  std::expected<bool, store_error> step() {
    const auto begin = claim();
    if (!begin) return std::unexpected{begin.error()};
    if (!*begin) return false;
    const std::int64_t first = **begin;
    finding_list found{max_block_findings};
    auto checker = start(first, found);
    if (!checker) return std::unexpected{checker.error()};
    if (auto ok = check_rows(first, end_of_block(first), *checker, found); !ok) return std::unexpected{ok.error()};
    if (auto ok = check_listed(first, found); !ok) return std::unexpected{ok.error()};
    const std::scoped_lock lock{scan_.mutex};
    scan_.findings.merge(std::move(found));
    return true;
  }

private:
  static constexpr std::size_t max_block_findings = 4 * audit_block_records;

  std::int64_t end_of_block(std::int64_t sequence) const {
    const auto block = as_signed(audit_block_records);
    const std::int64_t start = sequence / block * block;
    return scan_.last - start < block ? scan_.last : start + block - 1;
  }

  /// Takes the next block that has records. A gap is stepped over in one go, however wide somebody made it.
  std::expected<std::optional<std::int64_t>, store_error> claim() {
    const std::scoped_lock lock{scan_.mutex};
    if (scan_.claimed_all || scan_.next > scan_.last) return std::nullopt;
    const row_scope scope{first_};
    first_.bind(1, scan_.next);
    const auto row = first_.step("reading records");
    if (!row) return std::unexpected{row.error()};
    if (!*row || first_.integer(0) > scan_.last) return std::nullopt;
    const std::int64_t first = first_.integer(0);
    const std::int64_t end = end_of_block(first);
    scan_.claimed_all = end == scan_.last; // stepping past it could overflow
    if (!scan_.claimed_all) scan_.next = end + 1;
    return first;
  }

  /// @returns a checker that knows the record before `first`.
  std::expected<chain_checker, store_error> start(std::int64_t first, finding_list& found) {
    const row_scope scope{before_};
    before_.bind(1, first);
    const auto row = before_.step("reading records");
    if (!row) return std::unexpected{row.error()};
    if (!*row || before_.integer(0) < 1) return chain_checker{0, scan_.genesis, found};
    const audit_row before = read_audit_row(before_);
    return chain_checker{before.fields.sequence, before.hash, found};
  }

  std::expected<void, store_error> check_rows(std::int64_t first, std::int64_t last, chain_checker& checker,
                                              finding_list& found) {
    const row_scope scope{rows_};
    rows_.bind(1, first);
    rows_.bind(2, last);
    loops_.clear();
    for (std::uint64_t n = 0;; ++n) {
      const auto more = rows_.step("reading records");
      if (!more) return std::unexpected{more.error()};
      if (!*more) {
        scan_.checked += n;
        return {};
      }
      const audit_row row = read_audit_row(rows_);
      const std::uint64_t sequence = row.fields.sequence;
      if (sequence > scan_.head_sequence)
        found.add({chain_fault::unexpected, sequence,
                   "the chain to end with record " + std::to_string(scan_.head_sequence),
                   "record " + std::to_string(sequence)});
      if (!row.wrong.empty()) {
        checker.malformed(sequence, "a record of the documented types and sizes", describe_wrong(row), row.hash);
        continue;
      }
      checker.check(hasher_, row.fields, *row.previous_hash, *row.hash);
      if (!loops_.contains(row.fields.loop)) loops_.emplace(row.fields.loop);
    }
  }

  /// Every loop of the block must have its entry, or the lookup by loop would pass the block over.
  std::expected<void, store_error> check_listed(std::int64_t first, finding_list& found) {
    const std::int64_t block = first / as_signed(audit_block_records);
    for (const std::string& loop : loops_) {
      const row_scope scope{listed_};
      listed_.bind_text(1, loop);
      listed_.bind(2, block);
      const auto row = listed_.step("reading the lookup by loop");
      if (!row) return std::unexpected{row.error()};
      if (!*row)
        found.add({chain_fault::unlisted, static_cast<std::uint64_t>(first),
                   "an entry for loop '" + loop + "' in block " + std::to_string(block), "none"});
    }
    return {};
  }

  shared_scan& scan_;
  std::optional<sqlite_connection> db_;
  sqlite_statement rows_, before_, first_, listed_;
  chain_hasher hasher_;
  string_set loops_;
};

/// The ends of the chain as one snapshot shows them.
class chain_ends {
public:
  chain_ends(sqlite_connection& db, const verify_request& request) : db_{db}, request_{request} {}

  /// Reads the ends, checks head and anchors, and says what is to be scanned.
  std::expected<void, store_error> check(shared_scan& scan, chain_report& report) {
    if (auto ok = db_.execute("BEGIN", "beginning to read"); !ok) return ok;
    auto ok = check_in_snapshot(scan, report);
    if (auto ended = db_.execute("COMMIT", "ending to read"); !ended && ok) return ended;
    return ok;
  }

private:
  using found_hash = std::expected<std::optional<chain_hash>, store_error>;

  std::expected<void, store_error> check_in_snapshot(shared_scan& scan, chain_report& report) {
    const auto highest = db_.query_integer("SELECT coalesce(max(sequence), 0) FROM audit", "reading the last record");
    if (!highest) return std::unexpected{highest.error()};
    const auto lowest = db_.query_integer("SELECT coalesce(min(sequence), 1) FROM audit", "reading the first record");
    if (!lowest) return std::unexpected{lowest.error()};
    scan.last = std::max<std::int64_t>(*highest, 0);
    if (*lowest < 1)
      scan.findings.add(
          {chain_fault::unexpected, 0, "sequences from 1 on", "a record numbered " + std::to_string(*lowest)});
    const auto head = read_chain_row(db_);
    if (!head && head.error().kind != store_error_kind::corrupt) return std::unexpected{head.error()};
    if (!head) {
      // Without its row neither genesis nor end is known, but the links between the records still are.
      scan.findings.add({chain_fault::wrong_head, 0, "a head", head.error().what});
      scan.head_sequence = scan.total = static_cast<std::uint64_t>(scan.last);
    } else {
      report.head = {head->sequence, head->hash, to_hex(head->store_id)};
      scan.genesis = chain_hasher{}.genesis(head->store_id, head->created);
      scan.head_sequence = head->sequence;
      scan.total = std::min(head->sequence, static_cast<std::uint64_t>(scan.last));
      if (auto ok = check_head(scan, *head); !ok) return ok;
    }
    return check_anchors(scan, report.head);
  }

  std::expected<void, store_error> check_head(shared_scan& scan, const chain_row& head) {
    const auto last = static_cast<std::uint64_t>(scan.last);
    if (last < head.sequence) {
      scan.findings.add({chain_fault::missing, last + 1,
                         "records " + std::to_string(last + 1) + " to " + std::to_string(head.sequence) +
                             ", the last with hash " + to_hex(head.hash),
                         "the last record is " + std::to_string(last)});
    } else {
      const found_hash end = hash_at(scan, head.sequence);
      if (!end) return std::unexpected{end.error()};
      if (*end && **end != head.hash)
        scan.findings.add({chain_fault::wrong_head, head.sequence, describe(head.sequence, **end),
                           "a head that names " + describe(head.sequence, head.hash)});
    }
    return {};
  }

  std::expected<void, store_error> check_anchors(shared_scan& scan, const chain_head& head) {
    if (request_.expected_head && *request_.expected_head != head.hash)
      scan.findings.add({chain_fault::not_anchor, head.sequence, "a head with hash " + to_hex(*request_.expected_head),
                         describe(head.sequence, head.hash)});
    for (const chain_anchor& a : request_.anchors) {
      const found_hash at = hash_at(scan, a.sequence);
      if (!at) return std::unexpected{at.error()};
      if (!*at || **at != a.hash)
        scan.findings.add({chain_fault::not_anchor, a.sequence, describe(a.sequence, a.hash),
                           *at ? describe(a.sequence, **at) : "no such record"});
    }
    return {};
  }

  /// @returns the hash that a record carries (the genesis hash for 0); nothing when there is no such record or hash.
  found_hash hash_at(const shared_scan& scan, std::uint64_t sequence) {
    if (sequence == 0) return scan.genesis;
    auto statement = db_.prepare("SELECT " + std::string{audit_columns} + " FROM audit WHERE sequence = ?");
    if (!statement) return std::unexpected{statement.error()};
    statement->bind(1, sequence);
    const auto row = statement->step("reading a record");
    if (!row) return std::unexpected{row.error()};
    return *row ? read_audit_row(*statement).hash : std::nullopt;
  }

  sqlite_connection& db_;
  const verify_request& request_;
};

/// Takes blocks until none is left, somebody cancels, or an error ends the check. @param after_block  false cancels.
template <class function>
void run_checker(shared_scan& scan, const std::string& path, std::chrono::milliseconds patience, function after_block) {
  try {
    block_checker checker{scan};
    if (auto ok = checker.open(path, patience); !ok) return scan.fail(std::move(ok.error()));
    while (!scan.cancelled) {
      const auto more = checker.step();
      if (!more) return scan.fail(more.error());
      if (!*more) return;
      if (!after_block()) scan.cancelled = true;
    }
  } catch (const std::exception& e) { scan.fail({store_error_kind::io, path + ": verify failed: " + e.what()}); }
}

std::expected<void, store_error> check_request(const std::string& path, const verify_request& request) {
  if (request.threads >= 1 && request.threads <= 64 && request.max_findings >= 1) return {};
  return std::unexpected{
      store_error{store_error_kind::invalid, path + ": verify with " + std::to_string(request.threads) +
                                                 " threads and " + std::to_string(request.max_findings) +
                                                 " findings, expected 1 to 64 threads and at least 1 finding"}};
}

} // namespace

std::expected<chain_report, store_error>
verify_sqlite_chain(const std::string& path, std::chrono::milliseconds patience, const verify_request& request,
                    const verify_callback& progress, const std::atomic<bool>& stop) {
  if (auto ok = check_request(path, request); !ok) return std::unexpected{ok.error()};
  shared_scan scan{request.max_findings};
  chain_report report;
  {
    auto db = sqlite_connection::open(path, sqlite_connection::mode::read_only, patience);
    if (!db) return std::unexpected{db.error()};
    if (auto ok = chain_ends{*db, request}.check(scan, report); !ok) return std::unexpected{ok.error()};
  }
  {
    std::vector<std::jthread> helpers;
    try {
      for (unsigned i = 1; i < request.threads; ++i)
        helpers.emplace_back([&] { run_checker(scan, path, patience, [&] { return !stop; }); });
    } catch (const std::system_error&) {
      // No more threads to be had: those that run, and this one, do the work.
    }
    run_checker(scan, path, patience, [&] { return !stop && (!progress || progress({scan.checked, scan.total})); });
  }
  if (stop) return std::unexpected{store_error{store_error_kind::closed, path + ": closed during verify"}};
  if (scan.error) return std::unexpected{*scan.error};
  report.checked = scan.checked;
  report.complete = !scan.cancelled;
  report.findings_total = scan.findings.total();
  report.findings = scan.findings.take();
  return report;
}

} // namespace homeostat
