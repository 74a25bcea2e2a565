#include "runtime/transfer/metrics_export.hpp"

#include "policies/transfer/decide.hpp"

#include <charconv>
#include <cstdio>
#include <string_view>
#include <type_traits>

namespace homeostat {

namespace {

std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) >= 0x20) {
      out += c;
      continue;
    }
    char escaped[8];
    std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(c));
    out += escaped;
  }
  return out + "\"";
}

std::string csv_text(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

/// Shows every field once, by name, so that both formats and the header agree.
template <class visitor> void visit(const std::string& pool, const transfer_metrics& m, visitor v) {
  v("time_us", static_cast<std::int64_t>(m.timestamp.time_since_epoch().count()));
  v("pool", std::string_view(pool));
  v("transfer_id", m.transfer_id);
  v("method", name_of(m.method));
  v("data_size", m.data.data_size);
  v("data_type", name_of(m.data.type));
  v("data_format", name_of(m.data.format));
  v("compressed", m.data.compressed);
  v("latency_us", m.latency_us);
  v("throughput_mbps", m.throughput_mbps());
  v("cpu_time_us", m.cpu_time_us);
  v("memory_used", m.memory_used);
  v("decision_time_us", m.decision_time_us);
  v("predicted_latency_us", m.predicted_latency_us);
  v("prediction_error", m.prediction_error());
  v("explored", m.explored);
  v("failed", m.failed);
  v("generation", m.generation);
  v("reason", m.why.known ? name_of(m.why.reason) : std::string_view());
  v("rule", std::int64_t{m.why.rule});
  v("confidence", m.why.confidence);
  v("expected_grpc_us", m.why.grpc_us);
  v("expected_zero_copy_us", m.why.zero_copy_us);
  v("threshold", m.why.threshold);
  v("pressure", m.why.known ? name_of(m.why.under) : std::string_view());
  v("cpu_load", m.conditions.cpu_load);
  v("memory_pressure", m.conditions.memory_used);
  v("available_memory", m.conditions.available_memory);
  v("in_flight", std::uint64_t{m.conditions.in_flight});
  v("hour", m.conditions.hour);
  v("recent_slowdown", m.conditions.recent_slowdown);
}

template <class number> std::string plain(number value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  return {text, end};
}
std::string plain(bool value) { return value ? "true" : "false"; }

} // namespace

std::string csv_header() {
  std::string line;
  visit({}, {}, [&](const char* name, auto) { line += (line.empty() ? "" : ",") + std::string(name); });
  return line;
}

std::string export_line(const std::string& pool, const transfer_metrics& m, export_format format) {
  std::string line;
  visit(pool, m, [&]<class type>(const char* name, type value) {
    if (!line.empty()) line += ',';
    if (format == export_format::json_lines) line += "\"" + std::string(name) + "\":";
    if constexpr (std::is_same_v<type, std::string_view>)
      line += format == export_format::csv ? csv_text(value) : json_text(value);
    else
      line += plain(value);
  });
  return format == export_format::csv ? line : "{" + line + "}";
}

std::expected<std::uint64_t, store_error> export_samples(metrics_file& file, const std::string& pool, instant from,
                                                         instant to, export_format format, std::ostream& out) {
  std::uint64_t written = 0;
  if (format == export_format::csv) out << csv_header() << '\n';
  const auto read = file.samples(pool, from, to, [&](const transfer_metrics& m) {
    out << export_line(pool, m, format) << '\n';
    written += out ? 1 : 0;
    return static_cast<bool>(out);
  });
  if (!read) return std::unexpected(read.error());
  if (!out.flush()) return std::unexpected(store_error{store_error_kind::io, "the export cannot be written"});
  return written;
}

} // namespace homeostat
