#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace homeostat::bench {

/// One line of the result: a measured figure against its baseline of the same run, and whether it keeps its budget.
struct row {
  std::string name;
  double value{0};
  std::string unit;
  double baseline{0}; ///< in the same unit; 0: the budget is absolute
  double ratio{0};    ///< what the budget is about when there is a baseline
  std::string budget; ///< as design §13 words it
  bool ok{false};
};

/// @returns a row whose ratio value/baseline must not exceed `limit`.
[[nodiscard]] row at_most_ratio(std::string name, double value, std::string unit, double baseline, double limit);
/// @returns a row whose ratio value/baseline must reach `limit`.
[[nodiscard]] row at_least_ratio(std::string name, double value, std::string unit, double baseline, double limit);
[[nodiscard]] row at_most(std::string name, double value, std::string unit, double limit);
[[nodiscard]] row at_least(std::string name, double value, std::string unit, double limit);

/// @returns the q-quantile of samples, 0..1; the samples are reordered.
[[nodiscard]] double quantile(std::vector<double>& samples, double q);

// Each measures the rows of one subject.
[[nodiscard]] std::vector<row> hotpath_rows();
[[nodiscard]] std::vector<row> decision_rows();
[[nodiscard]] std::vector<row> search_rows();
[[nodiscard]] std::vector<row> learning_rows();
[[nodiscard]] std::vector<row> store_rows(const std::string& folder);
[[nodiscard]] std::vector<row> actor_rows();
[[nodiscard]] std::vector<row> transfer_rows();

} // namespace homeostat::bench
