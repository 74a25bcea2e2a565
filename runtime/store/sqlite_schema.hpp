#pragma once

#include "runtime/store/audit_chain.hpp"
#include "runtime/store/sqlite_connection.hpp"

#include <unordered_set>

/// The tables of a store in SQLite, and what makes a file one.
///
///     chain        one row: what the genesis hash is made of, and the head, moved in the transaction of each append
///     audit        the records
///     audit_block  which loops occur in which block of audit_block_records sequences. A full index over the loop would
///                  touch one page per loop and commit; this one costs an entry per loop and block, and the lookup by
///                  loop reads whole blocks. `verify` checks that no record is hidden from it.
///     state        blobs by key
///     revision     configurations by loop and number
namespace homeostat {

inline constexpr std::int64_t schema_version = 1;
inline constexpr std::int64_t store_application_id = 0x484d5354; // "HMST"
inline constexpr std::uint64_t audit_block_records = 4096;

/// The columns of audit in the order that every reading statement selects them.
inline constexpr std::string_view audit_columns =
    "sequence, time, loop, kind, generation, payload, previous_hash, hash";

/// Hash that looks a string up by view, without making a string.
struct string_hash {
  using is_transparent = void;
  std::size_t operator()(std::string_view s) const { return std::hash<std::string_view>{}(s); }
};

/// Names of loops.
using string_set = std::unordered_set<std::string, string_hash, std::equal_to<>>;

/// The one row of chain.
struct chain_row {
  chain_store_id store_id{};
  instant created;
  std::uint64_t sequence{0};
  chain_hash hash{};
};

/// Makes the tables if the file is empty; otherwise checks that it is a store that this build understands.
/// @param create  false: an empty file is an error.  @param now  the creation time that a new store records.
/// @errors  schema: another application's file, another version, or objects that do not belong in it.
std::expected<void, store_error> prepare_schema(sqlite_connection& db, bool create, instant now);

/// @returns the chain row. @errors corrupt when it is gone or its fields have the wrong type or size.
std::expected<chain_row, store_error> read_chain_row(sqlite_connection& db);

/// One row of audit by reference; valid until the statement steps on. Fields are set as far as their types are right.
struct audit_row {
  record_fields fields;
  std::optional<chain_hash> previous_hash;
  std::optional<chain_hash> hash;
  std::string_view wrong; ///< name of the first field with a wrong type or size; empty when all are right
};

/// Reads the current row of a statement over audit_columns.
[[nodiscard]] audit_row read_audit_row(const sqlite_statement& statement);

} // namespace homeostat
