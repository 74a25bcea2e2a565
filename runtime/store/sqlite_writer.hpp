#pragma once

#include "runtime/store/sqlite_schema.hpp"

namespace homeostat {

/// The one writing connection of a store: appends to the chain and writes state and revisions, a group per transaction.
/// Used by one thread at a time.
class sqlite_writer {
public:
  /// @param db  read-write, with its schema checked.  @param max_bytes  size the database file may reach; 0: the disk.
  /// @errors  corrupt when the records do not end where the head says: appending would bury the evidence.
  [[nodiscard]] static std::expected<std::unique_ptr<sqlite_writer>, store_error> start(sqlite_connection db,
                                                                                        std::uint64_t max_bytes);

  /// See store::commit. A failed commit leaves the writer ready for the next one.
  std::expected<std::uint64_t, store_error> commit(const batch_source& next);

private:
  using outcome = std::expected<void, store_error>;

  static constexpr std::size_t rows_per_insert = 16; ///< one statement for many rows saves a third of the time per row
  static constexpr int row_columns = 8;

  struct pending_row {
    const audit_entry* entry{nullptr};
    std::uint64_t sequence{0};
    chain_hash previous_hash{};
    chain_hash hash{};
  };

  explicit sqlite_writer(sqlite_connection db) : db_{std::move(db)} {}
  outcome configure(std::uint64_t max_bytes);
  outcome prepare_statements();
  outcome check_end();

  outcome begin();
  outcome write(std::span<const store_batch> batches);
  outcome finish();
  outcome append(const audit_entry& entry);
  outcome list_in_block(const audit_entry& entry, std::uint64_t sequence);
  outcome flush_rows();
  outcome write_state(const state_entry& entry);
  outcome insert_revision(const stored_revision& revision);
  outcome mark_revision(const revision_mark& mark);
  outcome move_head();
  void forget_unwritten();

  sqlite_connection db_;
  sqlite_statement begin_, commit_, rollback_;
  sqlite_statement insert_one_, insert_many_, insert_block_, move_head_;
  sqlite_statement put_state_, drop_state_;
  sqlite_statement insert_revision_, take_name_, mark_;

  chain_hasher hasher_;
  std::uint64_t sequence_{0}; ///< head as committed
  chain_hash hash_{};
  std::uint64_t next_sequence_{0}; ///< head as it will be when the open transaction commits
  chain_hash next_hash_{};
  std::array<pending_row, rows_per_insert> pending_;
  std::size_t pending_count_{0};
  std::uint64_t block_{0}; ///< block whose loops are in listed_
  string_set listed_;      ///< loops with an entry in that block, so that most records need none
};

} // namespace homeostat
