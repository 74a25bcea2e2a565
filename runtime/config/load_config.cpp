#include "policies/find_named.hpp"
#include "runtime/config/pool_loop.hpp"
#include "runtime/config/readers.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <set>

namespace homeostat {

namespace yaml {

namespace {

constexpr std::size_t largest_file = std::size_t{1} << 20;
constexpr std::string_view api_version = "homeostat/v1";

enum class document_kind : std::uint8_t { node, pool, policy, source, loop };
constexpr std::array<std::string_view, 5> kind_names{"Node", "Pool", "Policy", "Source", "Loop"};

/// One document whose frame is in order.
struct document {
  document_kind kind;
  std::string name; ///< empty after a complaint about it
  position at;
  std::string label;
  std::optional<mapping> spec; ///< absent where the kind allows it, or when it is broken
  bool broken{false};          ///< there is a spec, but it is no mapping
};

const key_table& spec_keys(document_kind kind) {
  switch (kind) {
  case document_kind::node: return node_keys();
  case document_kind::pool: return pool_keys();
  case document_kind::policy: return policy_keys();
  case document_kind::source: return source_keys();
  case document_kind::loop: break;
  }
  return loop_keys();
}

bool needs_spec(document_kind kind) { return kind == document_kind::source || kind == document_kind::loop; }

bool has_api_version(const value& v) {
  if (v.node.IsScalar() && v.node.Scalar() == api_version) return true;
  v.refuse_form(std::string(api_version));
  return false;
}

std::optional<std::string> metadata_name(const mapping& frame) {
  const auto metadata = frame.find("metadata");
  const auto m = metadata ? mapping::open(*metadata, metadata_keys()) : std::nullopt;
  const auto name = m ? m->find("name") : std::nullopt;
  return name ? name_of(*name) : std::nullopt;
}

/// @returns "Loop cache:" as far as a document tells, which is what its problems are labelled with.
std::string label_of(const YAML::Node& node, std::size_t number) {
  std::string kind;
  std::string name;
  if (node.IsMap())
    for (const auto& pair : node) {
      if (!pair.first.IsScalar()) continue;
      if (pair.first.Scalar() == "kind" && pair.second.IsScalar()) kind = pair.second.Scalar();
      if (pair.first.Scalar() == "metadata" && pair.second.IsMap())
        for (const auto& inner : pair.second)
          if (inner.first.IsScalar() && inner.first.Scalar() == "name" && inner.second.IsScalar())
            name = inner.second.Scalar();
    }
  if (std::ranges::find(kind_names, kind) == kind_names.end()) return "document " + std::to_string(number) + ":";
  return kind + (name.empty() ? "" : " " + shown(name)) + ":";
}

std::optional<document> read_frame(const YAML::Node& node, std::size_t number, problem_list& problems) {
  const value whole{.node = node,
                    .path = label_of(node, number),
                    .at = {.line = node.Mark().line + 1, .column = node.Mark().column + 1},
                    .problems = &problems};
  const auto frame = mapping::open(whole, document_keys());
  if (!frame) return std::nullopt;
  const auto version = frame->find("apiVersion");
  if (version && !has_api_version(*version)) return std::nullopt; // of another version the rest means nothing to us
  const auto name = metadata_name(*frame);
  const auto kind_value = frame->find("kind");
  const auto chosen = kind_value ? choice_of(*kind_value, kind_words().words) : std::nullopt;
  if (!chosen) return std::nullopt;
  document d{.kind = static_cast<document_kind>(*chosen),
             .name = name.value_or(""),
             .at = whole.at,
             .label = whole.path,
             .spec = {},
             .broken = false};
  const auto spec = frame->find("spec");
  if (spec) d.spec = mapping::open(*spec, spec_keys(d.kind));
  d.broken = spec && !d.spec;
  if (!spec && needs_spec(d.kind)) frame->place_of("spec").refuse("is missing", "a mapping");
  return d;
}

class configuration_reader {
public:
  explicit configuration_reader(problem_list& problems) : problems_(problems) {}

