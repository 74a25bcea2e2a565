#include "runtime/config/yaml_reader.hpp"

#include <yaml-cpp/eventhandler.h>

#include <algorithm>
#include <limits>
#include <sstream>
#include <tuple>
#include <utility>

namespace homeostat::yaml {

namespace {

position position_of(const YAML::Mark& mark) { return {.line = mark.line + 1, .column = mark.column + 1}; }

value child_of(const value& parent, const YAML::Node& node, std::string path, position container_at) {
  // yaml-cpp places an empty value at the token behind it, which is another line.
  const bool own_place = node.IsScalar();
  return {.node = node,
          .path = std::move(path),
          .at = own_place ? position_of(node.Mark()) : container_at,
          .problems = parent.problems};
}

/// The path of a document is a label that ends with a colon: "Loop cache:", or empty where a file holds but one.
std::string joined(const std::string& path, std::string_view name) {
  if (path.empty()) return std::string(name);
  return path + (path.ends_with(':') ? ' ' : '.') + std::string(name);
}

std::vector<std::string_view> allowed_names(const key_table& keys) {
  std::vector<std::string_view> names;
  for (const key& k : keys.keys)
    if (k.refused.empty()) names.push_back(k.name);
  return names;
}

std::string with_hint(std::string what, std::string_view typed, std::span<const std::string_view> names) {
  if (auto meant = closest_name(typed, names)) what += " (did you mean '" + std::string(*meant) + "'?)";
  return what;
}

bool is_quoted(const YAML::Node& node) { return node.IsScalar() && node.Tag() == "!"; }

bool has_explicit_tag(const YAML::Node& node) {
  return !node.IsNull() && !node.Tag().empty() && node.Tag() != "?" && node.Tag() != "!";
}

/// Watches a first pass over a text for documents that do not advance.
struct document_watch : YAML::EventHandler {
  std::optional<int> latest;

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (latest && mark.pos <= *latest) throw YAML::ParserException(mark, "unexpected text after a document");
    latest = mark.pos;
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& /*mark*/, YAML::anchor_t /*anchor*/) override {}
  void OnAlias(const YAML::Mark& /*mark*/, YAML::anchor_t /*anchor*/) override {}
  void OnScalar(const YAML::Mark& /*mark*/, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                const std::string& /*value*/) override {}
  void OnSequenceStart(const YAML::Mark& /*mark*/, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                       YAML::EmitterStyle::value /*style*/) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark& /*mark*/, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                  YAML::EmitterStyle::value /*style*/) override {}
  void OnMapEnd() override {}
};

} // namespace

std::vector<YAML::Node> load_documents(const std::string& text) {
  std::istringstream in(text);
  YAML::Parser parser(in);
  document_watch watch;
  while (parser.HandleNextDocument(watch)) {}
  return YAML::LoadAll(text);
}

// ---- problems -----------------------------------------------------------------------------------------------------

void problem_list::add(position at, std::string path, std::string what, std::string expected) {
  if (path.ends_with(':')) path.pop_back();
  // Kept in the order of the text; those of one place in the order in which they were found.
  const auto behind = std::ranges::upper_bound(problems_, std::tuple(at.line, at.column), {},
                                               [](const config_problem& p) { return std::tuple(p.line, p.column); });
  problems_.insert(behind, {.file = file_,
                            .line = at.line,
                            .column = at.column,
                            .path = std::move(path),
                            .what = std::move(what),
                            .expected = std::move(expected)});
}

char problem_list::at(position p) const {
  std::size_t begin = 0;
  for (int line = 1; line < p.line; ++line) {
    begin = text_.find('\n', begin);
    if (begin == std::string_view::npos) return 0;
    ++begin;
  }
  const std::size_t index = begin + static_cast<std::size_t>(p.column) - 1;
  return index < text_.size() ? text_[index] : '\0';
}

std::vector<config_problem> problem_list::take() { return std::exchange(problems_, {}); }

std::string what_is(const YAML::Node& node) {
  if (has_explicit_tag(node)) return "has the tag '" + shown(node.Tag()) + "'";
  switch (node.Type()) {
  case YAML::NodeType::Scalar:
    if (node.Scalar().empty()) return "is an empty text";
    return (node.Tag() == "?" ? "is '" : "is the text '") + shown(node.Scalar()) + "'";
  case YAML::NodeType::Sequence: return "is a list";
  case YAML::NodeType::Map: return "is a mapping";
  case YAML::NodeType::Null:
  case YAML::NodeType::Undefined: break;
  }
  return "is empty";
}

void value::refuse_form(std::string expected) const { refuse(what_is(node), std::move(expected)); }

// ---- mappings -----------------------------------------------------------------------------------------------------

void mapping::add(const value& self, const YAML::Node& key_node, const YAML::Node& content, const key_table& keys) {
  const position at = position_of(key_node.Mark());
  if (!key_node.IsScalar() || has_explicit_tag(key_node)) {
    self.problems->add(at, self.path, "has a key that " + what_is(key_node), "a plain name");
    return;
  }
  const std::string& typed = key_node.Scalar();
  const std::string path = joined(self.path, shown(typed));
  const auto known = std::ranges::find(keys.keys, typed, &key::name);
  if (known == keys.keys.end()) {
    const auto names = allowed_names(keys);
    self.problems->add(at, path, with_hint("is not a known key", typed, names), one_of(names));
    return;
  }
  if (!known->refused.empty()) {
    self.problems->add(at, path, std::string(known->refused));
    return;
  }
  const auto earlier = std::ranges::find(entries_, known->name, &entry::name);
  if (earlier != entries_.end()) {
    self.problems->add(at, path, "is given again; the first is in line " + std::to_string(earlier->content.at.line),
                       "every key once");
    return;
  }
  entries_.push_back({.name = known->name, .content = child_of(self, content, path, at)});
}

