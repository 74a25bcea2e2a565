#include "runtime/config/objective.hpp"

#include "policies/number_text.hpp"

#include <algorithm>
#include <cmath>
#include <set>

namespace homeostat {

std::expected<objective, formula_error> objective::compile(const objective_config& config) {
  auto target = formula::compile(config.formula);
  if (!target) return std::unexpected(std::move(target.error()));
  objective o(std::move(*target), config.maximize);
  for (const constraint_config& c : config.constraints) {
    auto constraint = formula::compile(c.formula);
    if (!constraint) return std::unexpected(std::move(constraint.error()));
    o.constraints_.push_back(std::move(*constraint));
  }
  return o;
}

std::expected<double, std::string> objective::evaluate(const named_values& metrics) {
  auto result = target_.evaluate(metrics);
  if (result && maximize_) *result = -*result;
  return result;
}

std::expected<std::optional<double>, std::string> objective::margin(const named_values& metrics) {
  std::optional<double> smallest;
  for (formula& constraint : constraints_) {
    const auto margin = constraint.evaluate(metrics);
    if (!margin) return std::unexpected(margin.error());
    smallest = std::min(smallest.value_or(*margin), *margin);
  }
  return smallest;
}

std::vector<std::string> objective::metrics() const {
  std::set<std::string> names(target_.metrics().begin(), target_.metrics().end());
  for (const formula& constraint : constraints_) names.insert(constraint.metrics().begin(), constraint.metrics().end());
  return {names.begin(), names.end()};
}

std::expected<std::string, formula_error> margin_formula(std::string_view text) {
  int depth = 0;
  std::optional<std::size_t> comparison;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '(') ++depth;
    if (text[i] == ')') --depth;
    if (depth != 0 || (text[i] != '<' && text[i] != '>')) continue;
    if (i + 1 >= text.size() || text[i + 1] != '=')
      return std::unexpected(formula_error{std::string("'") + text[i] + "' has no margin, only <= and >= have", i});
    if (comparison) return std::unexpected(formula_error{"it compares twice", i});
    comparison = i;
  }
  if (!comparison) return std::unexpected(formula_error{"it does not compare by <= or >=", {}});
  const std::string left(text.substr(0, *comparison));
  const std::string right(text.substr(*comparison + 2));
  // Each side has to stand on its own, so that complaints are about what was written and not about the difference.
  for (const auto& [side, offset] : {std::pair(left, std::size_t{0}), std::pair(right, *comparison + 2)})
    if (auto compiled = formula::compile(side); !compiled) {
      formula_error error = std::move(compiled.error());
      error.offset = offset + error.offset.value_or(0);
      return std::unexpected(std::move(error));
    }
  return text[*comparison] == '<' ? "(" + right + ") - (" + left + ")" : "(" + left + ") - (" + right + ")";
}

std::expected<telemetry_digest, std::string> digest_of(const reading& r, objective& o, std::uint64_t generation,
                                                       std::uint64_t sequence) {
  telemetry_digest digest;
  digest.at = r.end;
  digest.window = r.end - r.begin;
  digest.sequence = sequence;
  digest.generation = generation;
  digest.sample_count = r.sample_count;
  if (r.sample_count == 0) return digest;
  const auto target = o.evaluate(r.metrics);
  if (!target) return std::unexpected(target.error());
  digest.objective = *target;
  const auto margin = o.margin(r.metrics);
  if (!margin) return std::unexpected(margin.error());
  if (*margin) digest.measures.set(digest_measure::constraint_margin, **margin);
  constexpr std::pair<const char*, digest_measure> measures[] = {{"latency_p99_ms", digest_measure::p99_latency_ms},
                                                                 {"throughput_per_s", digest_measure::throughput_per_s},
                                                                 {"error_rate", digest_measure::error_rate}};
  for (const auto& [name, measure] : measures) {
    const auto metric = r.metrics.find(name);
    if (metric == r.metrics.end()) continue;
    if (!std::isfinite(metric->second))
      return std::unexpected("metric " + metric->first + " is " + number_text(metric->second) +
                             ", expected a finite number");
    digest.measures.set(measure, metric->second);
  }
  return digest;
}

} // namespace homeostat
