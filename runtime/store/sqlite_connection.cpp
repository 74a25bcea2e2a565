#include "runtime/store/sqlite_connection.hpp"

#include <sqlite3.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <unistd.h>

namespace homeostat {
namespace {

store_error_kind kind_of(int code, int system_error) {
  switch (code & 0xff) {
  case SQLITE_BUSY:
  case SQLITE_LOCKED: return store_error_kind::busy;
  case SQLITE_FULL: return store_error_kind::full;
  case SQLITE_CORRUPT:
  case SQLITE_NOTADB: return store_error_kind::corrupt;
  case SQLITE_SCHEMA:
  case SQLITE_ERROR: return store_error_kind::schema; // our SQL is fixed: a table or column of it is not there
  case SQLITE_TOOBIG:
  case SQLITE_CONSTRAINT: return store_error_kind::invalid;
  default:
    // Some paths (the shared-memory file, a quota) report a full disk as a failed call.
    return system_error == ENOSPC || system_error == EDQUOT ? store_error_kind::full : store_error_kind::io;
  }
}

store_error error_of(sqlite3* db, const std::string& path, std::string_view doing) {
  const int code = sqlite3_extended_errcode(db);
  const int system_error =
      (code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN ? sqlite3_system_errno(db) : 0;
  std::string what = path + ": " + std::string{doing} + ": " + sqlite3_errmsg(db);
  if (system_error != 0) what += std::string{" ("} + strerror(system_error) + ")";
  what += " [SQLite code " + std::to_string(code) + "]";
  return {kind_of(code, system_error), std::move(what)};
}

store_error error_of(sqlite3_stmt* statement, std::string_view doing) {
  sqlite3* const db = sqlite3_db_handle(statement);
  const char* const path = sqlite3_db_filename(db, "main");
  return error_of(db, path != nullptr ? path : "", doing);
}

/// @returns the path as a URI that promises SQLite that nobody writes to the file.
std::string immutable_uri(const std::string& path) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out = "file:";
  for (const char c : path) {
    if (c != '%' && c != '?' && c != '#') {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += {'%', digits[byte >> 4U], digits[byte & 15U]};
  }
  return out + "?immutable=1";
}

} // namespace

void sqlite_statement::finalize::operator()(sqlite3_stmt* p) const { sqlite3_finalize(p); }
void sqlite_connection::close::operator()(sqlite3* p) const { sqlite3_close_v2(p); }

void sqlite_statement::bind(int index, std::int64_t value) { sqlite3_bind_int64(statement_.get(), index, value); }

void sqlite_statement::bind(int index, std::uint64_t value) { bind(index, std::bit_cast<std::int64_t>(value)); }

void sqlite_statement::bind_text(int index, std::string_view text) {
  // A null pointer would bind NULL, not an empty text.
  sqlite3_bind_text(statement_.get(), index, text.empty() ? "" : text.data(), static_cast<int>(text.size()),
                    SQLITE_STATIC);
}

void sqlite_statement::bind_blob(int index, std::string_view bytes) {
  sqlite3_bind_blob(statement_.get(), index, bytes.empty() ? "" : bytes.data(), static_cast<int>(bytes.size()),
                    SQLITE_STATIC);
}

void sqlite_statement::bind_blob(int index, std::span<const std::byte> bytes) {
  bind_blob(index, std::string_view{reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

void sqlite_statement::bind_real(int index, double value) { sqlite3_bind_double(statement_.get(), index, value); }

void sqlite_statement::bind_null(int index) { sqlite3_bind_null(statement_.get(), index); }

std::expected<bool, store_error> sqlite_statement::step(std::string_view doing) {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return std::unexpected{error_of(statement_.get(), doing)};
}

std::expected<void, store_error> sqlite_statement::run(std::string_view doing) {
  const auto stepped = step(doing);
  reset();
  if (!stepped) return std::unexpected{stepped.error()};
  return {};
}

void sqlite_statement::reset() { sqlite3_reset(statement_.get()); }

sqlite_statement::type sqlite_statement::column_type(int column) const {
  switch (sqlite3_column_type(statement_.get(), column)) {
  case SQLITE_INTEGER: return type::integer;
  case SQLITE_FLOAT: return type::real;
  case SQLITE_TEXT: return type::text;
  case SQLITE_BLOB: return type::blob;
  default: return type::other;
  }
}

std::int64_t sqlite_statement::integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }

std::uint64_t sqlite_statement::number(int column) const { return std::bit_cast<std::uint64_t>(integer(column)); }

double sqlite_statement::real(int column) const { return sqlite3_column_double(statement_.get(), column); }

std::string_view sqlite_statement::bytes(int column) const {
  // As a blob: the same bytes without a conversion. It comes before the size, as the library's documentation asks.
  const void* const data = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return data == nullptr ? std::string_view{}
                         : std::string_view{static_cast<const char*>(data), static_cast<std::size_t>(size)};
}

std::expected<void, store_error> make_database_file(const std::filesystem::path& path) {
  const auto fail = [&](const char* what) {
    return std::unexpected{store_error{store_error_kind::io, path.string() + ": " + what + ": " + strerror(errno)}};
  };
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
  if (fd < 0) return fail("cannot create the store");
  ::close(fd);
  const int folder = ::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = folder >= 0 && ::fsync(folder) == 0;
  const int error = errno;
  if (folder >= 0) ::close(folder);
  errno = error;
  if (!synced) return fail("cannot sync the store's folder");
  return {};
}

std::expected<sqlite_connection, store_error> sqlite_connection::open(const std::string& path, mode access,
                                                                      std::chrono::milliseconds patience) {
  const auto attempt = [&](const std::string& name, int flags) -> std::expected<sqlite_connection, store_error> {
    sqlite3* raw = nullptr;
    const int code = sqlite3_open_v2(name.c_str(), &raw, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
    sqlite_connection c;
    c.path_ = path;
    c.database_.reset(raw);
    if (raw == nullptr) return std::unexpected{store_error{store_error_kind::io, path + ": opening: out of memory"}};
    if (code != SQLITE_OK) return std::unexpected{error_of(raw, path, "opening")};
    sqlite3_busy_timeout(raw, static_cast<int>(patience.count()));
    // Whoever edits the file must not make our own statements run code of theirs.
    for (const int off : {SQLITE_DBCONFIG_ENABLE_TRIGGER, SQLITE_DBCONFIG_ENABLE_VIEW, SQLITE_DBCONFIG_TRUSTED_SCHEMA})
      sqlite3_db_config(raw, off, 0, nullptr);
    sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    // The first read: only now is the file looked at.
    if (auto read = c.query_integer("PRAGMA schema_version", "opening"); !read) return std::unexpected{read.error()};
    return c;
  };
  if (access == mode::read_write) return attempt(path, SQLITE_OPEN_READWRITE);
  auto opened = attempt(path, SQLITE_OPEN_READONLY);
  // A store on read-only media cannot have its shared-memory file made. Without a log beside it nobody writes to it and
  // nothing is pending, so it may be read as it is.
  std::error_code ignored;
  if (!opened && opened.error().kind == store_error_kind::io && std::filesystem::exists(path, ignored) &&
      !std::filesystem::exists(path + "-wal", ignored))
    if (auto again = attempt(immutable_uri(path), SQLITE_OPEN_READONLY | SQLITE_OPEN_URI); again) return again;
  return opened;
}

std::expected<void, store_error> sqlite_connection::execute(const std::string& sql, std::string_view doing) {
  if (sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  return std::unexpected{error_of(database_.get(), path_, doing)};
}

std::expected<std::string, store_error> sqlite_connection::query_text(const std::string& sql, std::string_view doing) {
  auto statement = prepare(sql);
  if (!statement) return std::unexpected{statement.error()};
  auto row = statement->step(doing);
  if (!row) return std::unexpected{row.error()};
  if (!*row)
    return std::unexpected{store_error{store_error_kind::corrupt, path_ + ": " + std::string{doing} + ": no answer"}};
  return std::string{statement->bytes(0)};
}

std::expected<std::int64_t, store_error> sqlite_connection::query_integer(const std::string& sql,
                                                                          std::string_view doing) {
  auto statement = prepare(sql);
  if (!statement) return std::unexpected{statement.error()};
  auto row = statement->step(doing);
  if (!row) return std::unexpected{row.error()};
  if (!*row)
    return std::unexpected{store_error{store_error_kind::corrupt, path_ + ": " + std::string{doing} + ": no answer"}};
  return statement->integer(0);
}

std::expected<sqlite_statement, store_error> sqlite_connection::prepare(std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  const int code = sqlite3_prepare_v3(database_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
  sqlite_statement statement{raw};
  if (code != SQLITE_OK) return std::unexpected{error_of(database_.get(), path_, "preparing a statement")};
  return statement;
}

bool sqlite_connection::has_moved() const {
  int moved = 0;
  return sqlite3_file_control(database_.get(), "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved != 0;
}

int sqlite_connection::changes() const { return sqlite3_changes(database_.get()); }

bool sqlite_connection::idle() const { return sqlite3_get_autocommit(database_.get()) != 0; }

} // namespace homeostat
