#include "policies/search/strategies.hpp"

#include "policies/number_text.hpp"
#include "policies/search/auto_search.hpp"
#include "policies/search/bayes_search.hpp"
#include "policies/search/probe.hpp"
#include "policies/search/quadratic_search.hpp"

#include <algorithm>
#include <array>

namespace homeostat {
namespace {
constexpr std::array<std::string_view, 4> names{"auto", "probe", "quadratic", "bayes"};
}
std::span<const std::string_view> strategy_names() { return names; }

std::expected<std::unique_ptr<search_strategy>, std::string>
make_strategy(std::string_view name, const search_space& space, const strategy_settings& s) {
  if (name == "auto") return std::make_unique<auto_search>(space, s);
  if (name == "probe") return std::make_unique<probe_search>(space, probe_settings{.seed = s.seed});
  if (name == "quadratic") return std::make_unique<quadratic_search>(space, quadratic_settings{.start = s.start});
  if (name == "bayes") return std::make_unique<bayes_search>(space, bayes_settings{.seed = s.seed, .probes = 2 * space.size() + 1});
  return std::unexpected("strategy is '" + std::string(name) + "'");
}
} // namespace homeostat
