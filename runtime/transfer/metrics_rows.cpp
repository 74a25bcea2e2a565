#include "runtime/transfer/metrics_rows.hpp"

#include "policies/transfer/decide.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>

namespace homeostat {

const char* const metrics_schema_sql =
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

const std::array<const char*, 1> metrics_upgrades_sql{
    // 2: why a transfer went the way it did. reason, rule: 0 for not known or none, else one more than the number.
    "ALTER TABLE sample ADD COLUMN reason INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE sample ADD COLUMN rule INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE sample ADD COLUMN confidence REAL NOT NULL DEFAULT 0;"
    "ALTER TABLE sample ADD COLUMN grpc_us REAL NOT NULL DEFAULT 0;"
    "ALTER TABLE sample ADD COLUMN zero_copy_us REAL NOT NULL DEFAULT 0;"
    "ALTER TABLE sample ADD COLUMN threshold INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE sample ADD COLUMN pressure INTEGER NOT NULL DEFAULT 0;"};

namespace {

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

} // namespace

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

} // namespace homeostat
