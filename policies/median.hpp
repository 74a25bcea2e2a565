#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace homeostat {

/// @returns the middle value, of an even count the upper one of the two: always one of the values.
/// @param values  at least one; their order is changed.
[[nodiscard]] inline double upper_median_in(std::span<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

/// @returns the middle value, of an even count the mean of the two.
/// @param values  at least one; their order is changed.
[[nodiscard]] inline double median_in(std::span<double> values) {
  const double upper = upper_median_in(values);
  if (values.size() % 2 == 1) return upper;
  return (upper + *std::max_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2))) /
         2;
}

/// The same of values that keep their order.
[[nodiscard]] inline double upper_median(std::vector<double> values) { return upper_median_in(values); }
[[nodiscard]] inline double median(std::vector<double> values) { return median_in(values); }

} // namespace homeostat
