#include "runtime/search/search_config.hpp"

#include "runtime/config/readers.hpp"
#include "runtime/config/settings_fields.hpp"
#include "runtime/search/online_session.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <string_view>
#include <utility>

namespace homeostat {

namespace {

using namespace yaml;

constexpr std::size_t largest_text = std::size_t{1} << 20;

const key_table& search_keys() {
  static const key_table table{"search",
                               {{"bounds", "a mapping with one entry for each parameter"},
                                {"seed"},
                                {"budget"},
                                {"probe_ratio"},
                                {"batch_size"},
                                {"strategy"},
                                {"strategy_params"},
                                {"history_cap"}}};
  return table;
}

const key_table& parameter_keys() {
  static const key_table table{"parameter",
                               {{"min"}, {"max"}, {"scale"}, {"type"}, {"step"}, {"default"}, {"categories"}}};
  return table;
}

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

/// As choice_of, in any case of letters.
std::optional<std::size_t> word_of(const value& v, std::span<const std::string_view> words) {
  if (v.node.IsScalar())
    if (const auto found = std::ranges::find(words, lower(v.node.Scalar())); found != words.end())
      return static_cast<std::size_t>(found - words.begin());
  return choice_of(v, words);
}

/// Programs that write JSON write 100 as 100.0 or 1e2 at times: any spelling of a whole number will do.
std::optional<std::uint64_t> whole_number_of(const value& v, std::uint64_t least, std::uint64_t most) {
  constexpr double largest_exact = 0x1p53;
  const auto digits = v.is_plain() ? parse_whole(v.node.Scalar()) : std::nullopt;
  const auto number = v.is_plain() && !digits ? parse_number(v.node.Scalar()) : std::nullopt;
  if (number && *number >= static_cast<double>(least) &&
      *number <= std::min(largest_exact, static_cast<double>(most)) && *number == std::floor(*number))
    return static_cast<std::uint64_t>(*number);
  return whole_of(v, least, most);
}

// ---- one parameter ------------------------------------------------------------------------------------------------

/// A default goes by what the value is called in candidates, or by number: categories by index, false and true by 0
/// and 1.
std::optional<double> default_of(const value& v, const knob_spec& knob) {
  const bool number = v.is_plain() && parse_number(v.node.Scalar());
  if (knob.type == knob_type::boolean && !number) {
    const auto truth = truth_of(v);
    return truth ? std::optional(*truth ? 1.0 : 0.0) : std::nullopt;
  }
  if (knob.type == knob_type::categorical && !number) {
    const std::vector<std::string_view> words(knob.categories.begin(), knob.categories.end());
    const auto chosen = choice_of(v, words);
    return chosen ? std::optional(static_cast<double>(*chosen)) : std::nullopt;
  }
  return number_of(v);
}

void read_names(const value& v, knob_spec& knob) {
  const auto items = items_of(v, "a list of two names or more");
  if (items && items->size() < 2) v.refuse("has " + std::to_string(items->size()) + " names", "two or more");
  for (const value& item : items.value_or(std::vector<value>{})) {
    const auto text = text_of(item);
    if (!text) continue;
    if (std::ranges::find(knob.categories, *text) != knob.categories.end())
      item.refuse(what_is(item.node) + " again", "every category once");
    knob.categories.push_back(*text);
  }
}

void read_limits(const mapping& m, knob_spec& knob) {
  const auto read = [&](const char* name, double& into) {
    const auto v = m.find(name);
    if (v) into = number_of(*v).value_or(into);
    if (!v && is_ordered(knob)) m.place_of(name).refuse("is missing", "a number");
  };
  if (knob.type == knob_type::categorical) knob.max = static_cast<double>(knob.categories.size()) - 1;
  read("min", knob.min);
  read("max", knob.max);
  if (const auto v = m.find("step")) knob.step = number_of(*v);
  if (const auto v = m.find("scale"))
    if (const auto chosen = word_of(*v, knob_scale_words().words)) knob.scale = static_cast<knob_scale>(*chosen);
}

/// Complains in the words of the policy's own check, at the key it names.
void check_parameter(const mapping& m, const knob_spec& knob) {
  const auto sound = check(knob);
  if (sound) return;
  const std::string_view name = std::string_view(sound.error()).substr(0, sound.error().find(' '));
  const bool is_key = std::ranges::find(parameter_keys().keys, name, &key::name) != parameter_keys().keys.end();
  if (is_key && sound.error().starts_with(std::string(name) + " is "))
    refuse_as_checked(m.place_of(name), sound.error());
  else
    m.self().refuse(sound.error());
}

void read_parameter(const std::string& name, const value& v, std::vector<knob_spec>& space) {
  if (!v.node.IsMap()) return v.refuse_form(R"(a mapping such as {"min": 0, "max": 1})");
  const std::size_t before = v.problems->size();
  const auto m = mapping::open(v, parameter_keys());
  knob_spec knob;
  knob.name = name;
  if (m->has("categories")) knob.type = knob_type::categorical;
  if (const auto type = m->find("type")) {
    const auto chosen = word_of(*type, knob_type_words().words);
    if (!chosen) return; // what the other keys mean is not known
    knob.type = static_cast<knob_type>(*chosen);
  }
  if (const auto names = m->find("categories")) read_names(*names, knob);
  read_limits(*m, knob);
  if (v.problems->size() != before) return;
  knob.initial = knob.min < knob.max ? value_at(knob, 0.5) : knob.min;
  if (const auto wanted = m->find("default")) {
    const auto number = default_of(*wanted, knob);
    if (!number) return;
    knob.initial = *number;
  }
  check_parameter(*m, knob);
  if (v.problems->size() == before) space.push_back(std::move(knob));
}

void read_bounds(const value& v, std::vector<knob_spec>& space) {
  if (!v.node.IsMap() || v.node.size() == 0)
    return v.refuse(v.node.IsMap() ? "is an empty mapping" : what_is(v.node),
                    "a mapping with one entry for each parameter");
  std::map<std::string, int> lines;
  for (const auto& pair : v.node) {
    value parameter{.node = pair.second, .path = v.path, .at = {}, .problems = v.problems};
    parameter.at = {.line = pair.first.Mark().line + 1, .column = pair.first.Mark().column + 1};
    if (!pair.first.IsScalar()) {
      parameter.refuse("has a key that " + what_is(pair.first), "a plain name");
      continue;
    }
    const std::string& name = pair.first.Scalar();
    parameter.path += "." + yaml::shown(name);
    if (const auto [first, added] = lines.emplace(name, parameter.at.line); !added)
      parameter.refuse("is given again; the first is in line " + std::to_string(first->second), "every name once");
    else
      read_parameter(name, parameter, space);
  }
  std::ranges::sort(space, {}, &knob_spec::name);
}

// ---- the whole ----------------------------------------------------------------------------------------------------

void read_strategy(const mapping& m, solver_settings& into) {
  static constexpr std::array<online_kind, 2> online{online_kind::adaptive, online_kind::spsa};
  std::vector<std::string_view> names(strategy_names().begin(), strategy_names().end());
  for (const online_kind kind : online) names.push_back(name_of(kind));
  if (const auto v = m.find("strategy")) {
    const auto chosen = choice_of(*v, names);
    if (!chosen) return; // what its parameters may be is not known
    into.strategy = names[*chosen];
  }
  const auto v = m.find("strategy_params");
  if (!v) return;
  key_table table{"strategy_params", {}};
  for (const strategy_param& p : strategy_params_of(into.strategy)) table.keys.push_back({.name = p.name});
  const auto params = mapping::open(*v, table);
  if (!params) return;
  for (const strategy_param& p : strategy_params_of(into.strategy)) {
    const auto given = params->find(p.name);
    const auto number = given ? number_of(*given) : std::nullopt;
    if (number && !is_allowed(p, *number))
      given->refuse_form(form_of(p));
    else if (number)
      into.strategy_params[std::string(p.name)] = *number;
  }
}

void read_numbers(const mapping& m, solver_settings& into) {
  const auto whole = [&](const char* name, std::uint64_t least, std::uint64_t most) {
    const auto v = m.find(name);
    return v ? whole_number_of(*v, least, most) : std::nullopt;
  };
  into.seed = whole("seed", 0, std::numeric_limits<std::uint64_t>::max()).value_or(into.seed);
  into.history_cap = whole("history_cap", 1, largest_history_cap).value_or(into.history_cap);
  into.batch_size = whole("batch_size", 1, largest_batch).value_or(into.batch_size);
  // A cap that is not written grows with the budget, so that only those who set it run into it.
  into.budget = whole("budget", 1, largest_history_cap);
  if (into.budget && !m.has("history_cap"))
    into.history_cap = std::max(into.history_cap, static_cast<std::size_t>(*into.budget));
  if (into.budget && *into.budget > into.history_cap)
    m.find("budget")->refuse_form("at most history_cap " + std::to_string(into.history_cap));
  if (const auto v = m.find("probe_ratio")) {
    into.probe_ratio = number_of(*v).value_or(into.probe_ratio);
    if (!(into.probe_ratio >= 0 && into.probe_ratio <= 1)) v->refuse_form("0 to 1");
  }
}

/// What only the search itself can tell: settings that are fine alone and wrong together.
void check_together(const mapping& m, const solver_settings& settings) {
  std::string sentence;
  if (online_kind_from(settings.strategy)) {
    if (const auto online = online_settings_of(settings); !online) sentence = online.error();
  } else if (const auto made = solver::create(settings); !made) {
    sentence = made.error();
  }
  if (sentence.empty()) return;
  constexpr std::string_view of_strategy = "strategy_params.";
  if (sentence.starts_with("knobs ")) return refuse_as_checked(m.place_of("bounds"), sentence);
  const auto params = m.find("strategy_params");
  if (!params || !sentence.starts_with(of_strategy)) return m.self().refuse(sentence);
  value place = *params;
  place.path = sentence.substr(0, sentence.find(' '));
  refuse_as_checked(place, sentence);
}

solver_settings read_settings(const mapping& m) {
  solver_settings settings;
  if (const auto v = m.find("bounds")) read_bounds(*v, settings.space);
  read_numbers(m, settings);
  read_strategy(m, settings);
  if (m.self().problems->empty()) check_together(m, settings);
  return settings;
}

} // namespace

std::expected<solver_settings, std::vector<config_problem>> read_search_config(const std::string& file,
                                                                               const std::string& text) {
  problem_list problems(file, text);
  const auto fail = [&](position at, std::string what, std::string expected) {
    problems.add(at, {}, std::move(what), std::move(expected));
    return std::unexpected(problems.take());
  };
  if (text.size() > largest_text)
    return fail({}, "has " + std::to_string(text.size()) + " bytes", "at most " + std::to_string(largest_text));
  try {
    const std::vector<YAML::Node> documents = yaml::load_documents(text);
    if (documents.size() != 1)
      return fail({}, "holds " + std::to_string(documents.size()) + " documents", "one search");
    const value root{.node = documents[0], .path = {}, .at = {.line = 1, .column = 1}, .problems = &problems};
    const auto m = mapping::open(root, search_keys());
    const solver_settings settings = m ? read_settings(*m) : solver_settings{};
    if (problems.empty()) return settings;
    return std::unexpected(problems.take());
  } catch (const YAML::Exception& e) {
    return fail({.line = e.mark.line + 1, .column = e.mark.column + 1}, "is neither JSON nor YAML: " + e.msg, {});
  }
}

std::string lines_of(const std::vector<config_problem>& problems) {
  std::string text;
  for (const config_problem& problem : problems) text += (text.empty() ? "" : "\n") + to_string(problem);
  return text;
}

bool looks_like_search_config(const std::string& text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  const bool json = first != std::string::npos && text[first] == '{';
  if (text.size() > largest_text) return json;
  try {
    const std::vector<YAML::Node> documents = yaml::load_documents(text);
    if (documents.size() != 1 || !documents[0].IsMap()) return false;
    const auto has = [&](const key_table& table) {
      return std::ranges::any_of(table.keys, [&](const key& k) {
        return std::ranges::any_of(
            documents[0], [&](const auto& pair) { return pair.first.IsScalar() && pair.first.Scalar() == k.name; });
      });
    };
    return !has(document_keys()) && (json || has(search_keys()));
  } catch (const YAML::Exception&) { return json; }
}

} // namespace homeostat
