#include "policies/bit_mix.hpp"
#include "policies/find_named.hpp"
#include "policies/fnv1a.hpp"
#include "policies/number_text.hpp"
#include "runtime/config/pool_loop.hpp"
#include "runtime/config/readers.hpp"
#include "runtime/config/settings_fields.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace homeostat::yaml {

namespace {

constexpr std::size_t no_strategy = 2;
constexpr std::uint64_t any_seed = std::numeric_limits<std::uint64_t>::max();

constexpr std::array<field<spsa_settings>, 7> spsa_fields{{
    {"learning_rate", &spsa_settings::learning_rate},
    {"perturbation", &spsa_settings::perturbation_scale, "perturbation_scale"},
    {"alpha", &spsa_settings::alpha},
    {"gamma", &spsa_settings::gamma},
    {"stability", &spsa_settings::stability},
    {"max_step", &spsa_settings::max_step},
    {"windows_per_probe", &spsa_settings::windows_per_probe},
}};

constexpr std::array<field<engine_settings>, 2> engine_fields{{
    {"evidence_limit", &engine_settings::evidence_limit},
    {"gradient_memory", &engine_settings::gradient_memory},
}};

constexpr std::array<field<window_settings>, 4> window_fields{{
    {"digests", &window_settings::digests},
    {"span", &window_settings::span},
    {"settle", &window_settings::settle_time},
    {"max_age", &window_settings::max_age},
}};

std::expected<void, std::string> check_engine(const engine_settings& s) {
  const auto wrong = [](std::string_view name, double value, const char* expected) {
    return std::unexpected(std::string(name) + " is " + number_text(value) + ", expected " + expected);
  };
  if (!(s.evidence_limit >= 0)) return wrong("evidence_limit", s.evidence_limit, "0 or more");
  if (!(s.gradient_memory >= 0 && s.gradient_memory < 1))
    return wrong("gradient_memory", s.gradient_memory, "0 to below 1");
  return {};
}

std::expected<void, std::string> check_window(const window_settings& s) {
  if (s.digests < 1 || s.digests > 10'000)
    return std::unexpected("digests is " + std::to_string(s.digests) + ", expected 1 to 10000");
  if (s.span <= 0us) return std::unexpected("span is " + duration_text(s.span) + ", expected a duration above 0");
  if (s.max_age <= 0us)
    return std::unexpected("max_age is " + duration_text(s.max_age) + ", expected a duration above 0");
  return {};
}

/// A window ends with its last digest or when its span is over. Who gives one of the two means it: the other follows,
/// so that a default chosen for fast digests does not cut the windows of slow ones short.
window_settings read_window(const mapping& spec, duration interval, duration patience) {
  window_settings settings;
  const auto v = spec.find("window");
  const auto m = v ? mapping::open(*v, window_keys()) : std::nullopt;
  settings.max_age = std::max(settings.max_age, patience);
  if (m) read_fields<window_settings>(*m, settings, window_fields);
  window_settings fallback;
  report_checks<window_settings>(m, spec.place_of("window"), settings, fallback, window_fields, check_window);
  const bool digests_given = m && m->has("digests");
  const bool span_given = m && m->has("span");
  if (!span_given) {
    settings.span = std::max(fallback.span, interval * settings.digests);
  } else if (!digests_given && interval > 0us) {
    const auto needed = (settings.span.count() + interval.count() - 1) / interval.count();
    settings.digests = static_cast<std::uint32_t>(std::clamp<std::int64_t>(needed, 1, 10'000));
  }
  return settings;
}

void read_last_decay(const mapping& m, spsa_settings& spsa) {
  const auto v = m.find("last_decay");
  if (!v) return;
  const std::string text = v->node.IsScalar() ? v->node.Scalar() : "";
  if (text == "never") {
    spsa.last_decay.reset();
  } else if (const auto k = v->is_plain() ? parse_whole(text) : std::nullopt; k) {
    spsa.last_decay = *k;
  } else {
    v->refuse_form("a whole number of iterations, or never");
  }
}

/// Settings of one strategy say nothing to the other: who gives them means something else than what would happen.
void refuse_settings(const mapping& m, const std::string& strategy) {
  for (const key& k : strategy_keys().keys)
    if (const auto v = k.name == "name" ? std::nullopt : m.find(k.name))
      v->refuse("is a setting of the strategy spsa", "name alone for " + strategy);
}

void read_strategy(const mapping& spec, loop_config& loop) {
  engine_settings& engine = loop.engine;
  const auto v = spec.find("strategy");
  // What a loop with a pattern does, people and rules say; a strategy has to be asked for, and may act only where its
  // bounds are the approval.
  const auto pattern = spec.find("pattern");
  if (pattern && !v) loop.searches = false;
  const auto m = v ? mapping::open(*v, strategy_keys()) : std::nullopt;
  if (m) {
    const auto name = m->find("name");
    const auto chosen = name ? choice_of(*name, strategy_words().words) : std::nullopt;
    loop.searches = chosen != no_strategy;
    if (chosen && loop.searches) engine.strategy = static_cast<online_kind>(*chosen);
    const auto word = pattern ? choice_of(*pattern, pattern_words().words) : std::nullopt;
    if (loop.searches && word && static_cast<feedback_pattern>(*word) != feedback_pattern::auto_tune)
      return v->refuse("is given with pattern " + std::string(pattern_words().words[*word]),
                       "name: none, or pattern: auto-tune: a strategy applies what it proposes");
    if (!loop.searches) return refuse_settings(*m, "none");
    if (engine.strategy == online_kind::adaptive) return refuse_settings(*m, "adaptive");
    read_fields<spsa_settings>(*m, engine.spsa, spsa_fields);
    read_last_decay(*m, engine.spsa);
    read_fields<engine_settings>(*m, engine, engine_fields);
  }
  const value place = spec.place_of("strategy");
  report_checks<spsa_settings>(m, place, engine.spsa, spsa_settings{}, spsa_fields,
                               [](const spsa_settings& s) { return check(s); });
  report_checks<engine_settings>(m, place, engine, engine_settings{}, engine_fields, check_engine);
  const double limit = engine.limits.max_delta_per_step;
  const auto given = m ? m->find("perturbation") : std::nullopt;
  if (given && exceeds(engine.spsa.perturbation_scale, limit))
    given->refuse(what_is(given->node),
                  "at most max_delta_per_step, " + number_text(limit) + ": a larger probe would be refused");
  engine.spsa.perturbation_scale = std::min(engine.spsa.perturbation_scale, limit);
}

template <class Enum> void read_mode(const mapping& spec, std::string_view name, const word_set& set, Enum& target) {
  const auto v = spec.find(name);
  const auto chosen = v ? choice_of(*v, set.words) : std::nullopt;
  if (chosen) target = static_cast<Enum>(*chosen);
}

template <class Named> std::vector<std::string> names_in(const std::vector<Named>& list) {
  std::vector<std::string> names;
  for (const Named& item : list) names.push_back(item.name);
  return names;
}

/// Different loops of one node draw different numbers, and the same ones after a restart.
std::uint64_t seed_of(std::uint64_t node_seed, std::string_view loop) {
  return mixed_bits(fnv1a(loop) + node_seed * golden_step);
}

/// @returns the settings of the loop's policy; not sound when that is unknown or broken.
policy_settings inherited_policy(const mapping& spec, const loop_config& loop, const known_documents& known) {
  std::vector<std::string> names;
  for (const auto& [name, settings] : known.policies) names.push_back(name);
  std::optional<std::string> wanted;
  if (const auto v = spec.find("policy"))
    wanted = reference_of(*v, "Policy", names).value_or("");
  else if (const auto p = known.pool_policies.find(loop.pool); p != known.pool_policies.end())
    wanted = p->second;
  else if (loop.pool.empty())
    wanted = "";
  policy_settings settings;
  if (!wanted) return settings;
  const auto found = known.policies.find(*wanted);
  if (found != known.policies.end()) return found->second;
  settings.sound = false;
  return settings;
}

} // namespace

const key_table& loop_keys() {
  static const key_table table{"loop",
                               {{"pool"},
                                {"source", "the name of a Source"},
                                {"policy"},
                                {"objective", "a mapping with minimize or maximize"},
                                {"knobs", "a list of 1 to 16 knobs"},
                                {"guardrails"},
                                {"rollback"},
                                {"safe_mode"},
                                {"regression"},
                                {"strategy"},
                                {"pattern"},
                                {"authority"},
                                {"window"},
                                {"seed"},
                                {"audit"},
                                {"on_exit"}}};
  return table;
}

const key_table& strategy_keys() {
  static const key_table table{
      "strategy", keys_of<engine_settings>(
                      keys_of<spsa_settings>({{.name = "name"}, {.name = "last_decay"}}, spsa_fields), engine_fields)};
  return table;
}

const key_table& window_keys() {
  static const key_table table{"window", keys_of<window_settings>({}, window_fields)};
  return table;
}

const word_set& strategy_words() {
  // In the order of online_kind, then none.
  static constexpr std::array<std::string_view, 3> words{"adaptive", "spsa", "none"};
  static const word_set set{"strategy_name", words};
  return set;
}
const word_set& audit_words() {
  // In the order of audit_mode.
  static constexpr std::array<std::string_view, 2> words{"durable", "queued"};
  static const word_set set{"audit", words};
  return set;
}
const word_set& on_exit_words() {
  // In the order of exit_mode.
  static constexpr std::array<std::string_view, 2> words{"keep", "revert"};
  static const word_set set{"on_exit", words};
  return set;
}

loop_config read_loop(const mapping& spec, std::string name, const known_documents& known) {
  loop_config loop;
  loop.name = std::move(name);
  loop.pool = "default";
  if (const auto v = spec.find("pool")) loop.pool = reference_of(*v, "Pool", names_in(known.pools)).value_or("");
  if (const auto v = spec.find("source"))
    loop.source = reference_of(*v, "Source", names_in(known.sources)).value_or("");
  const auto declared = std::ranges::find(known.sources, loop.source, &source_config::name);
  const bool source_sound = declared != known.sources.end() && !known.broken_sources.contains(loop.source);
  const source_config source = source_sound ? *declared : source_config{};

  loop.objective = read_objective(spec);
  const problem_list& problems = *spec.self().problems;
  const policy_settings inherited = inherited_policy(spec, loop, known);
  const std::size_t before_policy = problems.size();
  const policy_settings policy = read_policy(spec, inherited, loop_guardrails_keys());
  loop.window = read_window(spec, source.interval, source.patience);
  const bool policy_sound = inherited.sound && problems.size() == before_policy;
  const auto knobs = read_knobs(spec);
  loop.governor.loop = loop.name;
  loop.governor.knobs = knobs.value_or(std::vector<knob_spec>{});
  loop.governor.limits = policy.limits;
  loop.governor.rollback = policy.rollback;
  loop.governor.safe_mode = policy.safe_mode;
  loop.governor.regression = policy.regression;
  loop.engine.knobs = loop.governor.knobs;
  loop.engine.limits = policy.limits;
  read_strategy(spec, loop);
  loop.seed = seed_of(known.node_seed, loop.name);
  if (const auto v = spec.find("seed")) loop.seed = whole_of(*v, 0, any_seed).value_or(loop.seed);
  read_mode(spec, "audit", audit_words(), loop.audit);
  read_mode(spec, "on_exit", on_exit_words(), loop.on_exit);
  read_loop_authority(spec, loop);
  const pool_config* pool = pool_of(source) ? find_named(known.pools, *pool_of(source)) : nullptr;
  if (pool) govern_pool(loop.governor, *pool);
  check_loop(spec, loop,
             {.source = source_sound ? &source : nullptr,
              .pool_policy = pool && pool->transfer ? &*pool->transfer : nullptr,
              .policy = policy_sound});
  return loop;
}

} // namespace homeostat::yaml
