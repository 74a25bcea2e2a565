#include "runtime/store/sqlite_reader.hpp"

#include <algorithm>

namespace homeostat {
namespace {

std::unexpected<store_error> fail(const sqlite_connection& db, store_error_kind kind, const std::string& what) {
  return std::unexpected{store_error{kind, db.path() + ": " + what}};
}

constexpr auto last_sequence = static_cast<std::uint64_t>(INT64_MAX);

/// SQLite compares sequences as signed numbers; beyond the largest there is nothing.
std::uint64_t reachable(std::uint64_t sequence) { return std::min(sequence, last_sequence); }

} // namespace

std::expected<std::unique_ptr<sqlite_reader>, store_error> sqlite_reader::start(sqlite_connection db) {
  auto reader = std::unique_ptr<sqlite_reader>{new sqlite_reader{std::move(db)}};
  if (auto ok = reader->prepare_statements(); !ok) return std::unexpected{ok.error()};
  return reader;
}

sqlite_reader::outcome sqlite_reader::prepare_statements() {
  const std::string select = "SELECT " + std::string{audit_columns} + " FROM audit ";
  const std::string revision = "SELECT loop, revision, generation, contents, name, tested, time FROM revision "
                               "WHERE loop = ?1 ";
  const std::pair<sqlite_statement*, std::string> wanted[] = {
      {&load_state_, "SELECT value FROM state WHERE key = ?"},
      {&list_state_, "SELECT key FROM state WHERE key >= ?1 AND key > ?2 ORDER BY key LIMIT ?3"},
      {&tail_, select + "WHERE sequence <= ?2 ORDER BY sequence DESC LIMIT ?1"},
      {&range_, select + "WHERE sequence >= ?1 ORDER BY sequence LIMIT ?2"},
      {&blocks_down_, "SELECT block FROM audit_block WHERE loop = ?1 AND block BETWEEN ?2 AND ?3 ORDER BY block DESC"},
      {&blocks_up_, "SELECT block FROM audit_block WHERE loop = ?1 AND block BETWEEN ?2 AND ?3 ORDER BY block"},
      {&loop_down_, select + "WHERE sequence BETWEEN ?1 AND ?2 AND loop = ?3 ORDER BY sequence DESC"},
      {&loop_up_, select + "WHERE sequence BETWEEN ?1 AND ?2 AND loop = ?3 ORDER BY sequence"},
      {&revision_latest_, revision + "ORDER BY revision DESC LIMIT 1"},
      {&revision_tested_, revision + "AND tested ORDER BY revision DESC LIMIT 1"},
      {&revision_number_, revision + "AND revision = ?2"},
      {&revision_name_, revision + "AND name = ?2"},
      {&revision_list_, revision + "AND revision >= ?2 ORDER BY revision LIMIT ?3"}};
  for (const auto& [statement, sql] : wanted) {
    auto prepared = db_.prepare(sql);
    if (!prepared) return std::unexpected{prepared.error()};
    *statement = std::move(*prepared);
  }
  return {};
}

sqlite_reader::outcome sqlite_reader::check_limit(std::size_t limit) const {
  if (limit >= 1 && limit <= max_read_count) return {};
  return fail(db_, store_error_kind::invalid,
              "read of " + std::to_string(limit) + " entries, expected 1 to " + std::to_string(max_read_count));
}

std::expected<std::optional<std::string>, store_error> sqlite_reader::load_state(std::string_view key) {
  const row_scope scope{load_state_};
  load_state_.bind_text(1, key);
  const auto row = load_state_.step("reading state");
  if (!row) return std::unexpected{row.error()};
  if (!*row) return std::nullopt;
  return std::string{load_state_.bytes(0)};
}

std::expected<std::vector<std::string>, store_error>
sqlite_reader::list_state(std::string_view prefix, std::string_view after, std::size_t limit) {
  if (auto ok = check_limit(limit); !ok) return std::unexpected{ok.error()};
  const row_scope scope{list_state_};
  list_state_.bind_text(1, prefix);
  list_state_.bind_text(2, after);
  list_state_.bind(3, std::uint64_t{limit});
  std::vector<std::string> keys;
  for (;;) {
    const auto row = list_state_.step("listing state");
    if (!row) return std::unexpected{row.error()};
    // In byte order the keys with a prefix are adjacent, and the first one that is >= the prefix begins them.
    if (!*row || !list_state_.bytes(0).starts_with(prefix)) return keys;
    keys.emplace_back(list_state_.bytes(0));
  }
}

sqlite_reader::outcome sqlite_reader::collect(sqlite_statement& rows, collection& into) {
  const row_scope scope{rows};
  while (!into.done()) {
    const auto more = rows.step("reading records");
    if (!more) return std::unexpected{more.error()};
    if (!*more) return {};
    const audit_row row = read_audit_row(rows);
    const record_fields& f = row.fields;
    if (!row.wrong.empty())
      return fail(db_, store_error_kind::corrupt,
                  "record " + std::to_string(f.sequence) + " has a malformed " + std::string{row.wrong} +
                      "; check the store with `homeostat audit verify`");
    into.records.push_back({f.sequence, f.time, std::string{f.loop}, std::string{f.kind}, f.generation,
                            std::string{f.payload}, *row.previous_hash, *row.hash});
    into.bytes += f.payload.size();
  }
  return {};
}

/// Reads the records of one loop block by block, in the direction that both statements share.
sqlite_reader::outcome sqlite_reader::collect_loop(sqlite_statement& blocks, sqlite_statement& rows,
                                                   std::string_view loop, std::uint64_t from, std::uint64_t to,
                                                   collection& into) {
  const row_scope scope{blocks};
  blocks.bind_text(1, loop);
  blocks.bind(2, from / audit_block_records);
  blocks.bind(3, to / audit_block_records);
  while (!into.done()) {
    const auto more = blocks.step("looking up a loop");
    if (!more) return std::unexpected{more.error()};
    if (!*more) return {};
    const std::uint64_t first = blocks.number(0) * audit_block_records;
    rows.bind(1, std::max(first, from));
    rows.bind(2, std::min(first + audit_block_records - 1, to));
    rows.bind_text(3, loop);
    if (auto ok = collect(rows, into); !ok) return ok;
  }
  return {};
}

std::expected<std::vector<stored_record>, store_error>
sqlite_reader::tail(std::size_t count, std::optional<std::string_view> loop, std::optional<std::uint64_t> before) {
  if (before == 0U) return {};
  const std::uint64_t to = before ? reachable(*before - 1) : last_sequence;
  if (auto ok = check_limit(count); !ok) return std::unexpected{ok.error()};
  collection found{{}, count};
  outcome ok;
  if (loop) {
    ok = collect_loop(blocks_down_, loop_down_, *loop, 1, to, found);
  } else {
    tail_.bind(1, std::uint64_t{count});
    tail_.bind(2, to);
    ok = collect(tail_, found);
  }
  if (!ok) return std::unexpected{ok.error()};
  std::ranges::reverse(found.records);
  return std::move(found.records);
}

std::expected<std::vector<stored_record>, store_error> sqlite_reader::range(std::uint64_t from, std::size_t limit,
                                                                            std::optional<std::string_view> loop) {
  if (auto ok = check_limit(limit); !ok) return std::unexpected{ok.error()};
  collection found{{}, limit};
  outcome ok;
  if (loop) {
    ok = collect_loop(blocks_up_, loop_up_, *loop, reachable(from), last_sequence, found);
  } else {
    range_.bind(1, reachable(from));
    range_.bind(2, std::uint64_t{limit});
    ok = collect(range_, found);
  }
  if (!ok) return std::unexpected{ok.error()};
  return std::move(found.records);
}

std::expected<chain_head, store_error> sqlite_reader::head() {
  const auto row = read_chain_row(db_);
  if (!row) return std::unexpected{row.error()};
  return chain_head{row->sequence, row->hash, to_hex(row->store_id)};
}

std::expected<stored_revision, store_error> sqlite_reader::read_revision(const sqlite_statement& row) const {
  using type = sqlite_statement::type;
  const bool named = row.column_type(4) == type::text;
  if (row.column_type(0) != type::text || row.column_type(3) != type::blob)
    return fail(db_, store_error_kind::corrupt, "revision " + std::to_string(row.number(1)) + " is malformed");
  return stored_revision{std::string{row.bytes(0)},
                         row.number(1),
                         row.number(2),
                         std::string{row.bytes(3)},
                         named ? std::optional{std::string{row.bytes(4)}} : std::nullopt,
                         row.integer(5) != 0,
                         instant{duration{row.integer(6)}}};
}

std::expected<std::optional<stored_revision>, store_error> sqlite_reader::find_revision(std::string_view loop,
                                                                                        const revision_key& key) {
  sqlite_statement* statement = &revision_latest_;
  if (std::holds_alternative<latest_tested_revision>(key)) statement = &revision_tested_;
  if (const auto* number = std::get_if<std::uint64_t>(&key)) {
    if (*number != reachable(*number)) return std::nullopt;
    statement = &revision_number_;
    statement->bind(2, *number);
  }
  if (const auto* name = std::get_if<std::string>(&key)) {
    statement = &revision_name_;
    statement->bind_text(2, *name);
  }
  statement->bind_text(1, loop);
  const row_scope scope{*statement};
  const auto row = statement->step("reading a revision");
  if (!row) return std::unexpected{row.error()};
  if (!*row) return std::nullopt;
  return read_revision(*statement);
}

std::expected<std::vector<stored_revision>, store_error>
sqlite_reader::list_revisions(std::string_view loop, std::uint64_t from, std::size_t limit) {
  if (auto ok = check_limit(limit); !ok) return std::unexpected{ok.error()};
  const row_scope scope{revision_list_};
  revision_list_.bind_text(1, loop);
  revision_list_.bind(2, reachable(from));
  revision_list_.bind(3, std::uint64_t{limit});
  std::vector<stored_revision> found;
  for (std::size_t bytes = 0; bytes < max_read_bytes;) {
    const auto row = revision_list_.step("listing revisions");
    if (!row) return std::unexpected{row.error()};
    if (!*row) break;
    auto revision = read_revision(revision_list_);
    if (!revision) return std::unexpected{revision.error()};
    bytes += revision->values.size();
    found.push_back(std::move(*revision));
  }
  return found;
}

} // namespace homeostat
