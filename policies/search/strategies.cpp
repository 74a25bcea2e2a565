#include "policies/search/strategies.hpp"

#include "policies/closest_name.hpp"
#include "policies/number_text.hpp"
#include "policies/search/auto_search.hpp"
#include "policies/search/bayes_search.hpp"
#include "policies/search/cma_es.hpp"
#include "policies/search/nelder_mead.hpp"
#include "policies/search/online/online_strategy.hpp"
#include "policies/search/probe.hpp"
#include "policies/search/quadratic_search.hpp"
#include "policies/search/tpe.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace homeostat {

namespace {

constexpr std::array<std::string_view, 7> names{"auto", "probe", "nelder-mead", "tpe", "cma-es", "quadratic", "bayes"};

constexpr std::array<strategy_param, 1> auto_params{{{"noisy", 0, 0, 1, true}}};
constexpr std::array<strategy_param, 3> probe_params{
    {{"uniform_share", 0.1, 0, 1}, {"shard", 0, 0, 1e6, true}, {"shards", 1, 1, 1e6, true}}};
constexpr std::array<strategy_param, 2> nelder_mead_params{
    {{"edge", 0.15, 0.001, 0.5}, {"patience", 12, 1, 1000, true}}};
constexpr std::array<strategy_param, 2> tpe_params{
    {{"good_share", 0.15, 0.01, 0.5}, {"candidates", 32, 1, 1024, true}}};
constexpr std::array<strategy_param, 1> cma_params{{{"deviation", 0.25, 0.001, 1}}};
constexpr std::array<strategy_param, 2> quadratic_params{
    {{"first_radius", 0.25, 0.0001, 0.5}, {"last_radius", 1e-6, 1e-12, 0.1}}};
constexpr std::array<strategy_param, 3> bayes_params{
    {{"first_edge", 0.8, 0.01, 1}, {"model_points", 64, 10, 400, true}, {"noisy", 0, 0, 1, true}}};
constexpr std::array<strategy_param, 2> adaptive_params{
    {{"max_delta_per_step", 1, 1e-6, 1}, {"noise_floor", 0, 0, 1e100}}};
constexpr std::array<strategy_param, 1> spsa_params{{{"max_delta_per_step", 1, 1e-6, 1}}};

double param(std::string_view strategy, const strategy_settings& s, std::string_view name) {
  const auto known = strategy_params_of(strategy);
  const auto given = s.params.find(std::string(name));
  return given != s.params.end() ? given->second : std::ranges::find(known, name, &strategy_param::name)->standard;
}

std::string joined(std::span<const std::string_view> all) {
  std::string text;
  for (std::string_view one : all) text += (text.empty() ? "" : ", ") + std::string(one);
  return text;
}

std::string hint(std::string_view typed, std::span<const std::string_view> all) {
  const auto meant = closest_name(typed, all);
  return meant ? " (did you mean '" + std::string(*meant) + "'?)" : "";
}

std::string unknown_strategy(std::string_view name) {
  const std::string expected = ", expected one of " + joined(names);
  if (online_kind_from(name))
    return "strategy is '" + std::string(name) + "', which is online: every candidate is applied to a live plant" +
           expected;
  return "strategy is '" + std::string(name) + "'" + hint(name, names) + expected;
}

// What a method that needs a picture first looks at: its share of the budget, at least enough for a first model.
std::size_t probes_of(const search_space& space, const strategy_settings& s) {
  constexpr double open_budget = 100;
  const double share = s.probe_ratio * (s.budget ? static_cast<double>(*s.budget) : open_budget);
  return std::max(static_cast<std::size_t>(std::min(share, 1000.0)), space.size() + 1);
}

} // namespace

std::span<const std::string_view> strategy_names() { return names; }

std::span<const strategy_param> strategy_params_of(std::string_view strategy) {
  if (strategy == "auto") return auto_params;
  if (strategy == "probe") return probe_params;
  if (strategy == "nelder-mead") return nelder_mead_params;
  if (strategy == "tpe") return tpe_params;
  if (strategy == "cma-es") return cma_params;
  if (strategy == "quadratic") return quadratic_params;
  if (strategy == "bayes") return bayes_params;
  if (strategy == "adaptive") return adaptive_params;
  if (strategy == "spsa") return spsa_params;
  return {};
}

std::string form_of(const strategy_param& param) {
  return (param.whole ? "a whole number from " : "") + number_text(param.min) + " to " + number_text(param.max);
}

bool is_allowed(const strategy_param& param, double value) {
  return value >= param.min && value <= param.max && (!param.whole || value == std::floor(value));
}

std::expected<void, std::string> check_strategy_params(std::string_view strategy,
                                                       const std::map<std::string, double>& params) {
  const auto known = strategy_params_of(strategy);
  for (const auto& [name, value] : params) {
    const auto found = std::ranges::find(known, std::string_view(name), &strategy_param::name);
    if (found == known.end()) {
      std::vector<std::string_view> all;
      for (const strategy_param& p : known) all.push_back(p.name);
      return std::unexpected("strategy_params." + name + " is not a parameter of '" + std::string(strategy) + "'" +
                             hint(name, all) + ", expected one of " + joined(all));
    }
    if (!is_allowed(*found, value))
      return std::unexpected("strategy_params." + name + " is " + number_text(value) + ", expected " + form_of(*found));
  }
  return {};
}

std::expected<std::unique_ptr<search_strategy>, std::string>
make_strategy(std::string_view name, const search_space& space, const strategy_settings& s) {
  if (std::ranges::find(names, name) == names.end()) return std::unexpected(unknown_strategy(name));
  if (auto sound = check_strategy_params(name, s.params); !sound) return std::unexpected(sound.error());
  const auto p = [&](std::string_view which) { return param(name, s, which); };
  const auto whole = [&](std::string_view which) { return static_cast<std::size_t>(p(which)); };
  if (name == "auto") return std::make_unique<auto_search>(space, s);
  if (name == "probe") {
    if (whole("shard") >= whole("shards"))
      return std::unexpected("strategy_params.shard is " + number_text(p("shard")) + ", expected less than shards " +
                             number_text(p("shards")));
    return std::make_unique<probe_search>(
        space, probe_settings{s.seed, 0, whole("shard"), whole("shards"), p("uniform_share")});
  }
  if (name == "nelder-mead")
    return std::make_unique<nelder_mead_search>(
        space, nelder_mead_settings{
                   .seed = s.seed, .probes = probes_of(space, s), .edge = p("edge"), .patience = whole("patience")});
  if (name == "tpe")
    return std::make_unique<tpe_search>(space, tpe_settings{.seed = s.seed,
                                                            .probes = probes_of(space, s),
                                                            .good_share = p("good_share"),
                                                            .candidates = whole("candidates")});
  if (name == "cma-es")
    return std::make_unique<cma_search>(space,
                                        cma_settings{.seed = s.seed, .start = s.start, .deviation = p("deviation")});
  if (name == "quadratic" && p("last_radius") > p("first_radius"))
    return std::unexpected("strategy_params.last_radius is " + number_text(p("last_radius")) +
                           ", expected at most first_radius " + number_text(p("first_radius")));
  if (name == "quadratic")
    return std::make_unique<quadratic_search>(space, quadratic_settings{s.start, p("first_radius"), p("last_radius")});
  return std::make_unique<bayes_search>(space, bayes_settings{.seed = s.seed,
                                                              .probes = probes_of(space, s),
                                                              .model_points = whole("model_points"),
                                                              .first_edge = p("first_edge"),
                                                              .noisy = p("noisy") >= 0.5});
}

} // namespace homeostat
