#include "runtime/config/readers.hpp"
#include "runtime/config/settings_fields.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace homeostat::yaml {

namespace {

/// A knob as far as it could be read. `complete` is false after a complaint.
struct knob_draft {
  knob_spec spec;
  mapping source;
  bool complete{true};
};

std::optional<double> limit_of(const value& v) {
  const auto number = number_of(v);
  if (number && !(*number > 0)) {
    v.refuse_form("a number above 0");
    return std::nullopt;
  }
  return number;
}

/// `10` or `{up: 10, down: 5}`.
std::optional<unit_step_limit> step_limit_of(const value& v) {
  if (!v.node.IsMap()) {
    if (!v.node.IsScalar()) {
      v.refuse_form("a number, or {up: NUMBER, down: NUMBER}");
      return std::nullopt;
    }
    const auto both = limit_of(v);
    return both ? std::optional(unit_step_limit{.up = *both, .down = *both}) : std::nullopt;
  }
  const auto m = mapping::open(v, step_limit_keys());
  if (!m || !m->has("up") || !m->has("down")) return std::nullopt;
  const auto up = limit_of(*m->find("up"));
  const auto down = limit_of(*m->find("down"));
  return up && down ? std::optional(unit_step_limit{.up = *up, .down = *down}) : std::nullopt;
}

bool read_number(const mapping& m, std::string_view name, double& target, bool required) {
  const auto v = m.find(name);
  if (!v) {
    if (required) m.place_of(name).refuse("is missing", "a number");
    return !required;
  }
  const auto number = number_of(*v);
  target = number.value_or(target);
  return number.has_value();
}

void read_ordered(knob_draft& knob) {
  const mapping& m = knob.source;
  bool good = read_number(m, "min", knob.spec.min, true);
  good = read_number(m, "max", knob.spec.max, true) && good;
  good = read_number(m, "default", knob.spec.initial, true) && good;
  if (const auto v = m.find("scale")) {
    const auto chosen = choice_of(*v, knob_scale_words().words);
    if (chosen) knob.spec.scale = static_cast<knob_scale>(*chosen);
    good = good && chosen;
  }
  if (const auto v = m.find("step")) {
    knob.spec.step = number_of(*v);
    good = good && knob.spec.step;
  }
  if (const auto v = m.find("max_delta")) {
    knob.spec.step_limit = step_limit_of(*v);
    good = good && knob.spec.step_limit;
  }
  if (const auto v = m.find("categories")) {
    v->refuse("needs a knob of type categorical");
    good = false;
  }
  knob.complete = knob.complete && good;
}

/// What a knob without distances cannot have.
void refuse_distances(knob_draft& knob, std::string_view type) {
  static constexpr std::array<std::string_view, 5> keys{"min", "max", "scale", "step", "max_delta"};
  for (std::string_view name : keys)
    if (const auto v = knob.source.find(name)) {
      v->refuse("has no meaning for a " + std::string(type) + " knob");
      knob.complete = false;
    }
}

void read_boolean(knob_draft& knob) {
  refuse_distances(knob, "boolean");
  if (const auto v = knob.source.find("categories")) {
    v->refuse("needs a knob of type categorical");
    knob.complete = false;
  }
  knob.spec.min = 0;
  knob.spec.max = 1;
  const auto v = knob.source.find("default");
  if (!v) knob.source.place_of("default").refuse("is missing", "true or false");
  const auto truth = v ? truth_of(*v) : std::nullopt;
  knob.spec.initial = truth.value_or(false) ? 1 : 0;
  knob.complete = knob.complete && truth;
}

void read_categories(knob_draft& knob) {
  const auto v = knob.source.find("categories");
  if (!v) knob.source.place_of("categories").refuse("is missing", "a list of two names or more");
  const auto items = v ? items_of(*v, "a list of two names or more") : std::nullopt;
  knob.complete = knob.complete && items;
  if (items && items->size() < 2) {
    v->refuse("has " + std::to_string(items->size()) + " names", "two or more");
    knob.complete = false;
  }
  for (const value& item : items.value_or(std::vector<value>{})) {
    const auto text = text_of(item);
    if (!text) {
      knob.complete = false;
    } else if (std::ranges::find(knob.spec.categories, *text) != knob.spec.categories.end()) {
      item.refuse(what_is(item.node) + " again", "every category once");
      knob.complete = false;
    } else {
      knob.spec.categories.push_back(*text);
    }
  }
}

void read_categorical(knob_draft& knob) {
  refuse_distances(knob, "categorical");
  read_categories(knob);
  knob.spec.min = 0;
  knob.spec.max = static_cast<double>(knob.spec.categories.size()) - 1;
  const auto v = knob.source.find("default");
  if (!v) knob.source.place_of("default").refuse("is missing", "one of the categories");
  knob.complete = knob.complete && v;
  if (!v || knob.spec.categories.empty()) return;
  const std::vector<std::string_view> words(knob.spec.categories.begin(), knob.spec.categories.end());
  const auto chosen = choice_of(*v, words);
  if (chosen) knob.spec.initial = static_cast<double>(*chosen);
  knob.complete = knob.complete && chosen;
}

std::optional<knob_draft> read_knob(const value& v) {
  auto m = mapping::open(v, knob_keys());
  if (!m) return std::nullopt;
  knob_draft knob{.spec = {}, .source = *m};
  const auto name = m->find("name");
  const auto text = name ? text_of(*name) : std::nullopt;
  knob.spec.name = text.value_or("");
  knob.complete = text.has_value();
  if (const auto unit = m->find("unit")) {
    const auto read = text_of(*unit);
    knob.spec.unit = read.value_or("");
    knob.complete = knob.complete && read;
  }
  if (const auto risk = m->find("risk")) {
    const auto chosen = choice_of(*risk, risk_words().words);
    knob.spec.risk = static_cast<risk_class>(chosen.value_or(0));
    knob.complete = knob.complete && chosen;
  }
  if (const auto concern = m->find("concern")) {
    const auto read = text_of(*concern);
    knob.spec.concern = read.value_or("");
    knob.complete = knob.complete && read;
  }
  if (const auto relevant = m->find("security_relevant")) {
    const auto read = truth_of(*relevant);
    knob.spec.security_relevant = read.value_or(false);
    knob.complete = knob.complete && read;
  }
  if (const auto type = m->find("type")) {
    const auto chosen = choice_of(*type, knob_type_words().words);
    if (!chosen) return std::nullopt; // what the other keys mean is not known
    knob.spec.type = static_cast<knob_type>(*chosen);
  }
  switch (knob.spec.type) {
  case knob_type::continuous:
  case knob_type::integer: read_ordered(knob); break;
  case knob_type::boolean: read_boolean(knob); break;
  case knob_type::categorical: read_categorical(knob); break;
  }
  return knob;
}

/// The limits of guardrails.max_delta, one per knob in knob order, null for the guardrails' fraction.
bool read_limit_list(const value& list, std::vector<std::optional<knob_draft>>& knobs) {
  const auto items =
      items_of(list, "a list of one limit per knob, in knob order and in each knob's unit; a fraction of range "
                     "for every knob is max_delta_per_step");
  if (!items) return false;
  if (items->size() != knobs.size()) {
    list.refuse("has " + std::to_string(items->size()) + " limits", "one per knob, " + std::to_string(knobs.size()));
    return false;
  }
  bool good = true;
  for (std::size_t i = 0; i < knobs.size(); ++i) {
    const value& item = (*items)[i];
    if (item.is_null() || !knobs[i]) continue;
    if (!is_ordered(knobs[i]->spec)) {
      item.refuse(what_is(item.node), "null, because knob '" + shown(knobs[i]->spec.name) + "' has no distances");
      good = false;
      continue;
    }
    if (knobs[i]->source.has("max_delta")) {
      knobs[i]->source.place_of("max_delta").refuse("is set in spec.guardrails.max_delta too", "one of the two");
      good = false;
      continue;
    }
    knobs[i]->spec.step_limit = step_limit_of(item);
    good = good && knobs[i]->spec.step_limit;
  }
  return good;
}

/// @returns the list in the guardrails, which has been opened and checked there.
std::optional<value> limit_list_in(const mapping& spec) {
  const auto guardrails = spec.find("guardrails");
  if (!guardrails || !guardrails->node.IsMap()) return std::nullopt;
  problem_list reported_already("", "");
  value quiet = *guardrails;
  quiet.problems = &reported_already;
  const auto m = mapping::open(quiet, loop_guardrails_keys());
  auto list = m ? m->find("max_delta") : std::nullopt;
  if (list) list->problems = guardrails->problems;
  return list;
}

bool check_knob(const knob_draft& knob, std::set<std::string>& names) {
  bool good = knob.complete;
  if (!knob.spec.name.empty() && !names.insert(knob.spec.name).second) {
    knob.source.place_of("name").refuse("is '" + shown(knob.spec.name) + "' again",
                                        "a name that no other knob of the loop has");
    good = false;
  }
  if (!good) return false;
  const auto result = check(knob.spec);
  if (result) return true;
  const std::string_view name = std::string_view(result.error()).substr(0, result.error().find(' '));
  const bool names_key = std::ranges::find(knob_keys().keys, name, &key::name) != knob_keys().keys.end();
  if (names_key && result.error().find(" - ") != name.size())
    refuse_as_checked(knob.source.place_of(name), result.error());
  else
    knob.source.self().refuse(result.error());
  return false;
}

} // namespace

