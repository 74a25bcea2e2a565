#include "runtime/transfer/metrics_file.hpp"

#include "policies/transfer/decide.hpp"
#include "runtime/store/sqlite_connection.hpp"
#include "runtime/store/store_lock.hpp"

#include <algorithm>
#include <cmath>
#include <exception>
#include <optional>
#include <type_traits>

namespace homeostat {

namespace {

using outcome = std::expected<void, store_error>;

constexpr std::int64_t application_id = 0x484d544d; // "HMTM"
constexpr int piece = 5000;                         ///< rows deleted at once: some milliseconds

constexpr const char* sample_columns =
    "pool, time, transfer_id, method, size, type, format, compressed, cpu_load, memory_pressure, available_memory, "
    "in_flight, hour, recent_slowdown, latency_us, cpu_us, memory_bytes, decision_us, predicted_us, explored, failed, "
    "generation, reason, rule, confidence, grpc_us, zero_copy_us, threshold, pressure";
constexpr int sample_column_count = 29;

/// Version 1.
constexpr const char* schema_sql =
    "CREATE TABLE sample (id INTEGER PRIMARY KEY, pool TEXT NOT NULL, time INTEGER NOT NULL, "
    "transfer_id INTEGER NOT NULL, method INTEGER NOT NULL, size INTEGER NOT NULL, type INTEGER NOT NULL, "
    "format INTEGER NOT NULL, compressed INTEGER NOT NULL, cpu_load REAL NOT NULL, memory_pressure REAL NOT NULL, "
    "available_memory INTEGER NOT NULL, in_flight INTEGER NOT NULL, hour REAL NOT NULL, "
    "recent_slowdown REAL NOT NULL, latency_us REAL NOT NULL, cpu_us REAL NOT NULL, memory_bytes INTEGER NOT NULL, "
    "decision_us REAL NOT NULL, predicted_us REAL NOT NULL, explored INTEGER NOT NULL, failed INTEGER NOT NULL, "
    "generation INTEGER NOT NULL) STRICT;"
    "CREATE INDEX sample_pool ON sample (pool, time);"
    "CREATE TABLE bucket (minute INTEGER NOT NULL, pool TEXT NOT NULL, method INTEGER NOT NULL, "
    "size_class INTEGER NOT NULL, type INTEGER NOT NULL, delivered INTEGER NOT NULL, failed INTEGER NOT NULL, "
    "explored INTEGER NOT NULL, predicted INTEGER NOT NULL, bytes REAL NOT NULL, latency_us REAL NOT NULL, "
    "throughput_mbps REAL NOT NULL, cpu_us REAL NOT NULL, memory_bytes REAL NOT NULL, decision_us REAL NOT NULL, "
    "prediction_error REAL NOT NULL, explored_latency_us REAL NOT NULL, lost_us REAL NOT NULL, cpu_load REAL NOT NULL, "
    "memory_pressure REAL NOT NULL, least_generation INTEGER NOT NULL, last_generation INTEGER NOT NULL, "
    "latency BLOB NOT NULL, PRIMARY KEY (minute, pool, method, size_class, type)) STRICT, WITHOUT ROWID;";

std::string marks(int count) {
  std::string text = "?";
  for (int i = 1; i < count; ++i) text += ", ?";
  return text;
}

/// What leads from each version of the schema to the next, from version 1 on. A new file goes the same way.
constexpr const char* upgrades[] = {
    // 2: why a transfer went the way it did. reason, rule: 0 for not known or none, else one more than the number.
    "ALTER TABLE sample ADD COLUMN reason INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE sample ADD COLUMN rule INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE sample ADD COLUMN confidence REAL NOT NULL DEFAULT 0;"
    "ALTER TABLE sample ADD COLUMN grpc_us REAL NOT NULL DEFAULT 0;"
    "ALTER TABLE sample ADD COLUMN zero_copy_us REAL NOT NULL DEFAULT 0;"
    "ALTER TABLE sample ADD COLUMN threshold INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE sample ADD COLUMN pressure INTEGER NOT NULL DEFAULT 0;"};
constexpr std::int64_t version = 1 + std::size(upgrades);

/// Binds values from the first column on, in order.
class binder {
public:
  explicit binder(sqlite_statement& s) : statement_(s) {}
  binder& operator<<(std::uint64_t value) { return statement_.bind(next_++, value), *this; }
  binder& operator<<(instant t) { return statement_.bind(next_++, std::int64_t{t.time_since_epoch().count()}), *this; }
  binder& operator<<(double value) { return statement_.bind_real(next_++, value), *this; }
  binder& operator<<(const std::string& text) { return statement_.bind_text(next_++, text), *this; }
  template <class enumeration>
    requires std::is_enum_v<enumeration>
  binder& operator<<(enumeration e) {
    return *this << static_cast<std::uint64_t>(e);
  }
  void blob(const std::string& bytes) { statement_.bind_blob(next_++, bytes); }

private:
  sqlite_statement& statement_;
  int next_{1};
};

/// Reads columns in order, and remembers whether all of them made sense.
class column_reader {
public:
  column_reader(const sqlite_statement& s, int first) : statement_(s), next_(first) {}
  column_reader& operator>>(std::uint64_t& value) { return value = statement_.number(next_++), *this; }
  column_reader& operator>>(instant& t) { return t = instant{duration{statement_.integer(next_++)}}, *this; }
  column_reader& operator>>(bool& value) { return value = statement_.integer(next_++) != 0, *this; }
  column_reader& operator>>(double& value) {
    value = statement_.real(next_++);
    sane_ = sane_ && std::isfinite(value) && value >= 0;
    return *this;
  }
  column_reader& operator>>(float& value) {
    double wide = 0;
    *this >> wide;
    return value = static_cast<float>(wide), *this;
  }
  /// @param count  of the enumeration's or number's values.
  template <class type> void limited(type& value, std::uint64_t count) {
    const std::uint64_t n = statement_.number(next_++);
    sane_ = sane_ && n < count;
    value = static_cast<type>(sane_ ? n : 0);
  }
  [[nodiscard]] std::string_view blob() { return statement_.bytes(next_++); }
  [[nodiscard]] bool sane() const { return sane_; }

private:
  const sqlite_statement& statement_;
  int next_;
  bool sane_{true};
};

void bind_sample(sqlite_statement& s, const std::string& pool, const transfer_metrics& m) {
  binder(s) << pool << m.timestamp << m.transfer_id << m.method << m.data.data_size << m.data.type << m.data.format
            << std::uint64_t{m.data.compressed} << m.conditions.cpu_load << m.conditions.memory_used
            << m.conditions.available_memory << std::uint64_t{m.conditions.in_flight} << m.conditions.hour
            << m.conditions.recent_slowdown << m.latency_us << m.cpu_time_us << m.memory_used << m.decision_time_us
            << m.predicted_latency_us << std::uint64_t{m.explored} << std::uint64_t{m.failed} << m.generation
            << (m.why.known ? static_cast<std::uint64_t>(m.why.reason) + 1 : 0)
            << static_cast<std::uint64_t>(std::max(0, m.why.rule + 1)) << static_cast<double>(m.why.confidence)
            << static_cast<double>(m.why.grpc_us) << static_cast<double>(m.why.zero_copy_us) << m.why.threshold
            << m.why.under;
}

std::optional<transfer_metrics> read_sample(const sqlite_statement& row) {
  transfer_metrics m;
  column_reader r(row, 1);
  r >> m.timestamp >> m.transfer_id;
  r.limited(m.method, transfer_method_count);
  r >> m.data.data_size;
  r.limited(m.data.type, data_type_count);
  r.limited(m.data.format, data_format_count);
  r >> m.data.compressed >> m.conditions.cpu_load >> m.conditions.memory_used >> m.conditions.available_memory;
  r.limited(m.conditions.in_flight, std::uint64_t{1} << 32U);
  r >> m.conditions.hour >> m.conditions.recent_slowdown >> m.latency_us >> m.cpu_time_us >> m.memory_used >>
      m.decision_time_us >> m.predicted_latency_us >> m.explored >> m.failed >> m.generation;
  std::uint64_t reason = 0, rule = 0;
  r.limited(reason, decision_reason_count + 1);
  r.limited(rule, max_transfer_rules + 1);
  m.why.known = reason > 0;
  if (m.why.known) m.why.reason = static_cast<decision_reason>(reason - 1);
  m.why.rule = static_cast<std::int8_t>(static_cast<int>(rule) - 1);
  r >> m.why.confidence >> m.why.grpc_us >> m.why.zero_copy_us >> m.why.threshold;
  r.limited(m.why.under, pressure_count);
  return r.sane() ? std::optional(m) : std::nullopt;
}

void bind_bucket(sqlite_statement& s, const std::string& pool, const metrics_store::bucket_id& id,
                 const metrics_bucket& b, const std::string& sketch) {
  binder to(s);
  to << id.first << pool << id.second.method << std::uint64_t{id.second.size} << id.second.type << b.delivered
     << b.failed << b.explored << b.predicted << b.bytes << b.latency_us << b.throughput_mbps << b.cpu_us
     << b.memory_bytes << b.decision_us << b.prediction_error << b.explored_latency_us << b.lost_us << b.cpu_load
     << b.memory_pressure << b.least_generation << b.last_generation;
  to.blob(sketch);
}

std::optional<std::pair<metrics_store::bucket_id, metrics_bucket>> read_bucket(const sqlite_statement& row) {
  metrics_store::bucket_id id;
  metrics_bucket b;
  column_reader r(row, 0);
  r >> id.first;
  r.limited(id.second.method, transfer_method_count);
  r.limited(id.second.size, size_class_count);
  r.limited(id.second.type, data_type_count);
  r >> b.delivered >> b.failed >> b.explored >> b.predicted >> b.bytes >> b.latency_us >> b.throughput_mbps >>
      b.cpu_us >> b.memory_bytes >> b.decision_us >> b.prediction_error >> b.explored_latency_us >> b.lost_us >>
      b.cpu_load >> b.memory_pressure >> b.least_generation >> b.last_generation;
  auto sketch = quantile_sketch::unpack(r.blob());
  if (!r.sane() || !sketch || sketch->count() != b.delivered) return std::nullopt;
  b.latency = std::move(*sketch);
  return std::pair(id, std::move(b));
}

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
    if (fresh) steps += std::string(schema_sql) + "PRAGMA application_id = " + std::to_string(application_id) + ";";
    for (std::size_t i = fresh ? 0 : static_cast<std::size_t>(*is_version - 1); i < std::size(upgrades); ++i)
      steps += upgrades[i];
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
    auto buckets = impl_->db.prepare(
        "SELECT minute, method, size_class, type, delivered, failed, explored, predicted, bytes, latency_us, "
        "throughput_mbps, cpu_us, memory_bytes, decision_us, prediction_error, explored_latency_us, lost_us, cpu_load, "
        "memory_pressure, least_generation, last_generation, latency FROM bucket WHERE minute >= ?1 AND pool = ?2 "
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
