#include "runtime/transfer/metrics_file.hpp"

#include "runtime/store/sqlite_connection.hpp"
#include "runtime/store/store_lock.hpp"
#include "runtime/transfer/metrics_rows.hpp"

#include <algorithm>
#include <exception>
#include <optional>
#include <type_traits>

namespace homeostat {

namespace {

using outcome = std::expected<void, store_error>;

constexpr std::int64_t application_id = 0x484d544d; // "HMTM"
constexpr int piece = 5000;                         ///< rows deleted at once: some milliseconds

std::string marks(int count) {
  std::string text = "?";
  for (int i = 1; i < count; ++i) text += ", ?";
  return text;
}

constexpr std::int64_t version = 1 + static_cast<std::int64_t>(metrics_upgrades_sql.size());

} // namespace

struct metrics_file::impl {
  metrics_file_options options;
  store_lock lock;
  sqlite_connection db;
  bool replaced{false};
  sqlite_statement begin{}, commit{}, rollback{}, insert_sample{}, put_bucket{}, drop_old{}, drop_many{},
      drop_buckets{};

  std::unexpected<store_error> fail(store_error_kind kind, const std::string& what) const {
    return std::unexpected{store_error{kind, db.path() + ": " + what}};
  }

  /// Turns what the allocator or a callback throws into an error.
  template <class function> std::invoke_result_t<function> guarded(const char* doing, function f) noexcept {
    try {
      return f();
    } catch (const std::exception& e) { return fail(store_error_kind::io, std::string(doing) + ": " + e.what()); }
  }

  outcome prepare_schema() {
    const auto application = db.query_integer("PRAGMA application_id", "opening");
    if (!application) return std::unexpected{application.error()};
    const auto is_version = db.query_integer("PRAGMA user_version", "opening");
    if (!is_version) return std::unexpected{is_version.error()};
    const auto count = db.query_integer("SELECT count(*) FROM sqlite_schema", "opening");
    if (!count) return std::unexpected{count.error()};
    const bool fresh = *application == 0 && *count == 0;
    if (!fresh && *application != application_id)
      return fail(store_error_kind::schema, "a SQLite database, but not a file of transfer metrics");
    if (!fresh && (*is_version < 1 || *is_version > version))
      return fail(store_error_kind::schema,
                  "schema version " + std::to_string(*is_version) + ", expected 1 to " + std::to_string(version));
    if (*is_version == version) return {};
    std::string steps = "BEGIN IMMEDIATE;";
    if (fresh)
      steps += std::string(metrics_schema_sql) + "PRAGMA application_id = " + std::to_string(application_id) + ";";
    for (std::size_t i = fresh ? 0 : static_cast<std::size_t>(*is_version - 1); i < metrics_upgrades_sql.size(); ++i)
      steps += metrics_upgrades_sql[i];
    auto made = db.execute(steps + "PRAGMA user_version = " + std::to_string(version) + ";COMMIT;",
                           fresh ? "creating the metrics file" : "bringing the metrics file up to date");
    if (!made && !db.idle()) (void)db.execute("ROLLBACK", "preparing the metrics file");
    return made;
  }

  outcome configure() {
    const auto mode = db.query_text("PRAGMA journal_mode = WAL", "switching to a write-ahead log");
    if (!mode) return std::unexpected{mode.error()};
    if (*mode != "wal") return fail(store_error_kind::io, "the file system allows no write-ahead log");
    if (auto ok = db.execute("PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = 67108864; "
                             "PRAGMA cache_size = -4096",
                             "configuring");
        !ok)
      return ok;
    if (options.max_bytes == 0) return {};
    const auto page = db.query_integer("PRAGMA page_size", "configuring");
    if (!page) return std::unexpected{page.error()};
    const auto pages = std::max<std::uint64_t>(1, options.max_bytes / static_cast<std::uint64_t>(*page));
    return db.execute("PRAGMA max_page_count = " + std::to_string(pages), "limiting the size");
  }

  outcome prepare_statements() {
    const std::string piece_text = std::to_string(piece);
    const std::pair<sqlite_statement*, std::string> wanted[] = {
        {&begin, "BEGIN IMMEDIATE"},
        {&commit, "COMMIT"},
        {&rollback, "ROLLBACK"},
        {&insert_sample,
         std::string("INSERT INTO sample (") + sample_columns + ") VALUES (" + marks(sample_column_count) + ")"},
        {&put_bucket, "INSERT OR REPLACE INTO bucket VALUES (" + marks(23) + ")"},
        // Numbers follow the time but for samples that came late; those go a little later too.
        {&drop_old,
         "DELETE FROM sample WHERE id IN (SELECT id FROM sample ORDER BY id LIMIT " + piece_text + ") AND time < ?"},
        {&drop_many,
         "DELETE FROM sample WHERE id IN (SELECT id FROM sample WHERE id <= (SELECT max(id) FROM sample) - ? "
         "ORDER BY id LIMIT " +
             piece_text + ")"},
        {&drop_buckets, "DELETE FROM bucket WHERE minute IN (SELECT DISTINCT minute FROM bucket WHERE minute < ? "
                        "ORDER BY minute LIMIT 60)"}};
    for (const auto& [statement, sql] : wanted) {
      auto prepared = db.prepare(sql);
      if (!prepared) return std::unexpected{prepared.error()};
      *statement = std::move(*prepared);
    }
    return {};
  }