  node_config read(const std::vector<YAML::Node>& nodes) {
    std::vector<document> documents;
    std::size_t number = 0;
    for (const YAML::Node& node : nodes) {
      ++number;
      if (node.IsNull()) continue; // what stands behind a last "---"
      if (auto d = read_frame(node, number, problems_)) documents.push_back(std::move(*d));
    }
    check_repetition(documents);
    // In order of reference, whatever their order in the file.
    each(documents, document_kind::node, [&](document& d) { read_node_document(d); });
    each(documents, document_kind::policy, [&](document& d) { read_policy_document(d); });
    each(documents, document_kind::pool, [&](document& d) { read_pool_document(d); });
    each(documents, document_kind::source, [&](document& d) { read_source_document(d); });
    each(documents, document_kind::loop, [&](document& d) { read_loop_document(d); });
    govern_pools(documents);
    return std::move(node_);
  }

private:
  template <class Action> static void each(std::vector<document>& documents, document_kind kind, Action action) {
    for (document& d : documents)
      if (d.kind == kind) action(d);
  }

  /// Names are unique within their kind, and there is one node.
  void check_repetition(const std::vector<document>& documents) {
    for (auto d = documents.begin(); d != documents.end(); ++d) {
      const bool is_node = d->kind == document_kind::node;
      const auto same = [&](const document& e) { return e.kind == d->kind && (is_node || e.name == d->name); };
      const auto earlier = std::find_if(documents.begin(), d, same);
      if (earlier == d || (d->name.empty() && !is_node)) continue;
      const std::string line = std::to_string(earlier->at.line);
      if (is_node)
        problems_.add(d->at, d->label, "is the second Node; the first is in line " + line, "at most one Node");
      else
        problems_.add(d->at, d->label, "is there already, in line " + line, "every name once in its kind");
    }
  }

  void read_node_document(document& d) {
    if (!d.name.empty()) node_.name = d.name;
    if (d.spec) read_node(*d.spec, node_);
  }

  void read_policy_document(document& d) {
    const std::size_t before = problems_.size();
    policy_settings policy = d.spec ? read_policy(*d.spec, policy_settings{}, guardrails_keys()) : policy_settings{};
    policy.sound = !d.broken && problems_.size() == before;
    policies_[d.name] = policy;
  }

  void read_pool_document(document& d) {
    pool_config pool{.name = d.name, .supervision = {}, .transfer = {}};
    if (d.broken) pool_policies_[d.name] = "";
    if (d.spec) {
      pool.supervision = read_supervision(*d.spec);
      pool.transfer = read_transfer(*d.spec);
      std::vector<std::string> names;
      for (const auto& [name, settings] : policies_) names.push_back(name);
      if (const auto v = d.spec->find("policy"))
        pool_policies_[d.name] = reference_of(*v, "Policy", names).value_or("");
    }
    node_.pools.push_back(std::move(pool));
  }

  void read_source_document(document& d) {
    // A broken one counts as declared: its loops are not to blame.
    const std::size_t before = problems_.size();
    node_.sources.push_back(d.spec ? read_source(*d.spec, d.name, node_.pools)
                                   : source_config{.name = d.name, .what = {}});
    if (d.spec) check_pool_is_free(*d.spec, node_.sources.back());
    if (!d.spec || problems_.size() != before) broken_sources_.insert(d.name);
  }

  void read_loop_document(document& d) {
    if (!d.spec) return;
    const known_documents known{.pools = node_.pools,
                                .sources = node_.sources,
                                .policies = policies_,
                                .pool_policies = pool_policies_,
                                .broken_sources = broken_sources_,
                                .node_seed = node_.seed};
    loop_config loop = read_loop(*d.spec, d.name, known);
    check_sharing(*d.spec, loop);
    if (!loop.pool.empty() && std::ranges::find(node_.pools, loop.pool, &pool_config::name) == node_.pools.end())
      node_.pools.push_back({.name = loop.pool, .supervision = {}, .transfer = {}});
    node_.loops.push_back(std::move(loop));
  }