std::optional<mapping> mapping::open(const value& v, const key_table& keys) {
  if (!v.node.IsMap() || has_explicit_tag(v.node)) {
    v.refuse_form("a mapping with " + list_of(allowed_names(keys)));
    return std::nullopt;
  }
  mapping m(v);
  for (const auto& pair : v.node) m.add(v, pair.first, pair.second, keys);
  for (const key& k : keys.keys)
    if (!k.form.empty() && !m.has(k.name)) m.place_of(k.name).refuse("is missing", std::string(k.form));
  return m;
}

std::optional<value> mapping::find(std::string_view name) const {
  const auto found = std::ranges::find(entries_, name, &entry::name);
  return found == entries_.end() ? std::nullopt : std::optional(found->content);
}

value mapping::place_of(std::string_view name) const {
  if (auto present = find(name)) return *present;
  value v = self_;
  v.path = joined(v.path, name);
  return v;
}

// ---- single values ------------------------------------------------------------------------------------------------

std::optional<double> number_of(const value& v) {
  const auto number = v.is_plain() ? parse_number(v.node.Scalar()) : std::nullopt;
  if (!number)
    v.refuse_form(is_quoted(v.node) && parse_number(v.node.Scalar()) ? "a number without quotes" : "a number");
  return number;
}

std::optional<std::uint64_t> whole_of(const value& v, std::uint64_t least, std::uint64_t most) {
  const auto number = v.is_plain() ? parse_whole(v.node.Scalar()) : std::nullopt;
  if (number && *number >= least && *number <= most) return number;
  std::string expected = "a whole number ";
  if (most == std::numeric_limits<std::uint64_t>::max())
    expected += "of " + std::to_string(least) + " or more";
  else
    expected += "from " + std::to_string(least) + " to " + std::to_string(most);
  if (is_quoted(v.node) && parse_whole(v.node.Scalar())) expected += ", without quotes";
  v.refuse_form(expected);
  return std::nullopt;
}

std::optional<bool> truth_of(const value& v) {
  if (v.is_plain() && v.node.Scalar() == "true") return true;
  if (v.is_plain() && v.node.Scalar() == "false") return false;
  v.refuse_form(is_quoted(v.node) ? "true or false without quotes" : "true or false");
  return std::nullopt;
}

std::optional<std::string> text_of(const value& v) {
  if (!v.node.IsScalar() || has_explicit_tag(v.node) || v.node.Scalar().empty()) {
    v.refuse_form("text");
    return std::nullopt;
  }
  const std::string& text = v.node.Scalar();
  if (v.is_plain() && is_ambiguous(text)) {
    v.refuse_form("text in quotes, because without them YAML readers disagree on what it is");
    return std::nullopt;
  }
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t'; };
  if (std::ranges::any_of(text, control)) {
    v.refuse_form("text without control characters");
    return std::nullopt;
  }
  return text;
}

position position_in(const value& v, std::size_t n) {
  const std::string& text = v.node.Scalar();
  const char quote = v.is_plain() ? '\0' : v.problems->at(v.at);
  if (!v.is_plain() && quote != '"' && quote != '\'') return v.at; // a block: its lines are elsewhere
  position p = v.at;
  p.column += static_cast<int>(n) + (v.is_plain() ? 0 : 1);
  const bool same_line = n >= text.size() || v.problems->at(p) == text[n];
  return same_line ? p : v.at;
}

std::optional<duration> duration_of(const value& v) {
  const auto d = v.node.IsScalar() && !has_explicit_tag(v.node) ? parse_duration(v.node.Scalar()) : std::nullopt;
  if (!d) v.refuse_form("a duration such as 500ms, 5s, 2m, 1h or 7d, at most 365d");
  return d;
}

std::optional<std::size_t> choice_of(const value& v, std::span<const std::string_view> words) {
  if (!v.node.IsScalar() || has_explicit_tag(v.node)) {
    v.refuse_form(one_of(words));
    return std::nullopt;
  }
  const auto found = std::ranges::find(words, v.node.Scalar());
  if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
  v.refuse(with_hint(what_is(v.node), v.node.Scalar(), words), one_of(words));
  return std::nullopt;
}

std::optional<std::vector<value>> items_of(const value& v, std::string_view expected) {
  if (!v.node.IsSequence() || has_explicit_tag(v.node)) {
    v.refuse_form(std::string(expected));
    return std::nullopt;
  }
  std::vector<value> items;
  for (const YAML::Node& node : v.node) {
    const position at = node.IsNull() ? v.at : position_of(node.Mark());
    items.push_back(child_of(v, node, v.path + "[" + std::to_string(items.size()) + "]", at));
  }
  return items;
}

} // namespace homeostat::yaml
