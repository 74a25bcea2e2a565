#pragma once

#include "policies/transfer/metrics_store.hpp"
#include "runtime/store/store.hpp"

#include <chrono>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace homeostat {

struct metrics_file_options {
  /// The database file; its write-ahead log, shared memory and lock file lie beside it. Not the audit's file: metrics
  /// may be thrown away, an audit may not.
  std::filesystem::path path{};
  std::uint64_t max_bytes{0};           ///< size the file may reach before writes fail with `full`; 0: the disk
  std::uint64_t max_samples{2'000'000}; ///< single transfers kept, of all pools, >= 1; buckets are kept by time only
  duration retention{168h};
  std::chrono::milliseconds patience{250}; ///< wait for a foreign tool that holds the database's lock
  bool replace_damaged{false}; ///< a file that is corrupt is renamed to NAME.damaged, and a new one is begun
};

/// What one pool has to write. Buckets are written whole and replace what is there, so that writing twice does no harm.
struct metrics_batch {
  std::string pool;
  instant now{};
  std::vector<transfer_metrics> samples;
  std::vector<std::pair<metrics_store::bucket_id, metrics_bucket>> buckets;
};

/// @returns a batch of these samples and of all buckets changed since the last one.
[[nodiscard]] metrics_batch take_batch(metrics_store& from, std::string pool, std::vector<transfer_metrics> samples,
                                       instant now);

/// What loading a pool found.
struct metrics_loaded {
  std::uint64_t buckets{0};
  std::uint64_t samples{0};
  std::uint64_t unreadable{0}; ///< rows that hold no bucket or sample; skipped
};

/// The durable copy of the metrics of all pools, in SQLite: tables `sample` (one row per transfer) and `bucket` (one
/// per minute and series, with the packed sketch), to be read with any SQLite tool.
///
/// One transaction per write, with a write-ahead log. What was written survives kill -9; a loss of power may take the
/// last seconds, but never leaves half a write (synchronous = NORMAL: metrics are not worth a sync each). Nothing here
/// throws; every failure is an error value that the caller counts, while decisions go on. One thread at a time.
class metrics_file {
public:
  /// A file of an earlier version is brought up to date.
  /// @errors  locked: another opener has it.  schema: not a metrics file, or of a later version.  corrupt: damaged, and
  /// not to be replaced.  io, full: the file system refuses.
  [[nodiscard]] static std::expected<std::unique_ptr<metrics_file>, store_error>
  open(const metrics_file_options& options);
  ~metrics_file();
  metrics_file(const metrics_file&) = delete;
  metrics_file& operator=(const metrics_file&) = delete;

  /// Writes all batches in one transaction, or nothing.
  std::expected<void, store_error> write(std::span<const metrics_batch> batches) noexcept;
  /// Deletes what is past the retention or above the number kept, in pieces that do not hold writers up.
  /// @returns rows deleted; call again while it is not 0.
  std::expected<std::uint64_t, store_error> expire(instant now) noexcept;
  /// Fills a pool's memory at start.
  std::expected<metrics_loaded, store_error> load(const std::string& pool, metrics_store& into, instant now) noexcept;
  /// @returns the pools that have buckets, sorted.
  std::expected<std::vector<std::string>, store_error> pools() noexcept;
  /// Shows the single transfers of a pool in [from, to) in order of time. Ends early when `show` answers false.
  std::expected<void, store_error> samples(const std::string& pool, instant from, instant to,
                                           const std::function<bool(const transfer_metrics&)>& show) noexcept;

  /// @returns whether a damaged file was set aside when this one was opened.
  [[nodiscard]] bool replaced_damaged() const;

private:
  struct impl;
  explicit metrics_file(std::unique_ptr<impl> parts);
  std::unique_ptr<impl> impl_;
};

} // namespace homeostat
