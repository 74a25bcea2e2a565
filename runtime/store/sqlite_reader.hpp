#pragma once

#include "runtime/store/sqlite_schema.hpp"

namespace homeostat {

/// The reading connection of a store: it sees what is committed and never waits for the disk sync of a commit.
/// Used by one thread at a time.
class sqlite_reader {
public:
  /// @param db  with its schema checked.
  [[nodiscard]] static std::expected<std::unique_ptr<sqlite_reader>, store_error> start(sqlite_connection db);

  // See the members of store with these names.
  std::expected<std::optional<std::string>, store_error> load_state(std::string_view key);
  std::expected<std::vector<std::string>, store_error> list_state(std::string_view prefix, std::string_view after,
                                                                  std::size_t limit);
  std::expected<std::vector<stored_record>, store_error> tail(std::size_t count, std::optional<std::string_view> loop,
                                                              std::optional<std::uint64_t> before);
  std::expected<std::vector<stored_record>, store_error> range(std::uint64_t from, std::size_t limit,
                                                               std::optional<std::string_view> loop);
  std::expected<chain_head, store_error> head();
  std::expected<std::optional<stored_revision>, store_error> find_revision(std::string_view loop,
                                                                           const revision_key& key);
  std::expected<std::vector<stored_revision>, store_error> list_revisions(std::string_view loop, std::uint64_t from,
                                                                          std::size_t limit);

private:
  using outcome = std::expected<void, store_error>;

  /// Records collected so far, and when to stop.
  struct collection {
    std::vector<stored_record> records;
    std::size_t limit;
    std::size_t bytes{0};
    [[nodiscard]] bool done() const { return records.size() >= limit || bytes >= max_read_bytes; }
  };

  explicit sqlite_reader(sqlite_connection db) : db_{std::move(db)} {}
  outcome prepare_statements();
  outcome check_limit(std::size_t limit) const;
  outcome collect(sqlite_statement& rows, collection& into);
  outcome collect_loop(sqlite_statement& blocks, sqlite_statement& rows, std::string_view loop, std::uint64_t from,
                       std::uint64_t to, collection& into);
  std::expected<stored_revision, store_error> read_revision(const sqlite_statement& row) const;

  sqlite_connection db_;
  sqlite_statement load_state_, list_state_;
  sqlite_statement tail_, range_, blocks_down_, blocks_up_, loop_down_, loop_up_;
  sqlite_statement revision_latest_, revision_tested_, revision_number_, revision_name_, revision_list_;
};

} // namespace homeostat
