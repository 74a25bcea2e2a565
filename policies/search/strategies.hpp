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
  bool whole{false}; ///< only whole numbers
};

/// @returns the names `strategy` may have in a batch search: auto, probe, nelder-mead, tpe, cma-es, quadratic, bayes.
[[nodiscard]] std::span<const std::string_view> strategy_names();
/// @returns the parameters of a strategy, batch or online; empty for an unknown name.
[[nodiscard]] std::span<const strategy_param> strategy_params_of(std::string_view strategy);
/// @returns the form of a parameter's values, for messages: "0.01 to 1", "a whole number from 1 to 1024".
[[nodiscard]] std::string form_of(const strategy_param& param);
[[nodiscard]] bool is_allowed(const strategy_param& param, double value);
/// @returns nothing, or one sentence that names the parameter the strategy has not, or the value out of range.
[[nodiscard]] std::expected<void, std::string> check_strategy_params(std::string_view strategy,
                                                                     const std::map<std::string, double>& params);

/// @param space  outlives the strategy.
/// @returns the strategy, or one sentence that names the unknown strategy or parameter, or the value out of range.
[[nodiscard]] std::expected<std::unique_ptr<search_strategy>, std::string>
make_strategy(std::string_view name, const search_space& space, const strategy_settings& settings);

} // namespace homeostat
