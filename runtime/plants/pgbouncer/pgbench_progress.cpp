#include "runtime/plants/pgbouncer/pgbench_progress.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <string>
#include <system_error>
#include <vector>

namespace homeostat {

namespace {

/// Takes `prefix` and then a number from the front of a line. @returns nothing when they are not there.
std::optional<double> take_number(std::string_view& line, std::string_view prefix) {
  if (!line.starts_with(prefix)) return std::nullopt;
  line.remove_prefix(prefix.size());
  double value = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value);
  if (error != std::errc{} || !std::isfinite(value)) return std::nullopt;
  line.remove_prefix(static_cast<std::size_t>(end - line.data()));
  return value;
}

/// Mean and spread of several intervals as if their transactions had been seen in one.
named_values merge(const std::vector<pgbench_interval>& intervals) {
  double transactions = 0, mean = 0, mean_square = 0;
  for (const auto& i : intervals) {
    transactions += i.throughput_per_s;
    mean += i.throughput_per_s * i.latency_mean_ms;
    mean_square +=
        i.throughput_per_s * (i.latency_stddev_ms * i.latency_stddev_ms + i.latency_mean_ms * i.latency_mean_ms);
  }
  mean /= transactions;
  mean_square /= transactions;
  return {{"client_throughput_per_s", transactions / static_cast<double>(intervals.size())},
          {"client_latency_mean_ms", mean},
          {"client_latency_stddev_ms", std::sqrt(std::max(0.0, mean_square - mean * mean))}};
}

} // namespace

std::optional<pgbench_interval> parse_progress(std::string_view line) {
  if (!take_number(line, "progress: ")) return std::nullopt;
  const auto throughput = take_number(line, " s, ");
  const auto mean = take_number(line, " tps, lat ");
  const auto stddev = take_number(line, " ms stddev ");
  if (!throughput || !mean || !stddev || *throughput <= 0) return std::nullopt;
  return pgbench_interval{*throughput, *mean, *stddev};
}

std::expected<named_values, plant_error> pgbench_progress::read() {
  std::error_code error;
  const std::uint64_t size = std::filesystem::file_size(log_, error);
  if (error) return std::unexpected(plant_error{"pgbench log " + log_.string() + ": " + error.message()});
  if (!offset_) {
    offset_ = size;
    return named_values{};
  }
  if (size < *offset_) offset_ = 0;
  std::ifstream file(log_, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(*offset_));
  std::string text(size - *offset_, '\0');
  if (!file.read(text.data(), static_cast<std::streamsize>(text.size())))
    return std::unexpected(plant_error{"pgbench log " + log_.string() + ": cannot be read from byte " +
                                       std::to_string(*offset_) + " to " + std::to_string(size)});
  std::vector<pgbench_interval> intervals;
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    if (auto interval = parse_progress(std::string_view(text).substr(begin, end - begin)))
      intervals.push_back(*interval);
  }
  *offset_ += begin; // a line still being written waits for the next call
  return intervals.empty() ? named_values{} : merge(intervals);
}

} // namespace homeostat
