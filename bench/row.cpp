#include "bench/row.hpp"

#include "policies/number_text.hpp"

#include <algorithm>

namespace homeostat::bench {

namespace {

row make(std::string name, double value, std::string unit, double baseline, std::string budget, bool ok) {
  return {.name = std::move(name),
          .value = value,
          .unit = std::move(unit),
          .baseline = baseline,
          .ratio = baseline != 0 ? value / baseline : 0,
          .budget = std::move(budget),
          .ok = ok};
}

} // namespace

row at_most_ratio(std::string name, double value, std::string unit, double baseline, double limit) {
  return make(std::move(name), value, std::move(unit), baseline, "ratio <= " + number_text(limit),
              value <= limit * baseline);
}

row at_least_ratio(std::string name, double value, std::string unit, double baseline, double limit) {
  return make(std::move(name), value, std::move(unit), baseline, "ratio >= " + number_text(limit),
              value >= limit * baseline);
}

row at_most(std::string name, double value, std::string unit, double limit) {
  std::string budget = "<= " + number_text(limit) + " " + unit;
  return make(std::move(name), value, std::move(unit), 0, std::move(budget), value <= limit);
}

row at_least(std::string name, double value, std::string unit, double limit) {
  std::string budget = ">= " + number_text(limit) + " " + unit;
  return make(std::move(name), value, std::move(unit), 0, std::move(budget), value >= limit);
}

double quantile(std::vector<double>& samples, double q) {
  if (samples.empty()) return 0;
  const auto at = samples.begin() + static_cast<std::ptrdiff_t>(q * static_cast<double>(samples.size() - 1));
  std::ranges::nth_element(samples, at);
  return *at;
}

} // namespace homeostat::bench