  /// A pool's outcomes are told once, to one source and one loop.
  void check_pool_is_free(const mapping& spec, const source_config& source) {
    const std::string* pool = pool_of(source);
    if (!pool || pool->empty()) return;
    for (const source_config& other : node_.sources)
      if (&other != &source && pool_of(other) && *pool_of(other) == *pool)
        spec.place_of("transfer_pool")
            .refuse("names Pool " + *pool + ", which Source " + other.name + " has already",
                    "one source for each pool");
  }

  /// A pool that decides on transfers has a loop over its policy, so that every change of it is governed; one that is
  /// written out replaces the node's own.
  void govern_pools(const std::vector<document>& documents) {
    for (std::size_t i = 0; i < node_.pools.size(); ++i) {
      const pool_config& pool = node_.pools[i];
      if (!pool.transfer || pool.name.empty() || loop_over_pool(node_, pool.name)) continue;
      const std::string name = loop_over(pool.name);
      const auto same = [&](const document& d) { return d.kind == document_kind::loop && d.name == name; };
      if (const auto taken = std::ranges::find_if(documents, same); taken != documents.end()) {
        problems_.add(taken->at, taken->label, "has the name of the loop over the policy of Pool " + pool.name,
                      "another name, or a Source with transfer_pool: {pool: " + pool.name + "}");
        continue;
      }
      const auto policy = pool_policies_.find(pool.name);
      const auto settings = policy == pool_policies_.end() ? policies_.end() : policies_.find(policy->second);
      add_pool_loop(node_, pool, settings == policies_.end() ? nullptr : &settings->second);
    }
  }

  /// Only one governor changes a value (I2).
  void check_sharing(const mapping& spec, const loop_config& loop) {
    for (const loop_config& other : node_.loops) {
      if (other.source != loop.source || loop.source.empty()) continue;
      const source_config* source = find_named(node_.sources, loop.source);
      if (source && pool_of(*source)) {
        spec.place_of("source").refuse("is Source " + loop.source + ", which Loop " + other.name + " has already",
                                       "one loop for each pool");
        continue;
      }
      for (const knob_spec& knob : loop.governor.knobs)
        if (std::ranges::find(other.governor.knobs, knob.name, &knob_spec::name) != other.governor.knobs.end())
          spec.place_of("knobs").refuse("has the knob '" + knob.name + "' of Source " + loop.source + ", which Loop " +
                                            other.name + " has already",
                                        "one loop for each knob");
    }
  }

