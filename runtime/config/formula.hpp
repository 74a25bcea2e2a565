#pragma once

#include "runtime/ports/plant.hpp"

#include <cstddef>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace homeostat {

/// Why a text is not a formula.
struct formula_error {
  std::string what;                  ///< "unexpected operator '*'"
  std::optional<std::size_t> offset; ///< byte of the formula it was found at, from 0, where one place is to blame
  friend bool operator==(const formula_error&, const formula_error&) = default;
};

/// An arithmetic formula over metric names, by muParser: + - * / ^, comparisons, && ||, `condition ? a : b`, and
/// functions such as min, max, abs, sqrt, ln, log10, exp. Every name that is no function is a metric.
///
/// It answers with a finite number or an error, never with a number that came out of nonsense: an invalid operation, a
/// division by zero or an overflow anywhere inside is an error, even where min, max or a comparison would swallow its
/// outcome. Only the branch that `?:` takes is calculated, so it can guard a division; && and || calculate both sides.
///
/// One user at a time: evaluation writes to the object.
class formula {
public:
  /// @param text  at most 4,000 bytes.
  /// @errors  the first thing that does not parse; assignments and several formulas in one are refused too.
  [[nodiscard]] static std::expected<formula, formula_error> compile(std::string_view text);

  formula(formula&&) noexcept;
  formula& operator=(formula&&) noexcept;
  ~formula();

  /// @returns the value.
  /// @errors  a metric that the formula needs is missing or not finite (it is named), or the calculation is impossible.
  [[nodiscard]] std::expected<double, std::string> evaluate(const named_values& metrics);

  /// @returns the names of the metrics it needs, sorted.
  [[nodiscard]] const std::vector<std::string>& metrics() const;
  [[nodiscard]] const std::string& text() const;

private:
  struct compiled;
  explicit formula(std::unique_ptr<compiled> parts);
  std::unique_ptr<compiled> parts_; ///< stays in place: the parser holds addresses of the variables
};

} // namespace homeostat
