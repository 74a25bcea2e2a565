#include "runtime/store/sqlite_writer.hpp"

#include <algorithm>
#include <exception>

namespace homeostat {
namespace {

std::unexpected<store_error> fail(const sqlite_connection& db, store_error_kind kind, const std::string& what) {
  return std::unexpected{store_error{kind, db.path() + ": " + what}};
}

bool is_empty(const store_batch& b) {
  return b.records.empty() && b.state.empty() && b.revisions.empty() && b.marks.empty();
}

std::string insert_sql(std::size_t rows) {
  std::string sql = "INSERT INTO audit (" + std::string{audit_columns} + ") VALUES ";
  for (std::size_t i = 0; i < rows; ++i) sql += i == 0 ? "(?, ?, ?, ?, ?, ?, ?, ?)" : ", (?, ?, ?, ?, ?, ?, ?, ?)";
  return sql;
}

} // namespace

std::expected<std::unique_ptr<sqlite_writer>, store_error> sqlite_writer::start(sqlite_connection db,
                                                                                std::uint64_t max_bytes) {
  auto writer = std::unique_ptr<sqlite_writer>{new sqlite_writer{std::move(db)}};
  if (auto ok = writer->configure(max_bytes); !ok) return std::unexpected{ok.error()};
  if (auto ok = writer->check_end(); !ok) return std::unexpected{ok.error()};
  if (auto ok = writer->prepare_statements(); !ok) return std::unexpected{ok.error()};
  return writer;
}

sqlite_writer::outcome sqlite_writer::configure(std::uint64_t max_bytes) {
  const auto mode = db_.query_text("PRAGMA journal_mode = WAL", "switching to a write-ahead log");
  if (!mode) return std::unexpected{mode.error()};
  if (*mode != "wal")
    return fail(db_, store_error_kind::io,
                "the file system allows journal mode '" + *mode + "' only, expected 'wal' (a network mount?)");
  // FULL: the log is synced at every commit; anything less loses acknowledged records with the power.
  // A log of 1000 pages is overwritten in place again and again, which costs less per sync than a growing one; what
  // readers made it grow beyond journal_size_limit is given back.
  if (auto ok = db_.execute("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 1000; "
                            "PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -8192",
                            "configuring");
      !ok)
    return ok;
  if (max_bytes == 0) return {};
  const auto page = db_.query_integer("PRAGMA page_size", "configuring");
  if (!page) return std::unexpected{page.error()};
  const auto pages = std::max<std::uint64_t>(1, max_bytes / static_cast<std::uint64_t>(*page));
  return db_.execute("PRAGMA max_page_count = " + std::to_string(pages), "limiting the size");
}

sqlite_writer::outcome sqlite_writer::check_end() {
  const auto head = read_chain_row(db_);
  if (!head) return std::unexpected{head.error()};
  auto last = db_.prepare("SELECT " + std::string{audit_columns} + " FROM audit ORDER BY sequence DESC LIMIT 1");
  if (!last) return std::unexpected{last.error()};
  const auto row = last->step("reading the last record");
  if (!row) return std::unexpected{row.error()};
  const audit_row end = *row ? read_audit_row(*last) : audit_row{};
  const chain_hash genesis = hasher_.genesis(head->store_id, head->created);
  if (end.fields.sequence != head->sequence || (*row ? end.hash : std::optional{genesis}) != head->hash)
    return fail(db_, store_error_kind::corrupt,
                "the audit chain ends with record " + std::to_string(end.fields.sequence) + ", but its head names " +
                    std::to_string(head->sequence) + " with hash " + to_hex(head->hash) +
                    "; nothing is appended to a damaged chain: check it with `homeostat audit verify`");
  sequence_ = head->sequence;
  hash_ = head->hash;
  return {};
}

sqlite_writer::outcome sqlite_writer::prepare_statements() {
  const std::pair<sqlite_statement*, std::string> wanted[] = {
      {&begin_, "BEGIN IMMEDIATE"},
      {&commit_, "COMMIT"},
      {&rollback_, "ROLLBACK"},
      {&insert_one_, insert_sql(1)},
      {&insert_many_, insert_sql(rows_per_insert)},
      {&insert_block_, "INSERT OR IGNORE INTO audit_block (loop, block) VALUES (?, ?)"},
      // Compare and set: should anything else ever have moved the head, nothing is appended behind its back.
      {&move_head_, "UPDATE chain SET sequence = ?1, hash = ?2 WHERE id = 1 AND sequence = ?3 AND hash = ?4"},
      {&put_state_,
       "INSERT INTO state (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"},
      {&drop_state_, "DELETE FROM state WHERE key = ?"},
      {&insert_revision_, "INSERT INTO revision (loop, revision, generation, contents, name, tested, time) "
                          "VALUES (?, ?, ?, ?, NULL, ?, ?) ON CONFLICT DO NOTHING"},
      {&take_name_, "UPDATE revision SET name = NULL WHERE loop = ? AND name = ?"},
      {&mark_, "UPDATE revision SET name = coalesce(?3, name), tested = coalesce(?4, tested) "
               "WHERE loop = ?1 AND revision = ?2"}};
  for (const auto& [statement, sql] : wanted) {
    auto prepared = db_.prepare(sql);
    if (!prepared) return std::unexpected{prepared.error()};
    *statement = std::move(*prepared);
  }
  return {};
}

std::expected<std::uint64_t, store_error> sqlite_writer::commit(const batch_source& next) {
  outcome done;
  bool begun = false;
  for (auto batches = next(); done && !batches.empty(); batches = done ? next() : std::span<const store_batch>{}) {
    if (std::ranges::all_of(batches, is_empty)) continue;
    if (!begun) done = begin();
    begun = true;
    if (done) done = write(batches);
  }
  if (!begun) return sequence_;
  if (done) done = finish();
  if (!done) {
    forget_unwritten();
    return std::unexpected{done.error()};
  }
  sequence_ = next_sequence_;
  hash_ = next_hash_;
  return sequence_;
}

sqlite_writer::outcome sqlite_writer::begin() {
  // Writes to a file that was deleted succeed and are lost.
  if (db_.has_moved())
    return fail(db_, store_error_kind::io, "the file was moved, replaced or deleted while in use; nothing is written");
  next_sequence_ = sequence_;
  next_hash_ = hash_;
  return begin_.run("beginning a commit");
}

void sqlite_writer::forget_unwritten() {
  // Some errors roll back by themselves; ROLLBACK would then only overwrite their text.
  if (!db_.idle()) (void)rollback_.run("rolling back");
  pending_count_ = 0;
  listed_.clear();
}

sqlite_writer::outcome sqlite_writer::write(std::span<const store_batch> batches) {
  for (const store_batch& b : batches)
    if (auto ok = check_batch(b); !ok) return fail(db_, ok.error().kind, "commit refused: " + ok.error().what);
  try {
    for (const store_batch& b : batches) {
      for (const audit_entry& e : b.records)
        if (auto ok = append(e); !ok) return ok;
      for (const state_entry& s : b.state)
        if (auto ok = write_state(s); !ok) return ok;
      for (const stored_revision& r : b.revisions)
        if (auto ok = insert_revision(r); !ok) return ok;
      for (const revision_mark& m : b.marks)
        if (auto ok = mark_revision(m); !ok) return ok;
    }
  } catch (const std::exception& e) { // memory, or the crypto library
    return fail(db_, store_error_kind::io, std::string{"commit failed: "} + e.what());
  }
  return {};
}

sqlite_writer::outcome sqlite_writer::finish() {
  if (auto ok = flush_rows(); !ok) return ok;
  if (auto ok = move_head(); !ok) return ok;
  return commit_.run("committing");
}

sqlite_writer::outcome sqlite_writer::append(const audit_entry& e) {
  pending_row& row = pending_[pending_count_];
  row.entry = &e;
  row.sequence = ++next_sequence_;
  row.previous_hash = next_hash_;
  row.hash = hasher_.record(next_hash_, {row.sequence, e.time, e.loop, e.kind, e.generation, e.payload});
  next_hash_ = row.hash;
  if (auto ok = list_in_block(e, row.sequence); !ok) return ok;
  return ++pending_count_ == rows_per_insert ? flush_rows() : outcome{};
}

sqlite_writer::outcome sqlite_writer::list_in_block(const audit_entry& e, std::uint64_t sequence) {
  if (const std::uint64_t block = sequence / audit_block_records; block != block_) {
    block_ = block;
    listed_.clear();
  }
  if (listed_.contains(std::string_view{e.loop})) return {};
  insert_block_.bind_text(1, e.loop);
  insert_block_.bind(2, block_);
  if (auto ok = insert_block_.run("listing a loop"); !ok) return ok;
  listed_.insert(e.loop);
  return {};
}

sqlite_writer::outcome sqlite_writer::flush_rows() {
  const bool all = pending_count_ == rows_per_insert;
  for (std::size_t i = 0; i < pending_count_; ++i) {
    sqlite_statement& insert = all ? insert_many_ : insert_one_;
    const int before = all ? static_cast<int>(i) * row_columns : 0;
    const pending_row& row = pending_[i];
    insert.bind(before + 1, row.sequence);
    insert.bind(before + 2, std::int64_t{row.entry->time.time_since_epoch().count()});
    insert.bind_text(before + 3, row.entry->loop);
    insert.bind_text(before + 4, row.entry->kind);
    insert.bind(before + 5, row.entry->generation);
    insert.bind_blob(before + 6, row.entry->payload);
    insert.bind_blob(before + 7, row.previous_hash);
    insert.bind_blob(before + 8, row.hash);
    if (!all || i + 1 == rows_per_insert)
      if (auto ok = insert.run("appending records"); !ok) {
        // The only constraint here is the sequence: a record is there that the head does not know.
        if (ok.error().kind == store_error_kind::invalid) ok.error().kind = store_error_kind::corrupt;
        return ok;
      }
  }
  pending_count_ = 0;
  return {};
}

sqlite_writer::outcome sqlite_writer::move_head() {
  if (next_sequence_ == sequence_) return {};
  move_head_.bind(1, next_sequence_);
  move_head_.bind_blob(2, next_hash_);
  move_head_.bind(3, sequence_);
  move_head_.bind_blob(4, hash_);
  if (auto ok = move_head_.run("moving the head"); !ok) return ok;
  if (db_.changes() == 1) return {};
  return fail(db_, store_error_kind::corrupt,
              "the head of the audit chain is no longer record " + std::to_string(sequence_) + " with hash " +
                  to_hex(hash_) + ": something else wrote to the store; check it with `homeostat audit verify`");
}

sqlite_writer::outcome sqlite_writer::write_state(const state_entry& s) {
  sqlite_statement& statement = s.value ? put_state_ : drop_state_;
  statement.bind_text(1, s.key);
  if (s.value) statement.bind_blob(2, *s.value);
  return statement.run("writing state");
}

sqlite_writer::outcome sqlite_writer::insert_revision(const stored_revision& r) {
  insert_revision_.bind_text(1, r.loop);
  insert_revision_.bind(2, r.revision);
  insert_revision_.bind(3, r.generation);
  insert_revision_.bind_blob(4, r.values);
  insert_revision_.bind(5, std::int64_t{r.tested});
  insert_revision_.bind(6, std::int64_t{r.time.time_since_epoch().count()});
  if (auto ok = insert_revision_.run("inserting a revision"); !ok) return ok;
  if (db_.changes() == 0)
    return fail(db_, store_error_kind::invalid,
                "commit refused: loop '" + r.loop + "' already has revision " + std::to_string(r.revision));
  return r.name ? mark_revision({r.loop, r.revision, r.name, std::nullopt}) : outcome{};
}

sqlite_writer::outcome sqlite_writer::mark_revision(const revision_mark& m) {
  if (m.name) {
    take_name_.bind_text(1, m.loop);
    take_name_.bind_text(2, *m.name);
    if (auto ok = take_name_.run("moving a revision's name"); !ok) return ok;
  }
  mark_.bind_text(1, m.loop);
  mark_.bind(2, m.revision);
  if (m.name)
    mark_.bind_text(3, *m.name);
  else
    mark_.bind_null(3);
  if (m.tested)
    mark_.bind(4, std::int64_t{*m.tested});
  else
    mark_.bind_null(4);
  if (auto ok = mark_.run("marking a revision"); !ok) return ok;
  if (db_.changes() == 1) return {};
  return fail(db_, store_error_kind::invalid,
              "commit refused: loop '" + m.loop + "' has no revision " + std::to_string(m.revision) + " to mark");
}

} // namespace homeostat