  /// Runs what writes inside one transaction.
  template <class function> outcome in_transaction(function f) {
    // Writes to a file that was deleted succeed and are lost.
    if (db.has_moved()) return fail(store_error_kind::io, "the file was moved, replaced or deleted while in use");
    outcome done = begin.run("beginning a write");
    if (done) done = f();
    if (done) done = commit.run("committing metrics");
    if (!done && !db.idle()) (void)rollback.run("rolling back");
    return done;
  }

  outcome write(std::span<const metrics_batch> batches) {
    for (const metrics_batch& batch : batches) {
      for (const transfer_metrics& m : batch.samples) {
        bind_sample(insert_sample, batch.pool, m);
        if (auto ok = insert_sample.run("writing a sample"); !ok) return ok;
      }
      for (const auto& [id, bucket] : batch.buckets) {
        const std::string sketch = bucket.latency.pack();
        bind_bucket(put_bucket, batch.pool, id, bucket, sketch);
        if (auto ok = put_bucket.run("writing a bucket"); !ok) return ok;
      }
    }
    return {};
  }
};

namespace {

/// Moves a damaged file and what belongs to it out of the way.
outcome set_aside(const std::filesystem::path& path) {
  std::error_code error;
  for (const char* part : {"", "-wal", "-shm"}) {
    const std::string from = path.string() + part;
    if (!std::filesystem::exists(from, error)) continue;
    std::filesystem::rename(from, path.string() + ".damaged" + part, error);
    if (error)
      return std::unexpected{store_error{store_error_kind::io, from + ": cannot set it aside: " + error.message()}};
  }
  return {};
}

std::expected<sqlite_connection, store_error> open_or_make(const metrics_file_options& options) {
  std::error_code error;
  if (!std::filesystem::exists(options.path, error))
    if (auto made = make_database_file(options.path); !made) return std::unexpected{made.error()};
  auto db = sqlite_connection::open(options.path.string(), sqlite_connection::mode::read_write, options.patience);
  if (!db) return db;
  // A week of metrics is read in a second; damage found now is not met in the middle of the night.
  const auto sound = db->query_text("PRAGMA quick_check(1)", "checking");
  if (!sound) return std::unexpected{sound.error()};
  if (*sound != "ok")
    return std::unexpected{store_error{store_error_kind::corrupt, options.path.string() + ": " + *sound}};
  return db;
}

} // namespace

metrics_file::metrics_file(std::unique_ptr<impl> parts) : impl_(std::move(parts)) {}
metrics_file::~metrics_file() = default;
bool metrics_file::replaced_damaged() const { return impl_->replaced; }

std::expected<std::unique_ptr<metrics_file>, store_error> metrics_file::open(const metrics_file_options& given) {
  try {
    metrics_file_options options = given;
    options.path = std::filesystem::absolute(options.path);
    auto lock = store_lock::acquire(options.path);
    if (!lock) return std::unexpected{lock.error()};
    auto db = open_or_make(options);
    bool replaced = false;
    if (!db && db.error().kind == store_error_kind::corrupt && options.replace_damaged) {
      if (auto moved = set_aside(options.path); !moved) return std::unexpected{moved.error()};
      db = open_or_make(options);
      replaced = true;
    }
    if (!db) return std::unexpected{db.error()};
    auto parts = std::make_unique<impl>(options, std::move(*lock), std::move(*db), replaced);
    for (const auto step : {&impl::configure, &impl::prepare_schema, &impl::prepare_statements})
      if (auto ok = ((*parts).*step)(); !ok) return std::unexpected{ok.error()};
    return std::unique_ptr<metrics_file>(new metrics_file(std::move(parts)));
  } catch (const std::exception& e) {
    return std::unexpected{store_error{store_error_kind::io, given.path.string() + ": opening: " + e.what()}};
  }
}

std::expected<void, store_error> metrics_file::write(std::span<const metrics_batch> batches) noexcept {
  return impl_->guarded("writing", [&] { return impl_->in_transaction([&] { return impl_->write(batches); }); });
}

std::expected<std::uint64_t, store_error> metrics_file::expire(instant now) noexcept {
  return impl_->guarded("expiring", [&]() -> std::expected<std::uint64_t, store_error> {
    const std::int64_t oldest = (now - impl_->options.retention).time_since_epoch().count();
    std::uint64_t deleted = 0;
    const auto done = impl_->in_transaction([&]() -> outcome {
      const std::pair<sqlite_statement*, std::int64_t> steps[] = {
          {&impl_->drop_old, oldest},
          {&impl_->drop_many, static_cast<std::int64_t>(impl_->options.max_samples)},
          {&impl_->drop_buckets, oldest}};
      for (const auto& [statement, limit] : steps) {
        statement->bind(1, limit);
        if (auto ok = statement->run("deleting what is old"); !ok) return ok;
        deleted += static_cast<std::uint64_t>(impl_->db.changes());
      }
      return {};
    });
    if (!done) return std::unexpected{done.error()};
    return deleted;
  });
}

std::expected<metrics_loaded, store_error> metrics_file::load(const std::string& pool, metrics_store& into,
                                                              instant now) noexcept {
  return impl_->guarded("loading", [&]() -> std::expected<metrics_loaded, store_error> {
    metrics_loaded found;
    auto buckets = impl_->db.prepare(std::string("SELECT ") + bucket_columns +
                                     " FROM bucket WHERE minute >= ?1 AND pool = ?2 "
                                     "ORDER BY minute");
    if (!buckets) return std::unexpected{buckets.error()};
    buckets->bind(1, std::int64_t{(now - into.limits().retention).time_since_epoch().count()});
    buckets->bind_text(2, pool);
    for (;;) {
      const auto row = buckets->step("loading buckets");
      if (!row) return std::unexpected{row.error()};
      if (!*row) break;
      auto bucket = read_bucket(*buckets);
      ++(bucket ? found.buckets : found.unreadable);
      if (bucket) into.restore(bucket->first, std::move(bucket->second));
    }
    auto newest = impl_->db.prepare(std::string("SELECT ") + sample_columns +
                                    " FROM sample WHERE pool = ?1 ORDER BY time DESC LIMIT ?2");
    if (!newest) return std::unexpected{newest.error()};
    newest->bind_text(1, pool);
    newest->bind(2, static_cast<std::int64_t>(into.limits().raw_samples));
    std::vector<transfer_metrics> samples;
    for (;;) {
      const auto row = newest->step("loading samples");
      if (!row) return std::unexpected{row.error()};
      if (!*row) break;
      const auto sample = read_sample(*newest);
      ++(sample ? found.samples : found.unreadable);
      if (sample) samples.push_back(*sample);
    }
    for (auto m = samples.rbegin(); m != samples.rend(); ++m) into.restore(*m);
    return found;
  });
}

std::expected<std::vector<std::string>, store_error> metrics_file::pools() noexcept {
  return impl_->guarded("listing pools", [&]() -> std::expected<std::vector<std::string>, store_error> {
    auto rows = impl_->db.prepare("SELECT DISTINCT pool FROM bucket ORDER BY pool COLLATE BINARY");
    if (!rows) return std::unexpected{rows.error()};
    std::vector<std::string> found;
    for (;;) {
      const auto row = rows->step("listing pools");
      if (!row) return std::unexpected{row.error()};
      if (!*row) return found;
      found.emplace_back(rows->bytes(0));
    }
  });
}

std::expected<void, store_error>
metrics_file::samples(const std::string& pool, instant from, instant to,
                      const std::function<bool(const transfer_metrics&)>& show) noexcept {
  return impl_->guarded("reading samples", [&]() -> outcome {
    auto rows = impl_->db.prepare(std::string("SELECT ") + sample_columns +
                                  " FROM sample WHERE pool = ?1 AND time >= ?2 AND time < ?3 ORDER BY time");
    if (!rows) return std::unexpected{rows.error()};
    rows->bind_text(1, pool);
    rows->bind(2, std::int64_t{from.time_since_epoch().count()});
    rows->bind(3, std::int64_t{to.time_since_epoch().count()});
    for (;;) {
      const auto row = rows->step("reading samples");
      if (!row) return std::unexpected{row.error()};
      if (!*row) return {};
      if (const auto sample = read_sample(*rows); sample && !show(*sample)) return {};
    }
  });
}

metrics_batch take_batch(metrics_store& from, std::string pool, std::vector<transfer_metrics> samples, instant now) {
  metrics_batch batch{.pool = std::move(pool), .now = now, .samples = std::move(samples), .buckets = {}};
  for (const auto& id : from.take_changed())
    if (const metrics_bucket* bucket = from.find(id); bucket != nullptr) batch.buckets.emplace_back(id, *bucket);
  return batch;
}

} // namespace homeostat
