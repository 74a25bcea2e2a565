#include "runtime/transfer/rule_conditions.hpp"

#include "runtime/config/formula.hpp"

#include <array>
#include <atomic>
#include <stdexcept>

namespace homeostat {

namespace {

/// The metrics of a decision by name. The map keeps its nodes: each decision only writes the numbers.
class decision_metrics {
public:
  decision_metrics() {
    size_ = place("data_size");
    compressed_ = place("compressed");
    for (std::size_t i = 0; i < data_type_count; ++i)
      types_[i] = place("type_" + std::string(name_of(static_cast<data_type>(i))));
    for (std::size_t i = 0; i < data_format_count; ++i)
      formats_[i] = place("format_" + std::string(name_of(static_cast<data_format>(i))));
    cpu_ = place("cpu_load");
    memory_ = place("memory_used");
    available_ = place("available_memory");
    in_flight_ = place("in_flight");
    hour_ = place("hour");
    slowdown_ = place("recent_slowdown");
  }

  const named_values& of(const transfer_characteristics& data, const system_conditions& now) {
    *size_ = static_cast<double>(data.data_size);
    *compressed_ = data.compressed ? 1 : 0;
    for (std::size_t i = 0; i < data_type_count; ++i) *types_[i] = static_cast<std::size_t>(data.type) == i ? 1 : 0;
    for (std::size_t i = 0; i < data_format_count; ++i)
      *formats_[i] = static_cast<std::size_t>(data.format) == i ? 1 : 0;
    *cpu_ = now.cpu_load;
    *memory_ = now.memory_used;
    *available_ = static_cast<double>(now.available_memory);
    *in_flight_ = now.in_flight;
    *hour_ = now.hour;
    *slowdown_ = now.recent_slowdown;
    return values_;
  }
  [[nodiscard]] const named_values& names() const { return values_; }

private:
  double* place(const std::string& name) { return &values_[name]; }
  named_values values_;
  double *size_{}, *compressed_{}, *cpu_{}, *memory_{}, *available_{}, *in_flight_{}, *hour_{}, *slowdown_{};
  std::array<double*, data_type_count> types_{};
  std::array<double*, data_format_count> formats_{};
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
  const decision_metrics known;
  for (const transfer_rule& rule : rules) {
    const auto made = formula::compile(rule.when);
    if (!made)
      throw std::invalid_argument("rule '" + rule.name + "': " + made.error().what +
                                  (made.error().offset ? " at byte " + std::to_string(*made.error().offset) : ""));
    for (const std::string& metric : made->metrics())
      if (!known.names().contains(metric)) {
        std::string names;
        for (const auto& [name, value] : known.names()) names += (names.empty() ? "" : ", ") + name;
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
    thread_local decision_metrics metrics;
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
