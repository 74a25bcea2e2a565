#include "runtime/config/formula.hpp"
#include "runtime/config/objective.hpp"
#include "runtime/config/readers.hpp"

namespace homeostat::yaml {

namespace {

void refuse_formula(const value& v, const formula_error& e, const std::string& expected) {
  value place = v;
  std::string where;
  if (e.offset) {
    place.at = position_in(v, *e.offset);
    where = " at character " + std::to_string(*e.offset + 1);
  }
  place.refuse("is '" + shown(v.node.Scalar()) + "', which is wrong" + where + ": " + e.what, expected);
}

void read_target(const value& v, objective_config& objective) {
  const auto text = text_of(v);
  if (!text) return;
  const auto compiled = formula::compile(*text);
  if (!compiled) return refuse_formula(v, compiled.error(), "a formula such as latency_p99_ms + 1000 * error_rate");
  if (compiled->metrics().empty())
    v.refuse("is '" + shown(*text) + "', which depends on no metric",
             "a formula such as latency_p99_ms + 1000 * error_rate");
  objective.formula = *text;
}

void read_constraints(const value& v, objective_config& objective) {
  const auto items = items_of(v, "a list of comparisons such as error_rate <= 0.01");
  for (const value& item : items.value_or(std::vector<value>{})) {
    const auto text = text_of(item);
    if (!text) continue;
    const auto margin = margin_formula(*text);
    if (!margin) {
      refuse_formula(item, margin.error(), "a comparison such as error_rate <= 0.01");
    } else if (const auto compiled = formula::compile(*margin); !compiled) {
      refuse_formula(item, {.what = compiled.error().what, .offset = {}}, "a comparison such as error_rate <= 0.01");
    } else if (compiled->metrics().empty()) {
      item.refuse("is '" + shown(*text) + "', which depends on no metric", "a comparison such as error_rate <= 0.01");
    } else {
      objective.constraints.push_back({.formula = *margin, .text = *text});
    }
  }
}

} // namespace

const key_table& objective_keys() {
  static const key_table table{"objective", {{"minimize"}, {"maximize"}, {"constraints"}}};
  return table;
}

objective_config read_objective(const mapping& spec) {
  objective_config objective;
  const auto v = spec.find("objective");
  const auto m = v ? mapping::open(*v, objective_keys()) : std::nullopt;
  if (!m) return objective;
  const auto minimize = m->find("minimize");
  const auto maximize = m->find("maximize");
  if (minimize.has_value() == maximize.has_value())
    m->self().refuse(minimize ? "says minimize and maximize" : "says neither minimize nor maximize",
                     "exactly one of the two");
  if (minimize) read_target(*minimize, objective);
  if (maximize) read_target(*maximize, objective);
  objective.maximize = maximize.has_value();
  if (const auto constraints = m->find("constraints")) read_constraints(*constraints, objective);
  return objective;
}

} // namespace homeostat::yaml