  problem_list& problems_;
  node_config node_;
  std::map<std::string, policy_settings> policies_;
  std::map<std::string, std::string> pool_policies_;
  std::set<std::string> broken_sources_;
};

} // namespace

const key_table& document_keys() {
  static const key_table table{"document",
                               {{"apiVersion", "homeostat/v1"},
                                {"kind", "one of Node, Pool, Policy, Source, Loop"},
                                {"metadata", "a mapping with name"},
                                {"spec"}}};
  return table;
}
const key_table& metadata_keys() {
  static const key_table table{"metadata", {{"name", "a name of [a-z][a-z0-9_-]*, at most 63 characters"}}};
  return table;
}
const word_set& kind_words() {
  static const word_set set{"kind", kind_names};
  return set;
}

std::vector<const key_table*> all_key_tables() {
  return {&document_keys(),
          &metadata_keys(),
          &node_keys(),
          &store_keys(),
          &api_keys(),
          &tls_keys(),
          &log_keys(),
          &supervision_keys(),
          &pool_keys(),
          &policy_keys(),
          &guardrails_keys(),
          &rollback_keys(),
          &loop_guardrails_keys(),
          &safe_mode_keys(),
          &regression_keys(),
          &source_keys(),
          &command_keys(),
          &pgbouncer_keys(),
          &cache_demo_keys(),
          &transfer_pool_keys(),
          &loop_keys(),
          &objective_keys(),
          &knob_keys(),
          &step_limit_keys(),
          &strategy_keys(),
          &window_keys(),
          &authority_keys(),
          &review_keys(),
          &contention_keys(),
          &feedback_source_keys(),
          &loop_authority_keys(),
          &rule_keys(),
          &transfer_keys(),
          &threshold_override_keys(),
          &transfer_rule_keys()};
}

std::vector<const word_set*> all_word_sets() {
  return {&kind_words(),
          &preset_words(),
          &log_format_words(),
          &log_level_words(),
          &supervision_strategy_words(),
          &knob_type_words(),
          &knob_scale_words(),
          &strategy_words(),
          &audit_words(),
          &on_exit_words(),
          &environment_words(),
          &pattern_words(),
          &source_type_words(),
          &trust_words(),
          &risk_words(),
          &transfer_goal_words(),
          &transfer_method_words()};
}

std::optional<std::string> name_of(const value& v) {
  const auto text = text_of(v);
  if (!text) return std::nullopt;
  const auto letter = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto part = [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-'; };
  if (letter((*text)[0]) && std::ranges::all_of(*text, part) && text->size() <= 63) return text;
  v.refuse_form("a name of [a-z][a-z0-9_-]*, at most 63 characters");
  return std::nullopt;
}

std::optional<std::string> reference_of(const value& v, std::string_view kind, const std::vector<std::string>& names) {
  const auto text = text_of(v);
  if (!text || std::ranges::find(names, *text) != names.end()) return text;
  if (kind == "Pool" && *text == "default") return text; // exists without being declared
  std::vector<std::string_view> views;
  for (const std::string& name : names)
    if (!name.empty()) views.push_back(name); // an empty one stands for a document whose name was refused
  const auto meant = closest_name(*text, views);
  v.refuse(what_is(v.node) + (meant ? " (did you mean '" + std::string(*meant) + "'?)" : ""),
           "the name of a " + std::string(kind) + " in this file, " +
               (views.empty() ? "of which there is none" : "which are: " + list_of(views)));
  return std::nullopt;
}

} // namespace yaml

std::string to_string(const config_problem& problem) {
  std::string text = problem.file;
  if (problem.line > 0) text += ":" + std::to_string(problem.line);
  text += ": ";
  if (!problem.path.empty()) text += problem.path + ": ";
  text += problem.what;
  if (!problem.expected.empty()) text += ", expected " + problem.expected;
  return text;
}

std::expected<node_config, std::vector<config_problem>> load_config_text(const std::string& name,
                                                                         const std::string& text) {
  yaml::problem_list problems(name, text);
  const auto fail = [&](yaml::position at, std::string what, std::string expected) {
    problems.add(at, {}, std::move(what), std::move(expected));
    return std::unexpected(problems.take());
  };
  if (text.size() > yaml::largest_file)
    return fail({}, "has " + std::to_string(text.size()) + " bytes", "at most " + std::to_string(yaml::largest_file));
  try {
    const std::vector<YAML::Node> documents = yaml::load_documents(text);
    if (std::ranges::all_of(documents, [](const YAML::Node& d) { return d.IsNull(); }))
      return fail({}, "holds no document", "one or more with apiVersion homeostat/v1");
    node_config node = yaml::configuration_reader(problems).read(documents);
    if (problems.empty()) return node;
    return std::unexpected(problems.take());
  } catch (const YAML::Exception& e) {
    return fail({.line = e.mark.line + 1, .column = e.mark.column + 1}, "is not YAML: " + e.msg, {});
  }
}

std::expected<node_config, std::vector<config_problem>> load_config(const std::filesystem::path& file) {
  const auto unreadable = [&](const std::string& why) {
    return std::unexpected(std::vector{config_problem{
        .file = file.string(), .line = 0, .column = 0, .path = {}, .what = "cannot be read: " + why, .expected = {}}});
  };
  std::error_code error;
  if (std::filesystem::is_directory(file, error)) return unreadable("it is a directory");
  std::ifstream in(file, std::ios::binary);
  if (!in) return unreadable(std::strerror(errno));
  std::string text(yaml::largest_file + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) return unreadable(std::strerror(errno));
  text.resize(static_cast<std::size_t>(in.gcount()));
  return load_config_text(file.string(), text);
}

} // namespace homeostat
