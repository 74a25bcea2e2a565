// What people declare for the authority: who may give evidence, how long things wait, and the rules of each loop.
#include "policies/number_text.hpp"
#include "runtime/config/formula.hpp"
#include "runtime/config/readers.hpp"
#include "runtime/config/settings_fields.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

namespace homeostat::yaml {

namespace {

constexpr std::array<field<review_settings>, 6> review_fields{{
    {"auto_apply_after", &review_settings::auto_apply_after},
    {"acknowledge_within", &review_settings::acknowledge_within},
    {"escalate_after", &review_settings::escalate_after},
    {"expire_after", &review_settings::expire_after},
    {"keep_decided", &review_settings::keep_decided},
    {"max_open", &review_settings::max_open},
}};

constexpr std::array<field<authority_config>, 2> node_fields{{
    {"changes_per_hour", &authority_config::changes_per_hour},
    {"recommendations_expire_after", &authority_config::advice_expires},
}};

constexpr std::array<field<contention_settings>, 2> contention_fields{{
    {"alternations", &contention_settings::alternations},
    {"within", &contention_settings::span},
}};

constexpr std::array<field<governed_loop>, 2> loop_fields{{
    {"total_change_cap", &governed_loop::total_change_cap},
    {"settle_after_neighbours", &governed_loop::settle_after_neighbours},
}};

constexpr std::array<field<tuning_rule>, 2> rule_fields{{
    {"sustained", &tuning_rule::sustained},
    {"cooldown", &tuning_rule::cooldown},
}};

std::unexpected<std::string> wrong(std::string_view name, const std::string& value, const std::string& expected) {
  return std::unexpected(std::string(name) + " is " + value + ", expected " + expected);
}

std::expected<void, std::string> check_review(const review_settings& s) {
  if (s.acknowledge_within <= 0us)
    return wrong("acknowledge_within", duration_text(s.acknowledge_within), "a duration above 0");
  if (s.escalate_after <= s.acknowledge_within)
    return wrong("escalate_after", duration_text(s.escalate_after),
                 "more than acknowledge_within, " + duration_text(s.acknowledge_within));
  if (s.expire_after <= s.escalate_after)
    return wrong("expire_after", duration_text(s.expire_after),
                 "more than escalate_after, " + duration_text(s.escalate_after));
  if (s.auto_apply_after >= s.expire_after)
    return wrong("auto_apply_after", duration_text(s.auto_apply_after),
                 "less than expire_after, " + duration_text(s.expire_after));
  if (s.keep_decided <= 0us) return wrong("keep_decided", duration_text(s.keep_decided), "a duration above 0");
  if (s.max_open < 1 || s.max_open > 10'000) return wrong("max_open", std::to_string(s.max_open), "1 to 10000");
  return {};
}

std::expected<void, std::string> check_node(const authority_config& a) {
  if (a.changes_per_hour < 1 || a.changes_per_hour > 100'000)
    return wrong("changes_per_hour", std::to_string(a.changes_per_hour), "1 to 100000");
  if (a.advice_expires <= 0us)
    return wrong("recommendations_expire_after", duration_text(a.advice_expires), "a duration above 0");
  return {};
}

std::expected<void, std::string> check_contention(const contention_settings& s) {
  if (s.alternations < 2 || s.alternations > 100)
    return wrong("alternations", std::to_string(s.alternations), "2 to 100");
  if (s.span <= 0us) return wrong("within", duration_text(s.span), "a duration above 0");
  return {};
}

std::expected<void, std::string> check_loop_terms(const governed_loop& l) {
  if (!(l.total_change_cap > 1)) return wrong("total_change_cap", number_text(l.total_change_cap), "more than 1");
  return {};
}

std::expected<void, std::string> check_rule(const tuning_rule& r) {
  if (r.cooldown <= 0us) return wrong("cooldown", duration_text(r.cooldown), "a duration above 0");
  return {};
}

template <class T, std::size_t N, class Checker>
void read_checked(const mapping& m, T& settings, const std::array<field<T>, N>& fields, Checker checker) {
  const T fallback = settings;
  read_fields<T>(m, settings, fields);
  report_checks<T>(m, m.self(), settings, fallback, fields, checker);
}

std::optional<mapping> section_of(const mapping& spec, std::string_view name, const key_table& keys) {
  const auto v = spec.find(name);
  return v ? mapping::open(*v, keys) : std::nullopt;
}

feedback_source read_feedback_source(const mapping& m) {
  feedback_source source;
  if (const auto v = m.find("name")) source.name = name_of(*v).value_or("");
  if (const auto v = m.find("type"))
    if (const auto chosen = choice_of(*v, source_type_words().words)) source.type = static_cast<source_type>(*chosen);
  if (const auto v = m.find("trust"))
    if (const auto chosen = choice_of(*v, trust_words().words)) source.trust = static_cast<trust_level>(*chosen);
  if (const auto v = m.find("cooldown")) source.cooldown = duration_of(*v).value_or(source.cooldown);
  if (const auto v = m.find("requires_proposal"))
    source.requires_proposal = truth_of(*v).value_or(source.requires_proposal);
  if (const auto v = m.find("requires_proposal"); v && !source.requires_proposal && source.trust < trust_level::medium)
    v->refuse("is false for trust " + std::string(name_of(source.trust)),
              "true: a source of low trust never applies anything by itself");
  return source;
}

/// The bounds of a rule: the knob's own where they are left out, and never wider.
void read_rule_bounds(const mapping& m, const knob_spec& knob, tuning_rule& rule) {
  rule.min = knob.min, rule.max = knob.max;
  if (const auto v = m.find("min")) rule.min = number_of(*v).value_or(rule.min);
  if (const auto v = m.find("max")) rule.max = number_of(*v).value_or(rule.max);
  const std::string bounds = number_text(knob.min) + " to " + number_text(knob.max);
  if (rule.min < knob.min)
    m.place_of("min").refuse("is " + number_text(rule.min), "a value within the knob's bounds, " + bounds);
  if (rule.max > knob.max)
    m.place_of("max").refuse("is " + number_text(rule.max), "a value within the knob's bounds, " + bounds);
  if (rule.min >= rule.max)
    m.place_of("min").refuse("is " + number_text(rule.min), "less than max, " + number_text(rule.max));
}

void read_rule_knob(const mapping& m, std::span<const knob_spec> knobs, tuning_rule& rule) {
  const auto v = m.find("knob");
  const auto name = v ? text_of(*v) : std::nullopt;
  if (!name) return;
  const auto knob = std::ranges::find(knobs, *name, &knob_spec::name);
  if (knob == knobs.end()) {
    std::string known;
    for (const knob_spec& k : knobs) known += (known.empty() ? "" : ", ") + k.name;
    return v->refuse("is '" + *name + "'", "a knob of this loop, which are: " + known);
  }
  rule.knob = static_cast<std::size_t>(knob - knobs.begin());
  read_rule_bounds(m, *knob, rule);
  const auto step = m.find("step");
  if (!step) return;
  rule.step = number_of(*step).value_or(1);
  if (is_ordered(*knob) && (rule.step == 0 || !std::isfinite(rule.step)))
    return step->refuse("is " + number_text(rule.step), "a number above or below 0, in the knob's unit");
  if (!is_ordered(*knob) && !is_admissible(*knob, rule.step))
    return step->refuse("is " + number_text(rule.step),
                        "the number of a value of the knob, 0 to " + number_text(knob->max));
}

void read_rule_condition(const mapping& m, tuning_rule& rule) {
  if (const auto v = m.find("metric")) {
    rule.metric = text_of(*v).value_or("");
    if (const auto f = formula::compile(rule.metric); !rule.metric.empty() && !f)
      v->refuse("is '" + rule.metric + "': " + f.error().what, "a metric's name or a formula over metrics");
  }
  const auto above = m.find("above"), below = m.find("below");
  if (above.has_value() == below.has_value())
    return m.self().refuse(above ? "has both above and below" : "has neither above nor below", "one of the two");
  rule.above = above.has_value();
  rule.threshold = number_of(above ? *above : *below).value_or(0);
  rule.release = rule.threshold;
  const auto release = m.find("release");
  if (!release) return;
  rule.release = number_of(*release).value_or(rule.threshold);
  if (rule.above ? rule.release > rule.threshold : rule.release < rule.threshold)
    release->refuse("is " + number_text(rule.release), std::string("at ") + (rule.above ? "most" : "least") +
                                                           " the threshold, " + number_text(rule.threshold) +
                                                           ": there the asking ends");
}

std::vector<tuning_rule> read_rules(const mapping& section, std::span<const knob_spec> knobs) {
  std::vector<tuning_rule> rules;
  const auto v = section.find("rules");
  const auto items = v ? items_of(*v, "a list of rules") : std::nullopt;
  if (!items) return rules;
  if (items->size() > 32) v->refuse("has " + std::to_string(items->size()) + " rules", "at most 32");
  std::set<std::string> names;
  for (const value& item : *items) {
    const auto m = mapping::open(item, rule_keys());
    if (!m) continue;
    tuning_rule& rule = rules.emplace_back();
    if (const auto name = m->find("name")) {
      rule.name = name_of(*name).value_or("");
      if (!rule.name.empty() && !names.insert(rule.name).second)
        name->refuse("is '" + rule.name + "' again", "a name that no other rule of the loop has");
    }
    read_rule_condition(*m, rule);
    if (!knobs.empty()) read_rule_knob(*m, knobs, rule);
    read_checked(*m, rule, rule_fields, check_rule);
  }
  return rules;
}

} // namespace

const key_table& authority_keys() {
  static const key_table table{
      "authority",
      keys_of<authority_config>({{"environment"}, {"review"}, {"contention"}, {"feedback_sources"}}, node_fields)};
  return table;
}
const key_table& review_keys() {
  static const key_table table{"review", keys_of<review_settings>({}, review_fields)};
  return table;
}
const key_table& contention_keys() {
  static const key_table table{"contention", keys_of<contention_settings>({}, contention_fields)};
  return table;
}
const key_table& feedback_source_keys() {
  static const key_table table{"feedback_source",
                               {{"name", "a name of [a-z][a-z0-9_-]*, at most 63 characters"},
                                {"type"},
                                {"trust"},
                                {"cooldown"},
                                {"requires_proposal"}}};
  return table;
}
const key_table& loop_authority_keys() {
  static const key_table table{
      "loop_authority",
      keys_of<governed_loop>({{"priority"}, {"return_to_baseline"}, {"drift_check"}, {"rules"}}, loop_fields)};
  return table;
}
const key_table& rule_keys() {
  static const key_table table{"rule",
                               keys_of<tuning_rule>({{"name", "a name of [a-z][a-z0-9_-]*, at most 63 characters"},
                                                     {"metric", "a metric's name or a formula over metrics"},
                                                     {"above"},
                                                     {"below"},
                                                     {"release"},
                                                     {"knob", "the name of a knob of this loop"},
                                                     {"step", "a number in the knob's unit"},
                                                     {"min"},
                                                     {"max"}},
                                                    rule_fields)};
  return table;
}

const word_set& environment_words() {
  static constexpr std::array<std::string_view, 3> words{"development", "staging", "production"};
  static const word_set set{"environment", words};
  return set;
}
const word_set& pattern_words() {
  // In the order of feedback_pattern.
  static constexpr std::array<std::string_view, 4> words{"proposal-gated", "auto-tune", "drift-capture", "recommend"};
  static const word_set set{"pattern", words};
  return set;
}
const word_set& source_type_words() {
  // In the order of source_type.
  static constexpr std::array<std::string_view, 2> words{"pull", "push"};
  static const word_set set{"source_type", words};
  return set;
}
const word_set& trust_words() {
  // In the order of trust_level.
  static constexpr std::array<std::string_view, 4> words{"very-low", "low", "medium", "high"};
  static const word_set set{"trust", words};
  return set;
}
const word_set& risk_words() {
  // In the order of risk_class.
  static constexpr std::array<std::string_view, 3> words{"low", "medium", "high"};
  static const word_set set{"risk", words};
  return set;
}

void read_node_authority(const mapping& spec, authority_config& authority) {
  const auto m = section_of(spec, "authority", authority_keys());
  if (!m) return;
  if (const auto v = m->find("environment"))
    if (const auto chosen = choice_of(*v, environment_words().words))
      authority.production = environment_words().words[*chosen] == "production";
  read_checked(*m, authority, node_fields, check_node);
  if (const auto review = section_of(*m, "review", review_keys()))
    read_checked(*review, authority.review, review_fields, check_review);
  if (const auto contention = section_of(*m, "contention", contention_keys()))
    read_checked(*contention, authority.contention, contention_fields, check_contention);
  const auto v = m->find("feedback_sources");
  const auto items = v ? items_of(*v, "a list of feedback sources") : std::nullopt;
  if (!items) return;
  for (const value& item : *items)
    if (const auto source = mapping::open(item, feedback_source_keys())) {
      feedback_source read = read_feedback_source(*source);
      if (std::ranges::find(authority.sources, read.name, &feedback_source::name) != authority.sources.end())
        source->place_of("name").refuse("is '" + read.name + "' again", "a name that no other source has");
      authority.sources.push_back(std::move(read));
    }
}

void read_loop_authority(const mapping& spec, loop_config& loop) {
  governed_loop& terms = loop.authority;
  terms.name = loop.name;
  terms.pool = loop.pool;
  terms.knobs = loop.governor.knobs;
  terms.max_delta_per_step = loop.governor.limits.max_delta_per_step;
  const auto pattern = spec.find("pattern");
  if (const auto chosen = pattern ? choice_of(*pattern, pattern_words().words) : std::nullopt)
    terms.pattern = static_cast<feedback_pattern>(*chosen);
  // In-process knobs have no second hand on them; everything else may be changed behind our back.
  if (loop.audit == audit_mode::durable) loop.governor.drift_check = 30s;
  const auto m = section_of(spec, "authority", loop_authority_keys());
  if (!m) return;
  read_checked(*m, terms, loop_fields, check_loop_terms);
  if (const auto v = m->find("priority")) terms.priority = static_cast<int>(whole_of(*v, 0, 1000).value_or(0));
  if (const auto v = m->find("return_to_baseline")) terms.return_to_baseline = duration_of(*v);
  if (const auto v = m->find("drift_check"))
    loop.governor.drift_check = duration_of(*v).value_or(loop.governor.drift_check);
  terms.rules = read_rules(*m, terms.knobs);
  if (!terms.rules.empty() && !pattern)
    m->place_of("rules").refuse("is given without a pattern", "pattern beside it: what becomes of what they ask for");
}

} // namespace homeostat::yaml
