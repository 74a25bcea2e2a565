#pragma once

#include "runtime/transfer/metrics_file.hpp"

#include <cstdint>
#include <ostream>
#include <string>

namespace homeostat {

/// For a post-mortem: what was decided for every transfer, why, and what came of it. `reason` and `pressure` are empty
/// where whoever reported the transfer did not say; `rule` is its place in the policy of that generation, -1 for none.
enum class export_format : std::uint8_t { csv, json_lines };

/// @returns the names of the columns, the same in both formats.
[[nodiscard]] std::string csv_header();
/// @returns one transfer as a line, without its end. Numbers read back exactly; CSV as in RFC 4180.
[[nodiscard]] std::string export_line(const std::string& pool, const transfer_metrics& m, export_format format);

/// Writes the transfers of a pool that ended in [from, to), in order of time, CSV with a header.
/// @returns how many. @errors those of reading; io when the stream fails.
std::expected<std::uint64_t, store_error> export_samples(metrics_file& file, const std::string& pool, instant from,
                                                         instant to, export_format format, std::ostream& out);

} // namespace homeostat
