#include "runtime/store/sqlite_schema.hpp"

#include <algorithm>
#include <cstring>

namespace homeostat {
namespace {

struct schema_object {
  std::string_view name;
  std::string_view sql; ///< exactly as SQLite keeps it
};

constexpr schema_object objects[] = {
    {"audit", "CREATE TABLE audit (sequence INTEGER PRIMARY KEY, time INTEGER NOT NULL, loop TEXT NOT NULL, "
              "kind TEXT NOT NULL, generation INTEGER NOT NULL, payload BLOB NOT NULL, previous_hash BLOB NOT NULL, "
              "hash BLOB NOT NULL) STRICT"},
    {"audit_block",
     "CREATE TABLE audit_block (loop TEXT NOT NULL, block INTEGER NOT NULL, PRIMARY KEY (loop, block)) STRICT, "
     "WITHOUT ROWID"},
    {"chain", "CREATE TABLE chain (id INTEGER PRIMARY KEY CHECK (id = 1), store_id BLOB NOT NULL, "
              "created INTEGER NOT NULL, sequence INTEGER NOT NULL, hash BLOB NOT NULL) STRICT"},
    {"revision", "CREATE TABLE revision (loop TEXT NOT NULL, revision INTEGER NOT NULL, generation INTEGER NOT NULL, "
                 "contents BLOB NOT NULL, name TEXT, tested INTEGER NOT NULL, time INTEGER NOT NULL, "
                 "PRIMARY KEY (loop, revision)) STRICT"},
    {"revision_name", "CREATE UNIQUE INDEX revision_name ON revision (loop, name) WHERE name IS NOT NULL"},
    {"revision_tested", "CREATE INDEX revision_tested ON revision (loop, revision) WHERE tested"},
    {"state", "CREATE TABLE state (key TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL) STRICT"},
};

std::unexpected<store_error> fail(const sqlite_connection& db, store_error_kind kind, const std::string& what) {
  return std::unexpected{store_error{kind, db.path() + ": " + what}};
}

std::string hex_literal(std::span<const std::byte> bytes) { return "x'" + to_hex(bytes) + "'"; }

std::expected<void, store_error> create_schema(sqlite_connection& db, instant now) {
  const chain_store_id id = draw_store_id();
  const chain_hash genesis = chain_hasher{}.genesis(id, now);
  std::string sql = "BEGIN IMMEDIATE;";
  for (const schema_object& o : objects) sql += std::string{o.sql} + ";";
  sql += "INSERT INTO chain VALUES (1, " + hex_literal(id) + ", " + std::to_string(now.time_since_epoch().count()) +
         ", 0, " + hex_literal(genesis) + ");";
  sql += "PRAGMA application_id = " + std::to_string(store_application_id) + ";";
  sql += "PRAGMA user_version = " + std::to_string(schema_version) + ";COMMIT;";
  auto made = db.execute(sql, "creating the store");
  if (!made && !db.idle()) (void)db.execute("ROLLBACK", "creating the store");
  return made;
}

/// A foreign trigger, view or altered table could make our statements lie; so the schema is compared literally.
std::expected<void, store_error> check_objects(sqlite_connection& db) {
  auto statement = db.prepare("SELECT name, coalesce(sql, '') FROM sqlite_schema WHERE substr(name, 1, 7) <> 'sqlite_' "
                              "ORDER BY name COLLATE BINARY");
  if (!statement) return std::unexpected{statement.error()};
  const auto version = "schema version " + std::to_string(schema_version);
  std::size_t next = 0;
  for (;;) {
    const auto row = statement->step("reading the schema");
    if (!row) return std::unexpected{row.error()};
    if (!*row) break;
    const std::string_view name = statement->bytes(0);
    if (next == std::size(objects) || name < objects[next].name)
      return fail(db, store_error_kind::schema, "'" + std::string{name} + "' does not belong to " + version);
    if (name != objects[next].name) break;
    if (statement->bytes(1) != objects[next].sql)
      return fail(db, store_error_kind::schema, "'" + std::string{name} + "' is not as " + version + " defines it");
    ++next;
  }
  if (next != std::size(objects))
    return fail(db, store_error_kind::schema,
                "'" + std::string{objects[next].name} + "' of " + version + " is missing");
  return {};
}

template <std::size_t n>
std::optional<std::array<std::byte, n>> read_array(const sqlite_statement& statement, int column) {
  if (statement.column_type(column) != sqlite_statement::type::blob) return std::nullopt;
  const std::string_view bytes = statement.bytes(column);
  std::array<std::byte, n> out;
  if (bytes.size() != n) return std::nullopt;
  std::memcpy(out.data(), bytes.data(), n);
  return out;
}

} // namespace

std::expected<void, store_error> prepare_schema(sqlite_connection& db, bool create, instant now) {
  const auto application = db.query_integer("PRAGMA application_id", "opening");
  if (!application) return std::unexpected{application.error()};
  const auto version = db.query_integer("PRAGMA user_version", "opening");
  if (!version) return std::unexpected{version.error()};
  const auto count = db.query_integer("SELECT count(*) FROM sqlite_schema", "opening");
  if (!count) return std::unexpected{count.error()};
  if (*application == 0 && *version == 0 && *count == 0) {
    // A new file, or one whose creator died before its one creating transaction.
    if (!create) return fail(db, store_error_kind::schema, "the file is empty, expected a Homeostat store");
    return create_schema(db, now);
  }
  if (*application != store_application_id)
    return fail(db, store_error_kind::schema,
                "a SQLite database, but not a Homeostat store (application id " + std::to_string(*application) +
                    ", expected " + std::to_string(store_application_id) + ")");
  if (*version != schema_version)
    return fail(db, store_error_kind::schema,
                "schema version " + std::to_string(*version) +
                    (*version > schema_version ? " is newer than this build" : " is unknown to this build") +
                    ", which reads version " + std::to_string(schema_version));
  return check_objects(db);
}

std::expected<chain_row, store_error> read_chain_row(sqlite_connection& db) {
  auto statement = db.prepare("SELECT store_id, created, sequence, hash FROM chain WHERE id = 1");
  if (!statement) return std::unexpected{statement.error()};
  const auto row = statement->step("reading the head");
  if (!row) return std::unexpected{row.error()};
  if (!*row) return fail(db, store_error_kind::corrupt, "the head of the chain is gone");
  const auto id = read_array<std::tuple_size_v<chain_store_id>>(*statement, 0);
  const auto hash = read_array<std::tuple_size_v<chain_hash>>(*statement, 3);
  if (!id || !hash || statement->integer(2) < 0)
    return fail(db, store_error_kind::corrupt,
                "the head of the chain is malformed, expected a 16-byte id, a sequence "
                "of 0 or more, and a 32-byte hash");
  return chain_row{*id, instant{duration{statement->integer(1)}}, statement->number(2), *hash};
}

audit_row read_audit_row(const sqlite_statement& statement) {
  using type = sqlite_statement::type;
  audit_row row;
  const auto expect = [&](int column, type wanted, std::string_view name) {
    if (row.wrong.empty() && statement.column_type(column) != wanted) row.wrong = name;
  };
  expect(1, type::integer, "time");
  expect(2, type::text, "loop");
  expect(3, type::text, "kind");
  expect(4, type::integer, "generation");
  expect(5, type::blob, "payload");
  row.fields = {statement.number(0), instant{duration{statement.integer(1)}},
                statement.bytes(2),  statement.bytes(3),
                statement.number(4), statement.bytes(5)};
  row.previous_hash = read_array<32>(statement, 6);
  row.hash = read_array<32>(statement, 7);
  if (row.wrong.empty() && !row.previous_hash) row.wrong = "previous_hash";
  if (row.wrong.empty() && !row.hash) row.wrong = "hash";
  return row;
}

} // namespace homeostat
