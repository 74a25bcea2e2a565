#pragma once

#include "runtime/store/store.hpp"

#include <chrono>
#include <filesystem>
#include <memory>

namespace homeostat {

struct sqlite_options {
  /// The database file. Its write-ahead log, its shared memory and its lock file lie beside it under the same name.
  std::filesystem::path path{};
  bool create{true};          ///< make the file when there is none; its folder must exist
  std::uint64_t max_bytes{0}; ///< size that the file may reach before commits fail with `full`; 0: what the disk holds
  std::chrono::milliseconds patience{250}; ///< wait for a foreign tool that holds the database's lock, then `busy`
};

/// Opens the store that one process writes to. It survives kill -9: what was acknowledged is there, the rest is not.
/// @param now  recorded as the creation time of a new store.
/// @errors  locked: another opener has it, named by its process id.  schema: not a store, or of another version.
///          corrupt: not a database, or its audit chain does not end as its head says.  io: the file system refuses.
[[nodiscard]] std::expected<std::unique_ptr<store>, store_error> open_sqlite_store(const sqlite_options& options,
                                                                                   instant now);

/// Opens a store for reading, also while a process writes to it. Takes no lock; commit answers invalid.
/// @errors  as above, but never locked, and never corrupt for the state of the chain: verify reports that.
[[nodiscard]] std::expected<std::unique_ptr<store>, store_error>
open_sqlite_store_read_only(const std::filesystem::path& path,
                            std::chrono::milliseconds patience = std::chrono::milliseconds{250});

} // namespace homeostat
