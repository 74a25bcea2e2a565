#pragma once

#include "runtime/config/config.hpp"
#include "runtime/config/scalar_text.hpp"

#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace homeostat::yaml {

/// A place in the file, from 1.
struct position {
  int line{0};
  int column{0};
};

/// Where problems are collected while reading goes on.
class problem_list {
public:
  /// @param text  the file's content; must outlive this object.
  problem_list(std::string file, std::string_view text) : file_(std::move(file)), text_(text) {}
  void add(position at, std::string path, std::string what, std::string expected = {});
  [[nodiscard]] std::size_t size() const { return problems_.size(); }
  [[nodiscard]] bool empty() const { return problems_.empty(); }
  /// @returns the byte of the file at a place; 0 if there is none.
  [[nodiscard]] char at(position p) const;
  /// @returns all problems, sorted by place.
  [[nodiscard]] std::vector<config_problem> take();

private:
  std::string file_;
  std::string_view text_;
  std::vector<config_problem> problems_;
};

/// @returns the documents of a text.
/// @throws YAML::Exception  it is not YAML. Unlike YAML::LoadAll this ends on every text: where a stray `,` follows a
/// document, yaml-cpp 0.7 finds one empty document after another at the same place until the memory is gone.
[[nodiscard]] std::vector<YAML::Node> load_documents(const std::string& text);

/// A node as a value. yaml-cpp's own assignment writes through to the tree: assigning one node to another makes both
/// places of the document the same.
struct node_handle : YAML::Node {
  node_handle() = default;
  node_handle(const YAML::Node& node) : YAML::Node(node) {} // NOLINT(google-explicit-constructor): it is one
  node_handle(const node_handle& other) = default;
  node_handle& operator=(const node_handle& other) {
    reset(other);
    return *this;
  }
  ~node_handle() = default;
};

/// A node of the file together with its path and place: what is needed to complain about it. `problems` outlives it.
struct value {
  node_handle node;
  std::string path; ///< "Loop cache: spec.knobs[0].max"
  position at;      ///< of a scalar: its own; of anything else: of its key
  problem_list* problems{nullptr};

  void refuse(std::string what, std::string expected = {}) const {
    problems->add(at, path, std::move(what), std::move(expected));
  }
  /// Complains that the value does not have the expected form, showing what it is.
  void refuse_form(std::string expected) const;
  [[nodiscard]] bool is_null() const { return node.IsNull(); }
  [[nodiscard]] bool is_plain() const { return node.IsScalar() && node.Tag() == "?"; }
};

/// @returns what a node is, as the start of a message: "is 'abc'", "is a list".
[[nodiscard]] std::string what_is(const YAML::Node& node);

/// One key that a mapping may have.
struct key {
  std::string_view name;
  std::string_view form{};    ///< what a missing one should have been; empty: it may be left out
  std::string_view refused{}; ///< if set: the key is an error here, and this is why. It is not part of the schema.
};

/// The keys of one mapping. `name` is its entry under $defs in deploy/schema/homeostat-v1.json.
struct key_table {
  std::string_view name;
  std::vector<key> keys;
};

/// A mapping whose keys have been checked against a table: unknown, repeated, refused and missing ones are reported.
class mapping {
public:
  /// @returns the mapping; nothing, and a problem, when the value is something else.
  static std::optional<mapping> open(const value& v, const key_table& keys);

  /// @returns the value of a key of the table that is present. With null as its value it counts as present, and no
  /// reader
  ///          accepts null.
  [[nodiscard]] std::optional<value> find(std::string_view name) const;
  [[nodiscard]] bool has(std::string_view name) const { return find(name).has_value(); }
  [[nodiscard]] const value& self() const { return self_; }
  /// @returns the path and place to use in a complaint about a key, whether or not it is present.
  [[nodiscard]] value place_of(std::string_view name) const;

private:
  struct entry {
    std::string_view name; ///< the table's
    value content;
  };
  explicit mapping(value self) : self_(std::move(self)) {}
  void add(const value& self, const YAML::Node& key_node, const YAML::Node& content, const key_table& keys);
  value self_;
  std::vector<entry> entries_;
};

/// Hands a section that is there and is a mapping to its reader.
template <class Reader>
void in_section(const mapping& spec, std::string_view name, const key_table& keys, Reader reader) {
  const auto v = spec.find(name);
  const auto section = v ? mapping::open(*v, keys) : std::nullopt;
  if (section) reader(*section);
}

// Readers of single values. Each returns nothing after a complaint.

/// A number of JSON's form without quotes.
[[nodiscard]] std::optional<double> number_of(const value& v);
/// A whole number without quotes, from `least` to `most`.
[[nodiscard]] std::optional<std::uint64_t> whole_of(const value& v, std::uint64_t least, std::uint64_t most);
/// true or false without quotes.
[[nodiscard]] std::optional<bool> truth_of(const value& v);
/// Text; what other YAML readers would not take for text has to be quoted. Never empty, no control characters but line
/// feeds.
[[nodiscard]] std::optional<std::string> text_of(const value& v);
/// @returns the place of the n-th byte (from 0) of a text; the place of the value where escapes or line breaks hide it.
[[nodiscard]] position position_in(const value& v, std::size_t n);
/// A duration of longest_duration at most.
[[nodiscard]] std::optional<duration> duration_of(const value& v);
/// @returns the index of one of the given words.
[[nodiscard]] std::optional<std::size_t> choice_of(const value& v, std::span<const std::string_view> words);
/// @param expected  the form, for the complaint: "a list of knobs".
[[nodiscard]] std::optional<std::vector<value>> items_of(const value& v, std::string_view expected);

} // namespace homeostat::yaml
