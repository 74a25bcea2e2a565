#pragma once

#include "policies/telemetry/digest.hpp"
#include "runtime/config/config.hpp"
#include "runtime/config/formula.hpp"
#include "runtime/ports/plant.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace homeostat {

/// What a loop optimises, ready to be calculated: the objective and its constraints. One user at a time.
class objective {
public:
  /// @errors  a formula that does not parse; configurations that load_config() returned always compile.
  [[nodiscard]] static std::expected<objective, formula_error> compile(const objective_config& config);

  /// @returns the objective as strategies and guards see it: lower is better, so a maximised formula has its sign
  /// turned.
  /// @errors  as of formula::evaluate.
  [[nodiscard]] std::expected<double, std::string> evaluate(const named_values& metrics);

  /// @returns the smallest margin of all constraints, below 0 when one is violated; nothing without constraints.
  /// @errors  as of formula::evaluate, for any constraint: what cannot be checked does not count as kept.
  [[nodiscard]] std::expected<std::optional<double>, std::string> margin(const named_values& metrics);

  /// @returns the names of all metrics that formula and constraints need, sorted, each once.
  [[nodiscard]] std::vector<std::string> metrics() const;

private:
  objective(formula target, bool maximize) : target_(std::move(target)), maximize_(maximize) {}
  formula target_;
  bool maximize_;
  std::vector<formula> constraints_;
};

/// Translates a constraint as people write it into its margin.
/// @param text  one comparison by <= or >=: "error_rate <= 0.01".
/// @returns the formula of its margin, which is >= 0 while the constraint holds: "(0.01) - (error_rate)".
[[nodiscard]] std::expected<std::string, formula_error> margin_formula(std::string_view text);

/// Sums a reading up for the loop. Metrics named latency_p99_ms, throughput_per_s and error_rate are passed on as
/// measures.
/// @param generation  the configuration in force during the whole reading.  @param sequence  number of the reading.
/// @returns the digest. Of a reading without samples it holds no objective and no measures, since nothing happened.
/// @errors  as of objective::evaluate and margin, and a measure that is not finite.
[[nodiscard]] std::expected<telemetry_digest, std::string> digest_of(const reading& r, objective& o,
                                                                     std::uint64_t generation, std::uint64_t sequence);

} // namespace homeostat
