#pragma once

#include "policies/search/space.hpp"
#include "policies/search/trial.hpp"

#include <expected>
#include <string>
#include <vector>

namespace homeostat {

/// @param path  a file, or "-" for standard input.  @returns its text, or one sentence on why it cannot be read.
[[nodiscard]] std::expected<std::string, std::string> read_text(const std::string& path);
/// @param path  a file, or "-" for standard output. A file is replaced as a whole or not at all.
std::expected<void, std::string> write_text(const std::string& path, const std::string& text);

/// Reads results as JSON: one {"params": {…}, "value": 0.5, "cost": 1} or an array of them, cost optional. Categories
/// by name or index, booleans as true, false, 0 or 1.
/// @returns each result, or what is wrong with that one; or what is wrong with the whole text.
[[nodiscard]] std::expected<std::vector<std::expected<named_result, std::string>>, std::string>
read_results(const std::string& json, const search_space& space);

} // namespace homeostat
