#include "policies/closest_name.hpp"

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

namespace homeostat {

namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return result;
}

/// Typing errors between two words: insertions, deletions, replacements, swaps of neighbours (optimal string
/// alignment).
std::size_t typing_errors(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i)
    for (std::size_t j = 1; j <= b.size(); ++j) {
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  return d[a.size()][b.size()];
}

} // namespace

std::optional<std::string_view> closest_name(std::string_view typed, std::span<const std::string_view> names) {
  if (typed.size() > 64) return std::nullopt; // nobody mistypes a name into that; the table below is quadratic
  std::optional<std::string_view> best;
  std::size_t least = std::numeric_limits<std::size_t>::max();
  const std::string folded = lower(typed);
  for (std::string_view name : names) {
    const std::size_t errors = typing_errors(folded, name);
    if (errors < least) least = errors, best = name;
  }
  const std::size_t allowed = typed.size() <= 3 ? 1 : 2;
  if (best && least <= allowed && least < best->size()) return best;
  for (std::string_view name : names)
    if (name.size() >= 3 && folded.size() >= 3 &&
        (folded.find(name) != std::string::npos || name.find(folded) != name.npos))
      return name;
  return std::nullopt;
}

} // namespace homeostat
