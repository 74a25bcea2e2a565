#include "runtime/config/rule_cases.hpp"

#include "policies/find_named.hpp"
#include "runtime/config/readers.hpp"

#include <algorithm>

namespace homeostat {

namespace {

using namespace yaml;

constexpr duration longest_case = 24h * 31;

const key_table& file_keys() {
  static const key_table table{"rule_cases", {{"cases", "a list of cases"}}};
  return table;
}
const key_table& case_keys() {
  static const key_table table{"rule_case",
                               {{"name", "what the case shows"},
                                {"rule", "LOOP/RULE"},
                                {"from", "the knob's value at the beginning"},
                                {"metric", "a list of stretches {for, value}"},
                                {"expect", "a list of the values the rule asks for, empty if none"}}};
  return table;
}
const key_table& stretch_keys() {
  static const key_table table{"stretch", {{"for", "a duration"}, {"value"}}};
  return table;
}

const tuning_rule* rule_of(const node_config& node, const rule_case& c) {
  const loop_config* loop = find_named(node.loops, c.loop);
  return loop ? find_named(loop->authority.rules, c.rule) : nullptr;
}

void read_stretches(const value& v, rule_case& c) {
  duration total{0};
  for (const value& item : items_of(v, "a list of stretches {for, value}").value_or(std::vector<value>{})) {
    const auto m = mapping::open(item, stretch_keys());
    if (!m) continue;
    metric_stretch& s = c.metric.emplace_back();
    if (const auto span = m->find("for")) s.span = duration_of(*span).value_or(s.span);
    if (const auto seen = m->find("value")) s.value = number_of(*seen);
    total += s.span;
  }
  if (total > longest_case) v.refuse("is longer than 31 days", "at most 31 days");
}

rule_case read_case(const mapping& m, const node_config& node) {
  rule_case c;
  if (const auto v = m.find("name")) c.name = text_of(*v).value_or("");
  if (const auto v = m.find("from")) c.from = number_of(*v).value_or(0);
  if (const auto v = m.find("metric")) read_stretches(*v, c);
  if (const auto v = m.find("expect"))
    for (const value& item : items_of(*v, "a list of values, empty if none").value_or(std::vector<value>{}))
      c.expected.push_back(number_of(item).value_or(0));
  const auto v = m.find("rule");
  const auto text = v ? text_of(*v) : std::nullopt;
  if (!text) return c;
  const auto slash = text->find('/');
  c.loop = text->substr(0, slash);
  c.rule = slash == std::string::npos ? "" : text->substr(slash + 1);
  if (!rule_of(node, c)) v->refuse("is '" + *text + "'", "LOOP/RULE, a rule that the configuration declares");
  return c;
}

} // namespace

std::expected<std::vector<rule_case>, std::vector<config_problem>>
read_rule_cases(const std::string& file, const std::string& text, const node_config& node) {
  problem_list problems(file, text);
  std::vector<rule_case> cases;
  try {
    const std::vector<YAML::Node> documents = load_documents(text);
    if (documents.size() != 1) {
      problems.add({}, {}, "has " + std::to_string(documents.size()) + " documents", "one");
      return std::unexpected(problems.take());
    }
    const value root{.node = documents[0], .path = {}, .at = {.line = 1, .column = 1}, .problems = &problems};
    const auto m = mapping::open(root, file_keys());
    const auto list = m ? m->find("cases") : std::nullopt;
    const auto items = list ? items_of(*list, "a list of cases") : std::nullopt;
    for (const value& item : items.value_or(std::vector<value>{}))
      if (const auto one = mapping::open(item, case_keys())) cases.push_back(read_case(*one, node));
  } catch (const YAML::Exception& e) {
    problems.add({.line = e.mark.line + 1, .column = e.mark.column + 1}, {}, "is not YAML: " + e.msg, {});
  }
  if (!problems.empty()) return std::unexpected(problems.take());
  return cases;
}

std::vector<double> play(const rule_case& c, const node_config& node) {
  const tuning_rule& rule = *rule_of(node, c);
  const knob_spec& knob = find_named(node.loops, c.loop)->authority.knobs[rule.knob];
  tuning_rule_state state;
  std::vector<double> asked;
  double at = c.from;
  instant now{};
  for (const metric_stretch& stretch : c.metric)
    for (const instant end = now + stretch.span; now < end;) {
      now += 1s;
      observe(state, rule, stretch.value, now);
      if (!is_due(state, rule, now)) continue;
      const auto wanted = wanted_value(rule, knob, at);
      if (!wanted) continue;
      asked.push_back(at = *wanted);
      state.last_fired = now;
      forget(state); // what was measured under the old value is no evidence for the next step
    }
  return asked;
}

} // namespace homeostat