const key_table& knob_keys() {
  static const key_table table{"knob",
                               {{"name", "a name of [a-z][a-z0-9_]*"},
                                {"type"},
                                {"scale"},
                                {"unit"},
                                {"min"},
                                {"max"},
                                {"default"},
                                {"step"},
                                {"categories"},
                                {"max_delta"},
                                {"risk"},
                                {"concern"},
                                {"security_relevant"}}};
  return table;
}

const key_table& step_limit_keys() {
  static const key_table table{"step_limit", {{"up", "a number above 0"}, {"down", "a number above 0"}}};
  return table;
}

const word_set& knob_type_words() {
  // In the order of knob_type.
  static constexpr std::array<std::string_view, 4> words{"continuous", "integer", "boolean", "categorical"};
  static const word_set set{"knob_type", words};
  return set;
}

const word_set& knob_scale_words() {
  // In the order of knob_scale.
  static constexpr std::array<std::string_view, 3> words{"linear", "log", "periodic"};
  static const word_set set{"knob_scale", words};
  return set;
}

std::optional<std::vector<knob_spec>> read_knobs(const mapping& spec) {
  const auto v = spec.find("knobs");
  const auto items = v ? items_of(*v, "a list of 1 to 16 knobs") : std::nullopt;
  if (!items) return std::nullopt;
  if (items->empty() || items->size() > max_knobs) {
    v->refuse("has " + std::to_string(items->size()) + " knobs", "1 to " + std::to_string(max_knobs));
    return std::nullopt;
  }
  std::vector<std::optional<knob_draft>> drafts;
  for (const value& item : *items) drafts.push_back(read_knob(item));
  bool good = true;
  if (const auto list = limit_list_in(spec)) good = read_limit_list(*list, drafts);
  std::vector<knob_spec> knobs;
  std::set<std::string> names;
  for (const auto& knob : drafts) {
    if (!knob || !check_knob(*knob, names))
      good = false;
    else
      knobs.push_back(knob->spec);
  }
  return good ? std::optional(std::move(knobs)) : std::nullopt;
}

} // namespace homeostat::yaml
