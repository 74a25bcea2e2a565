#pragma once

#include "policies/search/search_strategy.hpp"

#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace homeostat {

/// What every strategy is made from.
struct strategy_settings {
  std::uint64_t seed{0};
  std::optional<std::uint64_t> budget{};
  double probe_ratio{0.2};
  unit_point start; ///< place of the knobs' initial values
  std::map<std::string, double> params{};
};

/// A parameter a strategy accepts, with its default and its allowed range (both ends included).
struct strategy_param {
  std::string_view name;
  double standard;
  double min;
  double max;
};

/// @returns the names `strategy` may have: auto, probe, nelder-mead, tpe, cma-es, quadratic, bayes.
[[nodiscard]] std::span<const std::string_view> strategy_names();
/// @returns the parameters of a strategy; empty for an unknown name.
[[nodiscard]] std::span<const strategy_param> strategy_params_of(std::string_view strategy);

/// @param space  outlives the strategy.
/// @returns the strategy, or one sentence that names the unknown strategy or parameter, or the value out of range.
[[nodiscard]] std::expected<std::unique_ptr<search_strategy>, std::string>
make_strategy(std::string_view name, const search_space& space, const strategy_settings& settings);

} // namespace homeostat
