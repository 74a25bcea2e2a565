#pragma once

#include "runtime/store/store.hpp"

#include <chrono>
#include <filesystem>
#include <memory>

struct sqlite3;
struct sqlite3_stmt;

namespace homeostat {

/// One prepared statement. Bound bytes are not copied: they must outlive the step.
class sqlite_statement {
public:
  sqlite_statement() = default;

  void bind(int index, std::int64_t value);
  void bind(int index, std::uint64_t value); ///< stored as the signed number with the same bits
  void bind_text(int index, std::string_view text);
  void bind_blob(int index, std::string_view bytes);
  void bind_blob(int index, std::span<const std::byte> bytes);
  void bind_real(int index, double value); ///< finite; NaN would be stored as NULL
  void bind_null(int index);

  /// @param doing  what the statement is for, for the error text, as in "reading the head".
  /// @returns whether there is a row.
  std::expected<bool, store_error> step(std::string_view doing);

  /// Steps a statement that yields no rows, and makes it ready for the next use, also after a failure.
  std::expected<void, store_error> run(std::string_view doing);

  /// Ends the use of the rows; without it the statement would hold its read transaction open.
  void reset();

  enum class type { integer, real, text, blob, other };
  [[nodiscard]] type column_type(int column) const;
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] std::uint64_t number(int column) const; ///< the inverse of bind(index, uint64)
  [[nodiscard]] double real(int column) const;
  [[nodiscard]] std::string_view bytes(int column) const; ///< of a text or blob; valid until the next step or reset

private:
  friend class sqlite_connection;
  struct finalize {
    void operator()(sqlite3_stmt* p) const;
  };
  explicit sqlite_statement(sqlite3_stmt* p) : statement_{p} {}
  std::unique_ptr<sqlite3_stmt, finalize> statement_;
};

/// Resets a statement at the end of a scope.
class row_scope {
public:
  explicit row_scope(sqlite_statement& statement) : statement_{statement} {}
  row_scope(const row_scope&) = delete;
  row_scope& operator=(const row_scope&) = delete;
  ~row_scope() { statement_.reset(); }

private:
  sqlite_statement& statement_;
};

/// Makes an empty database file for us and our group, and syncs its folder. (SQLite would make it readable for
/// everybody, and would not sync the folder.)
[[nodiscard]] std::expected<void, store_error> make_database_file(const std::filesystem::path& path);

/// One connection, used by one thread at a time. Errors are mapped to store_error here and nowhere else.
class sqlite_connection {
public:
  enum class mode { read_write, read_only };

  /// Opens a database file that exists, and hardens the connection: no triggers, no views, no untrusted schema.
  /// @param patience  how long a statement waits for another connection's lock.
  [[nodiscard]] static std::expected<sqlite_connection, store_error> open(const std::string& path, mode access,
                                                                          std::chrono::milliseconds patience);

  /// Runs statements that yield no rows of interest.
  std::expected<void, store_error> execute(const std::string& sql, std::string_view doing);

  /// @returns the first column of the first row; an error when there is none.
  std::expected<std::int64_t, store_error> query_integer(const std::string& sql, std::string_view doing);
  std::expected<std::string, store_error> query_text(const std::string& sql, std::string_view doing);

  [[nodiscard]] std::expected<sqlite_statement, store_error> prepare(std::string_view sql);

  /// @returns whether the file behind this connection is no longer the one at its path.
  [[nodiscard]] bool has_moved() const;

  /// @returns the rows that the last INSERT, UPDATE or DELETE changed.
  [[nodiscard]] int changes() const;

  /// @returns whether no transaction is open.
  [[nodiscard]] bool idle() const;

  [[nodiscard]] const std::string& path() const { return path_; }

private:
  struct close {
    void operator()(sqlite3* p) const;
  };
  std::string path_;
  std::unique_ptr<sqlite3, close> database_;
};

} // namespace homeostat
