#pragma once

#include "policies/search/solver.hpp"
#include "runtime/config/config.hpp"

#include <expected>
#include <string>
#include <vector>

namespace homeostat {

/// Reads the configuration of a search, batch or online. JSON, or YAML of the same shape:
/// {"seed":42, "budget":100, "bounds":{"x":{"min":-5,"max":5,"scale":"linear","type":"continuous","step":0.5,
///  "default":0}, "mode":{"categories":["a","b"],"default":"a"}}, "probe_ratio":0.2, "batch_size":1,
///  "strategy":"auto", "strategy_params":{}, "history_cap":10000}. Only `bounds` is required. scale: linear, log or
/// periodic, in any case of letters; type: continuous, integer, boolean or categorical. Knobs are taken in the
/// alphabetical order of names.
/// @param file  stands for the text in problems.  @param text  at most 1 MiB.
/// @returns the settings, which solver::create or online_session::create then accept; or every problem, sorted by
///          place. Unknown and repeated keys are problems.
[[nodiscard]] std::expected<solver_settings, std::vector<config_problem>> read_search_config(const std::string& file,
                                                                                             const std::string& text);

/// @returns problems as people read them, one a line.
[[nodiscard]] std::string lines_of(const std::vector<config_problem>& problems);

/// @returns true if a text is meant as a search rather than as a node's configuration: one mapping that has none of a
///          node document's keys, and is either written as JSON or has one of a search's.
[[nodiscard]] bool looks_like_search_config(const std::string& text);

} // namespace homeostat
