#include "runtime/transfer/rule_conditions.hpp"

#include "policies/transfer/decision_metrics.hpp"
#include "runtime/config/formula.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <stdexcept>
#include <utility>

namespace homeostat {

namespace {

/// The metrics of a decision by name. The map keeps its nodes: each decision only writes the numbers.
class metric_values {
public:
  metric_values() {
    for (const decision_metric& metric : decision_metrics()) places_.emplace_back(&values_[metric.name], &metric);
  }
  metric_values(const metric_values&) = delete;
  metric_values& operator=(const metric_values&) = delete;

  const named_values& of(const transfer_characteristics& data, const system_conditions& now) {
    for (const auto& [place, metric] : places_) *place = metric->value(data, now);
    return values_;
  }

private:
  named_values values_;
  std::vector<std::pair<double*, const decision_metric*>> places_;
};

struct compiled_rules {
  std::uint64_t id{0};
  std::vector<formula> formulas;
};

/// Enough for the pools that one thread works for in turn.
constexpr std::size_t compiled_sets = 16;

std::vector<formula> compile(const std::vector<std::string>& texts) {
  std::vector<formula> formulas;
  for (const std::string& text : texts) formulas.push_back(std::move(formula::compile(text).value()));
  return formulas;
}

} // namespace

rule_conditions::rule_conditions(const std::vector<transfer_rule>& rules) {
  static std::atomic<std::uint64_t> next{1};
  const std::vector<std::string> known = decision_metric_names();
  for (const transfer_rule& rule : rules) {
    const auto made = formula::compile(rule.when);
    if (!made)
      throw std::invalid_argument("rule '" + rule.name + "': " + made.error().what +
                                  (made.error().offset ? " at byte " + std::to_string(*made.error().offset) : ""));
    for (const std::string& metric : made->metrics())
      if (!std::ranges::binary_search(known, metric)) {
        std::string names;
        for (const std::string& name : known) names += (names.empty() ? "" : ", ") + name;
        throw std::invalid_argument("rule '" + rule.name + "': '" + metric +
                                    "' is no metric of a transfer; known are " + names);
      }
    texts_.push_back(rule.when);
  }
  if (!texts_.empty()) id_ = next.fetch_add(1);
}

std::uint32_t rule_conditions::matching(const transfer_characteristics& data,
                                        const system_conditions& now) const noexcept {
  if (texts_.empty()) return 0;
  try {
    thread_local metric_values metrics;
    thread_local std::array<compiled_rules, compiled_sets> sets;
    compiled_rules& mine = sets[id_ % compiled_sets];
    if (mine.id != id_) {
      mine.formulas = compile(texts_);
      mine.id = id_;
    }
    const named_values& values = metrics.of(data, now);
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < mine.formulas.size(); ++i)
      if (const auto value = mine.formulas[i].evaluate(values); value && *value != 0) bits |= std::uint32_t{1} << i;
    return bits;
  } catch (...) {
    return 0; // without memory no rule holds: the thresholds decide
  }
}

} // namespace homeostat
